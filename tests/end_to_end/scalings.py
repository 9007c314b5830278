"""Signs, scales and linear changes: their number worked out by hand, and the canonical form that does not see them.

`sizes`: for small nets the free signs and the dimension of scales are derived in a comment. `members`: random elements
of signs and scales leave ONNX Runtime's outputs as they are (so do linear changes, up to rounding), and the canonical
form byte by byte, unless the form says that scales or signs are no part of it (docs/FORMAT.md, 6.6, 6.8). `rotary` does
that to a net in which everything is known by hand.
"""

import functools

import numpy
import onnx

import catalogue
from harness import (JUDGE, CannotRun, Failure, canonical, canonical_and_whole, check, check_equal, check_same_form,
                     run_json, sample, scratch)

import hand_made
import operator_models
import random_architectures
from builder import Builder
from operator_models import bytes_of

RANDOM = 24  # random architectures
MORE = 40  # of which only forms are compared


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


def grouped(activation, groups=2):
    """Conv to 8 channels, Conv to 4 in groups, Conv; with activations between them, or none."""
    net = Builder(20)
    value = net.node("Conv", net.input("x", ["N", 3, 5, 5]), net.weight(8, 3, 3, 3), net.weight(8))
    value = net.node(activation, value) if activation else value
    value = net.node("Conv", value, net.weight(4, 8 // groups, 3, 3), net.weight(4), group=groups)
    value = net.node(activation, value) if activation else value
    net.output(net.node("Conv", value, net.weight(5, 4, 1, 1)), ["N", 5, 1, 1])
    return net.model()


def tied(width=5):
    """y = relu(x W') W: one matrix used in both directions."""
    net = Builder(3)
    weight = net.weight(width, 4)
    value = net.node("Relu", net.node("Gemm", net.input("x", ["N", 4]), weight, transB=1))
    net.output(net.node("Gemm", value, weight), ["N", 4])
    return net.model()


def masked(opset):
    """Units and what a Dropout says of them, added; its mask was a number once."""
    net = Builder(8, opset)
    value = net.node("Gemm", net.input("x", ["N", 4]), net.weight(5, 4), net.weight(5), transB=1)
    value, mask = net.node("Dropout", value, outputs=2)
    mask = net.node("Cast", mask, to=onnx.TensorProto.FLOAT)
    net.output(net.node("Gemm", net.node("Add", value, mask), net.weight(3, 5), net.weight(3), transB=1), ["N", 3])
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


def unit_vectors(width=6):
    """Tanh, vectors of norm 1, Gemm."""
    net = Builder(7)
    value = net.node("Tanh", net.gemm(net.input("x", ["N", 4]), 4, width))
    value = net.node("LpNormalization", value, axis=1, p=2)
    net.output(net.gemm(value, width, 3), ["N", 3])
    return net.model()


def on_a_sphere(norm, width=6):
    """Gemm, vectors of norm 1, Gemm."""
    net = Builder(14)
    value = net.node("LpNormalization", net.gemm(net.input("x", ["N", 4]), 4, width), axis=1, p=norm)
    net.output(net.gemm(value, width, 3), ["N", 3])
    return net.model()


def cosines(width=6):
    """The cosines between embeddings of two inputs, spelled out as PyTorch's normalize is exported."""
    net = Builder(15)
    sides = []
    for name in ("x", "z"):
        value = net.gemm(net.input(name, [3, 4]), 4, width)
        norm = net.node("Clip", net.node("ReduceL2", value, axes=[1], keepdims=1), net.constant(1e-12), "")
        sides.append(net.node("Div", value, net.node("Expand", norm, net.integers(3, width))))
    net.output(net.node("MatMul", sides[0], net.node("Transpose", sides[1], perm=[1, 0])), [3, 3])
    return net.model()


def distances(width=6):
    """Squared distances to 7 centers."""
    net = Builder(16, opset=18, ir_version=8)
    value = net.node("Unsqueeze", net.gemm(net.input("x", ["N", 4]), 4, width), net.integers(1))
    value = net.node("Sub", value, net.weight(7, width))
    net.output(net.node("ReduceSumSquare", value, net.integers(2), keepdims=0), ["N", 7])
    return net.model()


def there_and_back_again(width=5):
    """y = x W' W: one matrix used in both directions, with nothing in between."""
    net = Builder(17)
    weight = net.weight(width, 4)
    net.output(net.node("Gemm", net.node("Gemm", net.input("x", ["N", 4]), weight, transB=1), weight), ["N", 4])
    return net.model()


def decided(width=6):
    """One of two layers, Relu or LeakyRelu behind it, by what the input adds up to, and the other one; the first layer
    is outside of the branches."""
    net, make = Builder(18), onnx.helper.make_node
    x = net.input("x", [3, 4])
    outside = net.gemm(x, 4, width)
    inside = make("Gemm", [x, net.weight(width, 4), net.weight(width)], ["inside"], transB=1)
    bodies = {"yes": [make("Relu", [outside], ["yes"])], "no": [inside, make("LeakyRelu", ["inside"], ["no"])]}
    yes, no = (onnx.helper.make_graph(
        nodes, name, [], [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3, width])])
        for name, nodes in bodies.items())
    positive = net.node("Greater", net.node("ReduceSum", x, keepdims=0), net.constant(0.0))
    both = [net.node("If", which, then_branch=yes, else_branch=no) for which in (positive, net.node("Not", positive))]
    net.output(net.gemm(net.node("Concat", *both, axis=0), width, 3), [6, 3])
    return net.model()


