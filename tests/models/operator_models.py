"""A small model for every operator rule, with the order of its permutation group worked out by hand.

A row of MODELS: name -> (function that builds it, expected log10 of the group's order). The comment of each function
derives the order. NOT_RUNNABLE says which ones ONNX Runtime cannot run, and why; the functions of those can spell the
operator out with others, from the same parameters, so that a judge can tell nevertheless.
"""

import math

import numpy
from onnx import TensorProto, helper

from builder import Builder
from hand_made import factorials

MICROSOFT = "com.microsoft"
HIGHEST_IR = {21: 10, 23: 11, 24: 11, 25: 12}


def wreath(blocks, *inside):
    """log10 of the order of (S_a x S_b ...) wr S_blocks."""
    return factorials(blocks) + blocks * factorials(*inside)


def start(seed, opset=17, microsoft=False):
    ir_version = next((ir for since, ir in sorted(HIGHEST_IR.items(), reverse=True) if opset >= since), 8)
    b = Builder(seed, opset, ir_version)
    if microsoft:
        b.extra_opsets = [helper.make_opsetid(MICROSOFT, 1)]
    return b


def fused(b, operator, *inputs, **attributes):
    return b.node(operator, *inputs, domain=MICROSOFT, **attributes)


def bytes_of(b, *shape, low=-50, high=50, kind=numpy.int8):
    return b.constant(b.random.integers(low, high, shape).astype(kind))


def scalar(b, value, kind=numpy.float32):
    return b.constant(numpy.array(value, dtype=kind))


def head(b, x, width, shape, classes=3):
    """The last layer: from `width` features to the output."""
    b.output(b.node("Add", b.node("MatMul", x, b.weight(width, classes)), b.weight(classes)), [*shape, classes])
    return b


def layer(b, x, rows, columns):
    return b.node("Add", b.node("MatMul", x, b.weight(rows, columns)), b.weight(columns))


# --- recurrent ----------------------------------------------------------------------------------


def recurrent_weights(b, gates, directions, into, hidden):
    return [b.weight(directions, gates * hidden, into), b.weight(directions, gates * hidden, hidden),
            b.weight(directions, 2 * gates * hidden)]


def side_by_side(b, y, shape):
    """[t, d, n, h] as [t, n, d * h]"""
    return b.node("Reshape", b.node("Transpose", y, perm=[0, 2, 1, 3]), b.integers(*shape))


def lstm_forward():
    """One direction: the 5 hidden units, 4 rows each, move freely: 5!"""
    b = start(1)
    x = b.input("x", [4, 2, 3])
    last = b.node("LSTM", x, *recurrent_weights(b, 4, 1, 3, 5), outputs=2, hidden_size=5)[1]
    return head(b, b.node("Squeeze", last, b.integers(0)), 5, [2])


def lstm_two_layers():
    """Both directions, initial states, peepholes, two layers: every direction has units of its own: 5!^2 4!^2"""
    b = start(2)
    x = b.input("x", [4, 2, 3])
    weights = recurrent_weights(b, 4, 2, 3, 5)
    y = b.node("LSTM", x, *weights, "", b.weight(2, 2, 5), b.weight(2, 2, 5), b.weight(2, 15), outputs=3,
               hidden_size=5, direction="bidirectional")[0]
    x = side_by_side(b, y, [4, 2, 10])
    lengths = b.constant(numpy.array([4, 3], dtype=numpy.int32))
    y = b.node("LSTM", x, *recurrent_weights(b, 4, 2, 10, 4), lengths, outputs=3, hidden_size=4,
               direction="bidirectional")[0]
    return head(b, side_by_side(b, y, [4, 2, 8]), 8, [4, 2])


def lstm_one_cell_for_two():
    """The same weights read two sequences: one permutation for each direction serves both: 5!^2"""
    b = start(3)
    weights = recurrent_weights(b, 4, 2, 3, 5)
    ends = []
    for name in ("x", "z"):
        y = b.node("LSTM", b.input(name, [4, 2, 3]), *weights, outputs=1, hidden_size=5, direction="bidirectional")
        ends.append(side_by_side(b, y, [4, 2, 10]))
    return head(b, b.node("Mul", *ends), 10, [4, 2])


def lstm_of_one_matrix():
    """W and R are one tensor, so that the features that come in and the units are one set in both directions: 5!"""
    b = start(8)
    x = b.node("Tanh", layer(b, b.input("x", [4, 2, 3]), 3, 5))
    weights = b.weight(2, 20, 5)
    y = b.node("LSTM", x, weights, weights, outputs=1, hidden_size=5, direction="bidirectional")
    return head(b, side_by_side(b, y, [4, 2, 10]), 10, [4, 2])


def gru_both_directions():
    """Three rows a unit: 5!^2. The initial state is computed from a matrix, so that its columns move along."""
    b = start(4)
    x = b.input("x", [4, 2, 3])
    y = b.node("GRU", x, *recurrent_weights(b, 3, 2, 3, 5), "", b.weight(2, 2, 5), outputs=2, hidden_size=5,
               direction="bidirectional", linear_before_reset=1)[0]
    return head(b, side_by_side(b, y, [4, 2, 10]), 10, [4, 2])


def rnn_after_dense():
    """The input features of the cell are hidden units of the layer before it: 6! 5!"""
    b = start(5)
    x = b.node("Tanh", layer(b, b.input("x", [4, 2, 3]), 3, 6))
    y = b.node("RNN", x, *recurrent_weights(b, 1, 1, 6, 5), outputs=1, hidden_size=5, activations=["Relu"])
    return head(b, b.node("Squeeze", y, b.integers(1)), 5, [4, 2])


def rnn_batch_first(spelled=False):
    """layout 1: Y[n, t, d, h]: 5!^2"""
    b = start(6)
    x = b.input("x", [2, 4, 3])
    weights, initial = recurrent_weights(b, 1, 2, 3, 5), b.weight(2, 2, 5)
    cell = {"hidden_size": 5, "direction": "bidirectional"}
    if spelled:
        initial, x = (b.node("Transpose", t, perm=[1, 0, 2]) for t in (initial, x))
        y = b.node("Transpose", b.node("RNN", x, *weights, "", initial, **cell), perm=[2, 0, 1, 3])
    else:
        y = b.node("RNN", x, *weights, "", initial, layout=1, **cell)
    return head(b, b.node("Reshape", y, b.integers(2, 4, 10)), 10, [2, 4])


def lstm_quantized():
    """W[d, in, 4 h] and R[d, h, 4 h] as bytes with a scale for each direction: 5!"""
    b = start(7, microsoft=True)
    x = b.input("x", [4, 2, 3])
    w, r = bytes_of(b, 1, 3, 20), bytes_of(b, 1, 5, 20)
    quantized = [b.constant(numpy.array([0.02])), bytes_of(b, 1), b.constant(numpy.array([0.02])), bytes_of(b, 1)]
    y = b.node("DynamicQuantizeLSTM", x, w, r, b.weight(1, 40), "", "", "", "", *quantized, domain=MICROSOFT,
               outputs=1, hidden_size=5)
    return head(b, b.node("Squeeze", y, b.integers(1)), 5, [4, 2])


# --- einsum -------------------------------------------------------------------------------------


def einsum_layers():
    """An equation with an arrow, an implicit one and one with an ellipsis: hidden widths 6, 5 and 4: 6! 5! 4!"""
    b = start(10)
    x = b.input("x", ["N", 7, 3])
    x = b.node("Tanh", b.node("Einsum", x, b.weight(6, 3), equation="nsi,oi->nso"))
    x = b.node("Tanh", b.node("Einsum", x, b.weight(6, 5), equation="abd,dc"))  # means abc
    x = b.node("Tanh", b.node("Einsum", b.weight(4, 5), x, equation="oi,...i->...o"))
    return head(b, x, 4, ["N", 7])


def einsum_heads():
    """Projections to (head, size) and back by weights with an axis for each: 3 heads that move as a whole, and sizes
    that are told apart in every head, 4 of queries and keys and 5 of values; the 6 features that come back are free,
    for only the last layer reads them: 6! x ((S_4 x S_5) wr S_3)"""
    b = start(11)
    x = b.input("x", ["N", 7, 6])
    q, k = (b.node("Einsum", x, b.weight(3, 6, 4), equation="nsd,hde->nhse") for _ in range(2))
    v = b.node("Einsum", x, b.weight(3, 6, 5), equation="nsd,hde->nhse")
    p = b.node("Softmax", b.node("Einsum", q, k, equation="nhqe,nhke->nhqk"), axis=-1)
    y = b.node("Einsum", p, v, equation="nhqk,nhke->nqhe")
    x = b.node("Einsum", y, b.weight(3, 5, 6), equation="nqhe,hed->nqd")
    return head(b, x, 6, ["N", 7])


