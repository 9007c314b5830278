"""Blocks that move positions about: slices, gathers, concatenations, pads, tiles, flips, and chains of reshapes."""

import numpy

from random_architectures import Value, block, converter


@block("image", "sequence", "vector")
def split_and_join(net, value):
    """Two or three parts, each with its own activation, joined in another order."""
    if value.channels < 2:
        return value
    first = int(net.random.integers(1, value.channels))
    parts = net.shares(value.name, value.axis, first, value.channels - first)
    parts = [net.node(net.pick("Relu", "Tanh", "Identity"), part) for part in parts]
    if net.chance(0.5):
        parts.reverse()
    return net.same(value, net.node("Concat", *parts, axis=value.axis))


@block("image", "sequence", "vector")
def slices(net, value):
    """One slice, with steps of any sign, or a gate of two slices."""
    c = value.channels
    if c < 4:
        return net.same(value, net.cut(value.name, value.axis, -1, -(2**62), -1))
    if net.chance(0.5):
        half = c // 2
        pair = [net.cut(value.name, value.axis, 0, half), net.cut(value.name, value.axis, half, 2 * half)]
        if net.chance(0.4):
            pair = [net.cut(value.name, value.axis, 0, 2 * half, 2), net.cut(value.name, value.axis, 1, 2 * half, 2)]
        name = net.node(net.pick("Mul", "Sub", "Add"), *pair)
        return Value(name, value.kind, half, value.rest)
    start, end, step = net.pick((0, c, 2), (c - 1, -(2**62), -1), (-1, -c - 1, -2), (1, 2**31, 1), (-3, 2**62, 1))
    count = len(range(*slice(start, end if end > -c - 1 else None, step).indices(c)))
    return Value(net.cut(value.name, value.axis, start, end, step), value.kind, count, value.rest)


@block("image", "sequence", "vector")
def gathers(net, value):
    """Positions in any order, some of them twice, some never."""
    count = net.pick(value.channels, 5)
    positions = net.random.integers(0, value.channels, count)
    if net.chance(0.4):
        positions, count = net.random.permutation(value.channels), value.channels
    if net.chance(0.3):
        positions = positions - value.channels  # from the end
    return Value(net.take(value.name, value.axis, positions), value.kind, count, value.rest)


@block("image", "sequence", "vector")
def flip(net, value):
    """x combined with x reversed."""
    c = value.channels
    turned = net.cut(value.name, value.axis, -1, -(2**31), -1) if net.chance(0.5) else \
        net.take(value.name, value.axis, range(c - 1, -1, -1))
    return net.same(value, net.node(net.pick("Add", "Sub", "Max"), value.name, turned))


@block("image", "sequence", "vector")
def rolled(net, value):
    """x combined with x shifted around by some positions."""
    if value.channels < 2:
        return value
    shift = int(net.random.integers(1, value.channels))
    parts = [net.cut(value.name, value.axis, shift, 2**62), net.cut(value.name, value.axis, 0, shift)]
    turned = net.node("Concat", *parts, axis=value.axis)
    return net.same(value, net.node(net.pick("Add", "Mul"), value.name, turned))


@block("image", "sequence", "vector")
def padded_channels(net, value):
    pads = [0] * (2 * (2 + len(value.rest)))
    before, after = net.pick((1, 2), (0, 2), (2, 0))
    pads[value.axis], pads[value.axis + 2 + len(value.rest)] = before, after
    mode = net.pick("constant", "constant", "reflect" if value.channels > 2 else "edge", "edge")
    options = [net.scalar(0.3)] if mode == "constant" and net.chance(0.5) else []
    name = net.node("Pad", value.name, net.integers(*pads), *options, mode=mode)
    return Value(name, value.kind, value.channels + before + after, value.rest)


@block("image", "sequence", "vector")
def tiled_channels(net, value):
    times = [1] * (2 + len(value.rest))
    times[value.axis] = 2
    name = net.node("Tile", value.name, net.integers(*times))
    weights = net.along(Value("", value.kind, 2 * value.channels), net.random.normal(size=2 * value.channels))
    return Value(net.node("Mul", name, weights), value.kind, 2 * value.channels, value.rest)


@block("image", "sequence", "vector")
def resized_channels(net, value):
    rank = 2 + len(value.rest)
    if value.kind == "image":
        return value
    scales = numpy.ones(rank, dtype=numpy.float32)
    scales[value.axis] = 2
    name = net.node("Resize", value.name, "", net.constant(scales), mode=net.pick("nearest", "linear") if rank < 3
                    else "nearest")
    return Value(name, value.kind, 2 * value.channels, value.rest)