def standardized(width=6):
    """Conv, mean 0 and variance 1 for each channel of an image, Conv."""
    net = Builder(8)
    value = net.conv(net.input("x", ["N", 2, 5, 5]), 2, width)
    value = net.node("MeanVarianceNormalization", value, axes=[2, 3])
    net.output(net.conv(value, width, 3), ["N", 3, 5, 5])
    return net.model()


def stored_in_bytes(width=6):
    """Relu between weights that are stored as bytes with a scale for each row and each column."""
    net = Builder(9)
    rows, columns = bytes_of(net, width, 4), bytes_of(net, 3, width)
    first, second = (net.constant(net.random.uniform(0.01, 0.02, width)) for _ in range(2))
    value = net.node("Gemm", net.input("x", ["N", 4]), net.node("DequantizeLinear", rows, first, axis=0),
                     net.weight(width), transB=1)
    value = net.node("Relu", value)
    net.output(net.node("Gemm", value, net.node("DequantizeLinear", columns, second, axis=1), net.weight(3), transB=1),
               ["N", 3])
    return net.model()


def quantized_on_the_way(width=6):
    """Products with bytes whose columns have scales and biases, both ways that ONNX Runtime writes them."""
    net = Builder(10)
    net.extra_opsets = [onnx.helper.make_opsetid("com.microsoft", 1)]
    value = net.input("x", ["N", 4])
    for into, out in ((4, width), (width, 5)):
        table, zeros = bytes_of(net, into, out), net.constant(numpy.zeros(out, numpy.int8))
        scales = net.constant(net.random.uniform(0.01, 0.02, out))
        if out == width:
            value = net.node("DynamicQuantizeMatMul", value, table, scales, zeros, net.weight(out),
                             domain="com.microsoft")
            value = net.node("Relu", net.gemm(net.node("Relu", value), width, width))
        else:
            value, scale, zero = net.node("DynamicQuantizeLinear", value, outputs=3)
            value = net.node("MatMulIntegerToFloat", value, table, scale, scales, zero, zeros, net.weight(out),
                             domain="com.microsoft")
    net.output(net.gemm(net.node("Relu", value), 5, 3), ["N", 3])
    return net.model()


def fused(activation, limits=()):
    """FusedConv with an activation, FusedGemm with Relu, FusedMatMul with a turned weight."""
    net = Builder(11)
    net.extra_opsets = [onnx.helper.make_opsetid("com.microsoft", 1)]
    given = {"activation_params": list(limits)} if limits else {}
    value = net.node("FusedConv", net.input("x", ["N", 2, 4, 4]), net.weight(6, 2, 3, 3), net.weight(6),
                     domain="com.microsoft", kernel_shape=[3, 3], activation=activation, **given)
    value = net.node("Flatten", value)
    value = net.node("FusedGemm", value, net.weight(5, 24), net.weight(5), domain="com.microsoft", transB=1,
                     activation="Relu")
    value = net.node("FusedMatMul", value, net.weight(3, 5), domain="com.microsoft", transB=1, alpha=0.5)
    net.output(value, ["N", 3])
    return net.model()


def sampled_image(width=6):
    """Relu, an image looked at elsewhere, Conv."""
    net = Builder(12, opset=16, ir_version=8)
    value = net.relu(net.conv(net.input("x", [1, 2, 5, 5]), 2, width))
    where = net.constant(net.random.uniform(-1.2, 1.2, (1, 4, 4, 2)))
    net.output(net.conv(net.node("GridSample", value, where), width, 3), [1, 3, 4, 4])
    return net.model()


def regions_of_image(mode, width=6):
    """Conv, numbers from two regions of the image, Conv."""
    net = Builder(13, opset=16, ir_version=8)
    value = net.conv(net.input("x", [1, 2, 6, 6]), 2, width)
    boxes = net.constant([[0.5, 0.5, 4.0, 4.5], [1.0, 2.0, 5.0, 5.0]])
    if mode == "pool":
        corners = net.constant([[0.0, 0.0, 0.0, 4.0, 4.0], [0.0, 1.0, 2.0, 5.0, 5.0]])
        value = net.node("MaxRoiPool", value, corners, pooled_shape=[2, 2])
    else:
        value = net.node("RoiAlign", value, boxes, net.integers(0, 0), mode=mode, output_height=2, output_width=2)
    net.output(net.conv(value, width, 3), [2, 3, 2, 2])
    return net.model()


def rotary(heads=2, pairs=2, time=3):
    """Attention whose queries and keys are rotated by halves; each use of a table has a table of its own."""
    net = Builder(12)
    width, x = 2 * pairs, net.input("x", ["N", time, 5])

    def heads_of():
        split = net.node("Reshape", net.node("MatMul", x, net.weight(5, heads * width)),
                         net.integers(0, time, heads, width))
        return net.node("Transpose", split, perm=[0, 2, 1, 3])

    def rotated(value):
        first, second = net.node("Split", value, outputs=2, axis=3)
        left, right = [[net.node("Mul", half, net.weight(time, pairs)) for half in (first, second)] for _ in range(2)]
        return net.node("Concat", net.node("Sub", *left), net.node("Add", *right), axis=-1)

    query, key = rotated(heads_of()), rotated(heads_of())
    scores = net.node("Softmax", net.node("MatMul", query, net.node("Transpose", key, perm=[0, 1, 3, 2])), axis=-1)
    mixed = net.node("Transpose", net.node("MatMul", scores, heads_of()), perm=[0, 2, 1, 3])
    mixed = net.node("Reshape", mixed, net.integers(0, time, heads * width))
    net.output(net.node("MatMul", mixed, net.weight(heads * width, 3)), ["N", time, 3])
    return net.model()


