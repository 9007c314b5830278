"""A short way to write small ONNX models by hand."""

import numpy
from onnx import TensorProto, helper, numpy_helper

FLOAT = TensorProto.FLOAT


class Builder:
    """Collects nodes and initializers; `node` returns the name of the (first) output."""

    def __init__(self, seed, opset=14, ir_version=7):
        self.random = numpy.random.default_rng(seed)
        self.opset, self.ir_version = opset, ir_version
        self.nodes, self.initializers, self.inputs, self.outputs = [], [], [], []
        self.functions, self.extra_opsets = [], []

    def input(self, name, shape, kind=FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value, shape, kind=FLOAT):
        self.outputs.append(helper.make_tensor_value_info(value, kind, shape))

    def constant(self, array, name=None):
        """An initializer with these contents (float64 becomes float32)."""
        array = numpy.asarray(array)
        if array.dtype == numpy.float64:
            array = array.astype(numpy.float32)
        name = name or f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def integers(self, *values):
        return self.constant(numpy.array(values, dtype=numpy.int64))

    def weight(self, *shape):
        """A random initializer, scaled by its fan-in so that deep models keep their range."""
        fan_in = max(1, int(numpy.prod(shape[1:])))
        return self.constant(self.random.normal(0.0, 1.0 / numpy.sqrt(fan_in) + 0.2, shape))

    def positive(self, *shape):
        return self.constant(self.random.uniform(0.5, 1.5, shape))

    def node(self, operator, *inputs, outputs=1, domain=None, **attributes):
        made = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, made, name=f"{operator}_{len(self.nodes)}",
                                           domain=domain, **attributes))
        return made[0] if outputs == 1 else made

    def gemm(self, x, rows, columns):
        """x[N, rows] -> [N, columns], as PyTorch's Linear exports it."""
        return self.node("Gemm", x, self.weight(columns, rows), self.weight(columns), transB=1)

    def conv(self, x, into, out, kernel=3, group=1, **attributes):
        pad = attributes.pop("pads", [kernel // 2] * 4)
        return self.node("Conv", x, self.weight(out, into // group, kernel, kernel), self.weight(out),
                         kernel_shape=[kernel, kernel], pads=pad, group=group, **attributes)

    def relu(self, x):
        return self.node("Relu", x)

    def pooled_head(self, x, channels, classes=5):
        """Global average pooling, Flatten and Gemm: the usual end of a classifier; makes the output."""
        pooled = self.node("Flatten", self.node("GlobalAveragePool", x), axis=1)
        self.output(self.gemm(pooled, channels, classes), ["N", classes])
        return self

    def model(self):
        graph = helper.make_graph(self.nodes, "hand_made", self.inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", self.opset), *self.extra_opsets]
        return helper.make_model(graph, opset_imports=opsets, functions=self.functions,
                                 ir_version=self.ir_version, producer_name="canonnx tests")