def expert_stacks():
    """The weights of 3 experts in one tensor, mixed by weights that a router makes: experts move as a whole, and each
    has 7 hidden units of its own: S_7 wr S_3"""
    b = start(13)
    x = b.input("x", ["N", 5])
    mix = b.node("Softmax", layer(b, x, 5, 3))
    y = b.node("Unsqueeze", b.node("Unsqueeze", x, b.integers(0)), b.integers(0))
    y = b.node("Relu", b.node("MatMul", b.node("Reshape", y, b.integers(1, -1, 5)), b.weight(3, 5, 7)))
    y = b.node("MatMul", y, b.weight(3, 7, 6))
    y = b.node("Mul", y, b.node("Unsqueeze", b.node("Transpose", mix, perm=[1, 0]), b.integers(2)))
    b.output(b.node("ReduceSum", y, b.integers(0), keepdims=0), ["N", 6])
    return b


def sum_with_itself_in_a_stack():
    """Sums of all pairs of 4 units, as a stack of matrices, times such a stack: both axes of pairs are one, while those
    of the other stack are rows that are told apart in every matrix. That they are one as well is not followed: 1"""
    b = start(15)
    x = b.node("MatMul", b.input("x", [2, 3]), b.weight(3, 4))
    pairs = b.node("Add", b.node("Unsqueeze", x, b.integers(2)), b.node("Unsqueeze", x, b.integers(1)))
    pairs = b.node("Relu", b.node("Transpose", pairs, perm=[1, 0, 2]))
    y = b.node("ReduceSum", b.node("MatMul", pairs, b.weight(4, 4, 3)), b.integers(0), keepdims=0)
    b.output(b.node("Add", y, b.weight(3)), [2, 3])
    return b


def einsum_diagonal():
    """The diagonal of a product of two layers: its two axes are one, of 6; then summed over: 6!"""
    b = start(12)
    x = b.node("Tanh", layer(b, b.input("x", ["N", 3]), 3, 6))
    outer = b.node("Einsum", x, b.node("Tanh", b.node("MatMul", x, b.weight(6, 6))), equation="ni,nj->nij")
    return head(b, b.node("Einsum", outer, equation="nii->ni"), 6, ["N"])


def einsum_there_and_back():
    """Two weights between the same 5 and 6 units, multiplied with each other before the 5 are summed over: 5! 6!"""
    b = start(14)
    x = b.node("Tanh", layer(b, b.input("x", ["N", 3]), 3, 5))
    x = b.node("Einsum", x, b.weight(5, 6), b.weight(6, 5), equation="nj,jk,kj->nk")
    return head(b, b.node("Tanh", x), 6, ["N"])


# --- normalisation ------------------------------------------------------------------------------


def group_normalization(opset):
    """8 channels in 2 groups of 4, which move as a whole: S_4 wr S_2"""
    def build():
        b = start(20 + opset, opset)
        x = b.conv(b.input("x", ["N", 3, 6, 6]), 3, 8)
        size = 2 if opset == 18 else 8
        x = b.node("GroupNormalization", x, b.positive(size), b.weight(size), num_groups=2)
        return b.pooled_head(b.node("Relu", x), 8)
    build.__doc__ = group_normalization.__doc__
    return build


def batch_normalization_in_training():
    """Before operator set 14 the number of outputs says that statistics are those of the batch, which the operator
    updates besides: its 6 units stay, and only the layer behind is free: 5!"""
    b = start(25, 9)
    x = layer(b, b.input("x", [4, 3]), 3, 6)
    x = b.node("BatchNormalization", x, b.positive(6), b.weight(6), b.weight(6), b.positive(6), outputs=5)[0]
    return head(b, b.node("Relu", layer(b, x, 6, 5)), 5, [4])


def rms_normalization():
    """The stream is normalised and scaled: 8!; inside the gated layer 7!"""
    b = start(22, 23)
    x = layer(b, b.input("x", ["N", 3]), 3, 8)
    y = b.node("RMSNormalization", x, b.positive(8), axis=-1)
    y = b.node("Mul", layer(b, y, 8, 7), b.node("Sigmoid", layer(b, y, 8, 7)))
    return head(b, b.node("Add", x, layer(b, y, 7, 8)), 8, ["N"])


def swiglu(spelled=False):
    """A gate and what it gates have one set of 7 units: 7!"""
    b = start(23, 17 if spelled else 28)
    x = b.input("x", ["N", 3])
    gate, value = layer(b, x, 3, 7), layer(b, x, 3, 7)
    if spelled:
        y = b.node("Mul", b.node("Mul", gate, b.node("Sigmoid", gate)), value)
    else:
        y = b.node("SwiGLU", gate, value)
    return head(b, y, 7, ["N"])


def swish():
    """7!"""
    b = start(24, 24)
    return head(b, b.node("Swish", layer(b, b.input("x", ["N", 3]), 3, 7)), 7, ["N"])


# --- attention ----------------------------------------------------------------------------------


def projections(b, x, *widths, rows=6):
    return [layer(b, x, rows, width) for width in widths]


def attention_rows():
    """3 heads, queries and keys of size 4, values of size 5: (S_4 x S_5) wr S_3"""
    b = start(30, 23)
    x = b.input("x", [2, 7, 6])
    y = b.node("Attention", *projections(b, x, 12, 12, 15), q_num_heads=3, kv_num_heads=3)
    return head(b, y, 15, [2, 7])


def attention_grouped():
    """4 query heads of size 4 in 2 groups, each with a key head: ((S_4 x S_5) x S_2) wr S_2; the positions are in
    order, for it is causal."""
    b = start(31, 23)
    x = b.input("x", [2, 7, 6])
    y = b.node("Attention", *projections(b, x, 16, 8, 10), q_num_heads=4, kv_num_heads=2, is_causal=1)
    return head(b, y, 20, [2, 7])


def attention_shared_key():
    """4 query heads on one key head: S_4 (heads) x S_4 x S_5"""
    b = start(32, 23)
    x = b.input("x", [2, 7, 6])
    y = b.node("Attention", *projections(b, x, 16, 4, 5), q_num_heads=4, kv_num_heads=1)
    return head(b, y, 20, [2, 7])


def attention_stacks():
    """Heads split off by Reshape and Transpose, and a bias on the scores for every head: (S_4 x S_4) wr S_3"""
    b = start(33, 23)
    x = b.input("x", [2, 7, 6])
    stacks = [b.node("Transpose", b.node("Reshape", p, b.integers(2, 7, 3, 4)), perm=[0, 2, 1, 3])
              for p in projections(b, x, 12, 12, 12)]
    y = b.node("Attention", *stacks, b.weight(1, 3, 7, 7))
    y = b.node("Reshape", b.node("Transpose", y, perm=[0, 2, 1, 3]), b.integers(2, 7, 12))
    return head(b, y, 12, [2, 7])


def attention_grouped_stacks():
    """The same with 4 query heads in 2 groups: ((S_4 x S_4) x S_2) wr S_2"""
    b = start(34, 23)
    x = b.input("x", [2, 7, 6])
    stacks = [b.node("Transpose", b.node("Reshape", p, b.integers(2, 7, h, 4)), perm=[0, 2, 1, 3])
              for p, h in zip(projections(b, x, 16, 8, 8), (4, 2, 2))]
    y = b.node("Attention", *stacks, b.weight(1, 4, 7, 7))
    y = b.node("Reshape", b.node("Transpose", y, perm=[0, 2, 1, 3]), b.integers(2, 7, 16))
    return head(b, y, 16, [2, 7])


def attention_cached():
    """Keys and values of 3 earlier steps are parameters, joined before the new ones. Nothing tells the steps of the
    past apart but what they hold, so they move too: S_3 x ((S_4 x S_5) wr S_2)"""
    b = start(35, 23)
    x = b.input("x", [1, 3, 6])
    y = b.node("Attention", *projections(b, x, 8, 8, 10), "", b.weight(1, 2, 3, 4), b.weight(1, 2, 3, 5), outputs=3,
               q_num_heads=2, kv_num_heads=2)[0]
    return head(b, y, 10, [1, 3])