def experts(count=3, width=4):
    """Experts stacked into one tensor, summed in the end. What is added to hidden units has an axis of extent 1, and the
    units of all experts count as one axis: a factor for each expert times one for each unit."""
    net = Builder(13)
    x = net.node("Unsqueeze", net.input("x", ["N", 5]), net.integers(0))
    hidden = net.node("Tanh", net.node("MatMul", x, net.weight(count, 5, width)))
    hidden = net.node("Add", hidden, net.weight(count, 1, width))
    ends = net.node("MatMul", hidden, net.weight(count, width, 3))
    net.output(net.node("ReduceSum", ends, net.integers(0), keepdims=0), ["N", 3])
    return net.model()


def weight_norm(out=4, hidden=6):
    """Tanh between two layers, the second one divided by the norms of its columns in the graph."""
    net = Builder(14)
    value = net.node("Tanh", net.gemm(net.input("x", ["N", 5]), 5, hidden))
    matrix = net.weight(hidden, out)
    value = net.node("MatMul", value, net.node("Div", matrix, net.node("ReduceL2", matrix, axes=[0], keepdims=1)))
    net.output(net.node("Gemm", net.node("Tanh", value), net.weight(3, out), transB=1), ["N", 3])
    return net.model()


def selected_twice():
    """Channels 7, 7, 3, 6, 4 of 8 are selected, and the copies of 7 may not move."""
    net = Builder(37)
    value = net.node("LeakyRelu", net.conv(net.input("x", ["N", 4, 8, 8]), 4, 8, kernel=1))
    value = net.node("HardSwish", net.node("Gather", value, net.integers(7, 7, 3, 6, 4), axis=1))
    value = net.node("Tile", net.node("Flatten", net.node("GlobalAveragePool", value)), net.integers(1, 2))
    value = net.node("Mul", value, net.weight(10))
    value = net.node("Add", value, net.node("Gather", value, net.integers(*range(9, -1, -1)), axis=1))
    net.output(net.gemm(net.node("Sigmoid", value), 10, 3), ["N", 3])
    return net.model()


def learned_batch(first):
    """Five learned images, put through one layer or two, are rows of a matrix: what they are multiplied by would be undone
    by the units that choose among them, but biases are the same for all images."""
    net = Builder(38)
    x, images = net.input("x", ["N", 4]), net.weight(5, 3, 4, 4)
    if first == "BatchNormalization":
        variance = net.constant(abs(net.random.normal(1, 0.1, 3)))
        images = net.node(first, images, net.weight(3), net.weight(3), net.weight(3), variance)
    bias = [net.weight(2)] if first == "Conv" else []
    images = net.node("Relu", net.node("Conv", images, net.weight(2, 3, 4, 4), *bias))
    rows = net.node("Reshape", images, net.integers(5, 2))
    value = net.node("MatMul", net.node("Relu", net.gemm(x, 4, 5)), rows)
    net.output(net.gemm(net.node("Tanh", value), 2, 3), ["N", 3])
    return net.model()


def selected_beside_its_mirror():
    """6 channels, of which 0 and 5, 1 and 4, 2 and 3 are one class each; channels 5, 5, 2, 5, 0 are selected."""
    net = Builder(39)
    value = net.node("Sigmoid", net.gemm(net.input("x", ["N", 4]), 4, 6))
    value = net.node("Max", value, net.node("Gather", value, net.integers(*range(5, -1, -1)), axis=1))
    value = net.node("Mul", net.node("Unsqueeze", value, net.integers(2, 3)), net.weight(1, 6, 4, 4))
    value = net.node("LeakyRelu", net.node("Gather", value, net.integers(5, 5, 2, 5, 0), axis=1))
    net.output(net.conv(value, 5, 3), ["N", 3, 4, 4])
    return net.model()


def selected_and_added():
    """4 channels, of which 0 and 3, 1 and 2 are one class each; channel 3, three times, is added to 0, 2 and 1."""
    net = Builder(40)
    value = net.node("Relu", net.gemm(net.input("x", ["N", 4]), 4, 4))
    value = net.node("Max", value, net.node("Gather", value, net.integers(3, 2, 1, 0), axis=1))
    value = net.node("Mul", value, net.weight(1, 4))
    left, right = net.node("Split", net.node("Gather", value, net.integers(3, 3, 3, 0, 2, 1), axis=1), outputs=2, axis=1)
    net.output(net.gemm(net.node("Tanh", net.node("Add", left, right)), 3, 3), ["N", 3])
    return net.model()


def joined_with_their_product(turned):
    """6 units cut into halves: the first half beside the product of both, of which 0, 2, 2 and 4 are selected. `turned`
    are the operands of all products."""
    net = Builder(41)

    def product(left, right):
        return net.node("Mul", *((right, left) if turned else (left, right)))

    value = product(net.node("Sigmoid", net.gemm(net.input("x", ["N", 4]), 4, 6)), net.weight(1, 6))
    left, right = net.node("Split", value, outputs=2, axis=1)
    value = product(net.node("Concat", left, product(left, right), axis=1), net.weight(1, 6))
    value = net.node("LeakyRelu", net.node("Gather", value, net.integers(0, 2, 2, 4), axis=1))
    net.output(net.gemm(value, 4, 3), ["N", 3])
    return net.model()


def one_unit_tiled(written_out):
    """One unit twice, and both twice again, the copies outside; on the way all are one axis if `written_out`."""
    net = Builder(42)
    value = net.node("Sigmoid", net.gemm(net.input("x", ["N", 4]), 4, 4))
    value = net.node("Unsqueeze", net.node("Gather", value, net.integers(1, 1), axis=1), net.integers(2))
    value = net.node("Tile", value, net.integers(1, 1, 2))
    if written_out:
        value = net.node("Reshape", net.node("Reshape", value, net.integers(-1, 4)), net.integers(-1, 2, 2))
    value = net.node("Reshape", net.node("Transpose", value, perm=[0, 2, 1]), net.integers(-1, 4))
    value = net.node("LeakyRelu", net.node("Mul", value, net.weight(1, 4)))
    net.output(net.gemm(value, 4, 3), ["N", 3])
    return net.model()


