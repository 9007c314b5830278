"""Operators of small models in numpy, for a search that runs a model many thousand times.

`Evaluator` runs a model whose parameters change one by one: it computes anew only what depends on what changed.
"""

import numpy
from onnx import helper, numpy_helper


def attribute_values(node):
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def gemm(attributes, a, b, c=0.0):
    a = a.T if attributes.get("transA") else a
    b = b.T if attributes.get("transB") else b
    return attributes.get("alpha", 1.0) * (a @ b) + attributes.get("beta", 1.0) * c


def conv(attributes, x, weight, bias=None):
    """Stride 1, zero padding, groups; one or two spatial axes."""
    if x.ndim == 3:
        pads = attributes.get("pads", [0, 0])
        wide = {**attributes, "pads": [0, pads[0], 0, pads[1]]}
        return conv(wide, x[:, :, None], weight[:, :, None], bias)[:, :, 0]
    groups, pads = attributes.get("group", 1), attributes.get("pads", [0, 0, 0, 0])
    kernel = weight.shape[2:]
    x = numpy.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    windows = numpy.lib.stride_tricks.sliding_window_view(x, kernel, axis=(2, 3))
    n, c, h, w = windows.shape[:4]
    windows = windows.reshape(n, groups, c // groups, h, w, *kernel)
    weight = weight.reshape(groups, -1, c // groups, *kernel)
    y = numpy.einsum("ngchwij,gocij->ngohw", windows, weight).reshape(n, -1, h, w)
    return y if bias is None else y + bias[:, None, None]


def softmax(attributes, x):
    axis = attributes.get("axis", -1)
    powers = numpy.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def normalize(x, axes, epsilon=1e-5):
    return (x - x.mean(axis=axes, keepdims=True)) / numpy.sqrt(x.var(axis=axes, keepdims=True) + epsilon)


def cut(_attributes, x, starts, ends, axes, steps):
    place = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        end = None if end < -x.shape[axis] or end > x.shape[axis] else int(end)
        place[int(axis)] = slice(int(start), end, int(step))
    return x[tuple(place)]


def shares(attributes, x, sizes):
    return numpy.split(x, numpy.cumsum(sizes)[:-1], axis=attributes.get("axis", 0))


def reshape(_attributes, x, shape):
    return x.reshape([x.shape[k] if extent == 0 else int(extent) for k, extent in enumerate(shape)])


def unsqueeze(_attributes, x, axes):
    for axis in sorted(int(axis) for axis in axes):
        x = numpy.expand_dims(x, axis)
    return x


OPERATORS = {
    "Add": lambda a, x, y: x + y, "Sub": lambda a, x, y: x - y, "Mul": lambda a, x, y: x * y,
    "Div": lambda a, x, y: x / y, "Max": lambda a, x, y: numpy.maximum(x, y), "Neg": lambda a, x: -x,
    "Sqrt": lambda a, x: numpy.sqrt(x), "Tanh": lambda a, x: numpy.tanh(x), "Identity": lambda a, x: x,
    "Relu": lambda a, x: numpy.maximum(x, 0), "Sigmoid": lambda a, x: 1 / (1 + numpy.exp(-x)),
    "MatMul": lambda a, x, y: x @ y, "Gemm": gemm, "Conv": conv, "Softmax": softmax,
    "Transpose": lambda a, x: x.transpose(a["perm"]), "Reshape": reshape, "Slice": cut, "Split": shares,
    "Flatten": lambda a, x: x.reshape(x.shape[0], -1), "Unsqueeze": unsqueeze,
    "Squeeze": lambda a, x, axes: numpy.squeeze(x, tuple(int(axis) for axis in axes)),
    "Gather": lambda a, x, index: numpy.take(x, index, axis=a.get("axis", 0)),
    "Concat": lambda a, *parts: numpy.concatenate(parts, axis=a["axis"]),
    "Tile": lambda a, x, times: numpy.tile(x, times), "Expand": lambda a, x, shape: x * numpy.ones(shape),
    "ReduceMean": lambda a, x: x.mean(axis=tuple(a["axes"]), keepdims=bool(a.get("keepdims", 1))),
    "ReduceMax": lambda a, x: x.max(axis=tuple(a["axes"]), keepdims=bool(a.get("keepdims", 1))),
    "ReduceL2": lambda a, x: numpy.sqrt((x * x).sum(axis=tuple(a["axes"]), keepdims=bool(a.get("keepdims", 1)))),
    "GlobalAveragePool": lambda a, x: x.mean(axis=(2, 3), keepdims=True),
    "CumSum": lambda a, x, axis: numpy.cumsum(x, axis=int(axis)),
    "LayerNormalization": lambda a, x, scale, shift: normalize(x, -1) * scale + shift,
    "InstanceNormalization": lambda a, x, scale, shift:
        normalize(x, (2, 3)) * scale[:, None, None] + shift[:, None, None],
    "BatchNormalization": lambda a, x, scale, shift, mean, variance:
        (x - mean[:, None, None]) / numpy.sqrt(variance[:, None, None] + 1e-5) * scale[:, None, None]
        + shift[:, None, None],
}


class Evaluator:
    """The model's first output for fixed inputs, parameter by parameter."""

    def __init__(self, model, inputs):
        self.graph = model.graph
        self.values = dict(inputs)
        for tensor in self.graph.initializer:
            array = numpy_helper.to_array(tensor)
            self.values[tensor.name] = array.astype(numpy.float64) if array.dtype.kind == "f" else array
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
            made = function(attributes, *[self.values[name] for name in reads])
            for name, value in zip(writes, [made] if len(writes) == 1 else made):
                self.values[name] = value

    def change(self, name, array):
        self.values[name] = array
        self.run(self.steps_after(name))

    def outputs(self):
        return [self.values[output.name] for output in self.graph.output]
