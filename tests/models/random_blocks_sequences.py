"""Blocks of transformers: attention in its spellings, normalisations, gated layers."""

import numpy

from random_architectures import Value, block, converter


def layer_normalize(net, x, channels):
    """Over the last axis: fused, or decomposed as exporters do, or the kind without a mean."""
    scale = net.positive(channels)
    if net.opset >= 17 and net.chance(0.5):
        return net.node("LayerNormalization", x, scale, net.weight(channels), axis=-1)
    if net.chance(0.3):
        square = net.node("Mul", x, x) if net.chance(0.5) else net.node("Pow", x, net.scalar(2))
        root = net.node("Sqrt", net.node("Add", net.node("ReduceMean", square, axes=[-1]), net.scalar(1e-5)))
        return net.node("Mul", scale, net.node("Div", x, root))
    centred = net.node("Sub", x, net.node("ReduceMean", x, axes=[-1]))
    variance = net.node("ReduceMean", net.node("Pow", centred, net.scalar(2)), axes=[-1])
    normal = net.node("Div", centred, net.node("Sqrt", net.node("Add", variance, net.scalar(1e-5))))
    return net.node("Add", net.node("Mul", normal, scale), net.weight(channels))


def heads_of(net, x, time, heads, width):
    """(batch, time, heads * width) -> (batch, heads, time, width)"""
    return net.transpose(net.reshape(x, -1, time, heads, width), 0, 2, 1, 3)


def attend(net, query, key, value, time, width, mask=None):
    scores = net.node("MatMul", query, net.transpose(key, 0, 1, 3, 2))
    scores = net.node("Div", scores, net.scalar(numpy.sqrt(width)))
    if mask is not None:
        scores = net.node("Add", scores, mask)
    return net.node("MatMul", net.node("Softmax", scores, axis=-1), value)


def joined_heads(net, x, time, channels):
    return net.reshape(net.transpose(x, 0, 2, 1, 3), -1, time, channels)


def attention_mask(net, time, heads):
    kind = net.random.integers(4)
    if kind == 0:
        return None
    if kind == 1:
        return net.constant(numpy.triu(numpy.full((time, time), -1e4), 1))
    if kind == 2:
        return net.constant(net.random.normal(size=(1, heads, time, time)))  # a bias for each head
    return net.constant(net.random.normal(size=(heads, 1, 1)))


def added(net, value, branch):
    return net.same(value, net.node("Add", value.name, branch))


@block("sequence")
def separate_attention(net, value):
    time, heads, width = value.rest[0], net.pick(1, 2, 3), net.pick(2, 3)
    inner = heads * width
    x = layer_normalize(net, value.name, value.channels) if net.chance(0.6) else value.name
    query, key, val = [heads_of(net, net.dense(x, value.channels, inner), time, heads, width) for _ in range(3)]
    mixed = attend(net, query, key, val, time, width, attention_mask(net, time, heads))
    return added(net, value, net.dense(joined_heads(net, mixed, time, inner), inner, value.channels))


@block("sequence")
def packed_attention(net, value):
    """One projection for queries, keys and values, taken apart in one of several ways."""
    time, heads, width = value.rest[0], 2, 2
    inner = heads * width
    packed = net.dense(value.name, value.channels, 3 * inner)
    way = net.random.integers(5)
    if way == 0:
        parts = net.shares(packed, 2, inner, inner, inner)
    elif way == 1:
        parts = [net.cut(packed, -1, k * inner, (k + 1) * inner) for k in range(3)]
    if way <= 1:
        parts = [heads_of(net, part, time, heads, width) for part in parts]
    elif way == 2:  # (batch, time, 3, heads, width) -> (3, batch, heads, time, width)
        split = net.transpose(net.reshape(packed, -1, time, 3, heads, width), 2, 0, 3, 1, 4)
        parts = [net.node("Gather", split, net.constant(numpy.int64(k)), axis=0) for k in range(3)]
    elif way == 3:  # heads outside: (batch, time, heads, 3, width)
        split = net.transpose(net.reshape(packed, -1, time, heads, 3, width), 0, 2, 3, 1, 4)
        parts = [net.axes("Squeeze", part, 2) for part in net.shares(split, 2, 1, 1, 1)]
    else:  # heads outside: (batch, time, heads, 3 * width), split inside every head
        split = net.transpose(net.reshape(packed, -1, time, heads, 3 * width), 0, 2, 1, 3)
        parts = net.shares(split, 3, width, width, width)
    mixed = attend(net, *parts, time, width, attention_mask(net, time, heads))
    return added(net, value, net.dense(joined_heads(net, mixed, time, inner), inner, value.channels))


