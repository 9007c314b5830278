"""The order of the permutation group, and that `symmetry --json` is consistent with itself."""

import math

import catalogue
from harness import SANITIZED_TOOL, check, check_equal, run, run_json

# Sizes of the free layers of the samples; in the residual net two layers and two streams.
SAMPLES = {"digits_mlp": (48, 24), "digits_convnet": (12, 24, 32), "digits_resnet": (12, 12, 20, 20)}
TOLERANCE = 1e-12  # relative


def cases():
    for model in catalogue.samples():
        if model.name in SAMPLES:
            yield f"{model.label}", lambda model=model: order_is(model, catalogue.factorials(*SAMPLES[model.name]))
    for model in catalogue.written_by_hand():
        if model.order is not None:
            yield f"{model.label}", lambda model=model: order_is(model, model.order)
    for model in catalogue.everything():
        yield f"{model.label}/consistent", lambda model=model: consistent(model)
    for model in catalogue.small():
        yield f"{model.label}/sanitized", lambda model=model: sanitized(model)
    yield "orbit-of-repeated-units", orbit_of_repeated_units
    yield "unknown-operator-is-named", unknown_operator_is_named


def order_is(model, expected):
    actual = run_json("symmetry", model.path)["log10_order"]
    check(math.isclose(actual, expected, rel_tol=TOLERANCE, abs_tol=1e-9),
          f"log10 of the order is {actual!r}, expected {expected!r}")


def consistent(model):
    """The classes multiply to the whole; every class that is not free says what pins it."""
    found = run_json("symmetry", model.path)
    total = sum(one["log10_order"] for one in found["classes"])
    check(math.isclose(total, found["log10_order"], rel_tol=1e-12, abs_tol=1e-9),
          f"the classes' orders sum to {total!r}, the whole is {found['log10_order']!r}")
    for one in found["classes"]:
        check(one["free"] or one["pinned_by"], f"a pinned class without a reason: {one}")
        check(one["extent"] > 0 and isinstance(one["group"], str), f"extent or group: {one}")
        check(one["free"] or one["log10_order"] == 0, f"a pinned class with a group: {one}")
        for parameter in one["parameters"]:
            check(isinstance(parameter["tensor"], str) and parameter["axis"] >= 0, f"parameter {parameter}")


def sanitized(model):
    """The reading commands run clean under the sanitizers, as text and as JSON, with the release build's output."""
    for command in ("inspect", "symmetry", "bound"):
        for form in ([], ["--json"]):
            clean = run(command, model.path, *form, tool=SANITIZED_TOOL, expect=0)
            check("runtime error" not in clean.errors, clean.explain())
            check_equal(clean.output, run(command, model.path, *form, expect=0).output, f"{command} in two builds")


def orbit_of_repeated_units():
    """Three of six hidden units are equal: 6! permutations make 6! / 3! different models."""
    found = run_json("symmetry", "--orbit", catalogue.made()["mlp_repeated_units"])
    check(math.isclose(found["orbit_log10"], math.log10(120), rel_tol=1e-9), f"orbit_log10 is {found['orbit_log10']!r}")


def unknown_operator_is_named():
    path = catalogue.made()["unknown_operator"]
    check("Mystery" in run("symmetry", path, expect=0).output, "symmetry does not name the operator that pins")
    reasons = [str(one["pinned_by"]) for one in run_json("symmetry", path)["classes"]]
    check(any("Mystery" in reason for reason in reasons), f"no class is pinned by the operator: {reasons}")
