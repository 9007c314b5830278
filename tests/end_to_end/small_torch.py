"""Operators of small models in PyTorch's 64-bit floats, for searches that run a model many times or need its derivatives.

An operator is a row: a function of the node's attributes and inputs that returns its output or a list of them. Only what
blocks of tests/models/random_architectures.py do with it is supported.
"""

import numpy
import torch
from onnx import helper, numpy_helper
from torch.nn import functional


class Evaluator:
    """A model's values for fixed inputs; parameters may change one by one, and what depends on them is computed anew."""

    def __init__(self, model, given):
        """`given`: {name: tensor or array} of the inputs, and of initializers where they are not to be the model's."""
        self.graph = model.graph
        self.values = {tensor.name: as_tensor(numpy_helper.to_array(tensor)) for tensor in self.graph.initializer
                       if tensor.name not in given}
        self.values.update((name, as_tensor(value)) for name, value in given.items())
        self.steps = [(OPERATORS[node.op_type], attribute_values(node), list(node.input), list(node.output))
                      for node in self.graph.node]
        self.dependent = {}
        self.run(range(len(self.steps)))

    def steps_after(self, name):
        """Numbers of the nodes whose result depends on a parameter."""
        if name not in self.dependent:
            reached, numbers = {name}, []
            for number, (_, _, reads, writes) in enumerate(self.steps):
                if reached & set(reads):
                    reached |= set(writes)
                    numbers.append(number)
            self.dependent[name] = numbers
        return self.dependent[name]

    def run(self, numbers):
        for number in numbers:
            function, attributes, reads, writes = self.steps[number]
            made = function(attributes, *[self.values.get(name) for name in reads])
            self.values.update(zip(writes, made if isinstance(made, (list, tuple)) else [made]))

    def change(self, name, value):
        self.values[name] = as_tensor(value)
        self.run(self.steps_after(name))

    def outputs(self):
        return [self.values[output.name] for output in self.graph.output]


def attribute_values(node):
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def as_tensor(array):
    if isinstance(array, torch.Tensor):
        return array
    return torch.tensor(array.astype(numpy.float64) if array.dtype.kind == "f" else array)


def whole(numbers):
    return [int(number) for number in numbers]


def padded(x, pads, value=0.0):
    """Pads as ONNX lists them, all beginnings first, of the last axes."""
    half = len(pads) // 2
    return functional.pad(x, [pads[k + side * half] for k in reversed(range(half)) for side in (0, 1)], value=value)


def convolve(a, x, weight, bias=None):
    spatial = x.ndim - 2
    function = {1: functional.conv1d, 2: functional.conv2d}[spatial]
    return function(padded(x, a.get("pads", [0] * 2 * spatial)), weight, bias, stride=a.get("strides", [1] * spatial),
                    dilation=a.get("dilations", [1] * spatial), groups=a.get("group", 1))


def pool(function, filler):
    def apply(a, x):
        x = padded(x, a.get("pads", [0, 0, 0, 0]), filler)
        return function(x, a["kernel_shape"], a.get("strides", [1, 1]))
    return apply


def average(a, x):
    """Without the padding, as is ONNX's default."""
    sums = pool(functional.avg_pool2d, 0.0)
    return sums(a, x) / sums(a, torch.ones_like(x))


def gemm(a, x, y, c=None):
    x = x.T if a.get("transA") else x
    y = y.T if a.get("transB") else y
    product = a.get("alpha", 1.0) * (x @ y)
    return product if c is None else product + a.get("beta", 1.0) * c


def reduced(function):
    def apply(a, x, axes=None):
        axes = whole(axes) if axes is not None else a.get("axes") or list(range(x.ndim))
        return function(x, axes, bool(a.get("keepdims", 1)))
    return apply


def largest(x, axes, keep):
    return torch.amax(x, axes, keep)


def normalized(x, axes, epsilon):
    centred = x - x.mean(axes, keepdim=True)
    return centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + epsilon)


def along_channels(numbers, x):
    return numbers.reshape([-1] + [1] * (x.ndim - 2))


def instance_normalize(a, x, scale, shift):
    normal = normalized(x, list(range(2, x.ndim)), a.get("epsilon", 1e-5))
    return normal * along_channels(scale, x) + along_channels(shift, x)