def divided(width=6):
    """One number, divided by 6 learned ones; a layer reads the quotients."""
    net = Builder(43)
    value = net.node("Div", net.gemm(net.input("x", ["N", 4]), 4, 1), net.positive(width))
    net.output(net.gemm(value, width, 3), ["N", 3])
    return net.model()


def norms_over_no_axes(norm, width=6):
    """A reduction that has nothing to reduce, between two layers."""
    net = Builder(44, opset=18, ir_version=8)
    value = net.node(norm, net.gemm(net.input("x", ["N", 4]), 4, width), noop_with_empty_axes=1)
    net.output(net.gemm(value, width, 3), ["N", 3])
    return net.model()


def spelled(activation, width=5):
    """Gemm, an activation made of several operators, Gemm."""
    net = Builder(47)
    value = net.gemm(net.input("x", ["N", 4]), 4, width)
    net.output(net.gemm(activation(net, value, net.constant(numpy.float32(0))), width, 3), ["N", 3])
    return net.model()


def by_choice(net, value, zero):
    return net.node("Where", net.node("Greater", value, zero), value, zero)


def leaky_by_choice(net, value, zero):
    slow = net.node("Mul", value, net.constant(numpy.float32(0.1)))
    return net.node("Where", net.node("LessOrEqual", value, zero), slow, value)


def by_mask(net, value, zero):
    return net.node("Mul", net.node("Cast", net.node("Less", zero, value), to=onnx.TensorProto.FLOAT), value)


def above_a_threshold(net, value, _zero):
    return net.node("Where", net.node("Greater", value, net.weight(5)), value, net.weight(5))


def where_equal(net, value, _zero):
    return net.node("Where", net.node("Equal", value, net.weight(5)), net.weight(5), value)


def above_one(net, value, zero):
    return net.node("Where", net.node("Greater", value, net.constant(numpy.float32(1))), value, zero)


def limit_from_outside(ir_version, width=6):
    """Clip, whose lower limit is among the graph's inputs. Before IR version 4 all initializers have to be."""
    net = Builder(45, ir_version=ir_version)
    value = net.gemm(net.input("x", ["N", 4]), 4, width)
    value = net.node("Clip", value, net.constant(0.0, "least"))
    net.output(net.gemm(value, width, 3), ["N", 3])
    for tensor in net.initializers:
        if ir_version < 4 or tensor.name == "least":
            net.input(tensor.name, tensor.dims)
    return net.model()


