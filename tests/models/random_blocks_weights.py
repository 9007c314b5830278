"""Blocks whose weights are shared, computed in the graph, or read by nested graphs and functions."""

import numpy
from onnx import TensorProto, helper

from random_architectures import Value, block

FLOAT = TensorProto.FLOAT


def last_axis(value):
    """Blocks of this file work on the last axis."""
    return value.kind != "image"


@block("sequence", "vector")
def weight_twice(net, value):
    """One square matrix used twice, the second time perhaps transposed."""
    c = value.channels
    square = net.weight_matrix(c, c)
    again = square if net.chance(0.5) else net.transpose(square, 1, 0)
    hidden = net.node("Tanh", net.node("MatMul", value.name, square))
    return net.same(value, net.node("MatMul", hidden, again))


@block("sequence", "vector")
def tied_matrices(net, value):
    """Into hidden units with a matrix and back with its transpose."""
    matrix = net.weight_matrix(value.channels, net.width())
    hidden = net.relu(net.node("MatMul", value.name, matrix))
    if value.kind == "vector" and net.chance(0.5):
        return net.same(value, net.node("Gemm", hidden, matrix, transB=1))
    return net.same(value, net.node("MatMul", hidden, net.transpose(matrix, 1, 0)))


@block("sequence", "vector")
def weight_normalization(net, value):
    """W * g / ||W||, with norms of rows or of columns, in the graph."""
    c, out = value.channels, net.width()
    matrix = net.weight_matrix(c, out)
    axis = net.pick(0, 1)
    size = net.node("ReduceL2", matrix, axes=[axis], keepdims=1)
    if net.chance(0.4):
        squares = net.axes("ReduceSum", net.node("Mul", matrix, matrix), axis, keepdims=1)
        size = net.node("Sqrt", squares)
    gain = net.constant(net.random.uniform(0.5, 1.5, (1, out) if axis == 0 else (c, 1)))
    scaled = net.node("Mul", net.node("Div", matrix, size), gain)
    return Value(net.node("MatMul", value.name, scaled), value.kind, out, value.rest)


@block("sequence", "vector")
def spectral_scale(net, value):
    """W divided by u W v, with u and v of the file."""
    c, out = value.channels, net.width()
    matrix, left, right = net.weight_matrix(c, out), net.weight(1, c), net.weight(out, 1)
    scale = net.node("MatMul", net.node("MatMul", left, matrix), right)
    scale = net.node("Add", net.node("Abs", net.node("Reshape", scale, net.constant(numpy.zeros(0, dtype="int64")))),
                     net.scalar(0.5))
    name = net.node("MatMul", value.name, net.node("Div", matrix, scale))
    return Value(name, value.kind, out, value.rest)