def rotary(interleaved):
    """Queries and keys of size 6 are rotated in 3 pairs by a table that all heads share; values of size 4: the pairs
    move alike in all heads: S_3 x (S_4 wr S_2)"""
    def build():
        b = start(36 + interleaved, 23)
        x = b.input("x", [2, 5, 6])
        q, k, v = projections(b, x, 12, 12, 8)
        positions = b.constant(numpy.arange(10).reshape(2, 5).astype(numpy.int64))
        tables = [b.weight(10, 3), b.weight(10, 3)]
        q, k = (b.node("RotaryEmbedding", t, *tables, positions, num_heads=2, interleaved=interleaved) for t in (q, k))
        return head(b, b.node("Attention", q, k, v, q_num_heads=2, kv_num_heads=2), 8, [2, 5])
    build.__doc__ = rotary.__doc__
    return build


def rotary_part():
    """Only 4 of 6 positions are rotated, in 2 pairs; the other 2 of each head are free: S_2 x ((S_2 x S_4) wr S_2)"""
    b = start(38, 23)
    x = b.input("x", [2, 5, 6])
    q, k, v = projections(b, x, 12, 12, 8)
    tables = [b.weight(2, 5, 2), b.weight(2, 5, 2)]
    q, k = (b.node("RotaryEmbedding", t, *tables, num_heads=2, rotary_embedding_dim=4) for t in (q, k))
    return head(b, b.node("Attention", q, k, v, q_num_heads=2, kv_num_heads=2), 8, [2, 5])


def delta_rule(b, q, k, v, state, decay, beta):
    """Gated delta rule, step by step: q[2, 7, 4 heads of 4], k[2, 7, 2 groups of 4], v[2, 7, 2 groups of 5]. Without
    decay nothing fades, and without beta nothing is looked up before it is added."""
    def heads(t, count):
        return b.node("Transpose", b.node("Reshape", t, b.integers(2, 7, count, -1)), perm=[0, 2, 1, 3])

    def step(t, number):
        return b.node("Slice", t, b.integers(number), b.integers(number + 1), b.integers(2))

    turned = {"perm": [0, 1, 3, 2]}
    q = b.node("Mul", heads(q, 4), scalar(b, 0.5))
    k, v, decay, beta = (heads(t, 2) if t else None for t in (k, v, decay, beta))
    outputs = []
    for t in range(7):
        key, news = step(k, t), step(v, t)
        if decay:
            state = b.node("Mul", state, b.node("Transpose", b.node("Exp", step(decay, t)), **turned))
        if beta:
            news = b.node("Mul", b.node("Sub", news, b.node("MatMul", key, state)), step(beta, t))
        state = b.node("Add", state, b.node("MatMul", b.node("Transpose", key, **turned), news))
        pairs = b.node("Reshape", step(q, t), b.integers(2, 2, 2, 4))
        outputs.append(b.node("Reshape", b.node("MatMul", pairs, state), b.integers(2, 1, 20)))
    return b.node("Concat", *outputs, axis=1)


def linear_attention(update, rates):
    """As grouped attention, with an initial state, `rates` decays for every group (4: one for every key position), and a
    rate of learning for every group: ((S_4 x S_5) x S_2) wr S_2"""
    def build(spelled=False):
        b = start(39 + rates, 17 if spelled else 27)
        x = b.input("x", [2, 7, 6])
        q, k, v = projections(b, x, 16, 8, 10)
        decay = b.node("Neg", b.node("Exp", layer(b, x, 6, 2 * rates))) if "gated" in update else ""
        beta = b.node("Sigmoid", layer(b, x, 6, 2)) if "delta" in update else ""
        state, last = b.weight(2, 2, 4, 5), (b.weight(20, 3), b.weight(3))
        if spelled:
            y = delta_rule(b, q, k, v, state, decay, beta)
        else:
            y = b.node("LinearAttention", q, k, v, state, decay, beta, outputs=2, q_num_heads=4, kv_num_heads=2,
                       update_rule=update)[0]
        b.output(b.node("Add", b.node("MatMul", y, last[0]), last[1]), [2, 7, 3])
        return b
    build.__doc__ = linear_attention.__doc__
    return build


def causal_conv(activation):
    """A kernel for every channel: 5!"""
    def build(spelled=False):
        b = start(40, 17 if spelled else 27)
        x = b.node("Transpose", layer(b, b.input("x", [2, 7, 3]), 3, 5), perm=[0, 2, 1])
        kernel, bias, state, last = b.weight(5, 1, 3), b.weight(5), b.weight(2, 5, 2), (b.weight(5, 3), b.weight(3))
        if spelled:
            y = b.node("Conv", b.node("Concat", state, x, axis=2), kernel, bias, group=5, kernel_shape=[3])
            y = b.node("Mul", y, b.node("Sigmoid", y)) if activation == "silu" else y
        else:
            y = b.node("CausalConvWithState", x, kernel, bias, state, outputs=2, activation=activation)[0]
        y = b.node("MatMul", b.node("Transpose", y, perm=[0, 2, 1]), last[0])
        b.output(b.node("Add", y, last[1]), [2, 7, 3])
        return b
    build.__doc__ = causal_conv.__doc__
    return build


def tensor_scatter():
    """New rows are written into a table whose columns are those of the layer: 6!"""
    b = start(41, 24)
    x = layer(b, b.input("x", [2, 3, 4]), 4, 6)
    y = b.node("TensorScatter", b.weight(2, 5, 6), x, b.constant(numpy.array([1, 2], dtype=numpy.int64)), axis=1)
    return head(b, y, 6, [2, 5])


# --- quantised ----------------------------------------------------------------------------------


def quantized_activations():
    """Scales and zero points for each of 6 features: 6!"""
    b = start(50)
    x = b.node("Tanh", layer(b, b.input("x", ["N", 4]), 4, 6))
    scale, zero = b.constant(b.random.uniform(0.01, 0.02, 6)), bytes_of(b, 6, low=-5, high=5)
    x = b.node("QuantizeLinear", x, scale, zero, axis=1)
    return head(b, b.node("DequantizeLinear", x, scale, zero, axis=1), 6, ["N"])


def quantized_weights():
    """Weights stored as bytes with a scale for every row, one scale for all of the second: 6!"""
    b = start(51)
    first = b.node("DequantizeLinear", bytes_of(b, 6, 4), b.constant(b.random.uniform(0.01, 0.02, 6)),
                   bytes_of(b, 6, low=-3, high=3), axis=0)
    second = b.node("DequantizeLinear", bytes_of(b, 3, 6), scalar(b, 0.02), scalar(b, 1, numpy.int8))
    x = b.node("Tanh", b.node("Gemm", b.input("x", ["N", 4]), first, b.weight(6), transB=1))
    b.output(b.node("Gemm", x, second, b.weight(3), transB=1), ["N", 3])
    return b


def quantized_in_blocks():
    """Columns share a scale in blocks of 4: S_4 wr S_2"""
    b = start(52, 21)
    x = b.node("Tanh", layer(b, b.input("x", ["N", 4]), 4, 8))
    weights = b.node("DequantizeLinear", bytes_of(b, 3, 8), b.constant(b.random.uniform(0.01, 0.02, (3, 2))),
                     bytes_of(b, 3, 2, low=-3, high=3), axis=1, block_size=4)
    b.output(b.node("Gemm", x, weights, b.weight(3), transB=1), ["N", 3])
    return b


def qdq_conv():
    """QuantizeLinear and DequantizeLinear around convolutions, as quantisation tools write them: 6! 5!"""
    b = start(53)
    x = b.input("x", ["N", 3, 6, 6])
    for into, out in ((3, 6), (6, 5)):
        scales = b.constant(b.random.uniform(0.005, 0.01, out))
        weights = b.node("DequantizeLinear", bytes_of(b, out, into, 3, 3), scales,
                         b.constant(numpy.zeros(out, dtype=numpy.int8)), axis=0)
        x = b.node("Relu", b.node("Conv", x, weights, b.weight(out), kernel_shape=[3, 3], pads=[1] * 4))
        scale, zero = scalar(b, 0.05), scalar(b, 3, numpy.uint8)
        x = b.node("DequantizeLinear", b.node("QuantizeLinear", x, scale, zero), scale, zero)
    return b.pooled_head(x, 5)