def layer_normalize(a, x, scale, shift):
    return normalized(x, list(range(a.get("axis", -1) % x.ndim, x.ndim)), a.get("epsilon", 1e-5)) * scale + shift


def batch_normalize(a, x, scale, shift, mean, variance):
    root = torch.sqrt(along_channels(variance, x) + a.get("epsilon", 1e-5))
    return (x - along_channels(mean, x)) / root * along_channels(scale, x) + along_channels(shift, x)


def cut(_, x, starts, ends, axes, steps):
    for start, end, axis, step in zip(*map(whole, (starts, ends, axes, steps))):
        extent = x.shape[axis]
        end = None if end < -extent - 1 or (step < 0 and end == -extent - 1) else end
        x = torch.index_select(x, axis, torch.tensor(range(*slice(start, end, step).indices(extent)), dtype=torch.int64))
    return x


def gather(a, x, index):
    axis = a.get("axis", 0) % x.ndim
    index = torch.where(index < 0, index + x.shape[axis], index)
    taken = torch.index_select(x, axis, index.reshape(-1))
    return taken.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1:]])


def reshape(_, x, shape):
    return x.reshape([x.shape[k] if extent == 0 else extent for k, extent in enumerate(whole(shape))])


def unsqueeze(_, x, axes):
    rank = x.ndim + len(axes)
    for axis in sorted(axis % rank for axis in whole(axes)):
        x = x.unsqueeze(axis)
    return x


def squeeze(_, x, axes):
    for axis in sorted((axis % x.ndim for axis in whole(axes)), reverse=True):
        x = x.squeeze(axis)
    return x


def pad(a, x, pads, value=None):
    pads, mode = whole(pads), a.get("mode", b"constant").decode()
    if mode == "constant":
        return padded(x, pads, float(value) if value is not None else 0.0)
    kind = {"edge": "edge", "reflect": "reflect"}[mode]
    for axis in range(x.ndim):
        around = numpy.pad(numpy.arange(x.shape[axis]), (pads[axis], pads[axis + x.ndim]), mode=kind)
        x = torch.index_select(x, axis, torch.tensor(around))
    return x


def to_depth(a, x):
    n, c, h, w = x.shape
    b = a["blocksize"]
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


