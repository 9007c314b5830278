"""Blocks of convolutional networks: convolutions, normalisations, channel and pixel shuffles, encoders and decoders."""

import numpy

from random_architectures import Value, block, converter


def normalized(net, value):
    """BatchNormalization with drawn parameters and statistics."""
    c = value.channels
    return net.same(value, net.node("BatchNormalization", value.name, net.positive(c), net.weight(c), net.weight(c),
                                    net.positive(c)))


@block("image")
def convolution(net, value):
    out, dilation = net.width(), net.pick(1, 2)
    name = net.conv(value.name, value.channels, out, 3, dilations=[dilation] * 2, pads=[dilation] * 4)
    return net.activate(Value(name, "image", out, value.rest))


@block("image")
def convolution_batch_normalization(net, value):
    return net.activate(normalized(net, net.project(value, net.width())))


@block("image")
def grouped_convolution(net, value):
    groups = net.pick(2, value.channels)
    if value.channels % groups:
        groups = 1
    out = groups * net.pick(1, 2, 3)
    return Value(net.conv(value.name, value.channels, out, group=groups), "image", out, value.rest)


@block("image")
def two_groupings(net, value):
    """Groups of one size, then groups of another: blocks that cut across each other."""
    first = net.conv(value.name, value.channels, 12, group=2 - value.channels % 2)
    second = net.conv(net.relu(first), 12, 12, kernel=1, group=net.pick(3, 4, 6))
    return Value(second, "image", 12, value.rest)


@block("image")
def depthwise_separable(net, value):
    c, multiplier = value.channels, net.pick(1, 2)
    deep = net.relu(net.conv(value.name, c, c * multiplier, group=c))
    out = net.width()
    return Value(net.conv(deep, c * multiplier, out, 1), "image", out, value.rest)


@block("image")
def transposed_convolution(net, value):
    groups = net.pick(1, 2) if value.channels % 2 == 0 else 1
    per_group = net.pick(2, 3)
    name = net.node("ConvTranspose", value.name, net.weight(value.channels, per_group, 2, 2),
                    net.bias(groups * per_group), kernel_shape=[2, 2], strides=[2, 2], group=groups)
    value = Value(net.relu(name), "image", groups * per_group, tuple(2 * n for n in value.rest))
    return net.same(value, net.node("Identity", value.name)) if value.rest[0] <= 16 else shrink(net, value)