def dynamic_integers():
    """Quantised on the way; an integer product with a zero point for every column; scales for columns: 6!"""
    b = start(54)
    x, scale, zero = b.node("DynamicQuantizeLinear", b.input("x", ["N", 4]), outputs=3)
    y = b.node("MatMulInteger", x, bytes_of(b, 4, 6), zero, bytes_of(b, 6, low=-3, high=3))
    y = b.node("Mul", b.node("Mul", b.node("Cast", y, to=1), scale), b.constant(b.random.uniform(0.01, 0.02, 6)))
    return head(b, b.node("Tanh", y), 6, ["N"])


def integer_convolution():
    """6!"""
    b = start(55)
    x, scale, zero = b.node("DynamicQuantizeLinear", b.input("x", ["N", 3, 6, 6]), outputs=3)
    y = b.node("ConvInteger", x, bytes_of(b, 6, 3, 3, 3, kind=numpy.uint8, low=0, high=99), zero,
               scalar(b, 40, numpy.uint8), kernel_shape=[3, 3])
    y = b.node("Mul", b.node("Mul", b.node("Cast", y, to=1), scale), scalar(b, 0.01))
    return b.pooled_head(b.node("Tanh", y), 6)


def quantize_input(b, x, scale=0.02, zero=120):
    return b.node("QuantizeLinear", x, scalar(b, scale), scalar(b, zero, numpy.uint8))


def dequantize_output(b, y, shape, scale=0.05, zero=120):
    b.output(b.node("DequantizeLinear", y, scalar(b, scale), scalar(b, zero, numpy.uint8)), shape)
    return b


def per_tensor(b, scale=0.05, zero=120, kind=numpy.uint8):
    return [scalar(b, scale), scalar(b, zero, kind)]


def quantized_convolutions():
    """QLinearConv with a scale for every channel: 6! 4!"""
    b = start(56)
    x = quantize_input(b, b.input("x", ["N", 3, 6, 6]))
    for i, (into, out) in enumerate(((3, 6), (6, 4), (4, 2))):
        scales = [b.constant(b.random.uniform(0.004, 0.008, out)), b.constant(numpy.zeros(out, dtype=numpy.int8))]
        x = b.node("QLinearConv", x, *(per_tensor(b, 0.02) if i == 0 else per_tensor(b)),
                   bytes_of(b, out, into, 3, 3), *scales, *per_tensor(b), kernel_shape=[3, 3], pads=[1] * 4)
    return dequantize_output(b, x, ["N", 2, 6, 6])


def quantized_convolutions_with_bias():
    """The same with biases, which are 32-bit integers: 6! 4!"""
    b = start(57)
    x = quantize_input(b, b.input("x", ["N", 3, 6, 6]))
    for i, (into, out) in enumerate(((3, 6), (6, 4), (4, 2))):
        scales = [b.constant(b.random.uniform(0.004, 0.008, out)), b.constant(numpy.zeros(out, dtype=numpy.int8))]
        x = b.node("QLinearConv", x, *(per_tensor(b, 0.02) if i == 0 else per_tensor(b)),
                   bytes_of(b, out, into, 3, 3), *scales, *per_tensor(b),
                   bytes_of(b, out, low=-999, high=999, kind=numpy.int32), kernel_shape=[3, 3], pads=[1] * 4)
    return dequantize_output(b, x, ["N", 2, 6, 6])


def quantized_products():
    """QLinearMatMul with a scale for every column: 6!"""
    b = start(58)
    x = quantize_input(b, b.input("x", ["N", 4]))
    x = b.node("QLinearMatMul", x, *per_tensor(b, 0.02), bytes_of(b, 4, 6), b.constant(b.random.uniform(0.01, 0.02, 6)),
               b.constant(numpy.zeros(6, dtype=numpy.int8)), *per_tensor(b))
    x = b.node("QLinearMatMul", x, *per_tensor(b), bytes_of(b, 6, 3), scalar(b, 0.01), scalar(b, 0, numpy.int8),
               *per_tensor(b))
    return dequantize_output(b, x, ["N", 3])


def fused_quantized_elementwise():
    """A branch is added, multiplied and joined in bytes: the 6 channels of the sum and the product are one set, the 4
    of the other branch another: 6! 4!"""
    b = start(59, microsoft=True)
    x = quantize_input(b, b.input("x", ["N", 3, 6, 6]))

    def conv(y, first, into, out):
        return b.node("QLinearConv", y, *(per_tensor(b, 0.02) if first else per_tensor(b)),
                      bytes_of(b, out, into, 1, 1), scalar(b, 0.02), scalar(b, 0, numpy.int8), *per_tensor(b))

    one, two, other = conv(x, True, 3, 6), conv(x, True, 3, 6), conv(x, True, 3, 4)
    y = fused(b, "QLinearAdd", one, *per_tensor(b), two, *per_tensor(b), *per_tensor(b))
    gate = fused(b, "QLinearSigmoid", one, *per_tensor(b), *per_tensor(b, 0.004, 0))
    y = fused(b, "QLinearMul", y, *per_tensor(b), gate, *per_tensor(b, 0.004, 0), *per_tensor(b))
    y = fused(b, "QLinearLeakyRelu", y, *per_tensor(b), *per_tensor(b), alpha=0.1)
    y = fused(b, "QLinearConcat", *per_tensor(b), y, *per_tensor(b), other, *per_tensor(b), axis=1)
    y = fused(b, "QLinearAveragePool", y, *per_tensor(b), *per_tensor(b), kernel_shape=[2, 2], strides=[2, 2])
    y = fused(b, "QLinearGlobalAveragePool", y, *per_tensor(b), *per_tensor(b))
    return dequantize_output(b, conv(y, False, 10, 3), ["N", 3, 1, 1])


def fused_quantized_products():
    """DynamicQuantizeMatMul, MatMulIntegerToFloat and QGemm, with scales for columns: 6! 5! 4!"""
    b = start(60, microsoft=True)
    x = b.input("x", ["N", 4])
    scales = b.constant(b.random.uniform(0.01, 0.02, 6))
    x = b.node("Tanh", fused(b, "DynamicQuantizeMatMul", x, bytes_of(b, 4, 6), scales,
                             b.constant(numpy.zeros(6, dtype=numpy.int8)), b.weight(6)))
    x, scale, zero = b.node("DynamicQuantizeLinear", x, outputs=3)
    x = fused(b, "MatMulIntegerToFloat", x, bytes_of(b, 6, 5), scale, b.constant(b.random.uniform(0.01, 0.02, 5)), zero,
              b.constant(numpy.zeros(5, dtype=numpy.int8)), b.weight(5))
    x = quantize_input(b, x)
    x = fused(b, "QGemm", x, *per_tensor(b, 0.02), bytes_of(b, 4, 5), b.constant(b.random.uniform(0.01, 0.02, 4)),
              b.constant(numpy.zeros(4, dtype=numpy.int8)), transB=1)
    return head(b, b.node("Tanh", x), 4, ["N"])


def few_bits_in_rows():
    """Scales in rows of their own, two a row, and a bias; behind Relu a unit's scales and bias can be multiplied: 8!"""
    b = start(106, microsoft=True)
    packed = bytes_of(b, 8, 2, 8, low=0, high=256, kind=numpy.uint8)
    x = fused(b, "MatMulNBits", b.input("x", ["N", 32]), packed, b.constant(b.random.uniform(0.02, 0.05, (8, 2))),
              "", "", b.weight(8), K=32, N=8, bits=4, block_size=16)
    return head(b, b.node("Relu", x), 8, ["N"])


def few_bits():
    """Rows of packed numbers move with their scales and zero points; the packed axis is pinned, so of two such layers
    only the output of the first that a plain layer reads is free: 8!"""
    b = start(61, microsoft=True)
    x = b.input("x", ["N", 32])
    packed = bytes_of(b, 8, 2, 8, low=0, high=256, kind=numpy.uint8)
    x = fused(b, "MatMulNBits", x, packed, b.constant(b.random.uniform(0.02, 0.05, 16)),
              bytes_of(b, 8, low=0, high=256, kind=numpy.uint8), K=32, N=8, bits=4, block_size=16)
    return head(b, b.node("Tanh", x), 8, ["N"])


