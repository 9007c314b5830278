"""Small models written by hand, one idea each, with the order of their permutation group where it is plain.

A row of MODELS: name -> (function that builds it, expected log10 of the group's order or None).
`factorials(4, 3)` is log10(4! 3!): two independent sets of 4 and of 3 channels.
"""

import math

import decoder
import numpy
from onnx import TensorProto, helper, numpy_helper

from builder import FLOAT, Builder


def factorials(*sizes):
    return sum(math.lgamma(size + 1) for size in sizes) / math.log(10.0)


# --- multilayer perceptrons ---------------------------------------------------------------------


def perceptron(*widths, activation="Relu", matmul=False):
    """A chain of fully connected layers; with `matmul` as MatMul + Add with the weight on the right."""
    b = Builder(sum(widths))
    x = b.input("x", ["N", widths[0]])
    for layer, (rows, columns) in enumerate(zip(widths, widths[1:])):
        if matmul:
            x = b.node("Add", b.weight(columns), b.node("MatMul", x, b.weight(rows, columns)))
        else:
            x = b.gemm(x, rows, columns)
        if layer < len(widths) - 2:
            x = b.node(activation, x)
    b.output(x, ["N", widths[-1]])
    return b


def residual_perceptron():
    b = Builder(11)
    x = b.gemm(b.input("x", ["N", 6]), 6, 10)
    for _ in range(2):
        branch = b.gemm(b.relu(b.gemm(x, 10, 7)), 7, 10)
        x = b.relu(b.node("Add", branch, x))
    b.output(b.gemm(x, 10, 4), ["N", 4])
    return b


def tied_autoencoder():
    """The decoder uses the encoder's matrix transposed: one axis is hidden, the other is the interface."""
    b = Builder(12)
    x = b.input("x", ["N", 8])
    tied = b.weight(5, 8)
    hidden = b.node("Tanh", b.node("Gemm", x, tied, b.weight(5), transB=1))
    b.output(b.node("Gemm", hidden, tied, b.weight(8)), ["N", 8])
    return b


def siamese():
    """Two inputs through the same weights: one permutation serves both branches."""
    b = Builder(13)
    first, second, bias = b.weight(9, 6), b.weight(7, 9), b.weight(9)
    ends = []
    for name in ("left", "right"):
        hidden = b.relu(b.node("Gemm", b.input(name, ["N", 6]), first, bias, transB=1))
        ends.append(b.node("MatMul", hidden, b.node("Transpose", second, perm=[1, 0])))
    distance = b.node("Abs", b.node("Sub", *ends))
    b.output(b.gemm(distance, 7, 3), ["N", 3])
    return b


def square_tied_to_itself():
    """The same square matrix twice in a row: rows and columns are one set of points."""
    b = Builder(14)
    x = b.gemm(b.input("x", ["N", 3]), 3, 6)
    square = b.weight(6, 6)
    for _ in range(2):
        x = b.node("Tanh", b.node("MatMul", x, square))
    b.output(b.gemm(x, 6, 3), ["N", 3])
    return b


def shared_zero_bias():
    """What exporters do with equal tensors: unrelated layers of one width share a bias of zeros."""
    b = Builder(15)
    x = b.input("x", ["N", 5])
    zeros = b.constant(numpy.zeros(8))
    for rows in (5, 8, 8):
        x = b.relu(b.node("Gemm", x, b.weight(8, rows), zeros, transB=1))
    b.output(b.gemm(x, 8, 4), ["N", 4])
    return b


def repeated_units():
    """Hidden units 0, 1 and 2 are copies of each other: interchangeable, so any order gives the same bytes."""
    b = Builder(16)
    incoming, bias, outgoing = (b.random.normal(size=shape) for shape in ((6, 4), (6,), (3, 6)))
    incoming[1:3], bias[1:3] = incoming[0], bias[0]
    outgoing[:, 1:3] = outgoing[:, :1]
    hidden = b.relu(b.node("Gemm", b.input("x", ["N", 4]), b.constant(incoming), b.constant(bias), transB=1))
    b.output(b.node("Gemm", hidden, b.constant(outgoing), b.weight(3), transB=1), ["N", 3])
    return b


def rolled_and_tiled(turned):
    """5 units times themselves rolled by one, twice over: each product tells which it is, and its copies change places.
    The operands of the product may be turned around."""
    b = Builder(19)
    units = b.node("Sigmoid", b.gemm(b.input("x", ["N", 4]), 4, 5))
    rolled = b.node("Concat", *(b.node("Slice", units, b.integers(first), b.integers(end), b.integers(1))
                                for first, end in ((1, 5), (0, 1))), axis=1)
    product = b.node("Mul", *((rolled, units) if turned else (units, rolled)))
    copies = b.relu(b.node("Mul", b.node("Tile", product, b.integers(1, 2)), b.weight(10)))
    b.output(b.gemm(copies, 10, 3), ["N", 3])
    return b