def shrink(net, value):
    name = net.node("AveragePool", value.name, kernel_shape=[2, 2], strides=[2, 2])
    return Value(name, "image", value.channels, tuple(n // 2 for n in value.rest))


@block("image")
def pools(net, value):
    operator = net.pick("MaxPool", "AveragePool")
    name = net.node(operator, value.name, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    return net.same(value, net.node("Sub", value.name, name) if net.chance(0.5) else name)


@block("image")
def instance_normalization(net, value):
    c = value.channels
    return net.same(value, net.node("InstanceNormalization", value.name, net.positive(c), net.weight(c)))


@block("image")
def group_normalization(net, value):
    """As PyTorch exports it: Reshape to groups, InstanceNormalization, Reshape back, scale and shift."""
    groups = net.pick(2, value.channels // 2) if value.channels % 2 == 0 else 1
    flat = net.reshape(value.name, 0, groups, -1)
    ones, zeros = net.constant(numpy.ones(groups)), net.constant(numpy.zeros(groups))
    flat = net.node("InstanceNormalization", flat, ones, zeros)
    back = net.node("Reshape", flat, net.node("Shape", value.name)) if net.chance(0.5) else \
        net.reshape(flat, -1, value.channels, *value.rest)
    scaled = net.node("Mul", back, net.along(value, net.random.uniform(0.5, 1.5, value.channels)))
    return net.same(value, net.node("Add", scaled, net.along(value, net.random.normal(size=value.channels))))


@block("image")
def local_response(net, value):
    return net.same(value, net.node("LRN", value.name, size=3, alpha=0.5))


@block("image")
def residual(net, value):
    inner = net.activate(net.project(value, net.width()))
    back = net.project(inner, value.channels)
    return net.activate(net.same(value, net.node("Add", back.name, value.name)))


@block("image")
def dense_connections(net, value):
    parts = [value.name]
    channels = value.channels
    for _ in range(2):
        joined = net.node("Concat", *parts, axis=1) if len(parts) > 1 else value.name
        parts.append(net.relu(net.conv(joined, channels, 3)))
        channels += 3
    return Value(net.node("Concat", *parts, axis=1), "image", channels, value.rest)


@block("image")
def squeeze_excite(net, value):
    c, inner = value.channels, net.pick(2, 3)
    means = net.node("GlobalAveragePool", value.name) if net.chance(0.5) else \
        net.node("ReduceMean", value.name, axes=[2, 3], keepdims=1)
    if net.chance(0.5):
        gate = net.conv(net.relu(net.conv(means, c, inner, 1)), inner, c, 1)
    else:
        flat = net.axes("Squeeze", means, 2, 3)
        gate = net.gemm(net.relu(net.gemm(flat, c, inner)), inner, c)
        gate = net.axes("Unsqueeze", net.axes("Unsqueeze", gate, 2), -1)
    return net.same(value, net.node("Mul", net.node(net.pick("Sigmoid", "HardSigmoid"), gate), value.name))


@block("image")
def channel_shuffle(net, value):
    groups = net.pick(2, value.channels // 2) if value.channels % 2 == 0 else value.channels
    split = net.reshape(value.name, -1, groups, value.channels // groups, *value.rest)
    mixed = net.reshape(net.transpose(split, 0, 2, 1, 3, 4), -1, value.channels, *value.rest)
    if net.chance(0.7):
        mixed = net.conv(mixed, value.channels, value.channels, group=groups)
    return net.same(value, mixed)


@block("image")
def shuffle_unit(net, value):
    """Half of the channels pass, the other half is convolved; then both are interleaved."""
    if value.channels % 2:
        return value
    half = value.channels // 2
    left, right = net.shares(value.name, 1, half, value.channels - half)
    right = net.relu(net.conv(right, half, half))
    joined = net.node("Concat", left, right, axis=1)
    split = net.reshape(joined, -1, 2, half, *value.rest)
    return net.same(value, net.reshape(net.transpose(split, 0, 2, 1, 3, 4), -1, value.channels, *value.rest))


@block("image")
def pixel_shuffle(net, value):
    wide = net.conv(value.name, value.channels, 4 * 3, 1)
    h, w = value.rest
    if net.chance(0.6):
        name = net.node("DepthToSpace", wide, blocksize=2, mode=net.pick("DCR", "CRD"))
    elif net.chance(0.5):
        name = net.reshape(wide, -1, 3, 2, 2, h, w)
        name = net.reshape(net.transpose(name, 0, 1, 4, 2, 5, 3), -1, 3, 2 * h, 2 * w)
    else:
        name = net.reshape(wide, -1, 2, 2, 3, h, w)
        name = net.reshape(net.transpose(name, 0, 3, 4, 1, 5, 2), -1, 3, 2 * h, 2 * w)
    return shrink(net, Value(net.relu(name), "image", 3, (2 * h, 2 * w)))


@block("image")
def space_to_depth(net, value):
    name = net.node("SpaceToDepth", value.name, blocksize=2)
    if value.rest[0] % 2:
        return value
    out = net.width()
    name = net.relu(net.conv(name, 4 * value.channels, out, 1))
    h, w = value.rest
    name = net.node("Resize", name, "", net.constant(numpy.array([1, 1, 2, 2], dtype=numpy.float32)), mode="nearest")
    return Value(name, "image", out, (h, w))


@block("image")
def u_shape(net, value):
    down = net.relu(net.conv(net.node("MaxPool", value.name, kernel_shape=[2, 2], strides=[2, 2]),
                             value.channels, 6))
    if value.rest[0] % 2:
        return value
    up = net.node("ConvTranspose", down, net.weight(6, 5, 2, 2), net.bias(5), strides=[2, 2])
    return Value(net.node("Concat", value.name, net.relu(up), axis=1), "image", value.channels + 5, value.rest)


@block("image")
def channels_last(net, value):
    """A convolutional block between two transposes, with a linear layer and a LayerNorm over the last axis."""
    last = net.transpose(value.name, 0, 2, 3, 1)
    from random_blocks_sequences import layer_normalize
    last = layer_normalize(net, last, value.channels)
    inner = net.width()
    last = net.dense(net.relu(net.dense(last, value.channels, inner)), inner, value.channels)
    gamma = net.constant(net.random.uniform(0.2, 0.8, (value.channels, 1, 1)))
    back = net.node("Mul", net.transpose(last, 0, 3, 1, 2), gamma)
    return net.same(value, net.node("Add", value.name, back))


@block("image")
def softmax_over_channels(net, value):
    weights = net.node("Softmax", value.name, axis=1)
    if net.chance(0.5):
        return net.same(value, net.node("Mul", weights, value.name))
    return net.same(value, weights)


@block("image")
def strongest_channel(net, value):
    """Channels above their mean over all channels, or where a channel is the strongest."""
    if net.chance(0.5):
        best = net.node("Cast", net.node("ArgMax", value.name, axis=1, keepdims=1), to=1)
        return net.same(value, net.node("Add", value.name, net.node("Mul", best, net.scalar(0.1))))
    mean = net.node("ReduceMean", value.name, axes=[1], keepdims=1)
    other = net.along(value, net.random.normal(size=value.channels))
    return net.same(value, net.node("Where", net.node("Greater", value.name, mean), value.name, other))


@converter("image")
def pooled(net, value):
    if net.chance(0.3):
        return Value(net.node("ReduceMax", value.name, axes=[-1, -2], keepdims=0), "vector", value.channels)
    name = net.node("GlobalAveragePool", value.name)
    flat = net.node("Flatten", name, axis=1) if net.chance(0.5) else net.axes("Squeeze", name, 3, 2)
    return Value(flat, "vector", value.channels)


@converter("image")
def flattened(net, value):
    stride = max(1, value.rest[0] // 2)
    small = net.node("AveragePool", value.name, kernel_shape=[stride] * 2, strides=[stride] * 2)
    side = value.rest[0] // stride
    count = value.channels * side * side
    name = net.node("Flatten", small) if net.chance(0.5) else net.reshape(small, -1, count)
    out = net.width()
    return Value(net.gemm(name, count, out), "vector", out)


@converter("image")
def patches(net, value):
    """A strided convolution whose places become the tokens of a sequence, with positions and a class token."""
    side = value.rest[0] // 4
    if side * 4 != value.rest[0] or value.rest[0] != value.rest[1]:
        return pooled(net, value)
    out, tokens = net.width(2), side * side
    name = net.node("Conv", value.name, net.weight(out, value.channels, 4, 4), net.bias(out), strides=[4, 4])
    name = net.transpose(net.reshape(name, 0, out, tokens), 0, 2, 1)
    if net.chance(0.5) and net.batch != "N":
        token = net.node("Expand", net.weight(1, 1, out), net.integers(net.batch, 1, out))
        name, tokens = net.node("Concat", token, name, axis=1), tokens + 1
    name = net.node("Add", name, net.weight(1, tokens, out))
    return Value(name, "sequence", out, (tokens,))
