"""Size descriptors and the reduction of the covering-number bound, on networks small enough to count by hand."""

import math

import numpy
import onnx
from onnx import numpy_helper

import catalogue
from harness import check, check_equal, run, run_json


def cases():
    yield "sizes-of-3-4-3-2", sizes
    yield "theorem-4-of-3-4-3-2", theorem_4
    yield "reduction-of-128-hidden-units", reduction
    yield "theorem-3-of-128-hidden-units", theorem_3
    yield "constants-from-the-command-line", constants
    yield "other-graphs-get-no-theorem", no_theorem
    for model in catalogue.everything():
        yield f"{model.label}/agrees-with-symmetry", lambda model=model: agrees(model)


def bound(name, *options):
    return run_json("bound", catalogue.made()[name], *options)


def near(actual, expected, what):
    check(math.isclose(actual, expected, rel_tol=1e-12), f"{what} is {actual!r}, expected {expected!r}")


def sizes():
    found = bound("mlp_3_4_3_2")
    check_equal([found[key] for key in ("width", "depth", "size", "neurons")], [4, 2, 39, 7], "W, D, S, U")


def constant(found, name):
    """The value of one of the constants that the bound used."""
    inputs = found["inputs"]
    entry = inputs[name] if isinstance(inputs, dict) else next(one for one in inputs if one["name"] == name)
    return entry["value"] if isinstance(entry, dict) else entry


def theorem_4():
    """ln N <= S ln(4 (L+1) (Bx+1) (2B)^(L+2) prod rho prod d / eps) - sum ln d!, with d = 3, 4, 3 and rho = 1."""
    found = bound("mlp_3_4_3_2", "--B=2", "--Bx=3", "--epsilon=0.01")
    plain = 39 * math.log(4 * 3 * (3 + 1) * (2 * 2) ** 4 * (3 * 4 * 3) / 0.01)
    near(found["log_covering_number"], plain, "log_covering_number")
    near(found["log_reduction"], math.log(24 * 6), "log_reduction")
    near(found["log_covering_number_reduced"], plain - math.log(24 * 6), "log_covering_number_reduced")


def theorem_3():
    """ln N <= S ln(16 B^2 (Bx+1) sqrt(d0) d1 / eps) + S_h ln rho - ln d1!, with d0 = 5, d1 = 128 and tanh (rho = 1)."""
    found = bound("mlp_shallow_128", "--B=2", "--Bx=3", "--epsilon=0.01")
    size = 5 * 128 + 2 * 128 + 1
    plain = size * math.log(16 * 4 * 4 * math.sqrt(5) * 128 / 0.01)
    check_equal(found["size"], size, "S")
    near(found["log_covering_number"], plain, "log_covering_number")
    near(found["log_covering_number_reduced"], plain - math.lgamma(129), "log_covering_number_reduced")


def reduction():
    near(bound("mlp_shallow_128")["log_reduction"] / math.log(10), 215.586160093542, "log10 of the reduction")


def constants():
    """B is the largest absolute parameter unless given; every constant says where it came from."""
    graph = onnx.load(str(catalogue.made()["mlp_3_4_3_2"])).graph
    largest = max(float(numpy.abs(numpy_helper.to_array(t)).max()) for t in graph.initializer)
    near(constant(bound("mlp_3_4_3_2"), "B"), largest, "B")
    near(constant(bound("mlp_3_4_3_2", "--B=2"), "B"), 2, "B")
    sources = [str(bound("mlp_3_4_3_2", *options)["inputs"]) for options in ((), (f"--B={largest!r}",))]
    check(sources[0] != sources[1], "a measured and a given constant look alike")


def no_theorem():
    """A residual net is no chain: no covering number, but the order of the group all the same."""
    path = catalogue.ROOT / "samples/digits_resnet.onnx"
    check("log_covering_number" not in run_json("bound", path)
          or run_json("bound", path)["log_covering_number"] is None, "a theorem is claimed for a residual net")
    check("not" in run("bound", path, expect=0).output, "the text does not say that no theorem applies")


def agrees(model):
    """The order of the group is the one `symmetry` reports."""
    order = run_json("symmetry", model.path)["log10_order"]
    found = run_json("bound", model.path)
    check(math.isclose(found["log_group_order"], order * math.log(10), rel_tol=1e-12, abs_tol=1e-9),
          f"log_group_order is {found['log_group_order']!r}, symmetry says 10^{order!r}")