def equal_biases():
    """All biases of the hidden layers are equal but not zero: only the weights can order the units."""
    b = Builder(17)
    x = b.input("x", ["N", 4])
    for rows, columns in ((4, 7), (7, 9)):
        x = b.relu(b.node("Gemm", x, b.weight(columns, rows), b.constant(numpy.full(columns, 0.25)), transB=1))
    b.output(b.gemm(x, 9, 3), ["N", 3])
    return b


def rows_of_columns(random=None):
    """3 x 4 hidden units, flattened with the rows outside and with the columns outside: each row lies in all columns, each
    column in all rows. `random` may make the weights, of a given shape."""
    b = Builder(18)
    weight = (lambda *shape: b.constant(random(shape))) if random else b.weight
    units = b.relu(b.node("Gemm", b.input("x", ["N", 5]), weight(12, 5), weight(12), transB=1))
    rows = b.node("Reshape", units, b.integers(-1, 3, 4))
    columns = b.node("Transpose", rows, perm=[0, 2, 1])
    parts = []
    for grid, inner, outer, new in ((rows, 4, 3, 5), (columns, 3, 4, 6)):
        mixed = b.relu(b.node("MatMul", grid, weight(inner, new)))
        parts.append(b.node("MatMul", b.node("Reshape", mixed, b.integers(-1, outer * new)), weight(outer * new, 2)))
    parts.append(b.node("MatMul", b.node("Reshape", columns, b.integers(-1, 12)), weight(12, 2)))
    b.output(b.node("Add", b.node("Add", *parts[:2]), parts[2]), ["N", 2])
    return b


def mixer():
    """As above, mixed along rows and along columns in turn, and put back as it was each time."""
    b = Builder(19)
    units = b.relu(b.gemm(b.input("x", ["N", 5]), 5, 12))
    x = b.node("Reshape", units, b.integers(-1, 3, 4))
    for size, hidden in ((4, 5), (3, 2), (4, 6)):
        mixed = b.relu(b.node("Add", b.node("MatMul", x, b.weight(size, hidden)), b.weight(hidden)))
        x = b.node("Add", x, b.node("MatMul", mixed, b.weight(hidden, size)))
        x = b.node("Transpose", x, perm=[0, 2, 1])
    b.output(b.gemm(b.node("Reshape", x, b.integers(-1, 12)), 12, 3), ["N", 3])
    return b


def prelu_per_channel():
    b = Builder(18)
    x = b.gemm(b.input("x", ["N", 4]), 4, 8)
    b.output(b.gemm(b.node("PRelu", x, b.positive(8)), 8, 3), ["N", 3])
    return b


def dead_and_idle_nodes():
    """Identity, Dropout, a node nobody reads, an initializer nobody reads, and the same bias twice."""
    b = Builder(19)
    x = b.input("x", ["N", 4])
    bias = b.random.normal(size=6)
    x = b.node("Identity", b.relu(b.node("Gemm", x, b.weight(6, 4), b.constant(bias), transB=1)))
    x = b.node("Dropout", b.relu(b.node("Gemm", x, b.weight(6, 6), b.constant(bias), transB=1)))
    b.node("Tanh", x)
    b.weight(3, 3)
    b.output(b.gemm(x, 6, 3), ["N", 3])
    return b


def constants_everywhere():
    """Weights as Constant nodes, as float_data instead of raw bytes, and declared as graph inputs too (IR 3 style)."""
    b = Builder(20, opset=8, ir_version=3)
    x = b.input("x", ["N", 4])
    weights = b.random.normal(size=(7, 4)).astype(numpy.float32)
    held = b.node("Constant", value=numpy_helper.from_array(weights, "held"))
    x = b.relu(b.node("Gemm", x, held, b.weight(7), transB=1))
    typed = helper.make_tensor("typed", FLOAT, [7, 3], b.random.normal(size=21).tolist())
    b.initializers.append(typed)
    b.output(b.node("Add", b.node("MatMul", x, "typed"), b.weight(3)), ["N", 3])
    for tensor in b.initializers:
        b.input(tensor.name, list(tensor.dims))
    return b


# --- convolutions -------------------------------------------------------------------------------


def conv_image(seed, opset=14, channels=3, side=8):
    b = Builder(seed, opset)
    return b, b.input("x", ["N", channels, side, side])


def conv_grouped():
    """8 channels enter, 12 leave in 4 groups: groups move as a whole, channels inside each group freely."""
    b, x = conv_image(30)
    x = b.relu(b.conv(x, 3, 8))
    x = b.relu(b.conv(x, 8, 12, group=4))
    return b.pooled_head(x, 12)


def conv_groupings_across():
    """12 channels in 2 groups, then in 3: pieces of 4, 2, 2, 4. That all of them can be turned around at once, groups and
    all, is not among what cells describe; the groups stay, and what is in a piece is permuted."""
    b, x = conv_image(37)
    x = b.relu(b.conv(x, 3, 6))
    x = b.relu(b.conv(x, 6, 12, group=2))
    return b.pooled_head(b.relu(b.conv(x, 12, 12, kernel=1, group=3)), 12)