# --- com.microsoft ------------------------------------------------------------------------------


def fused_convolutions():
    """FusedConv with an activation and with a tensor that is added, FusedGemm: 6! (both, by the sum) 5!"""
    b = start(70, microsoft=True)
    x = b.input("x", ["N", 3, 6, 6])
    short = fused(b, "FusedConv", x, b.weight(6, 3, 1, 1), b.weight(6), kernel_shape=[1, 1], activation="Relu")
    x = fused(b, "FusedConv", short, b.weight(6, 6, 3, 3), b.weight(6), short, kernel_shape=[3, 3], pads=[1] * 4,
              activation="LeakyRelu", activation_params=[0.1])
    x = b.node("Flatten", b.node("GlobalAveragePool", x))
    x = fused(b, "FusedGemm", x, b.weight(5, 6), b.weight(5), transB=1, activation="Tanh")
    return head(b, x, 5, ["N"])


def fused_activations():
    """FusedMatMul with a transposed weight, BiasGelu, FastGelu with and without bias, QuickGelu, Gelu: 6! 7! 8! 9!"""
    b = start(71, microsoft=True)
    x = b.input("x", ["N", 3])
    x = fused(b, "BiasGelu", fused(b, "FusedMatMul", x, b.weight(6, 3), transB=1, alpha=0.5), b.weight(6))
    x = fused(b, "FastGelu", b.node("MatMul", x, b.weight(6, 7)), b.weight(7))
    x = fused(b, "QuickGelu", layer(b, x, 7, 8), alpha=1.7)
    x = fused(b, "Gelu", layer(b, x, 8, 9))
    return head(b, x, 9, ["N"])


def fused_stream():
    """A residual stream of 8 through SkipLayerNormalization (and its second form): 8!; the layer inside: 7! 6!"""
    b = start(72, microsoft=True)
    x = layer(b, b.input("x", [2, 5, 3]), 3, 8)
    y = layer(b, b.node("Relu", layer(b, x, 8, 7)), 7, 8)
    x = fused(b, "SkipLayerNormalization", y, x, b.positive(8), b.weight(8), b.weight(8))
    y = layer(b, b.node("Relu", layer(b, x, 8, 6)), 6, 8)
    y, _, _, x = b.node("SkipSimplifiedLayerNormalization", y, x, b.positive(8), domain=MICROSOFT, outputs=4)
    return head(b, b.node("Add", x, y), 8, [2, 5])


def fused_encoder():
    """EmbedLayerNormalization, then Attention with packed projections: the stream 8!, and (S_4 x S_4) wr S_2"""
    b = start(73, microsoft=True)
    ids = b.input("ids", [2, 5], TensorProto.INT32)
    x = b.node("EmbedLayerNormalization", ids, "", b.weight(16, 8), b.weight(5, 8), "", b.positive(8), b.weight(8),
               domain=MICROSOFT, outputs=2)[0]
    y = fused(b, "Attention", x, b.weight(8, 24), b.weight(24), num_heads=2)
    x = fused(b, "SkipLayerNormalization", layer(b, y, 8, 8), x, b.positive(8), b.weight(8))
    return head(b, x, 8, [2, 5])


def fused_attention_masked():
    """Causal, with values of another size and a bias for every head: (S_4 x S_5) wr S_3"""
    b = start(74, microsoft=True)
    x = b.input("x", [2, 7, 6])
    y = fused(b, "Attention", x, b.weight(6, 39), b.weight(39), "", "", b.weight(1, 3, 7, 7), num_heads=3,
              unidirectional=1, qkv_hidden_sizes=[12, 12, 15])
    return head(b, y, 15, [2, 7])


def fused_multi_head():
    """Separate projections, a packed bias: (S_4 x S_5) wr S_3"""
    b = start(75, microsoft=True)
    x = b.input("x", [2, 7, 6])
    y = fused(b, "MultiHeadAttention", *(b.node("MatMul", x, b.weight(6, w)) for w in (12, 12, 15)), b.weight(39),
              num_heads=3)
    return head(b, y, 15, [2, 7])


def fused_grouped(rotate):
    """4 query heads in 2 groups, size 16 (what the kernels want): rotated, the 8 pairs move alike in all heads:
    S_8 x ((S_16 x S_2) wr S_2); not rotated: ((S_16 x S_16) x S_2) wr S_2"""
    def build():
        b = start(76 + rotate, microsoft=True)
        x = b.input("x", [2, 5, 6])
        q, k, v = projections(b, x, 64, 32, 32)
        lengths = b.constant(numpy.array([4, 4], dtype=numpy.int32))
        tables = [b.weight(16, 8), b.weight(16, 8)] if rotate else []
        y = b.node("GroupQueryAttention", q, k, v, "", "", lengths, scalar(b, 5, numpy.int32), *tables,
                   domain=MICROSOFT, outputs=3, num_heads=4, kv_num_heads=2, do_rotary=rotate)[0]
        return head(b, y, 64, [2, 5])
    build.__doc__ = fused_grouped.__doc__
    return build


def fused_grouped_packed():
    """The same from one packed projection: ((S_16 x S_16) x S_2) wr S_2"""
    b = start(78, microsoft=True)
    x = b.input("x", [2, 5, 6])
    lengths = b.constant(numpy.array([4, 4], dtype=numpy.int32))
    y = b.node("GroupQueryAttention", layer(b, x, 6, 128), "", "", "", "", lengths, scalar(b, 5, numpy.int32),
               domain=MICROSOFT, outputs=3, num_heads=4, kv_num_heads=2)[0]
    return head(b, y, 64, [2, 5])


def fused_rotary():
    """com.microsoft's RotaryEmbedding without num_heads: the tables say that a head has 6 positions:
    S_3 x (S_4 wr S_2)"""
    b = start(79, microsoft=True)
    x = b.input("x", [2, 5, 6])
    q, k, v = projections(b, x, 12, 12, 8)
    positions = b.constant(numpy.arange(10).reshape(2, 5).astype(numpy.int64))
    tables = [b.weight(10, 3), b.weight(10, 3)]
    q, k = (fused(b, "RotaryEmbedding", t, positions, *tables) for t in (q, k))
    return head(b, fused(b, "MultiHeadAttention", q, k, v, num_heads=2), 8, [2, 5])


def fused_quantized_attention():
    """QAttention with a scale for every column of the packed weight: (S_4 x S_4) wr S_2"""
    b = start(80, microsoft=True)
    x, scale, zero = b.node("DynamicQuantizeLinear", b.input("x", [2, 5, 6]), outputs=3)
    scales = b.constant(b.random.uniform(0.01, 0.02, 24))
    y = fused(b, "QAttention", x, bytes_of(b, 6, 24), b.weight(24), scale, scales, "", zero,
              b.constant(numpy.zeros(24, dtype=numpy.int8)), num_heads=2)
    return head(b, y, 8, [2, 5])


def fused_group_norm(spelled=False):
    """GroupNorm of channels last, 2 groups of 4, then x * sigmoid(x): S_4 wr S_2"""
    b = start(81, 21, microsoft=True)
    x = b.conv(b.input("x", ["N", 3, 6, 6]), 3, 8)
    scale, bias = b.positive(8), b.weight(8)
    if spelled:
        x = b.node("GroupNormalization", x, scale, bias, num_groups=2)
        x = b.node("Mul", x, b.node("Sigmoid", x))
    else:
        x = fused(b, "GroupNorm", b.node("Transpose", x, perm=[0, 2, 3, 1]), scale, bias, groups=2, activation=1)
        x = b.node("Transpose", x, perm=[0, 3, 1, 2])
    return b.pooled_head(x, 8)