def last_of_three(output):
    """Of 3 units of Relu the last is the output, as `output` hands it on; nothing reads the others."""
    net = Builder(46)
    value = net.node("Gather", net.relu(net.gemm(net.input("x", ["N", 4]), 4, 3)), net.integers(-1), axis=1)
    net.output(net.node(output, value) if output else value, ["N", 1])
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
    # The input channels of a convolution in groups are multiplied one by one, as its output channels are.
    "grouped": (lambda: grouped("Relu"), 0, 12),
    "grouped-in-pairs": (lambda: grouped("Tanh", 4), 12, 0),
    # Nothing but linear maps: GL(4) within each of 2 groups in front, dimension 32, and GL(4) behind, which would mix
    # groups: GL(2) in each of these is left, dimension 8.
    "grouped-linear": (lambda: grouped(None), 12, 40),
    # W is multiplied on one side and divided on the other: the square of the factor is 1, and Relu wants it positive.
    "tied": (tied, 0, 0),
    # A mask does not change when the units are multiplied: they cannot be.
    "masked": (lambda: masked(14), 0, 0),
    "masked-by-numbers": (lambda: masked(9), 0, 0),
    # Both values of a unit change their sign together, and the product keeps its own: a sign for each unit, which the
    # bias of the second branch follows.
    "twice": (twice, 5, 0),
    # The four channels that nothing reads; what is selected is read by HardSwish, copies and all.
    "selected-twice": (selected_twice, 0, 4),
    # Of the table that is multiplied with, channel 2 has a scale, which 3 follows, for as one class is selected so is
    # taken to be the other; 1 and 4, which nothing reads, have signs too. 5, and so 0, is selected more than once.
    "selected-beside-its-mirror": (selected_beside_its_mirror, 2, 3),
    # Relu has a scale for each class, which the table undoes. Behind Tanh channel 3 is in every unit: what signs these
    # have, they have in common, and that is not followed.
    "selected-and-added": (selected_and_added, 0, 2),
    # What multiplies a unit first, by any number, what multiplies its copies behind the Concat undoes. And LeakyRelu lets
    # through the scales of the two that are selected once. Which operand comes first tells nothing.
    "joined-with-their-product": (lambda: joined_with_their_product(False), 6, 8),
    "joined-with-their-product-turned": (lambda: joined_with_their_product(True), 6, 8),
    # LeakyRelu has a scale for each of 4 positions, however they were laid out.
    "one-unit-tiled": (lambda: one_unit_tiled(False), 0, 4),
    "one-unit-tiled-written-out": (lambda: one_unit_tiled(True), 0, 4),
    # `up` is linear in a product with what is fixed: a sign and a scale for each unit.
    "gated": (gated, 5, 5),
    # Odd, and a norm does not see signs: one for each of 6 units.
    "unit-vectors": (unit_vectors, 6, 0),
    # A Euclidean norm does not see rotations: all of O(6), of dimension 6 * 5 / 2. The sum of absolute values does.
    "on-a-sphere": (lambda: on_a_sphere(2), 6, 15),
    "on-an-octahedron": (lambda: on_a_sphere(1), 6, 0),
    # Rotations of both sides at once, and what centers are measured in.
    "cosines": (cosines, 6, 15),
    "distances": (distances, 6, 15),
    # What W is multiplied by, W' is, too: O(5).
    "there-and-back-again": (there_and_back_again, 5, 10),
    # 6 units, whichever way they are made.
    "decided": (decided, 0, 6),
    # A sign for each of 6 channels, which mean and variance of its own image keep; an epsilon keeps its scale.
    "standardized": (standardized, 6, 0),
    # The scales beside 6 rows of bytes and the bias take what the scales beside 6 columns undo; they stay positive.
    "stored-in-bytes": (stored_in_bytes, 0, 6),
    # 6 units behind the first product, and 5 behind the second; the 6 in front of that are quantized on the way.
    "quantized-on-the-way": (quantized_on_the_way, 0, 11),
    # 5 images, whatever Relu lets through, and 3 channels that are summed over; with a bias these only.
    "learned-batch": (lambda: learned_batch(""), 3, 5 + 3**2),
    "learned-batch-biased": (lambda: learned_batch("Conv"), 3, 3**2),
    # Before and behind the normalization, 3 signs and 3 scales each.
    "learned-batch-normalized": (lambda: learned_batch("BatchNormalization"), 6, 6),
    # A state that goes through Tanh in every round has signs: 5, and 4 of the second.
    "loop": (lambda: hand_made.loop().model(), 5, 0),
    "scan": (lambda: hand_made.scan().model(), 4, 0),
    # The 6 channels of a fused convolution as those of the activation, and 5 units of Relu.
    "fused-leaky": (lambda: fused("LeakyRelu", [0.1]), 0, 11),
    "fused-tanh": (lambda: fused("Tanh"), 6, 5),
    "fused-clip": (lambda: fused("Clip", [0.0, 0.5]), 0, 5),
    # Two heads and two pairs. A pair's halves are multiplied by a(h), b(h) in head h, its tables by c, s (left) and c', s'
    # (right). left = a(h) c = b(h) s and right = a(h) s' = b(h) c', so b(h) = a(h) d with one d for all heads, s = c / d
    # and c' = s' / d. Free are a(1), a(2), d, c and s'; of the keys the same, but left and right are the inverse of the
    # queries' in every head, which chooses a(1), a(2) and s' as soon as one factor common to all heads is: d and that
    # one, and c, are left. 5 + 3 - 1 = 7, for c of the keys follows from that factor. Each head has 4 linear values.
    "rotary": (rotary, 2 * 7 + 2 * 4, 2 * 7 + 2 * 4**2),
    # A sign for each unit of Tanh. A norm does not see how long a column is.
    "weight-norm": (weight_norm, 6 + 4, 4),
    # Weighted sums over pixels keep the scale of each of 6 channels.
    "sampled-image": (sampled_image, 0, 6),
    # Averages are linear: all of GL(6). A largest number keeps 6 scales.
    "aligned-regions": (lambda: regions_of_image("avg"), 6, 36),
    "largest-in-regions": (lambda: regions_of_image("max"), 0, 6),
    "pooled-regions": (lambda: regions_of_image("pool"), 0, 6),
    # A unit's sign would be that of one of four rows of W, and no parameter has just these rows.
    "computed-cell": (computed_cell, 0, 0),
    # What a divisor is multiplied by the layer undoes; but 1 / (a + b) is not 1 / a + 1 / b.
    "divided": (divided, 6, 6),
    # It may be the elements or their magnitudes, or squares, that are handed on.
    "norms-over-no-axes": (lambda: norms_over_no_axes("ReduceL2"), 0, 0),
    "squares-over-no-axes": (lambda: norms_over_no_axes("ReduceSumSquare"), 0, 0),
    # Another limit than zero tells how large a unit is.
    "limit-from-outside": (lambda: limit_from_outside(7), 0, 0),
    "limit-from-inside": (lambda: limit_from_outside(3), 0, 6),
    # However it is spelled, Relu or LeakyRelu lets the scales of 5 units through; zero goes with every factor.
    "relu-by-maximum": (lambda: spelled(lambda net, value, zero: net.node("Max", zero, value)), 0, 5),
    "relu-by-choice": (lambda: spelled(by_choice), 0, 5),
    "relu-by-mask": (lambda: spelled(by_mask), 0, 5),
    "leaky-by-choice": (lambda: spelled(leaky_by_choice), 0, 5),
    # What a unit is compared with, and what takes its place, is multiplied along; another sign turns the comparison.
    "above-a-threshold": (lambda: spelled(above_a_threshold), 0, 5),
    "where-equal": (lambda: spelled(where_equal), 5, 5),
    "above-one": (lambda: spelled(above_one), 0, 0),
    # The 2 that nothing reads, whatever is between the selection and the output.
    "last-of-three": (lambda: last_of_three(None), 0, 2),
    "last-of-three-handed-on": (lambda: last_of_three("Identity"), 0, 2),
}


def two_layers(last_bias=True, hidden=5):
    """Sigmoid, twice."""
    net = Builder(20)
    value = net.node("Sigmoid", net.gemm(net.input("x", ["N", 4]), 4, hidden))
    value = net.node("Sigmoid", net.gemm(value, hidden, hidden))
    bias = [net.weight(3)] if last_bias else []
    net.output(net.node("Gemm", value, net.weight(3, hidden), *bias, transB=1), ["N", 3])
    return net.model()