def conv_depthwise():
    b, x = conv_image(31)
    x = b.relu(b.conv(x, 3, 8, kernel=1))
    x = b.node("Clip", b.conv(x, 8, 8, group=8), b.constant(numpy.float32(0)), b.constant(numpy.float32(6)))
    return b.pooled_head(b.relu(b.conv(x, 8, 6, kernel=1)), 6)


def conv_depthwise_times_two():
    """A depthwise convolution making two channels of each: pairs follow their source, and swap inside."""
    b, x = conv_image(32)
    x = b.relu(b.conv(x, 3, 5))
    return b.pooled_head(b.relu(b.conv(x, 5, 10, group=5)), 10)


def conv_groups_of_equal_filters():
    """Two groups with the same three filters, of whose six outputs the third and the fourth are used. Exchanging both the
    groups and the first and last filter would do; one without the other would not, and the two are not followed together.
    The two channels inside the groups may be exchanged."""
    b, x = conv_image(35)
    x = b.relu(b.conv(x, 3, 4))
    filters = b.node("Tile", b.weight(3, 2, 3, 3), b.integers(2, 1, 1, 1))
    x = b.node("Reshape", b.node("Conv", x, filters, group=2, pads=[1] * 4), b.integers(-1, 3, 2, 8, 8))
    x = b.node("Gather", b.node("Sigmoid", x), b.constant(numpy.int64(1)), axis=1)
    b.output(b.conv(x, 2, 3, kernel=1), ["N", 3, 8, 8])
    return b


def conv_depth_to_space():
    """Four copies of three channels become one channel of a larger image each, under a function that is odd."""
    b, x = conv_image(36)
    x = b.node("DepthToSpace", b.conv(b.node("Tanh", b.conv(x, 3, 6)), 6, 12, kernel=1), blocksize=2, mode="DCR")
    b.output(b.conv(b.node("Tanh", x), 3, 2), ["N", 2, 16, 16])
    return b


def conv_dilated():
    b, x = conv_image(33, side=12)
    x = b.relu(b.conv(x, 3, 6, strides=[2, 2]))
    return b.pooled_head(b.relu(b.conv(x, 6, 7, dilations=[2, 2], pads=[2] * 4)), 7)


def conv_transposed():
    b, x = conv_image(34)
    x = b.relu(b.conv(x, 3, 6))
    x = b.relu(b.node("ConvTranspose", x, b.weight(6, 5, 2, 2), b.weight(5), strides=[2, 2]))
    x = b.node("ConvTranspose", x, b.weight(5, 2, 3, 3), b.weight(2), pads=[1] * 4)
    b.output(x, ["N", 2, 16, 16])
    return b


def conv_transposed_grouped():
    b, x = conv_image(35)
    x = b.relu(b.conv(x, 3, 6))
    x = b.relu(b.node("ConvTranspose", x, b.weight(6, 4, 2, 2), b.weight(8), group=2, strides=[2, 2]))
    return b.pooled_head(x, 8)


def conv_batchnorm_pool_flatten():
    """Convolution, BatchNormalization, pooling, then all positions flattened into a fully connected layer."""
    b, x = conv_image(36)
    x = b.conv(x, 3, 6)
    x = b.node("BatchNormalization", x, b.positive(6), b.weight(6), b.weight(6), b.positive(6))
    x = b.node("MaxPool", b.relu(x), kernel_shape=[2, 2], strides=[2, 2])
    x = b.relu(b.gemm(b.node("Flatten", x), 6 * 16, 9))
    b.output(b.gemm(x, 9, 4), ["N", 4])
    return b


def computed_reshape():
    """x.view(x.size(0), -1) as the exporter writes it: Shape, Gather, Unsqueeze, Concat, Reshape."""
    b, x = conv_image(37)
    x = b.node("AveragePool", b.relu(b.conv(x, 3, 6)), kernel_shape=[2, 2], strides=[2, 2])
    batch = b.node("Gather", b.node("Shape", x), b.constant(numpy.array(0, dtype=numpy.int64)), axis=0)
    shape = b.node("Concat", b.node("Unsqueeze", batch, b.integers(0)), b.integers(-1), axis=0)
    x = b.relu(b.gemm(b.node("Reshape", x, shape), 6 * 16, 7))
    b.output(b.gemm(x, 7, 4), ["N", 4])
    return b


def computed_product():
    """As above, but the flat width is a product of dimensions read from the tensor."""
    b, x = conv_image(38)
    x = b.relu(b.conv(x, 3, 5, strides=[2, 2]))
    sizes = [b.node("Gather", b.node("Shape", x), b.constant(numpy.array(i, dtype=numpy.int64)), axis=0)
             for i in range(4)]
    width = b.node("Mul", b.node("Mul", sizes[1], sizes[2]), sizes[3])
    shape = b.node("Concat", *[b.node("Unsqueeze", s, b.integers(0)) for s in (sizes[0], width)], axis=0)
    b.output(b.gemm(b.node("Reshape", x, shape), 5 * 16, 4), ["N", 4])
    return b