def fused_group_norm_plain(skip):
    """The same without an activation, also behind a sum with a bias; a convolution reads it: S_4 wr S_2"""
    def build(spelled=False):
        b = start(103, 21, microsoft=True)
        x = b.input("x", ["N", 3, 6, 6])
        parts = [b.conv(x, 3, 8) for _ in range(1 + skip)]
        scale, bias, added = b.positive(8), b.weight(8), b.weight(8)
        if spelled:
            total = parts[0]
            if skip:
                total = b.node("Transpose", b.node("Add", *parts), perm=[0, 2, 3, 1])
                total = b.node("Transpose", b.node("Add", total, added), perm=[0, 3, 1, 2])
            y = b.node("GroupNormalization", total, scale, bias, num_groups=2)
        else:
            parts = [b.node("Transpose", t, perm=[0, 2, 3, 1]) for t in parts]
            rest = (parts[1], added) if skip else ()
            y = fused(b, "SkipGroupNorm" if skip else "GroupNorm", parts[0], scale, bias, *rest, groups=2, activation=0)
            y = b.node("Transpose", y, perm=[0, 3, 1, 2])
        return b.pooled_head(b.node("Tanh", b.conv(y, 8, 5)), 5)
    build.__doc__ = fused_group_norm_plain.__doc__
    return build


def fused_products(spelled=False):
    """FusedMatMulActivation and GemmFastGelu: 6! 7! 8!"""
    b = start(104, 20, microsoft=True)
    x = b.node("Relu", layer(b, b.input("x", ["N", 3]), 3, 6))
    first, second, last = b.weight(7, 6), b.weight(7, 8), (b.weight(8, 3), b.weight(3))
    if spelled:
        x = b.node("Relu", b.node("Gemm", x, first, transB=1, alpha=0.5))
        x = b.node("Gelu", b.node("MatMul", x, second), approximate="tanh")
    else:
        x = fused(b, "FusedMatMulActivation", x, first, transB=1, alpha=0.5, activation="Relu")
        x = fused(b, "GemmFastGelu", x, second)
    b.output(b.node("Gemm", x, *last), ["N", 3])
    return b


def fused_sampling(spelled=False):
    """GridSample as it was before operator set 16: 6!"""
    b = start(105, 20, microsoft=True)
    x = b.node("Relu", b.conv(b.input("x", [1, 2, 5, 5]), 2, 6))
    where, last = b.constant(b.random.uniform(-1.2, 1.2, (1, 4, 4, 2))), (b.weight(3, 6, 1, 1), b.weight(3))
    if spelled:
        x = b.node("GridSample", x, where, mode="linear", padding_mode="border", align_corners=1)
    else:
        x = fused(b, "GridSample", x, where, mode="bilinear", padding_mode="border", align_corners=1)
    b.output(b.node("Conv", x, *last), [1, 3, 4, 4])
    return b


def fused_small_ones():
    """CDist to 5 centres in 4 dimensions, ExpandDims: 4! 5!"""
    b = start(82, microsoft=True)
    x = b.node("Tanh", layer(b, b.input("x", ["N", 3]), 3, 4))
    x = fused(b, "CDist", x, b.weight(5, 4), metric="euclidean")
    x = fused(b, "ExpandDims", x, scalar(b, 1, numpy.int32))
    return head(b, x, 5, ["N", 1])


# --- picking by data ----------------------------------------------------------------------------


def pick_along():
    """GatherElements along the steps, with indices of the features' extent: an axis that indices name is pinned only
    where they are picked from; but the indices are integers, whose features stay: only the layer behind is free: 5!"""
    b = start(90)
    x = layer(b, b.input("x", [2, 4, 3]), 3, 6)
    x = b.node("GatherElements", x, b.input("which", [2, 3, 6], TensorProto.INT64), axis=1)
    return head(b, b.node("Relu", layer(b, x, 6, 5)), 5, [2, 3])


def pick_slices():
    """GatherND of whole rows, ScatterND of rows into a table: rows are chosen, the 6 columns are free, and so are the two
    rows of the table that are written over: 6! 2!"""
    b = start(91)
    x = layer(b, b.input("x", [4, 3]), 3, 6)
    rows = b.node("GatherND", x, b.input("which", [2, 1], TensorProto.INT64))
    table = b.node("ScatterND", b.weight(5, 6), b.constant(numpy.array([[3], [1]])), rows)
    return head(b, table, 6, [5])


def moved_batch():
    """FusedMatMul of operands whose rows come first and the stack behind them: scores of 5 rows with 7, over 6 features
    that both have (6!), and their means of 8 features (8!)."""
    b = start(121, microsoft=True)
    x, z = b.input("x", [5, 2, 4]), b.input("z", [7, 2, 4])
    query, key, value = layer(b, x, 4, 6), layer(b, z, 4, 6), layer(b, z, 4, 8)
    scores = fused(b, "FusedMatMul", query, key, transBatchA=1, transBatchB=1, transB=1, alpha=0.4)
    means = fused(b, "FusedMatMul", b.node("Softmax", scores, axis=-1), value, transBatchB=1)
    return head(b, means, 8, [2, 5])


def written_over():
    """A bias whose positions 4 ... 7 (4 once counted from the end) become zeros, as that of the keys where attention is
    by cosines: 8 features keep their biases, 4 get a zero, and 4 numbers of the bias are read by nobody: 8! 4! 4!"""
    b = start(120)
    x = b.node("MatMul", b.input("x", ["N", 3]), b.weight(3, 12))
    where = b.constant(numpy.array([[7], [-8], [5], [6]]))
    bias = b.node("ScatterND", b.weight(12), where, b.constant(numpy.zeros(4, dtype=numpy.float32)))
    return head(b, b.node("Relu", b.node("Add", x, bias)), 12, ["N"])


def order_along():
    """TopK, Trilu and ReverseSequence touch some axes; the channels before them are free: 6!"""
    b = start(92)
    x = b.conv(b.input("x", [2, 3, 5, 5]), 3, 6)
    x = b.node("TopK", b.node("Trilu", x), b.integers(3), outputs=2, axis=3)[0]
    x = b.node("Transpose", x, perm=[0, 2, 1, 3])
    x = b.node("ReverseSequence", x, b.constant(numpy.array([2, 4])), batch_axis=0, time_axis=1)
    return b.pooled_head(b.node("Relu", b.node("Transpose", x, perm=[0, 2, 1, 3])), 6)


def old_broadcast(spelled=False):
    """Before operator set 7, `axis` places the bias: the 5 channels are axis 1 of an image that is 5 by 5: 5!"""
    b = start(93, 13 if spelled else 6)
    x = b.node("Conv", b.input("x", ["N", 3, 5, 5]), b.weight(5, 3, 1, 1), kernel_shape=[1, 1])
    bias, slope, last = b.weight(5), b.positive(5), (b.weight(3, 5), b.weight(3))
    if spelled:
        bias, slope = (b.node("Reshape", t, b.integers(5, 1, 1)) for t in (bias, slope))
        x = b.node("PRelu", b.node("Add", x, bias), slope)
    else:
        x = b.node("PRelu", b.node("Add", x, bias, broadcast=1, axis=1), slope)
    pooled = b.node("Flatten", b.node("GlobalAveragePool", x), axis=1)
    b.output(b.node("Gemm", pooled, *last, transB=1), ["N", 3])
    return b


def old_comparison(spelled=False):
    """The same for a comparison, whose result switches the channels: 5!"""
    b = start(94, 13 if spelled else 6)
    x = b.node("Conv", b.input("x", ["N", 3, 5, 5]), b.weight(5, 3, 1, 1), kernel_shape=[1, 1])
    limit, last = b.weight(5), (b.weight(3, 5), b.weight(3))
    if spelled:
        chosen = b.node("Greater", x, b.node("Reshape", limit, b.integers(5, 1, 1)))
    else:
        chosen = b.node("Greater", x, limit, broadcast=1, axis=1)
    x = b.node("Mul", x, b.node("Cast", chosen, to=1))
    pooled = b.node("Flatten", b.node("GlobalAveragePool", x), axis=1)
    b.output(b.node("Gemm", pooled, *last, transB=1), ["N", 3])
    return b


def repeated(meet):
    """3 units of Relu, all of them twice, meet something that tells their 6 copies apart: only the layer behind is free,
    5!"""
    def build():
        b = start(107)
        x = b.input("x", [4, 6])
        copies = b.node("Tile", b.node("Relu", layer(b, x, 6, 3)), b.integers(1, 2))
        return head(b, b.node("Tanh", layer(b, meet(b, x, copies), 6, 5)), 5, [4])
    build.__doc__ = repeated.__doc__
    return build


def write_into(b, _, copies):
    return b.node("ScatterElements", copies, b.constant(numpy.array([[1], [4], [0], [1]])), b.weight(4, 1), axis=1)


def choose_some(b, x, copies):
    return b.node("Where", b.node("Greater", x, b.constant(0.0)), copies, b.constant(0.5))