@block("sequence")
def cross_attention(net, value):
    """Queries are learned latents or the sequence; keys and values come from the other."""
    count, heads, width = 4, 2, net.pick(2, 3)
    inner, time = heads * width, value.rest[0]
    latents = net.weight(1, count, value.channels)
    query = heads_of(net, net.dense(latents, value.channels, inner), count, heads, width)
    key, val = [heads_of(net, net.dense(value.name, value.channels, inner), time, heads, width) for _ in range(2)]
    mixed = joined_heads(net, attend(net, query, key, val, time, width), count, inner)
    mixed = net.dense(mixed, inner, value.channels)
    back = net.node("MatMul", net.node("Softmax", net.node("MatMul", value.name, net.transpose(mixed, 0, 2, 1)),
                                       axis=-1), mixed)
    return net.same(value, back if net.chance(0.5) else net.node("Add", back, value.name))


@block("sequence")
def grouped_query_attention(net, value):
    time, groups, times, width = value.rest[0], 2, 2, 2
    heads = groups * times
    query = heads_of(net, net.dense(value.name, value.channels, heads * width), time, heads, width)
    key, val = [heads_of(net, net.dense(value.name, value.channels, groups * width), time, groups, width)
                for _ in range(2)]
    if net.chance(0.5):
        tables = [net.constant(net.random.normal(size=(time, width // 2))) for _ in range(2)]
        query, key = [rotate(net, x, tables, width, time) for x in (query, key)]
    if net.chance(0.7):
        key, val = [repeated(net, x, groups, times, time, width) for x in (key, val)]
    else:
        order = [head // times for head in range(heads)] if net.chance(0.5) else [h % groups for h in range(heads)]
        key, val = [net.take(x, 1, order) for x in (key, val)]
    mixed = attend(net, query, key, val, time, width, attention_mask(net, time, heads))
    return added(net, value, net.dense(joined_heads(net, mixed, time, heads * width), heads * width, value.channels))


def repeated(net, x, groups, times, time, width):
    """Each head several times: next to each other by Expand, or the whole row again by Tile or Concat."""
    if net.chance(0.6):
        wide = net.node("Expand", net.axes("Unsqueeze", x, 2), net.integers(1, groups, times, time, width))
        return net.reshape(wide, -1, groups * times, time, width)
    if net.chance(0.5):
        return net.node("Tile", x, net.integers(1, times, 1, 1))
    return net.node("Concat", *[x] * times, axis=1)


def rotate(net, x, tables, width, time):
    """Rotary positions in halves or interleaved."""
    cos, sin = tables
    half = width // 2
    if net.chance(0.5):
        first, second = net.cut(x, -1, 0, half), net.cut(x, -1, half, 2**62)
        left = net.node("Sub", net.node("Mul", first, cos), net.node("Mul", second, sin))
        right = net.node("Add", net.node("Mul", first, sin), net.node("Mul", second, cos))
        return net.node("Concat", left, right, axis=-1)
    first, second = net.cut(x, -1, 0, 2**62, 2), net.cut(x, -1, 1, 2**62, 2)
    left = net.node("Sub", net.node("Mul", first, cos), net.node("Mul", second, sin))
    right = net.node("Add", net.node("Mul", first, sin), net.node("Mul", second, cos))
    both = net.node("Concat", net.axes("Unsqueeze", left, -1), net.axes("Unsqueeze", right, -1), axis=-1)
    if net.chance(0.5):
        return net.node("Reshape", both, net.node("Shape", x))
    return net.node("Reshape", both, net.integers(0, 0, 0, width))


@block("sequence")
def rotary_attention(net, value):
    time, heads, width = value.rest[0], net.pick(1, 2), 4
    inner = heads * width
    shape = (time, width // 2) if net.chance(0.7) else (heads, time, width // 2)
    tables = [net.constant(net.random.normal(size=shape)) for _ in range(2)]
    query, key, val = [heads_of(net, net.dense(value.name, value.channels, inner), time, heads, width)
                       for _ in range(3)]
    state = net.random.bit_generator.state
    query = rotate(net, query, tables, width, time)
    if net.chance(0.8):  # the same kind of rotation for the keys
        net.random.bit_generator.state = state
    key = rotate(net, key, tables, width, time)
    mixed = attend(net, query, key, val, time, width)
    return added(net, value, net.dense(joined_heads(net, mixed, time, inner), inner, value.channels))


@block("sequence")
def linear_attention(net, value):
    """Softmax over tokens for keys and over channels for queries; the context is channels by channels."""
    inner = net.pick(2, 4)
    query, key, val = [net.dense(value.name, value.channels, inner) for _ in range(3)]
    context = net.node("MatMul", net.transpose(net.node("Softmax", key, axis=1), 0, 2, 1), val)
    mixed = net.node("MatMul", net.node("Softmax", query, axis=2), context)
    return added(net, value, net.dense(mixed, inner, value.channels))


@block("sequence", "vector")
def gated_feed_forward(net, value):
    inner = net.width(2)
    if net.chance(0.5):
        gate, up = net.dense(value.name, value.channels, inner), net.dense(value.name, value.channels, inner)
    else:
        packed = net.dense(value.name, value.channels, 2 * inner)
        gate, up = net.shares(packed, -1, inner, inner)
    gate = net.node("Mul", gate, net.node("Sigmoid", gate))
    return added(net, value, net.dense(net.node("Mul", gate, up), inner, value.channels))


@block("sequence", "vector")
def normalized_feed_forward(net, value):
    inner = net.width()
    x = layer_normalize(net, value.name, value.channels)
    x = net.dense(net.node("Erf", net.dense(x, value.channels, inner)), inner, value.channels)
    return added(net, value, x)


@block("sequence")
def mix_tokens(net, value):
    """A layer over time, as MLP-Mixer has it, with its own hidden units."""
    time, inner = value.rest[0], net.pick(3, 5)
    turned = net.transpose(value.name, 0, 2, 1)
    back = net.dense(net.relu(net.dense(turned, time, inner)), inner, time)
    return added(net, value, net.transpose(back, 0, 2, 1))


@block("sequence")
def convolution_over_time(net, value):
    out, groups = net.width(2), net.pick(1, 2)
    groups = groups if value.channels % groups == 0 else 1
    turned = net.transpose(value.name, 0, 2, 1)
    name = net.node("Conv", turned, net.weight(out, value.channels // groups, 3), net.bias(out), pads=[1, 1],
                    group=groups)
    return Value(net.transpose(net.relu(name), 0, 2, 1), "sequence", out, value.rest)


@block("sequence")
def running_sum(net, value):
    axis = net.pick(1, 2)
    name = net.node("CumSum", value.name, net.constant(numpy.int64(axis)))
    return net.same(value, net.node("Mul", name, net.scalar(0.2)))


@converter("sequence")
def one_token(net, value):
    if net.chance(0.5):
        return Value(net.node("Gather", value.name, net.constant(numpy.int64(net.pick(0, -1))), axis=1), "vector",
                     value.channels)
    return Value(net.node(net.pick("ReduceMean", "ReduceMax"), value.name, axes=[1], keepdims=0), "vector",
                 value.channels)


@converter("sequence")
def all_tokens(net, value):
    """All tokens side by side; time may be outside or inside the channels."""
    name = value.name if net.chance(0.5) else net.transpose(value.name, 0, 2, 1)
    count, out = value.rest[0] * value.channels, net.width()
    return Value(net.dense(net.node("Flatten", name), count, out), "vector", out)


@converter("sequence")
def window_partition(net, value):
    """The sequence as an image of channels over (2, time / 2)."""
    time = value.rest[0]
    if time % 2 or time < 4:
        return one_token(net, value)
    side = time // 2
    name = net.reshape(net.transpose(value.name, 0, 2, 1), -1, value.channels, 2, side)
    name = net.node("Resize", name, "", "", net.integers(2, value.channels, 8, 8)) if net.batch != "N" else \
        net.node("Pad", name, net.integers(0, 0, 3, 8 - side, 0, 0, 3, 0))
    return Value(name, "image", value.channels, (8, 8))