def residual_convnet():
    b, x = conv_image(39)
    x = b.relu(b.conv(x, 3, 6))
    x = b.relu(b.node("Add", b.conv(b.relu(b.conv(x, 6, 5)), 5, 6), x))
    shortcut = b.conv(x, 6, 8, kernel=1, strides=[2, 2])
    x = b.relu(b.node("Add", shortcut, b.conv(b.relu(b.conv(x, 6, 7, strides=[2, 2])), 7, 8)))
    return b.pooled_head(x, 8)


def convolutional_output():
    """No fully connected layer: the last convolution's channels reach the output through global pooling."""
    b, x = conv_image(40)
    x = b.relu(b.conv(b.relu(b.conv(x, 3, 7)), 7, 4, kernel=1))
    b.output(b.node("GlobalAveragePool", x), ["N", 4, 1, 1])
    return b


def channels_last():
    """The same network with tensors turned to channels-last between layers."""
    b, x = conv_image(41)
    x = b.node("Transpose", b.relu(b.conv(x, 3, 6)), perm=[0, 2, 3, 1])
    x = b.node("Add", x, b.weight(6))
    x = b.relu(b.node("MatMul", x, b.weight(6, 8)))
    b.output(b.gemm(b.node("ReduceMean", x, axes=[1, 2], keepdims=0), 8, 4), ["N", 4])
    return b


# --- cutting and joining channels ---------------------------------------------------------------


def concat_channels():
    b, x = conv_image(50)
    first = b.relu(b.conv(x, 3, 4))
    second = b.relu(b.conv(first, 4, 5))
    joined = b.node("Concat", first, second, axis=1)
    return b.pooled_head(b.relu(b.conv(joined, 9, 6)), 6)


def split_channels():
    """Halves of one layer go different ways: channels may move within a half only."""
    b, x = conv_image(51)
    first, second = b.node("Split", b.relu(b.conv(x, 3, 8)), b.integers(3, 5), outputs=2, axis=1)
    joined = b.node("Concat", b.conv(first, 3, 3), b.node("Tanh", second), axis=1)
    return b.pooled_head(joined, 8)


def split_and_multiply():
    """A gated unit: halves are multiplied, so channel i of one half moves with channel i of the other."""
    b, x = conv_image(52)
    first, second = b.node("Split", b.conv(x, 3, 8), outputs=2, axis=1)
    return b.pooled_head(b.node("Mul", first, b.node("Sigmoid", second)), 4)


def slice_channels():
    b, x = conv_image(53)
    x = b.relu(b.conv(x, 3, 8))
    cut = b.node("Slice", x, b.integers(2), b.integers(7), b.integers(1))
    b.output(b.node("ReduceMean", x, axes=[1, 2, 3], keepdims=0), ["N"])
    return b.pooled_head(cut, 5)


def pad_channels():
    """Zero channels are added beside the computed ones (as in residual nets without projection)."""
    b, x = conv_image(54)
    first = b.relu(b.conv(x, 3, 4))
    padded = b.node("Pad", first, b.integers(0, 1, 0, 0, 0, 2, 0, 0), b.constant(numpy.float32(0)))
    return b.pooled_head(b.relu(b.node("Add", padded, b.conv(first, 4, 7))), 7)


def gather_channels():
    """A constant shuffle of channels, then a convolution."""
    b, x = conv_image(55)
    x = b.node("Gather", b.relu(b.conv(x, 3, 6)), b.integers(4, 2, 0, 5, 1, 3), axis=1)
    return b.pooled_head(b.relu(b.conv(x, 6, 5)), 5)


def gather_repeated():
    """The shuffle takes channel 0 twice and channel 5 never."""
    b, x = conv_image(56)
    x = b.node("Gather", b.relu(b.conv(x, 3, 6)), b.integers(0, 3, 0, 2, 1, 4), axis=1)
    return b.pooled_head(b.relu(b.conv(x, 6, 5)), 5)


def channel_shuffle():
    """ShuffleNet's interleave: Reshape to (groups, channels), Transpose, Reshape back, grouped convolution."""
    b, x = conv_image(57)
    x = b.relu(b.conv(x, 3, 8, kernel=1))
    x = b.relu(b.conv(x, 8, 8, group=2))
    x = b.node("Reshape", x, b.integers(-1, 2, 4, 8, 8))
    x = b.node("Reshape", b.node("Transpose", x, perm=[0, 2, 1, 3, 4]), b.integers(-1, 8, 8, 8))
    return b.pooled_head(b.relu(b.conv(x, 8, 8, group=2)), 8)


def squeeze_and_unsqueeze():
    """Squeeze-and-excitation: the channel gate goes through Squeeze, two layers and Unsqueeze."""
    b, x = conv_image(58)
    x = b.relu(b.conv(x, 3, 6))
    gate = b.node("Squeeze", b.node("GlobalAveragePool", x), b.integers(2, 3))
    gate = b.node("Sigmoid", b.gemm(b.relu(b.gemm(gate, 6, 4)), 4, 6))
    x = b.node("Mul", b.node("Unsqueeze", gate, b.integers(2, 3)), x)
    return b.pooled_head(x, 6)


