"""Signs, scales and linear changes: their number worked out by hand, and the canonical form that does not see them.

`sizes`: for small nets the free signs and the dimension of scales are derived in a comment. `members`: random elements
of signs and scales leave ONNX Runtime's outputs as they are (so do linear changes, up to rounding), and the canonical
form byte by byte, unless the form says that scales or signs are no part of it (docs/FORMAT.md, 6.4, 6.7, 6.8). Of random
architectures only the outputs are compared: rotary tables in them can keep a sign that the form does not see yet.
"""

import functools

import onnx

import catalogue
from harness import (JUDGE, CannotRun, Failure, canonical, canonical_and_whole, check, check_equal, check_same_bytes,
                     run_json, sample, scratch)

import random_architectures
from builder import Builder

RANDOM = 24  # random architectures


def perceptron(activation, hidden=5, deep=1):
    net = Builder(1)
    value = net.input("x", ["N", 4])
    width = 4
    for _ in range(deep):
        value = net.node("Gemm", value, net.weight(hidden, width), net.weight(hidden), transB=1)
        value = net.node(activation, value) if activation else value
        width = hidden
    net.output(net.node("Gemm", value, net.weight(3, width), net.weight(3), transB=1), ["N", 3])
    return net.model()


def normalized(width=6):
    """Conv, BatchNormalization, Relu, Conv."""
    net = Builder(2)
    value = net.node("Conv", net.input("x", ["N", 2, 4, 4]), net.weight(width, 2, 3, 3))
    variance = net.constant(abs(net.random.normal(1, 0.1, width)))
    value = net.node("BatchNormalization", value, net.weight(width), net.weight(width), net.weight(width), variance)
    net.output(net.node("Conv", net.node("Relu", value), net.weight(3, width, 1, 1)), ["N", 3, 2, 2])
    return net.model()


def tied(width=5):
    """y = relu(x W') W: one matrix used in both directions."""
    net = Builder(3)
    weight = net.weight(width, 4)
    value = net.node("Relu", net.node("Gemm", net.input("x", ["N", 4]), weight, transB=1))
    net.output(net.node("Gemm", value, weight), ["N", 4])
    return net.model()


def twice(width=5):
    """One matrix used by two branches whose Tanh values are multiplied."""
    net = Builder(4)
    weight, x = net.weight(width, 4), net.input("x", ["N", 4])
    left = net.node("Tanh", net.node("Gemm", x, weight, transB=1))
    right = net.node("Tanh", net.node("Gemm", net.node("Neg", x), weight, net.weight(width), transB=1))
    net.output(net.node("Gemm", net.node("Mul", left, right), net.weight(3, width), transB=1), ["N", 3])
    return net.model()


def gated(width=5):
    """(up * silu(gate)) down: the gate fixes itself, and what goes up may be multiplied by anything."""
    net = Builder(5)
    x = net.input("x", ["N", 4])
    gate = net.node("Gemm", x, net.weight(width, 4), transB=1)
    up = net.node("Gemm", x, net.weight(width, 4), transB=1)
    gate = net.node("Mul", gate, net.node("Sigmoid", gate))
    net.output(net.node("Gemm", net.node("Mul", gate, up), net.weight(3, width), transB=1), ["N", 3])
    return net.model()


def computed_cell():
    """An LSTM whose weights W are a parameter times a number."""
    net = Builder(6)
    weight = net.node("Mul", net.weight(1, 20, 3), net.constant(0.7))
    cell = [weight, net.weight(1, 20, 5), net.weight(1, 40)]
    last = net.node("LSTM", net.input("x", [4, 2, 3]), *cell, outputs=2, hidden_size=5)[1]
    last = net.node("Squeeze", last, net.integers(0))
    net.output(net.node("Gemm", last, net.weight(3, 5), transB=1), [2, 3])
    return net.model()


# name: (model, signs, dimension)
SIZES = {
    # Relu lets a positive factor through for each of 5 units, in each of 2 layers.
    "relu": (lambda: perceptron("Relu", deep=2), 0, 10),
    # Tanh is odd: a sign for each unit.
    "tanh": (lambda: perceptron("Tanh", deep=2), 10, 0),
    # Gelu is neither odd nor homogeneous.
    "sigmoid-gated": (lambda: perceptron("HardSwish"), 0, 0),
    # Nothing but linear maps: all of GL(5), of dimension 25; its diagonal has 5 signs.
    "linear": (lambda: perceptron(None), 5, 25),
    # Each of 6 channels can be multiplied before the normalization, by any sign, and behind it, by a positive number.
    "normalized": (normalized, 6, 12),
    # W is multiplied on one side and divided on the other: the square of the factor is 1, and Relu wants it positive.
    "tied": (tied, 0, 0),
    # Both values of a unit change their sign together, and the product keeps its own: a sign for each unit, which the
    # bias of the second branch follows.
    "twice": (twice, 5, 0),
    # `up` is linear in a product with what is fixed: a sign and a scale for each unit.
    "gated": (gated, 5, 5),
    # A unit's sign would be that of one of four rows of W, and no parameter has just these rows.
    "computed-cell": (computed_cell, 0, 0),
}


def cases():
    for name, row in SIZES.items():
        yield f"sizes/{name}", functools.partial(count, *row)
        yield f"members/{name}", functools.partial(written, row[0])
    yield "sizes/vit_b_16", vision_transformer
    for model in [*catalogue.samples(), *catalogue.written_by_hand()]:
        yield f"members/{model.label}", functools.partial(hold, model)
    for seed in range(RANDOM):
        yield f"members/random/{seed}", functools.partial(
            written, lambda seed=seed: random_architectures.random_net(seed).model(), False)


def count(make, signs, dimension):
    with scratch() as folder:
        onnx.save(make(), str(folder / "net.onnx"))
        report = run_json("symmetry", folder / "net.onnx")
        check_equal((report["signs"], report["dimension"]), (signs, dimension), "signs and dimension")
        check_equal(report["effective_parameters"], report["parameters"] - dimension, "effective parameters")


def vision_transformer():
    """12 layers with 12 heads of 64 query-key and 64 value-output channels, each GL(64); 25 normalizations of 768
    channels whose outputs only linear maps read, each channel with a factor; Gelu and the stream have none."""
    model = next((m for m in catalogue.exported() if m.path.name == "vit_b_16.default.onnx"), None)
    check(model is not None, "vit_b_16 was not exported")
    report = run_json("symmetry", model.path)
    check_equal(report["dimension"], 12 * 2 * 12 * 64**2 + 25 * 768, "dimension")
    check_equal(report["signs"], 12 * 2 * 12 * 64 + 25 * 768, "signs")


def written(make, form_too=True):
    with scratch() as folder:
        onnx.save(make(), str(folder / "net.onnx"))
        hold(catalogue.Model("random", "net", folder / "net.onnx"), form_too)


def hold(model, form_too=True):
    with scratch() as folder:
        form, whole = canonical_and_whole(model.path, folder / "canonical.onnx")
        whole = whole and form_too
        for kinds in ("sign", "scale", "permute,sign,scale", "linear"):
            member = sample(model.path, 1, folder / "member.onnx", elements=kinds)
            if whole and kinds != "linear":
                check_same_bytes(form, canonical(member, folder / "moved.onnx"), f"canonical form of a member ({kinds})")
            if model.not_runnable:
                continue
            try:
                JUDGE.compare(model.path, member, model.inputs())
            except Failure as failure:
                if "hardly varies" in str(failure):
                    raise CannotRun("an output hardly varies: a comparison proves nothing") from None
                raise
    if model.not_runnable:
        raise CannotRun(model.not_runnable)