def repeat_otherwise(b, x, copies):
    return b.node("Add", copies, b.node("Tile", b.node("Relu", layer(b, x, 6, 2)), b.integers(1, 3)))


REPEATED = {
    "added": lambda b, x, copies: b.node("Add", copies, x),
    "summed": lambda b, _, copies: b.node("CumSum", copies, scalar(b, 1, numpy.int64)),
    "cut": lambda b, _, copies: b.node("Trilu", copies),
    "normalized": lambda b, x, copies: b.node("LayerNormalization", copies, b.node("ReduceMax", x, axes=[0], keepdims=0)),
    "written": write_into,
    "chosen": choose_some,
    "otherwise": repeat_otherwise,
}


def write_along():
    """ScatterElements into every second step: 4 steps are pinned, and so are the 6 features, for the indices are
    integers, whose positions stay; only the layer behind is free: 5!"""
    b = start(95)
    x = layer(b, b.input("x", [2, 4, 3]), 3, 6)
    news = b.node("Slice", layer(b, x, 6, 6), b.integers(0), b.integers(2), b.integers(1))
    where = b.constant(numpy.tile(numpy.array([[0], [2]]), (2, 1, 6)))
    x = b.node("ScatterElements", x, where, news, axis=1)
    return head(b, b.node("Relu", layer(b, x, 6, 5)), 5, [2, 4])


def one_hot_positions():
    """A one-hot code of the largest of 4 scores looks up a table of 6 columns; scores are pinned: 6!"""
    b = start(96)
    scores = layer(b, b.input("x", ["N", 3]), 3, 4)
    best = b.node("ArgMax", scores, axis=1, keepdims=0)
    code = b.node("OneHot", best, b.integers(4), b.constant(numpy.array([0.0, 1.0])))
    y = b.node("Add", b.node("MatMul", code, b.weight(4, 6)), b.node("MatMul", scores, b.weight(4, 6)))
    return head(b, b.node("Tanh", y), 6, ["N"])


def fused_biases(spelled=False):
    """BiasDropout with a residual, BiasSoftmax, BiasSplitGelu: what is added moves alike (6!), scores are 8!, and a
    half of 5 is multiplied by the other half: 5!"""
    b = start(97, 20, microsoft=True)
    x = b.input("x", ["N", 4, 3])
    one, two, bias = layer(b, x, 3, 6), layer(b, x, 3, 6), b.weight(6)
    scores, first = (b.weight(6, 8), b.weight(1, 1, 8)), (b.weight(8, 10), b.weight(10))
    last = (b.weight(5, 3), b.weight(3))
    if spelled:
        y = b.node("Add", b.node("Add", one, bias), two)
        y = b.node("Softmax", b.node("Add", b.node("MatMul", y, scores[0]), scores[1]), axis=-1)
        y = b.node("Add", b.node("MatMul", y, first[0]), first[1])
        left, right = b.node("Split", y, axis=2, num_outputs=2, outputs=2)
        y = b.node("Mul", left, b.node("Gelu", right))
    else:
        y = fused(b, "BiasDropout", one, bias, two)
        y = fused(b, "BiasSoftmax", b.node("MatMul", y, scores[0]), scores[1], axis=2, is_inner_broadcast=0)
        y = fused(b, "BiasSplitGelu", b.node("MatMul", y, first[0]), first[1])
    b.output(b.node("Add", b.node("MatMul", y, last[0]), last[1]), ["N", 4, 3])
    return b


def fused_packed_attention(spelled=False):
    """PackedAttention of 7 tokens of two texts: (S_4 x S_4) wr S_2"""
    b = start(98, 20, microsoft=True)
    x = b.input("x", [7, 6])
    weights, bias, last = b.weight(6, 24), b.weight(24), (b.weight(8, 3), b.weight(3))
    offsets = b.constant(numpy.array([[0, 1, 2, 3], [4, 5, 6, 7]], dtype=numpy.int32))
    lengths = b.constant(numpy.array([0, 4, 7], dtype=numpy.int32))
    if spelled:
        ends = []
        for start_of, end_of in ((0, 4), (4, 7)):
            text = b.node("Slice", x, b.integers(start_of), b.integers(end_of), b.integers(0))
            text = b.node("Unsqueeze", text, b.integers(0))
            ends.append(b.node("Squeeze", fused(b, "Attention", text, weights, bias, num_heads=2), b.integers(0)))
        y = b.node("Concat", *ends, axis=0)
    else:
        y = fused(b, "PackedAttention", x, weights, bias, offsets, lengths, num_heads=2)
    b.output(b.node("Add", b.node("MatMul", y, last[0]), last[1]), [7, 3])
    return b


def fused_skip_group_norm(spelled=False):
    """The sum of two convolutions and a bias is normalised in 2 groups of 4, and is an output of its own that is added
    later: S_4 wr S_2"""
    b = start(99, 21, microsoft=True)
    x = b.input("x", ["N", 3, 6, 6])
    one, two = b.conv(x, 3, 8), b.conv(x, 3, 8)
    scale, bias, added, last = b.positive(8), b.weight(8), b.weight(8), (b.weight(5, 8), b.weight(5))
    one, two = (b.node("Transpose", t, perm=[0, 2, 3, 1]) for t in (one, two))
    if spelled:
        total = b.node("Add", b.node("Add", one, two), added)
        y = b.node("GroupNormalization", b.node("Transpose", total, perm=[0, 3, 1, 2]), scale, bias, num_groups=2)
        y = b.node("Transpose", y, perm=[0, 2, 3, 1])
    else:
        y, total = b.node("SkipGroupNorm", one, scale, bias, two, added, domain=MICROSOFT, outputs=2, groups=2)
    y = b.node("Transpose", b.node("Add", y, b.node("Relu", total)), perm=[0, 3, 1, 2])
    b.output(b.node("Gemm", b.node("Flatten", b.node("GlobalAveragePool", y), axis=1), *last, transB=1), ["N", 5])
    return b


def channels_last(spelled=False):
    """NhwcConv, whose output channels are free while its input channels are pinned: 4! of the second, nothing of the
    first's 5"""
    b = start(100, 17, microsoft=True)
    x = b.input("x", ["N", 6, 6, 3])
    one, two = (b.weight(5, 3, 3, 3), b.weight(5)), (b.weight(4, 5, 3, 3), b.weight(4))
    last = (b.weight(4, 3), b.weight(3))
    for weights in (one, two):
        if spelled:
            y = b.node("Conv", b.node("Transpose", x, perm=[0, 3, 1, 2]), *weights, kernel_shape=[3, 3])
            x = b.node("Tanh", b.node("Transpose", y, perm=[0, 2, 3, 1]))
        else:
            x = b.node("Tanh", fused(b, "NhwcConv", x, *weights, kernel_shape=[3, 3]))
    pooled = b.node("ReduceMean", x, axes=[1, 2], keepdims=0)
    b.output(b.node("Add", b.node("MatMul", pooled, last[0]), last[1]), ["N", 3])
    return b


def fused_quantized_others():
    """NhwcMaxPool, QLinearWhere and QLinearSoftmax on channels-last bytes: 6!, tied by the choice between the
    two tensors"""
    b = start(101, microsoft=True)
    x = quantize_input(b, b.input("x", ["N", 3, 6, 6]))
    one, two = (b.node("QLinearConv", x, *per_tensor(b, 0.02), bytes_of(b, 6, 3, 1, 1), scalar(b, 0.02),
                       scalar(b, 0, numpy.int8), *per_tensor(b)) for _ in range(2))
    one, two = (b.node("Transpose", t, perm=[0, 2, 3, 1]) for t in (one, two))
    one, two = (fused(b, "NhwcMaxPool", t, kernel_shape=[2, 2], strides=[2, 2]) for t in (one, two))
    chosen = b.node("Greater", b.node("Cast", one, to=1), b.node("Cast", two, to=1))
    y = fused(b, "QLinearWhere", chosen, one, *per_tensor(b), two, *per_tensor(b), *per_tensor(b))
    y = fused(b, "QLinearSoftmax", y, *per_tensor(b, 0.01), *per_tensor(b, 0.004, 0), axis=3, opset=13)
    y = b.node("DequantizeLinear", y, *per_tensor(b, 0.004, 0))
    return head(b, b.node("ReduceMean", y, axes=[1, 2], keepdims=0), 6, ["N"])