# --- one operator each --------------------------------------------------------------------------


def reduce_channels():
    """Sum, maximum and mean over channels are symmetric: the channels stay free."""
    b, x = conv_image(60)
    x = b.relu(b.conv(x, 3, 6))
    parts = [b.node("ReduceSum", x, b.integers(1), keepdims=1), b.node("ReduceMax", x, axes=[1], keepdims=1),
             b.node("ReduceMean", x, axes=[1], keepdims=1)]
    b.output(b.node("Concat", *parts, axis=1), ["N", 3, 8, 8])
    return b


def softmax_channels():
    b, x = conv_image(61)
    x = b.node("Softmax", b.conv(x, 3, 6), axis=1)
    return b.pooled_head(b.node("LogSoftmax", b.conv(x, 6, 5), axis=1), 5)


def argmax_channels():
    """ArgMax reports positions: the channels it looks at may not move."""
    b, x = conv_image(62)
    x = b.relu(b.conv(b.relu(b.conv(x, 3, 6)), 6, 5))
    b.output(b.node("ArgMax", x, axis=1, keepdims=0), ["N", 8, 8], TensorProto.INT64)
    return b


def where_mask():
    """A comparison of features picks between features and a per-channel constant."""
    b, x = conv_image(63)
    x = b.conv(x, 3, 6)
    mask = b.node("Greater", x, b.constant(numpy.float32(0.1)))
    return b.pooled_head(b.node("Where", mask, x, b.weight(1, 6, 1, 1)), 6)


def cast_double():
    b, x = conv_image(64)
    x = b.node("Cast", b.relu(b.conv(x, 3, 6)), to=TensorProto.DOUBLE)
    shift = b.node("Cast", b.weight(6, 1, 1), to=TensorProto.DOUBLE)
    x = b.node("Add", x, shift)
    return b.pooled_head(b.node("Cast", x, to=FLOAT), 6)


def resize_nearest():
    b, x = conv_image(65)
    x = b.relu(b.conv(x, 3, 6))
    x = b.node("Resize", x, "", b.constant(numpy.array([1.0, 1.0, 2.0, 2.0])), mode="nearest",
               coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    return b.pooled_head(b.relu(b.conv(x, 6, 5)), 5)


def commutative():
    """Add, Mul and Max of two branches: the order of the inputs says nothing."""
    b, x = conv_image(66)
    first, second = b.conv(x, 3, 6), b.conv(x, 3, 6)
    x = b.node("Add", b.node("Mul", second, first), b.node("Max", first, second))
    return b.pooled_head(x, 6)


def layer_normalization():
    """LayerNormalization in primitive operators, as opset 14 exports it."""
    b = Builder(67)
    x = b.gemm(b.input("x", ["N", 5]), 5, 8)
    centred = b.node("Sub", x, b.node("ReduceMean", x, axes=[-1]))
    square = b.node("Pow", centred, b.constant(numpy.float32(2)))
    spread = b.node("Sqrt", b.node("Add", b.node("ReduceMean", square, axes=[-1]), b.constant(numpy.float32(1e-5))))
    x = b.node("Add", b.node("Mul", b.node("Div", centred, spread), b.positive(8)), b.weight(8))
    b.output(b.gemm(x, 8, 3), ["N", 3])
    return b


def embedding():
    """Rows of the table are indexed by data and may not move; its columns may."""
    b = Builder(68)
    ids = b.input("ids", ["N", 4], TensorProto.INT64)
    x = b.node("ReduceMean", b.node("Gather", b.weight(16, 6), ids, axis=0), axes=[1], keepdims=0)
    b.output(b.gemm(x, 6, 3), ["N", 3])
    return b


def recurrent():
    b = Builder(69)
    x = b.input("x", [5, "N", 4])
    states, _, _ = b.node("LSTM", x, b.weight(1, 24, 4), b.weight(1, 24, 6), b.weight(1, 48), outputs=3, hidden_size=6)
    b.output(b.node("MatMul", b.node("Squeeze", states, b.integers(1)), b.weight(6, 3)), [5, "N", 3])
    return b


def two_headed():
    """Two outputs and a hidden layer that both read; one output is the hidden layer's own neighbour."""
    b = Builder(70)
    x = b.relu(b.gemm(b.input("x", ["N", 4]), 4, 8))
    b.output(b.gemm(x, 8, 3), ["N", 3])
    b.output(b.node("Softmax", b.gemm(b.relu(b.gemm(x, 8, 6)), 6, 2), axis=1), ["N", 2])
    return b


def hidden_output():
    """The hidden layer itself is an output: nothing may move there, only in the layer before."""
    b = Builder(71)
    x = b.relu(b.gemm(b.relu(b.gemm(b.input("x", ["N", 4]), 4, 7)), 7, 6))
    b.output(x, ["N", 6])
    b.output(b.gemm(x, 6, 2), ["N", 2])
    return b


# --- bodies within bodies -----------------------------------------------------------------------


def branch():
    """If with weights from outside and inside its branches."""
    b = Builder(72)
    x = b.input("x", ["N", 4])
    hidden = b.relu(b.gemm(x, 4, 6))
    positive = b.node("Greater", b.node("ReduceSum", x, keepdims=0), b.constant(numpy.float32(0)))
    outer = b.weight(6, 5)

    def body(name, operator, extra):
        nodes = [helper.make_node("MatMul", [hidden, extra or f"{name}_w"], [f"{name}_m"]),
                 helper.make_node(operator, [f"{name}_m"], [f"{name}_y"])]
        inside = [] if extra else [numpy_helper.from_array(b.random.normal(size=(6, 5)).astype("f"), f"{name}_w")]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}_y", FLOAT, ["N", 5])], inside)

    x = b.node("If", positive, then_branch=body("yes", "Relu", outer), else_branch=body("no", "Tanh", None))
    b.output(b.gemm(x, 5, 3), ["N", 3])
    return b