def hard(beta):
    net = Builder(21)
    value = net.node("HardSigmoid", net.gemm(net.input("x", ["N", 4]), 4, 5), alpha=0.2, beta=beta)
    product = net.node("MatMul", value, net.weight(5, 3))
    net.output(net.node("Add", net.weight(1, 3), product), ["N", 3])
    return net.model()


def image(pad):
    """Conv, Sigmoid, Conv, Sigmoid, mean over the image, Gemm."""
    net = Builder(22)
    value = net.node("Sigmoid", net.conv(net.input("x", ["N", 2, 7, 7]), 2, 6))
    value = net.node("Sigmoid", net.conv(value, 6, 5, pads=[pad] * 4))
    return net.pooled_head(value, 5, 3).model()


def flattened():
    """The numbers of a small image, one after the other; a Gemm that adds in proportions of its own."""
    net = Builder(23)
    value = net.node("Sigmoid", net.conv(net.input("x", ["N", 2, 3, 3]), 2, 6))
    value = net.node("Gemm", net.node("Flatten", value), net.weight(54, 3), net.weight(3), alpha=0.5, beta=2.0)
    net.output(value, ["N", 3])
    return net.model()


def two_readers(shared_bias, hidden=5):
    """Two layers read the sigmoids, and may have one bias."""
    net = Builder(24)
    value = net.node("Sigmoid", net.gemm(net.input("x", ["N", 4]), 4, hidden))
    first = net.weight(3)
    second = first if shared_bias else net.weight(3)
    left = net.node("Gemm", value, net.weight(3, hidden), first, transB=1)
    right = net.node("Gemm", value, net.weight(3, hidden), second, transB=1)
    net.output(net.node("Mul", left, right), ["N", 3])
    return net.model()


def there_and_back(hidden=5):
    """One matrix used in both directions, with a bias for each."""
    net = Builder(25)
    weight = net.weight(hidden, 4)
    value = net.node("Sigmoid", net.node("Gemm", net.input("x", ["N", 4]), weight, net.weight(hidden), transB=1))
    net.output(net.node("Gemm", value, weight, net.weight(4)), ["N", 4])
    return net.model()


def gated_by_itself(hidden=5):
    net = Builder(26)
    value = net.gemm(net.input("x", ["N", 4]), 4, hidden)
    net.output(net.gemm(net.node("Mul", value, net.node("Sigmoid", value)), hidden, 3), ["N", 3])
    return net.model()


def centered(shared):
    """Conv, Sigmoid, BatchNormalization, Relu, and a padded Conv; the mean may be that of another normalization, too."""
    net = Builder(27)
    first = net.conv(net.input("x", ["N", 2, 5, 5]), 2, 6)
    value, mean, branches = net.node("Sigmoid", first), net.weight(6), []
    for side in (value, net.relu(first)) if shared else (value,):
        variance = net.constant(abs(net.random.normal(1, 0.1, 6)))
        branches.append(net.node("BatchNormalization", side, net.positive(6), net.weight(6), mean, variance))
    value = net.node("Add", *map(net.relu, branches)) if shared else net.relu(branches[0])
    net.output(net.conv(value, 6, 3), ["N", 3, 5, 5])
    return net.model()


# name: (model, signs that come with a shift)
SHIFTED = {
    # 5 units in each of 2 layers, and each next layer has a bias.
    "sigmoid": (two_layers, 10),
    # Nothing takes what the second 5 would add.
    "sigmoid-without-bias": (lambda: two_layers(False), 5),
    # 1/2 + z/5, cut off, is odd about 1/2; 2/5 + z/5 is odd about something that is not at z = 0.
    "hard": (lambda: hard(0.5), 5),
    "hard-off-center": (lambda: hard(0.4), 0),
    # 6 channels in front of a convolution, and 5 in front of the last layer, which reads their means.
    "image": (lambda: image(0), 11),
    # Zeros around the image do not become ones.
    "padded-image": (lambda: image(1), 5),
    "flattened": (flattened, 6),
    "two-readers": (lambda: two_readers(False), 5),
    # The bias would have to become two.
    "shared-bias": (lambda: two_readers(True), 0),
    "there-and-back": (there_and_back, 5),
    "gated-by-itself": (gated_by_itself, 0),
    # The mean m becomes 1 - m, and the normalization's scale takes the sign.
    "centered": (lambda: centered(False), 6),
    # Another reader of the mean sees it change.
    "centered-elsewhere": (lambda: centered(True), 0),
}