@block("image", "sequence", "vector")
def folded_channels(net, value):
    """Channels seen as (a, b), something done to one of the two, and seen as channels again."""
    shape = [net.batch if net.batch != "N" else -1, *([value.channels] if value.kind == "image" else []), *value.rest,
             *([] if value.kind == "image" else [value.channels])]
    axis, c = value.axis, value.channels
    if c % 2:
        return value
    pair = net.pick((2, c // 2), (c // 2, 2))
    split = net.reshape(value.name, *shape[:axis], *pair, *shape[axis + 1:])
    which = axis + net.pick(0, 1)
    extent = pair[which - axis]
    way = net.random.integers(6)
    if way == 0:
        split = net.node("Sub", split, net.node("ReduceMean", split, axes=[which]))
    elif way == 1:
        split = net.node("Softmax", split, axis=which)
    elif way == 2:
        split = net.take(split, which, list(net.random.permutation(extent)))
    elif way == 3:
        total = net.node("ReduceMax", split, axes=[which], keepdims=0)
        return Value(total, value.kind, c // extent, value.rest)
    elif way == 4:
        chosen = net.node("Gather", split, net.constant(numpy.int64(1)), axis=which)
        return Value(chosen, value.kind, c // extent, value.rest)
    else:
        scale = [1] * len([*shape, 0])
        scale[which] = extent
        split = net.node("Mul", split, net.constant(net.random.normal(size=scale)))
    return net.same(value, net.reshape(split, *shape))


@block("image", "sequence", "vector")
def crossed_folds(net, value):
    """Channels seen as (a, b) and transposed to (b, a), then combined with what they were."""
    c = value.channels
    factor = net.pick(2, 3)
    if c % factor or value.kind == "image":
        return value
    rank = 2 + len(value.rest)
    lead = [0] * (rank - 1)
    split = net.reshape(value.name, *lead, factor, c // factor)
    turned = net.transpose(split, *range(rank - 1), rank, rank - 1)
    back = net.reshape(turned, *lead, c) if net.chance(0.6) else net.node("Reshape", turned,
                                                                          net.node("Shape", value.name))
    if net.chance(0.4):
        return net.same(value, back)
    return net.same(value, net.node(net.pick("Add", "Mul"), back, value.name))


@block("image", "sequence", "vector")
def squeezes(net, value):
    """Axes of extent one come and go."""
    at = int(net.random.integers(1, 3 + len(value.rest)))
    name = net.axes("Unsqueeze", value.name, at)
    name = net.node("Neg", name)
    return net.same(value, net.axes("Squeeze", name, at))


@block("image", "sequence", "vector")
def maxima_and_clips(net, value):
    low = net.along(value, net.random.normal(size=value.channels))
    name = net.node(net.pick("Max", "Min", "Mean", "Sum"), value.name, low)
    if net.chance(0.5):
        name = net.node("Clip", name, net.scalar(-0.7), net.scalar(1.2))
    return net.same(value, name)


@block("image", "sequence", "vector")
def prelu(net, value):
    slope = net.along(value, net.random.uniform(0.1, 0.6, value.channels))
    return net.same(value, net.node("PRelu", value.name, slope))


@block("image", "sequence", "vector")
def masked(net, value):
    """A constant mask over the channels, as booleans or as a comparison of a parameter."""
    mask = net.along(value, net.random.normal(size=value.channels))
    chosen = net.node("Less", mask, value.name) if net.chance(0.5) else net.node("Greater", mask, net.scalar(0))
    other = net.along(value, net.random.normal(size=value.channels))
    return net.same(value, net.node("Where", chosen, value.name, other))


@block("image", "sequence", "vector")
def boolean_mask(net, value):
    """A mask of the file: it says something about each position, so it moves or pins."""
    shape = (-1, 1, 1) if value.kind == "image" else (-1,)
    mask = net.constant(numpy.reshape(net.random.random(value.channels) < 0.5, shape))
    return net.same(value, net.node("Where", mask, value.name, net.node("Tanh", value.name)))


@block("image", "sequence", "vector")
def integer_scales(net, value):
    """Integers of the file, cast and multiplied: they are counts, not weights."""
    shape = (-1, 1, 1) if value.kind == "image" else (-1,)
    counts = net.constant(numpy.reshape(numpy.arange(1, value.channels + 1), shape))
    return net.same(value, net.node("Mul", value.name, net.node("Cast", counts, to=1)))


@block("image", "sequence", "vector")
def positions_by_range(net, value):
    """Positions 0, 1, 2 ... made in the graph, from the shape or from numbers."""
    if net.chance(0.5) or value.kind == "image":
        count = net.constant(numpy.int64(value.channels))
    else:
        count = net.node("Gather", net.node("Shape", value.name), net.constant(numpy.int64(value.axis)), axis=0)
    numbers = net.node("Range", net.constant(numpy.int64(0)), count, net.constant(numpy.int64(1)))
    numbers = net.node("Mul", net.node("Cast", numbers, to=1), net.scalar(0.1))
    if value.kind == "image":
        numbers = net.axes("Unsqueeze", numbers, 1, 2)
    return net.same(value, net.node("Add", value.name, numbers))


@block("image", "sequence", "vector")
def norms(net, value):
    """Divided by a norm over the channels."""
    operator = net.pick("ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare")
    size = net.node(operator, value.name, axes=[value.axis], keepdims=1)
    return net.same(value, net.node("Div", value.name, net.node("Add", net.node("Abs", size), net.scalar(0.5))))


@block("image", "sequence", "vector")
def top_channels(net, value):
    """The largest channels in order: which channels they are does not matter, where they end up does."""
    if value.channels < 3:
        return value
    names = net.node("TopK", value.name, net.integers(3), outputs=2, axis=value.axis)
    return Value(names[0], value.kind, 3, value.rest)


@block("image", "sequence", "vector")
def hardmax(net, value):
    name = net.node("Hardmax", value.name, axis=value.axis)
    return net.same(value, net.node("Add", value.name, name))


@block("vector", "sequence")
def scattered(net, value):
    """Trilu, OneHot, ScatterND and GatherElements by constants: positions that matter."""
    way = net.random.integers(3)
    c = value.channels
    if way == 0 and value.kind == "sequence":
        return net.same(value, net.node("Trilu", value.name, upper=net.pick(0, 1)))
    if way == 1 and value.kind == "vector":
        number = net.node("ArgMax", value.name, axis=1, keepdims=0)
        hot = net.node("OneHot", number, net.constant(numpy.int64(c)), net.constant(numpy.float32([0, 1])), axis=-1)
        return net.same(value, net.node("Add", hot, value.name))
    matrix = net.weight_matrix(c, c)
    index = net.constant(numpy.array([[0], [c - 1]]))
    changed = net.node("ScatterND", matrix, index, net.weight(2, c))
    return net.same(value, net.node("MatMul", value.name, changed))


@block("image", "sequence", "vector")
def outer_product(net, value):
    """Products of all pairs of channels, reduced again: no two axes are one."""
    c = value.channels
    if value.kind != "vector":
        return value
    pairs = net.node("Mul", net.axes("Unsqueeze", value.name, 1), net.axes("Unsqueeze", value.name, 2))
    if net.chance(0.3):
        return net.same(value, net.node("ReduceMean", pairs, axes=[2], keepdims=0))
    if net.chance(0.5):
        pairs = net.node("Mul", pairs, net.weight(c, c))
        return net.same(value, net.node("ReduceMean", pairs, axes=[1], keepdims=0))
    out = net.width()
    return Value(net.dense(net.node("Flatten", pairs), c * c, out), "vector", out)


@converter("vector")
def to_sequence(net, value):
    """Channels as (time, channels) or as one token repeated with positions."""
    time, c = 4, net.width(2)
    if net.chance(0.6):
        wide = net.dense(value.name, value.channels, time * c)
        if net.chance(0.5):
            name = net.reshape(wide, -1, time, c)
        else:
            name = net.transpose(net.reshape(wide, -1, c, time), 0, 2, 1)
        return Value(name, "sequence", c, (time,))
    name = net.node("Add", net.axes("Unsqueeze", value.name, 1), net.weight(time, value.channels))
    return Value(name, "sequence", value.channels, (time,))


@converter("vector")
def to_image(net, value):
    c = net.width()
    if net.chance(0.5):
        name = net.reshape(net.gemm(value.name, value.channels, c * 4), -1, c, 2, 2)
        name = net.node("ConvTranspose", name, net.weight(c, 5, 4, 4), net.bias(5), strides=[4, 4])
        return Value(name, "image", 5, (8, 8))
    name = net.axes("Unsqueeze", value.name, 2, 3)
    name = net.node("Mul", name, net.weight(1, value.channels, 8, 8))
    return Value(name, "image", value.channels, (8, 8))