def unequal_branches():
    """If whose one branch is a layer and whose other one has a hidden layer inside."""
    b = Builder(83)
    x = b.input("x", ["N", 4])
    hidden = b.relu(b.gemm(x, 4, 6))
    positive = b.node("Greater", b.node("ReduceSum", x, keepdims=0), b.constant(numpy.float32(0)))
    short, first, second = b.weight(6, 5), b.weight(6, 7), b.weight(7, 5)
    result = [helper.make_tensor_value_info("result", FLOAT, ["N", 5])]
    bodies = {"then_branch": [helper.make_node("MatMul", [hidden, short], ["m"]), helper.make_node("Relu", ["m"], ["result"])],
              "else_branch": [helper.make_node("MatMul", [hidden, first], ["m"]), helper.make_node("Tanh", ["m"], ["t"]),
                              helper.make_node("MatMul", ["t", second], ["result"])]}
    x = b.node("If", positive, **{name: helper.make_graph(nodes, name, [], result) for name, nodes in bodies.items()})
    b.output(b.gemm(x, 5, 3), ["N", 3])
    return b


def branch_by_extent():
    """x.squeeze(1) as PyTorch exports it: If the extent is 1, which it is, Squeeze, and otherwise nothing."""
    b = Builder(87)
    axis = b.constant(numpy.array([1], dtype="int64"))
    x = b.node("Unsqueeze", b.relu(b.gemm(b.input("x", ["N", 4]), 4, 6)), axis)
    is_one = b.node("Equal", b.node("Gather", b.node("Shape", x), axis), axis)
    bodies = {name: helper.make_graph([node], name, [], [helper.make_tensor_value_info(node.output[0], FLOAT, shape)])
              for name, node, shape in (("then_branch", helper.make_node("Squeeze", [x, axis], ["less"]), ["N", 6]),
                                        ("else_branch", helper.make_node("Identity", [x], ["same"]), ["N", 1, 6]))}
    b.output(b.gemm(b.node("If", is_one, **bodies), 6, 3), ["N", 3])
    return b


def sequences():
    """Tensors put into sequences, taken out, and cut into one: 2 and 4 of the 6 channels part ways."""
    b = Builder(85)
    hidden = b.gemm(b.input("x", ["N", 4]), 4, 6)
    first, last = b.constant(numpy.array(0, dtype="int64")), b.constant(numpy.array(-1, dtype="int64"))
    three = b.node("SequenceConstruct", hidden, b.relu(hidden), b.node("Tanh", hidden))
    two = b.node("SequenceErase", three, first)
    two = b.node("SequenceInsert", two, b.node("Sigmoid", b.node("SequenceAt", three, first)), first)
    wide = b.node("ConcatFromSequence", two, axis=1)  # sigmoid, relu, tanh of the same 6
    stacked = b.node("ConcatFromSequence", two, axis=1, new_axis=1)
    summed = b.node("ReduceSum", stacked, b.constant(numpy.array([1], dtype="int64")), keepdims=0)
    parts = b.node("SplitToSequence", summed, b.constant(numpy.array([2, 4], dtype="int64")), axis=1)
    ends = [b.gemm(b.node("SequenceAt", parts, first), 2, 3), b.gemm(b.node("SequenceAt", parts, last), 4, 3),
            b.gemm(wide, 18, 3), b.gemm(b.node("Concat", b.node("SequenceAt", two, last), hidden, axis=1), 12, 3)]
    b.output(b.node("Add", b.node("Add", *ends[:2]), b.node("Add", *ends[2:])), ["N", 3])
    return b