MODELS = {
    "lstm_forward": (lstm_forward, factorials(5)),
    "lstm_two_layers": (lstm_two_layers, factorials(5, 5, 4, 4)),
    "lstm_one_cell_for_two": (lstm_one_cell_for_two, factorials(5, 5)),
    "lstm_of_one_matrix": (lstm_of_one_matrix, factorials(5)),
    "gru_both_directions": (gru_both_directions, factorials(5, 5)),
    "rnn_after_dense": (rnn_after_dense, factorials(6, 5)),
    "rnn_batch_first": (rnn_batch_first, factorials(5, 5)),
    "lstm_quantized": (lstm_quantized, factorials(5)),
    "einsum_layers": (einsum_layers, factorials(6, 5, 4)),
    "einsum_heads": (einsum_heads, factorials(6) + wreath(3, 4, 5)),
    "expert_stacks": (expert_stacks, wreath(3, 7)),
    "sum_with_itself_in_a_stack": (sum_with_itself_in_a_stack, 0),
    "einsum_diagonal": (einsum_diagonal, factorials(6)),
    "einsum_there_and_back": (einsum_there_and_back, factorials(5, 6)),
    "batch_normalization_in_training": (batch_normalization_in_training, factorials(5)),
    "group_normalization_18": (group_normalization(18), wreath(2, 4)),
    "group_normalization_21": (group_normalization(21), wreath(2, 4)),
    "rms_normalization": (rms_normalization, factorials(8, 7)),
    "swiglu": (swiglu, factorials(7)),
    "swish": (swish, factorials(7)),
    "attention_rows": (attention_rows, wreath(3, 4, 5)),
    "attention_grouped": (attention_grouped, wreath(2, 4, 5, 2)),
    "attention_shared_key": (attention_shared_key, factorials(4, 4, 5)),
    "attention_stacks": (attention_stacks, wreath(3, 4, 4)),
    "attention_grouped_stacks": (attention_grouped_stacks, wreath(2, 4, 4, 2)),
    "attention_cached": (attention_cached, factorials(3) + wreath(2, 4, 5)),
    "rotary_halves": (rotary(0), factorials(3) + wreath(2, 4)),
    "rotary_interleaved": (rotary(1), factorials(3) + wreath(2, 4)),
    "rotary_part": (rotary_part, factorials(2) + wreath(2, 2, 4)),
    "linear_attention": (linear_attention("gated_delta", 4), wreath(2, 4, 5, 2)),
    "linear_attention_gated": (linear_attention("gated", 1), wreath(2, 4, 5, 2)),
    "linear_attention_delta": (linear_attention("delta", 0), wreath(2, 4, 5, 2)),
    "linear_attention_linear": (linear_attention("linear", 0), wreath(2, 4, 5, 2)),
    "causal_conv": (causal_conv("silu"), factorials(5)),
    "causal_conv_plain": (causal_conv("none"), factorials(5)),
    "tensor_scatter": (tensor_scatter, factorials(6)),
    "quantized_activations": (quantized_activations, factorials(6)),
    "quantized_weights": (quantized_weights, factorials(6)),
    "quantized_in_blocks": (quantized_in_blocks, wreath(2, 4)),
    "qdq_conv": (qdq_conv, factorials(6, 5)),
    "dynamic_integers": (dynamic_integers, factorials(6)),
    "integer_convolution": (integer_convolution, factorials(6)),
    "quantized_convolutions": (quantized_convolutions, factorials(6, 4)),
    "quantized_convolutions_with_bias": (quantized_convolutions_with_bias, factorials(6, 4)),
    "quantized_products": (quantized_products, factorials(6)),
    "fused_quantized_elementwise": (fused_quantized_elementwise, factorials(6, 4)),
    "fused_quantized_products": (fused_quantized_products, factorials(6, 5, 4)),
    "few_bits_in_rows": (few_bits_in_rows, factorials(8)),
    "few_bits": (few_bits, factorials(8)),
    "fused_convolutions": (fused_convolutions, factorials(6, 5)),
    "fused_activations": (fused_activations, factorials(6, 7, 8, 9)),
    "fused_stream": (fused_stream, factorials(8, 7, 6)),
    "fused_encoder": (fused_encoder, factorials(8) + wreath(2, 4, 4)),
    "fused_attention_masked": (fused_attention_masked, wreath(3, 4, 5)),
    "fused_multi_head": (fused_multi_head, wreath(3, 4, 5)),
    "fused_grouped": (fused_grouped(0), wreath(2, 16, 16, 2)),
    "fused_grouped_rotated": (fused_grouped(1), factorials(8) + wreath(2, 16, 2)),
    "fused_grouped_packed": (fused_grouped_packed, wreath(2, 16, 16, 2)),
    "fused_rotary": (fused_rotary, factorials(3) + wreath(2, 4)),
    "fused_quantized_attention": (fused_quantized_attention, wreath(2, 4, 4)),
    "fused_group_norm": (fused_group_norm, wreath(2, 4)),
    "fused_group_norm_plain": (fused_group_norm_plain(False), wreath(2, 4) + factorials(5)),
    "fused_skip_group_norm_plain": (fused_group_norm_plain(True), wreath(2, 4) + factorials(5)),
    "fused_products": (fused_products, factorials(6, 7, 8)),
    "fused_sampling": (fused_sampling, factorials(6)),
    "fused_small_ones": (fused_small_ones, factorials(4, 5)),
    "pick_along": (pick_along, factorials(5)),
    "pick_slices": (pick_slices, factorials(6, 2)),
    "moved_batch": (moved_batch, factorials(6, 8)),
    "written_over": (written_over, factorials(8, 4, 4)),
    "order_along": (order_along, factorials(6)),
    "old_broadcast": (old_broadcast, factorials(5)),
    "old_comparison": (old_comparison, factorials(5)),
    "write_along": (write_along, factorials(5)),
    **{f"repeated_{how}": (repeated(meet), factorials(5)) for how, meet in REPEATED.items()},
    "one_hot_positions": (one_hot_positions, factorials(6)),
    "fused_biases": (fused_biases, factorials(6, 8, 5)),
    "fused_packed_attention": (fused_packed_attention, wreath(2, 4, 4)),
    "fused_skip_group_norm": (fused_skip_group_norm, wreath(2, 4)),
    "channels_last": (channels_last, factorials(4)),
    "fused_quantized_others": (fused_quantized_others, factorials(6)),
}

NOT_RUNNABLE = {
    "rnn_batch_first": "ONNX Runtime has no recurrent kernels for layout 1",
    "swiglu": "ONNX Runtime 1.30 knows operator sets up to 26",
    "linear_attention": "ONNX Runtime 1.30 knows operator sets up to 26",
    "linear_attention_gated": "ONNX Runtime 1.30 knows operator sets up to 26",
    "linear_attention_delta": "ONNX Runtime 1.30 knows operator sets up to 26",
    "linear_attention_linear": "ONNX Runtime 1.30 knows operator sets up to 26",
    "causal_conv": "ONNX Runtime 1.30 knows operator sets up to 26",
    "causal_conv_plain": "ONNX Runtime 1.30 knows operator sets up to 26",
    "fused_group_norm": "ONNX Runtime has no CPU kernel for GroupNorm of com.microsoft",
    "fused_group_norm_plain": "ONNX Runtime has no CPU kernel for GroupNorm of com.microsoft",
    "fused_skip_group_norm_plain": "ONNX Runtime has no CPU kernel for SkipGroupNorm",
    "fused_products": "ONNX Runtime has no CPU kernels for FusedMatMulActivation and GemmFastGelu",
    "old_broadcast": "ONNX Runtime has no kernels for operator sets before 7",
    "old_comparison": "ONNX Runtime has no kernels for operator sets before 7",
    "fused_biases": "ONNX Runtime has no CPU kernels for BiasDropout, BiasSoftmax and BiasSplitGelu",
    "fused_packed_attention": "ONNX Runtime has no CPU kernel for PackedAttention",
    "fused_skip_group_norm": "ONNX Runtime has no CPU kernel for SkipGroupNorm",
    "channels_last": "ONNX Runtime has no CPU kernel for NhwcConv",
}


def build(name, path, **options):
    with open(path, "wb") as file:
        file.write(MODELS[name][0](**options).model().SerializeToString())