# Of models in tests/models/operator_models.py, whose comments say what they are: (signs, dimension). A head whose
# scores see only products has GL(n) on its n query and key positions, of dimension n^2, another on its values; its
# diagonals have n signs. (That their members compute the same is tested in operators.py.)
OPERATOR_SIZES = {
    "einsum_layers": (6 + 5 + 4, 0),  # three times Tanh
    "einsum_heads": (3 * (4 + 5) + 6, 3 * (4**2 + 5**2) + 6**2),  # the features that come back are linear, too
    "einsum_diagonal": (6 + 6, 0),  # both layers; the product takes both signs to the head
    "expert_stacks": (0, 3 * 7),  # Relu; a factor of an expert is one of all of its units, and not counted again
    "attention_rows": (3 * (4 + 5), 3 * (4**2 + 5**2)),
    "attention_grouped": (2 * (4 + 5), 2 * (4**2 + 5**2)),  # what queries of a group have in common with its key
    "attention_shared_key": (4 + 5, 4**2 + 5**2),
    "attention_stacks": (3 * (4 + 4), 3 * (4**2 + 4**2)),
    "attention_grouped_stacks": (2 * (4 + 4), 2 * (4**2 + 4**2)),
    "attention_cached": (2 * (4 + 5), 2 * (4**2 + 5**2)),  # earlier keys and values are multiplied along
    "rotary_halves": (2 * (3 + 4), 2 * (3 + 4**2)),  # one factor for each of 3 pairs of a head
    "rotary_interleaved": (2 * (3 + 4), 2 * (3 + 4**2)),
    "rotary_part": (2 * (2 + 2 + 4), 2 * (2 + 2**2 + 4**2)),  # 2 pairs, and 2 positions that are not turned
    "fused_attention_masked": (3 * (4 + 5), 3 * (4**2 + 5**2)),
    "fused_multi_head": (3 * (4 + 5), 3 * (4**2 + 5**2)),
    "fused_grouped": (2 * (16 + 16), 2 * (16**2 + 16**2)),
    "fused_grouped_packed": (2 * (16 + 16), 2 * (16**2 + 16**2)),
    "fused_grouped_rotated": (2 * (8 + 16), 2 * (8 + 16**2)),
    "fused_rotary": (2 * (3 + 4), 2 * (3 + 4**2)),
    "fused_quantized_attention": (0, 2 * (4 + 4)),  # only the scales of columns, which stay positive
    "fused_encoder": (2 * (4 + 4) + 8, 2 * (4**2 + 4**2) + 8),  # the last gamma and beta, read by the head
    "fused_stream": (8, 7 + 6),  # behind the first normalization the stream has signs; Relu has scales
    "group_normalization_21": (0, 8),  # gamma and beta of each channel, before Relu
    "fused_packed_attention": (2 * (4 + 4), 2 * (4**2 + 4**2)),
    # Keys and queries: a decay for each position tells them apart, and looking up what a key has wants squares to be 1.
    "linear_attention": (2 * (4 + 5), 2 * 5**2),
    "linear_attention_gated": (2 * (4 + 5), 2 * (4**2 + 5**2)),
    "linear_attention_delta": (2 * (4 + 5), 2 * (4 * 3 // 2 + 5**2)),  # O(4)
    "linear_attention_linear": (2 * (4 + 5), 2 * (4**2 + 5**2)),
    "causal_conv": (5, 5),  # before the kernels; x * sigmoid(x) has none
    "causal_conv_plain": (5 + 5, 5 + 5),  # and behind them
    "order_along": (0, 6),  # Relu behind what is sorted
    "few_bits_in_rows": (0, 8),  # scales stay positive
    "channels_last": (4, 0),  # Tanh, and the 5 before may not move
    "fused_group_norm_plain": (8 + 5, 8),  # gamma and beta of each channel, and Tanh
    "fused_skip_group_norm_plain": (8 + 5, 8),
    "fused_products": (0, 6 + 7),  # Relu, twice; Gelu has none
    "fused_sampling": (0, 6),
    "swiglu": (7, 7),  # what is gated, by a gate that fixes itself
    "pick_slices": (6, 6**2),  # rows are chosen whole, the 6 columns are linear
    "tensor_scatter": (6, 6**2),
}


def operator_model(name):
    return operator_models.MODELS[name][0]().model()


def cases():
    for name, (signs, dimension) in OPERATOR_SIZES.items():
        yield f"sizes/{name}", functools.partial(count, functools.partial(operator_model, name), signs, dimension)
    for name, row in SIZES.items():
        yield f"sizes/{name}", functools.partial(count, *row)
        yield f"members/{name}", functools.partial(written, row[0])
    for name, (make, shifted) in SHIFTED.items():
        yield f"shifted/{name}", functools.partial(shift, make, shifted)
    yield "sizes/vit_b_16", vision_transformer
    for model in [*catalogue.samples(), *catalogue.written_by_hand()]:
        yield f"members/{model.label}", functools.partial(hold, model)
    yield "members/experts", functools.partial(written, experts)
    yield "rotary", rotary_by_hand
    yield "half-precision", half_precision
    for seed in range(RANDOM + MORE):
        yield f"members/random/{seed}", functools.partial(
            written, lambda seed=seed: random_architectures.random_net(seed).model(), seed < RANDOM)


def count(make, signs, dimension):
    with scratch() as folder:
        onnx.save(make(), str(folder / "net.onnx"))
        report = run_json("symmetry", folder / "net.onnx")
        check_equal((report["signs"], report["dimension"]), (signs, dimension), "signs and dimension")
        check_equal(report["effective_parameters"], report["parameters"] - dimension, "effective parameters")


def shift(make, shifted):
    """The number; signs without a shift there are none. Members compute the same, and biases move in them."""
    with scratch() as folder:
        model = catalogue.Model("shifted", "net", folder / "net.onnx")
        onnx.save(make(), str(model.path))
        report = run_json("symmetry", model.path)
        check_equal((report["shifted_signs"], report["signs"]), (shifted, 0), "signs with and without a shift")
        check_equal(sum(row["shifted_signs"] for row in report["classes"]), shifted, "signs of all classes")
        moved = 0
        for seed in range(1, 4):
            member = sample(model.path, seed, folder / "member.onnx", elements="permute,sign,scale,linear")
            JUDGE.compare(model.path, member, model.inputs())
            sample(model.path, seed, member, elements="linear")
            JUDGE.compare(model.path, member, model.inputs())
            moved += model.path.read_bytes() != member.read_bytes()
        check_equal(moved != 0, shifted != 0, "whether `linear` moves something")


def vision_transformer():
    """12 layers with 12 heads of 64 query-key and 64 value-output channels, each GL(64); 25 normalizations of 768
    channels whose outputs only linear maps read, each channel with a factor; Gelu and the stream have none."""
    model = next((m for m in catalogue.exported() if m.path.name == "vit_b_16.default.onnx"), None)
    check(model is not None, "vit_b_16 was not exported")
    report = run_json("symmetry", model.path)
    check_equal(report["dimension"], 12 * 2 * 12 * 64**2 + 25 * 768, "dimension")
    check_equal(report["signs"], 12 * 2 * 12 * 64 + 25 * 768, "signs")


def rotary_by_hand():
    """Signs are put on the net of `rotary` that its comment allows, and heads and pairs exchanged. What the form has then
    follows from the order of its anchors, small tensors first: three tables of queries, from which the fourth follows, as
    two of keys and what queries decide give the others; then the first halves of queries, by head. Every sum that is
    chosen is positive."""
    signs = numpy.random.default_rng(5)
    with scratch() as folder:
        model = rotary()
        onnx.save(model, str(folder / "net.onnx"))
        form = canonical(folder / "net.onnx", folder / "form.onnx")
        for turn in range(4):
            onnx.save(rotary_member(model, signs), str(folder / "member.onnx"))
            check_same_form(form, folder / "member.onnx", f"form of member {turn}")
        graph = onnx.load(str(form)).graph
        weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
        readers = [next(node for node in graph.node if name in node.input).op_type for name in weights]
        matrices = [weights[name] for name, reader in zip(weights, readers) if reader == "MatMul"]
        tables = [weights[name] for name, reader in zip(weights, readers) if reader == "Mul"]
        query, key = [matrix.sum(axis=0).reshape(2, 2, 2) for matrix in matrices[:2]]  # head, half, pair
        check((query[:, 0] > 0).all(), f"first halves of queries sum up to {query[:, 0]}")
        positive = [bool((table.sum(axis=0) > 0).all()) for table in tables]
        check(all(positive[i] for i in (0, 1, 2, 4, 5)), f"which tables have positive sums: {positive}")
        check(not (all(positive) and (query[:, 1] > 0).all() and (key > 0).all()),
              "signs that follow from others were chosen")


def rotary_member(model, random):
    """Another member of the class: per pair the signs a(h), d, c, s' of queries and d, e, c of keys, where e is what left
    gets; then heads and pairs in another order."""
    member = onnx.ModelProto()
    member.CopyFrom(model)
    floats = [tensor for tensor in member.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    query, query_tables, key, key_tables = floats[0], floats[1:5], floats[5], floats[6:10]
    a, d, c, s, d2, e, c2 = [random.choice([-1, 1], size=shape) for shape in ((2, 2), 2, 2, 2, 2, 2, 2)]
    left, right = a * c, a * s  # head, pair: what queries are multiplied by behind the rotation
    a2 = left * c2
    s2 = right * a2
    check((s2 == s2[0]).all(), "the test's own signs do not fit: tables are the same in all heads")
    heads, pairs = random.permutation(2), random.permutation(2)
    halves = {id(query): (a, a * d), id(key): (a2, a2 * d2)}
    tables = dict(zip(map(id, [*query_tables, *key_tables]), (c, c * d, s, s * d, c2, c2 * d2, s2[0], s2[0] * d2)))
    for tensor in floats:
        array = onnx.numpy_helper.to_array(tensor).copy()
        if id(tensor) in halves:
            array = array.reshape(5, 2, 2, 2) * numpy.stack(halves[id(tensor)], axis=1)
            array = array[:, heads][..., pairs].reshape(5, 8)
        elif id(tensor) in tables:
            array = (array * tables[id(tensor)])[:, pairs]
        elif array.shape == (5, 8):  # values
            array = array.reshape(5, 2, 4)[:, heads].reshape(5, 8)
        else:
            array = array.reshape(2, 4, 3)[heads].reshape(8, 3)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(numpy.float32), tensor.name))
    return member


def half_precision():
    """Scales would push the smallest weights of a network in half precision out of its range, so members do not have other
    ones; numbers of the reals do."""
    net = Builder(7)
    x = net.input("x", ["N", 4], onnx.TensorProto.FLOAT16)
    into, out = [net.constant((net.random.normal(size=shape) * 2.0 ** -13).astype(numpy.float16))
                 for shape in ((4, 6), (6, 3))]
    hidden = net.node("Relu", net.node("MatMul", x, into))
    net.output(net.node("MatMul", hidden, out), ["N", 3], onnx.TensorProto.FLOAT16)
    with scratch() as folder:
        path = folder / "net.onnx"
        onnx.save(net.model(), str(path))
        check_equal(run_json("symmetry", path)["dimension"], 6, "scales of real numbers")
        member = onnx.load(str(sample(path, 1, folder / "member.onnx", elements="scale")))
        for before, after in zip(onnx.load(str(path)).graph.initializer, member.graph.initializer):
            check_equal(onnx.numpy_helper.to_array(after).tobytes(), onnx.numpy_helper.to_array(before).tobytes(),
                        f"weights of {before.name}")


def written(make, judged=True):
    with scratch() as folder:
        onnx.save(make(), str(folder / "net.onnx"))
        hold(catalogue.Model("random", "net", folder / "net.onnx"), judged)


def hold(model, judged=True):
    with scratch() as folder:
        form, whole = canonical_and_whole(model.path, folder / "canonical.onnx")
        check(whole, "signs and scales are no part of the form")
        for kinds in ("sign", "scale", "permute,sign,scale", "linear")[:4 if judged else 3]:
            member = sample(model.path, 1, folder / "member.onnx", elements=kinds)
            if kinds != "linear":
                check_same_form(form, member, f"canonical form of a member ({kinds})")
            if model.not_runnable or not judged:
                continue
            try:
                JUDGE.compare(model.path, member, model.inputs())
            except Failure as failure:
                if "hardly varies" in str(failure):
                    raise CannotRun("an output hardly varies: a comparison proves nothing") from None
                raise
    if model.not_runnable:
        raise CannotRun(model.not_runnable)