def loop_with_sequence(known=True):
    """Loop that collects its states in a sequence, which are joined then; or as often as an input says, and the last
    state is taken: its position is not known."""
    b = Builder(86)
    x = b.gemm(b.input("x", ["N", 4]), 4, 5)
    square = b.weight(5, 5)
    nodes = [helper.make_node("Identity", ["go_on"], ["still"]), helper.make_node("MatMul", ["state", square], ["m"]),
             helper.make_node("Tanh", ["m"], ["next"]), helper.make_node("SequenceInsert", ["states", "next"], ["more"])]
    info, sequence = helper.make_tensor_value_info, helper.make_tensor_sequence_value_info
    body = helper.make_graph(
        nodes, "body",
        [info("i", TensorProto.INT64, []), info("go_on", TensorProto.BOOL, []), info("state", FLOAT, ["N", 5]),
         sequence("states", FLOAT, None)],
        [info("still", TensorProto.BOOL, []), info("next", FLOAT, ["N", 5]), sequence("more", FLOAT, None)])
    rounds, always = b.constant(numpy.array(3, dtype=numpy.int64)), b.constant(numpy.array(True))
    if not known:
        rounds = b.node("Squeeze", b.node("Slice", b.node("Shape", b.input("times", ["R", 1])), *(
            b.constant(numpy.array([bound], dtype=numpy.int64)) for bound in (0, 1))))
    states = b.node("Loop", rounds, always, x, b.node("SequenceEmpty"), body=body, outputs=2)[1]
    if known:
        joined, width = b.node("ConcatFromSequence", states, axis=1), 15
    else:
        joined, width = b.node("SequenceAt", states, b.constant(numpy.array(-1, dtype=numpy.int64))), 5
    b.output(b.gemm(joined, width, 3), ["N", 3])
    return b


def scan():
    """Scan over five steps of a recurrent cell spelled with two matrices of the outer graph."""
    b = Builder(84)
    x, start = b.input("x", [5, "N", 3]), b.input("start", ["N", 2])
    into, across = b.weight(3, 4), b.weight(4, 4)
    nodes = [helper.make_node("MatMul", ["step", into], ["a"]), helper.make_node("MatMul", ["state", across], ["b"]),
             helper.make_node("Add", ["a", "b"], ["c"]), helper.make_node("Tanh", ["c"], ["next"])]
    info = helper.make_tensor_value_info
    body = helper.make_graph(nodes, "body", [info("state", FLOAT, ["N", 4]), info("step", FLOAT, ["N", 3])],
                             [info("next", FLOAT, ["N", 4])])
    state = b.node("Scan", b.gemm(start, 2, 4), x, body=body, num_scan_inputs=1)
    b.output(b.gemm(state, 4, 2), ["N", 2])
    return b


def loop():
    """Loop that carries a hidden state through one matrix of the outer graph, three times."""
    b = Builder(73)
    x = b.gemm(b.input("x", ["N", 4]), 4, 5)
    square = b.weight(5, 5)
    nodes = [helper.make_node("Identity", ["go_on"], ["still"]), helper.make_node("MatMul", ["state", square], ["m"]),
             helper.make_node("Tanh", ["m"], ["next"])]
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        nodes, "body",
        [info("i", TensorProto.INT64, []), info("go_on", TensorProto.BOOL, []), info("state", FLOAT, ["N", 5])],
        [info("still", TensorProto.BOOL, []), info("next", FLOAT, ["N", 5])])
    rounds, always = b.constant(numpy.array(3, dtype=numpy.int64)), b.constant(numpy.array(True))
    b.output(b.gemm(b.node("Loop", rounds, always, x, body=body), 5, 3), ["N", 3])
    return b


def local_function():
    """A layer defined as a model-local function and used twice."""
    b = Builder(74, opset=16, ir_version=8)
    body = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Add", ["m", "b"], ["s"]),
            helper.make_node("Relu", ["s"], ["y"])]
    b.functions.append(helper.make_function("tests.local", "Dense", ["x", "w", "b"], ["y"], body,
                                            [helper.make_opsetid("", 16)]))
    b.extra_opsets.append(helper.make_opsetid("tests.local", 1))
    x = b.input("x", ["N", 4])
    for rows, columns in ((4, 6), (6, 5)):
        x = b.node("Dense", x, b.weight(rows, columns), b.weight(columns), domain="tests.local")
    b.output(b.gemm(x, 5, 3), ["N", 3])
    return b


def unknown_operator():
    """An operator of nobody's domain between two free layers: it pins what it touches, and only that."""
    b = Builder(75)
    b.extra_opsets.append(helper.make_opsetid("tests.nobody", 1))
    x = b.relu(b.gemm(b.relu(b.gemm(b.input("x", ["N", 4]), 4, 6)), 6, 5))
    x = b.node("Mystery", x, domain="tests.nobody")
    b.output(b.gemm(b.relu(b.gemm(x, 5, 7)), 7, 3), ["N", 3])
    return b