@block("image")
def weight_standardization(net, value):
    """Each filter minus its mean, divided by its deviation."""
    out = net.width()
    weight = net.weight(out, value.channels, 3, 3)
    centred = net.node("Sub", weight, net.node("ReduceMean", weight, axes=[1, 2, 3], keepdims=1))
    squares = net.node("ReduceMean", net.node("Mul", centred, centred), axes=[1, 2, 3], keepdims=1)
    scaled = net.node("Div", centred, net.node("Sqrt", net.node("Add", squares, net.scalar(1e-5))))
    name = net.node("Conv", value.name, scaled, net.bias(out), pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    return Value(name, "image", out, value.rest)


@block("sequence", "vector")
def low_rank_adapter(net, value):
    """x W + (x A) B, or x (W + A B)."""
    c, out, rank = value.channels, net.width(), net.pick(2, 3)
    big, into, back = net.weight_matrix(c, out), net.weight_matrix(c, rank), net.weight_matrix(rank, out)
    if net.chance(0.5):
        name = net.node("MatMul", value.name, net.node("Add", big, net.node("MatMul", into, back)))
    else:
        low = net.node("MatMul", net.node("MatMul", value.name, into), back)
        name = net.node("Add", net.node("MatMul", value.name, big), net.node("Mul", low, net.scalar(2)))
    return Value(name, value.kind, out, value.rest)


@block("sequence", "vector")
def rearranged_weight(net, value):
    """The weight passes through Reshape, Transpose, Concat, Slice or Gather before it is used."""
    c, out = value.channels, net.pick(4, 6)
    way = net.random.integers(6)
    if way == 0:
        matrix = net.reshape(net.constant(net.matrix(c, out).ravel()), c, out)
    elif way == 1:
        half = out // 2
        matrix = net.node("Concat", net.weight_matrix(c, half), net.weight_matrix(c, out - half), axis=1)
    elif way == 2:
        matrix = net.cut(net.weight_matrix(c, out + 3), 1, 2, 2 + out)
    elif way == 3:
        matrix = net.take(net.weight_matrix(c + 2, out), 0, net.random.permutation(c + 2)[:c])
    elif way == 4:  # one tensor of two layers, taken apart
        both = net.weight(2, c, c)
        first, second = [net.axes("Squeeze", part, 0) for part in net.shares(both, 0, 1, 1)]
        hidden = net.relu(net.node("MatMul", value.name, first))
        return net.same(value, net.node("MatMul", hidden, second))
    else:
        matrix = net.transpose(net.reshape(net.weight(2, out // 2, c), out, c), 1, 0)
    return Value(net.node("MatMul", value.name, matrix), value.kind, out, value.rest)


@block("sequence", "vector")
def circulant_weight(net, value):
    """Rows of a matrix read by constant numbers: x times a matrix made of one vector's entries."""
    c = value.channels
    index = (numpy.arange(c)[:, None] + numpy.arange(c)) % c
    entries = net.constant(net.random.normal(0, 0.5, c))
    return net.same(value, net.node("MatMul", value.name, net.node("Gather", entries, net.constant(index), axis=0)))


@block("sequence", "vector")
def batched_weight(net, value):
    """Several experts at once: weights (experts, c, h) and (experts, h, c), summed with gates."""
    c, experts, inner = value.channels, net.pick(2, 3), net.pick(3, 4)
    if value.kind == "sequence":
        return value
    x = net.axes("Unsqueeze", value.name, 0)  # (1, batch, c)
    hidden = net.relu(net.node("MatMul", x, net.weight(experts, c, inner)))
    hidden = net.node("Add", hidden, net.weight(experts, 1, inner)) if net.chance(0.5) else hidden
    ends = net.node("MatMul", hidden, net.weight(experts, inner, c))
    if net.chance(0.5):
        gate = net.node("Softmax", net.gemm(value.name, c, experts), axis=-1)  # (batch, experts)
        gate = net.axes("Unsqueeze", net.transpose(gate, 1, 0), 2)
        ends = net.node("Mul", ends, gate)
    return net.same(value, net.axes("ReduceSum", ends, 0, keepdims=0))


@block("image")
def shared_grouped_weight(net, value):
    """One filter bank used by both halves of the channels, or by a grouped convolution of tiled weights."""
    half, per = value.channels // 2, net.pick(2, 3)  # an odd channel is left out
    bank = net.weight(per, half, 3, 3)
    if net.chance(0.5):
        parts = [net.cut(value.name, 1, 0, half), net.cut(value.name, 1, half, 2 * half)]
        parts = [net.node("Conv", part, bank, pads=[1, 1, 1, 1]) for part in parts]
        name = net.node("Concat", *parts, axis=1)
    else:
        both = net.node("Concat", bank, bank, axis=0) if net.chance(0.5) else net.node("Tile", bank,
                                                                                     net.integers(2, 1, 1, 1))
        name = net.node("Conv", net.cut(value.name, 1, 0, 2 * half), both, pads=[1, 1, 1, 1], group=2)
    return Value(name, "image", 2 * per, value.rest)


@block("image")
def dynamic_convolution(net, value):
    """Expert filters mixed by the mean of the input: the weight of the convolution depends on data."""
    out, experts = net.width(), 2
    bank = net.weight(experts, out * value.channels * 9)
    means = net.node("ReduceMean", value.name, axes=[0, 2, 3], keepdims=0)
    gate = net.node("Softmax", net.node("MatMul", means, net.weight_matrix(value.channels, experts)), axis=0)
    mixed = net.reshape(net.node("MatMul", gate, bank), out, value.channels, 3, 3)
    return Value(net.node("Conv", value.name, mixed, pads=[1, 1, 1, 1]), "image", out, value.rest)


@block("sequence", "vector")
def weight_is_also_read(net, value):
    """A weight that is also reduced, indexed, added to the signal, or asked for its shape."""
    c, out = value.channels, net.width()
    matrix = net.weight_matrix(c, out)
    name = net.node("MatMul", value.name, matrix)
    way = net.random.integers(5)
    if way == 0:
        name = net.node("Add", name, net.node("ReduceMean", matrix, axes=[0], keepdims=0))
    elif way == 1:
        row = net.node("Gather", matrix, net.constant(numpy.int64(net.pick(0, -1))), axis=0)
        name = net.node("Add", name, row)
    elif way == 2:
        name = net.node("Div", name, net.node("Cast", net.node("Size", matrix), to=1))
    elif way == 3:
        name = net.node("Mul", name, net.node("ReduceMax", matrix, axes=[0, 1], keepdims=0))
    else:
        rows = net.node("Gather", net.node("Shape", matrix), net.constant(numpy.int64(1)), axis=0)
        name = net.node("Reshape", name, net.node("Concat", net.integers(*[0] * (1 + len(value.rest))),
                                                  net.axes("Unsqueeze", rows, 0), axis=0))
    return Value(name, value.kind, out, value.rest)


@block("vector")
def embedding_tied(net, value):
    """The strongest channel looks a row up in a table that is also an output layer."""
    table = net.weight_matrix(value.channels, 5)
    row = net.node("Gather", table, net.node("ArgMax", value.name, axis=1, keepdims=0), axis=0)
    hidden = net.node("MatMul", value.name, table)
    name = net.node("Add", row, hidden)
    if net.chance(0.5):
        name = net.node("MatMul", net.relu(name), net.transpose(table, 1, 0))
        return net.same(value, name)
    return Value(name, "vector", 5)


@block("image", "sequence", "vector")
def shared_constants(net, value):
    """One constant vector scales here, shifts there, and is a bias elsewhere."""
    c = value.channels
    numbers = net.along(value, net.random.normal(size=c) if net.chance(0.5) else numpy.full(c, 0.3))
    name = net.node("Add", net.node("Mul", value.name, numbers), numbers)
    again = net.project(net.same(value, net.relu(name)), c)
    return net.same(value, net.node("Add", again.name, numbers))


# ---- nested graphs and functions ----


def info(name, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, None)


@block("sequence", "vector")
def conditional(net, value):
    """If over the input's mean; both branches use weights of the main graph, perhaps one they share."""
    c = value.channels
    first = net.weight_matrix(c, c)
    second = first if net.chance(0.4) else net.weight_matrix(c, c)
    test = net.node("Greater", net.node("ReduceMean", value.name, keepdims=0), net.scalar(0.1))
    place = len(net.nodes)

    def branch(label, weight, activation):
        nodes = [helper.make_node("MatMul", [value.name, weight], [f"{label}{place}_a"]),
                 helper.make_node(activation, [f"{label}{place}_a"], [f"{label}{place}_b"])]
        own = []
        if net.chance(0.5):
            own = [helper.make_tensor(f"{label}{place}_w", FLOAT, [c, c], net.matrix(c, c).ravel())]
            nodes.append(helper.make_node("MatMul", [f"{label}{place}_b", f"{label}{place}_w"], [f"{label}{place}_c"]))
        return helper.make_graph(nodes, label, [], [info(nodes[-1].output[0])], own)

    return net.same(value, net.node("If", test, then_branch=branch("then", first, "Tanh"),
                                    else_branch=branch("else", second, "Sigmoid")))


@block("vector", "sequence")
def repeated_step(net, value):
    """Loop: the same step three times, with weights captured from outside or held inside."""
    c = value.channels
    place = len(net.nodes)
    names = {key: f"loop{place}_{key}" for key in ("i", "go", "x", "more", "a", "b", "y", "w")}
    captured = net.chance(0.5)
    weight = net.weight_matrix(c, c) if captured else names["w"]
    own = [] if captured else [helper.make_tensor(weight, FLOAT, [c, c], net.matrix(c, c).ravel())]
    nodes = [helper.make_node("Identity", [names["go"]], [names["more"]]),
             helper.make_node("MatMul", [names["x"], weight], [names["a"]]),
             helper.make_node("Tanh", [names["a"]], [names["b"]]),
             helper.make_node("Add", [names["b"], value.name if net.chance(0.5) else names["x"]], [names["y"]])]
    body = helper.make_graph(
        nodes, "step", [helper.make_tensor_value_info(names["i"], TensorProto.INT64, []),
                        helper.make_tensor_value_info(names["go"], TensorProto.BOOL, []), info(names["x"])],
        [helper.make_tensor_value_info(names["more"], TensorProto.BOOL, []), info(names["y"])], own)
    return net.same(value, net.node("Loop", net.constant(numpy.int64(3)), "", value.name, body=body))


@block("sequence")
def scanned(net, value):
    """Scan over time: a recurrent cell with a state of its own, written out."""
    c, hidden, place = value.channels, net.pick(3, 4), len(net.nodes)
    names = {key: f"scan{place}_{key}" for key in ("h", "x", "a", "b", "s", "out", "copy")}
    into, again = net.weight_matrix(c, hidden), net.weight_matrix(hidden, hidden)
    nodes = [helper.make_node("MatMul", [names["x"], into], [names["a"]]),
             helper.make_node("MatMul", [names["h"], again], [names["b"]]),
             helper.make_node("Add", [names["a"], names["b"]], [names["s"]]),
             helper.make_node("Tanh", [names["s"]], [names["out"]]),
             helper.make_node("Identity", [names["out"]], [names["copy"]])]
    body = helper.make_graph(nodes, "cell", [info(names["h"]), info(names["x"])],
                             [info(names["out"]), info(names["copy"])])
    first = net.node("MatMul", net.node("ReduceMean", value.name, axes=[1], keepdims=0),
                     net.weight_matrix(c, hidden))
    last, every = net.node("Scan", first, value.name, outputs=2, body=body, num_scan_inputs=1, scan_input_axes=[1],
                           scan_output_axes=[1])
    if net.chance(0.5):
        every = net.node("Add", every, net.axes("Unsqueeze", last, 1))
    return Value(every, "sequence", hidden, value.rest)


@block("image", "sequence", "vector")
def local_function(net, value):
    """Two calls of one of the model's own functions, with an attribute that the call gives."""
    name = f"Shrink{net.opset}"
    if not net.functions:
        nodes = [helper.make_node("Mul", ["x", "scale"], ["scaled"]), helper.make_node("LeakyRelu", ["scaled"], ["y"])]
        reference = nodes[1].attribute.add()
        reference.name, reference.ref_attr_name, reference.type = "alpha", "slope", 1
        net.functions.append(helper.make_function("tests", name, ["x", "scale"], ["y"], nodes,
                                                  [helper.make_opsetid("", net.opset)], ["slope"]))
        net.extra_opsets.append(helper.make_opsetid("tests", 1))
    scale = net.along(value, net.random.uniform(0.5, 1.5, value.channels))
    first = net.node(name, value.name, scale, domain="tests", slope=0.2)
    again = net.project(net.same(value, first), value.channels)
    return net.same(value, net.node(name, again.name, scale if net.chance(0.5) else net.scalar(0.5), domain="tests",
                                    slope=-0.3))


@block("sequence")
def recurrent(net, value):
    """LSTM, GRU or RNN, one direction or both, batch in the middle as ONNX has it."""
    operator, gates = net.pick(("LSTM", 4), ("GRU", 3), ("RNN", 1))
    c, hidden = value.channels, net.pick(2, 3)
    directions = net.pick(1, 2)
    x = net.transpose(value.name, 1, 0, 2)
    weights = [net.weight(directions, gates * hidden, c), net.weight(directions, gates * hidden, hidden)]
    if net.chance(0.5):
        weights.append(net.weight(directions, 2 * gates * hidden))
    attributes = {"linear_before_reset": 1} if operator == "GRU" and net.chance(0.5) else {}
    direction = "bidirectional" if directions == 2 else net.pick("forward", "reverse")
    y = net.node(operator, x, *weights, outputs=2, hidden_size=hidden, direction=direction, **attributes)[0]
    if directions == 1:
        name = net.transpose(net.axes("Squeeze", y, 1), 1, 0, 2)
    else:
        name = net.reshape(net.transpose(y, 2, 0, 1, 3), 0, 0, directions * hidden)
    return Value(name, "sequence", directions * hidden, value.rest)


@block("sequence", "vector")
def einsum_layer(net, value):
    c, out = value.channels, net.width()
    if value.kind == "vector":
        return Value(net.node("Einsum", value.name, net.weight(c, out), equation="nc,ch->nh"), "vector", out)
    if net.chance(0.5):
        name = net.node("Einsum", value.name, net.weight(out, c), equation="btc,hc->bth")
    else:
        wide = net.node("Einsum", value.name, net.weight(c, 2, out), equation="btc,cgh->btgh")
        name = net.node("Einsum", net.relu(wide), net.weight(2, out, out), equation="btgh,ghk->btk")
    return Value(name, "sequence", out, value.rest)