def to_space(a, x):
    n, c, h, w = x.shape
    b = a["blocksize"]
    if a.get("mode", b"DCR") == b"DCR":
        return x.reshape(n, b, b, c // b // b, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // b // b, h * b, w * b)
    return x.reshape(n, c // b // b, b, b, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, c // b // b, h * b, w * b)


def lstm(_, x, h, c, into, again, bias):
    i, o, f, g = (x @ into.T + h @ again.T + bias[0] + bias[1]).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru(a, x, h, c, into, again, bias):
    x, own = (x @ into.T + bias[0]).chunk(3, -1), (h @ again.T + bias[1]).chunk(3, -1)
    z, r = torch.sigmoid(x[0] + own[0]), torch.sigmoid(x[1] + own[1])
    size = h.shape[-1]
    inner = r * own[2] if a.get("linear_before_reset") else (r * h) @ again[2 * size:].T + bias[1][2 * size:]
    return (1 - z) * torch.tanh(x[2] + inner) + z * h, c


def rnn(_, x, h, c, into, again, bias):
    return torch.tanh(x @ into.T + h @ again.T + bias[0] + bias[1]), c


def recurrent(cell):
    """Y and Y_h of a recurrent operator in its default layout."""
    def apply(a, x, into, again, bias=None):
        reverse = {b"forward": [False], b"reverse": [True], b"bidirectional": [False, True]}[a.get("direction", b"forward")]
        every, last = [], []
        for k, backwards in enumerate(reverse):
            both = bias[k].chunk(2) if bias is not None else [x.new_zeros(into.shape[1])] * 2
            h = c = x.new_zeros(x.shape[1], a["hidden_size"])
            states = []
            for step in (reversed(x) if backwards else x):
                h, c = cell(a, step, h, c, into[k], again[k], both)
                states.append(h)
            every.append(torch.stack(states[::-1] if backwards else states))
            last.append(h)
        return torch.stack(every, 1), torch.stack(last)
    return apply


def total(_, *parts):
    return sum(parts[1:], parts[0])


def extreme(function):
    def apply(_, first, *others):
        for other in others:
            first = function(first, other)
        return first
    return apply


def clip(_, x, low=None, high=None):
    return torch.clamp(x, None if low is None else float(low), None if high is None else float(high))


def cast(a, x):
    kind = {1: torch.float64, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}[a["to"]]
    return x.to(kind)


OPERATORS = {
    # one element, or two that broadcast
    "Add": total, "Sum": total, "Mul": lambda a, x, y: x * y, "Sub": lambda a, x, y: x - y, "Div": lambda a, x, y: x / y,
    "Mean": lambda a, *parts: total(a, *parts) / len(parts), "Pow": lambda a, x, y: x ** y,
    "Max": extreme(torch.maximum), "Min": extreme(torch.minimum), "Neg": lambda a, x: -x, "Abs": lambda a, x: x.abs(),
    "Sqrt": lambda a, x: x.sqrt(), "Identity": lambda a, x: x, "Clip": clip, "Cast": cast,
    "Relu": lambda a, x: torch.relu(x), "Tanh": lambda a, x: torch.tanh(x), "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Erf": lambda a, x: torch.erf(x), "Softplus": lambda a, x: torch.log1p(torch.exp(x)),
    "Softsign": lambda a, x: x / (1 + x.abs()), "LeakyRelu": lambda a, x: torch.where(x < 0, a.get("alpha", 0.01) * x, x),
    "Elu": lambda a, x: functional.elu(x, a.get("alpha", 1.0)), "PRelu": lambda a, x, slope: torch.where(x < 0, slope * x, x),
    "HardSigmoid": lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
    "HardSwish": lambda a, x: x * torch.clamp(x / 6 + 0.5, 0, 1),
    "Where": lambda a, test, x, y: torch.where(test, x, y), "Greater": lambda a, x, y: x > y, "Less": lambda a, x, y: x < y,
    # layers
    "MatMul": lambda a, x, y: x @ y, "Gemm": gemm, "Conv": convolve,
    "ConvTranspose": lambda a, x, weight, bias=None: functional.conv_transpose2d(
        x, weight, bias, stride=a.get("strides", [1, 1]), groups=a.get("group", 1)),
    "Einsum": lambda a, *parts: torch.einsum(a["equation"].decode(), *parts),
    "Softmax": lambda a, x: torch.softmax(x, a.get("axis", -1)), "LayerNormalization": layer_normalize,
    "InstanceNormalization": instance_normalize, "BatchNormalization": batch_normalize,
    "LSTM": recurrent(lstm), "GRU": recurrent(gru), "RNN": recurrent(rnn),
    "MaxPool": pool(functional.max_pool2d, -numpy.inf), "AveragePool": average,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    # sums over axes
    "ReduceMean": reduced(torch.mean), "ReduceSum": reduced(torch.sum), "ReduceMax": reduced(largest),
    "ReduceL1": reduced(lambda x, axes, keep: x.abs().sum(axes, keep)),
    "ReduceL2": reduced(lambda x, axes, keep: (x * x).sum(axes, keep).sqrt()),
    "ReduceSumSquare": reduced(lambda x, axes, keep: (x * x).sum(axes, keep)),
    "ReduceLogSumExp": reduced(torch.logsumexp), "CumSum": lambda a, x, axis: torch.cumsum(x, int(axis)),
    # positions
    "Transpose": lambda a, x: x.permute(a["perm"]), "Reshape": reshape, "Flatten": lambda a, x: x.reshape(x.shape[0], -1),
    "Unsqueeze": unsqueeze, "Squeeze": squeeze, "Slice": cut, "Gather": gather, "Pad": pad,
    "Split": lambda a, x, sizes: torch.split(x, whole(sizes), a.get("axis", 0)),
    "Concat": lambda a, *parts: torch.cat(parts, a["axis"]), "Tile": lambda a, x, times: x.repeat(whole(times)),
    "Expand": lambda a, x, shape: x * torch.ones(whole(shape), dtype=x.dtype), "SpaceToDepth": to_depth,
    "DepthToSpace": to_space, "Shape": lambda a, x: torch.tensor(x.shape), "Size": lambda a, x: torch.tensor(x.numel()),
}