MODELS = {
    "mlp_3_4_3_2": (lambda: perceptron(3, 4, 3, 2), factorials(4, 3)),
    "mlp_shallow_128": (lambda: perceptron(5, 128, 1, activation="Tanh"), factorials(128)),
    "mlp_matmul_add": (lambda: perceptron(6, 9, 8, 4, activation="Sigmoid", matmul=True), factorials(9, 8)),
    "mlp_residual": (residual_perceptron, factorials(10, 7, 7)),
    "mlp_tied_autoencoder": (tied_autoencoder, factorials(5)),
    "mlp_siamese": (siamese, factorials(9, 7)),
    "mlp_square_tied_to_itself": (square_tied_to_itself, factorials(6)),
    "mlp_shared_zero_bias": (shared_zero_bias, factorials(8, 8, 8)),
    "mlp_repeated_units": (repeated_units, factorials(6)),
    "mlp_rolled_and_tiled": (lambda: rolled_and_tiled(False), factorials(2, 2, 2, 2, 2)),
    "mlp_rolled_and_tiled_turned": (lambda: rolled_and_tiled(True), factorials(2, 2, 2, 2, 2)),
    "mlp_equal_biases": (equal_biases, factorials(7, 9)),
    "mlp_rows_of_columns": (rows_of_columns, factorials(3, 4, 5, 6)),
    "mlp_mixer": (mixer, factorials(3, 4, 5, 2, 6)),
    "mlp_prelu": (prelu_per_channel, factorials(8)),
    "mlp_dead_and_idle_nodes": (dead_and_idle_nodes, None),
    "mlp_constants_everywhere": (constants_everywhere, None),
    "mlp_two_headed": (two_headed, factorials(8, 6)),
    "mlp_hidden_output": (hidden_output, factorials(7)),
    "conv_grouped": (conv_grouped, factorials(4) + 4 * factorials(2, 3)),
    "conv_groupings_across": (conv_groupings_across, factorials(3, 3, 4, 2, 2, 4, 4, 4, 4)),
    "conv_depthwise": (conv_depthwise, factorials(8, 6)),
    "conv_depthwise_times_two": (conv_depthwise_times_two, factorials(5) + 5 * factorials(2)),
    "conv_groups_of_equal_filters": (conv_groups_of_equal_filters, factorials(2)),
    "conv_depth_to_space": (conv_depth_to_space, factorials(6, 3)),
    "conv_dilated": (conv_dilated, factorials(6, 7)),
    "conv_transposed": (conv_transposed, factorials(6, 5)),
    "conv_transposed_grouped": (conv_transposed_grouped, factorials(2) + 2 * factorials(3, 4)),
    "conv_batchnorm_pool_flatten": (conv_batchnorm_pool_flatten, factorials(6, 9)),
    "conv_computed_reshape": (computed_reshape, factorials(6, 7)),
    "conv_computed_product": (computed_product, factorials(5)),
    "conv_residual": (residual_convnet, factorials(6, 5, 7, 8)),
    "conv_output": (convolutional_output, factorials(7)),
    "conv_channels_last": (channels_last, factorials(6, 8)),
    "conv_concat": (concat_channels, factorials(4, 5, 6)),
    "conv_split": (split_channels, factorials(3, 5, 3)),
    "conv_split_and_multiply": (split_and_multiply, factorials(4)),
    "conv_slice": (slice_channels, factorials(5, 3)),
    "conv_pad": (pad_channels, factorials(4, 3)),
    "conv_gather": (gather_channels, factorials(6, 5)),
    "conv_gather_repeated": (gather_repeated, None),
    "conv_channel_shuffle": (channel_shuffle, None),
    "conv_squeeze_excitation": (squeeze_and_unsqueeze, factorials(6, 4)),
    "conv_reduce": (reduce_channels, factorials(6)),
    "conv_softmax": (softmax_channels, factorials(6, 5)),
    "conv_argmax": (argmax_channels, factorials(6)),
    "conv_where": (where_mask, factorials(6)),
    "conv_cast": (cast_double, factorials(6)),
    "conv_resize": (resize_nearest, factorials(6, 5)),
    "conv_commutative": (commutative, factorials(6)),
    "layer_normalization": (layer_normalization, factorials(8)),
    "embedding": (embedding, None),
    "recurrent": (recurrent, None),
    "branch": (branch, None),
    "loop": (loop, None),
    "unequal_branches": (unequal_branches, factorials(6, 5, 7)),
    "scan": (scan, factorials(4)),
    "branch_by_extent": (branch_by_extent, factorials(6)),
    "sequences": (sequences, factorials(2, 4)),
    "loop_with_sequence": (loop_with_sequence, factorials(5)),
    "loop_with_open_sequence": (lambda: loop_with_sequence(known=False), 0.0),
    "local_function": (local_function, None),
    "decoder_rotary_grouped": decoder.small(),
    "decoder_rotary_plain": decoder.small(heads=4, groups=4, layers=3),
    "unknown_operator": (unknown_operator, factorials(6, 7)),
}

NOT_RUNNABLE = {"unknown_operator": "its operator exists nowhere"}


def build(name, path):
    """Writes the hand-made model called `name` to `path`."""
    import onnx

    onnx.save(MODELS[name][0]().model(), path)
