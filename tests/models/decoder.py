#!/usr/bin/python3
"""A decoder of the Llama kind: RMS normalisation, rotary grouped-query attention, gated feed-forward layers.

    decoder.py OUT.onnx [--layers L --hidden H --heads N --groups G --width D --inner I --vocabulary V --sparse]

Every operator is spelled out as exporters of operator set 14 do. With --sparse the weights are external data in a file
of holes: a model of any size that takes no room on the disk.
"""

import argparse
import math
import os
import pathlib

import numpy
from onnx import TensorProto, helper, numpy_helper, save


class Decoder:
    """Collects nodes and weights; sizes as in the options of the module."""

    def __init__(self, sizes, path):
        self.sizes, self.path = sizes, pathlib.Path(path)
        self.nodes, self.weights, self.count, self.offset = [], [], 0, 0
        self.random = numpy.random.default_rng(11)

    def node(self, operator, *inputs, **attributes):
        self.count += 1
        name = f"{operator}_{self.count}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, name, *shape, value=None):
        """A float weight; normal numbers scaled by the fan-in, or holes in the external file."""
        if self.sizes.sparse and value is None:
            tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape,
                                 data_location=TensorProto.EXTERNAL)
            size = 4 * math.prod(shape)
            for key, entry in (("location", self.path.name + ".data"), ("offset", self.offset), ("length", size)):
                tensor.external_data.add(key=key, value=str(entry))
            self.offset += size
        else:
            if value is None:
                value = self.random.normal(size=shape) / math.sqrt(shape[0])
            tensor = numpy_helper.from_array(numpy.asarray(value, dtype="f"), name)
        self.weights.append(tensor)
        return name

    def constant(self, value, kind="f"):
        self.count += 1
        name = f"constant_{self.count}"
        self.weights.append(numpy_helper.from_array(numpy.asarray(value, dtype=kind), name))
        return name

    def shape(self, *extents):
        return self.constant(extents, "int64")

    def norm(self, x, name):
        square = self.node("Pow", x, self.constant(2.0))
        mean = self.node("ReduceMean", square, axes=[-1], keepdims=1)
        root = self.node("Sqrt", self.node("Add", mean, self.constant(1e-6)))
        scale = self.weight(f"{name}.scale", self.sizes.hidden)
        return self.node("Mul", self.node("Div", x, root), scale)

    def heads(self, x, name, heads):
        """(batch, time, hidden) -> (batch, heads, time, width)"""
        s = self.sizes
        projected = self.node("MatMul", x, self.weight(f"{name}.weight", s.hidden, heads * s.width))
        split = self.node("Reshape", projected, self.shape(0, 0, heads, s.width))
        return self.node("Transpose", split, perm=[0, 2, 1, 3])

    def rotate(self, x):
        """x * cos + rotate_half(x) * sin, with tables of shape (time, width)."""
        half, end = self.sizes.width // 2, 2**62
        cut = [self.shape(0), self.shape(half), self.shape(end), self.shape(-1)]
        first = self.node("Slice", x, cut[0], cut[1], cut[3])
        second = self.node("Slice", x, cut[1], cut[2], cut[3])
        turned = self.node("Concat", self.node("Neg", second), first, axis=-1)
        return self.node("Add", self.node("Mul", x, "cos"), self.node("Mul", turned, "sin"))

    def repeat(self, x):
        """Each key and value head serves heads / groups query heads."""
        s = self.sizes
        times = s.heads // s.groups
        wide = self.node("Expand", self.node("Unsqueeze", x, self.shape(2)),
                         self.shape(1, s.groups, times, s.time, s.width))
        return self.node("Reshape", wide, self.shape(0, s.heads, s.time, s.width))

    def attention(self, x, name):
        s = self.sizes
        query = self.rotate(self.heads(x, f"{name}.query", s.heads))
        key = self.repeat(self.rotate(self.heads(x, f"{name}.key", s.groups)))
        value = self.repeat(self.heads(x, f"{name}.value", s.groups))
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 1, 3, 2]))
        scores = self.node("Add", self.node("Div", scores, self.constant(math.sqrt(s.width))), "mask")
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        flat = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]),
                         self.shape(0, 0, s.heads * s.width))
        return self.node("MatMul", flat, self.weight(f"{name}.output.weight", s.heads * s.width, s.hidden))

    def feed_forward(self, x, name):
        s = self.sizes
        gate = self.node("MatMul", x, self.weight(f"{name}.gate.weight", s.hidden, s.inner))
        gate = self.node("Mul", gate, self.node("Sigmoid", gate))
        up = self.node("MatMul", x, self.weight(f"{name}.up.weight", s.hidden, s.inner))
        return self.node("MatMul", self.node("Mul", gate, up), self.weight(f"{name}.down.weight", s.inner, s.hidden))

    def model(self):
        s = self.sizes
        angles = numpy.outer(numpy.arange(s.time), 1e4 ** (-numpy.arange(s.width // 2) * 2.0 / s.width))
        for name, function in (("cos", numpy.cos), ("sin", numpy.sin)):
            self.weight(name, s.time, s.width, value=function(numpy.concatenate([angles, angles], axis=1)))
        self.weight("mask", s.time, s.time, value=numpy.triu(numpy.full((s.time, s.time), -1e9), 1))
        x = self.node("Gather", self.weight("embedding.weight", s.vocabulary, s.hidden), "tokens")
        for layer in range(s.layers):
            x = self.node("Add", x, self.attention(self.norm(x, f"{layer}.norm1"), f"{layer}.attention"))
            x = self.node("Add", x, self.feed_forward(self.norm(x, f"{layer}.norm2"), f"{layer}.feed_forward"))
        logits = self.node("MatMul", self.norm(x, "norm"), self.weight("head.weight", s.hidden, s.vocabulary))
        self.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes, "decoder", [info("tokens", TensorProto.INT64, ["N", s.time])],
            [info("logits", TensorProto.FLOAT, ["N", s.time, s.vocabulary])], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7,
                                 producer_name="canonnx tests")


def expected_log10_order(s):
    """The residual stream, all of it one axis: hidden!. Each layer's gate: inner!. Keys and queries are rotated in pairs
    (i, i + width / 2) with tables that all heads and layers share: (width / 2)! once. In each layer a group holds its
    value channels and its query heads, and groups are exchanged: (S_width x S_(heads / groups)) wr S_groups."""
    def log10_factorial(n):
        return math.lgamma(n + 1) / math.log(10)

    group = log10_factorial(s.width) + log10_factorial(s.heads // s.groups)
    layer = log10_factorial(s.inner) + s.groups * group + log10_factorial(s.groups)
    return log10_factorial(s.hidden) + log10_factorial(s.width // 2) + s.layers * layer


def sizes(**changed):
    """The sizes of a small decoder, with changes."""
    chosen = parser().parse_args(["decoder.onnx"])
    for name, value in changed.items():
        setattr(chosen, name, value)
    return chosen


def small(**changed):
    """(what makes the model, the expected log10 of its group), for the list of hand-made models."""
    chosen = sizes(**changed)
    return lambda: Decoder(chosen, chosen.out), expected_log10_order(chosen)


def parser():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("out")
    for name, default in (("layers", 2), ("hidden", 24), ("heads", 6), ("groups", 3), ("width", 8), ("inner", 20),
                          ("vocabulary", 17), ("time", 5)):
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--sparse", action="store_true")
    return options


def main():
    chosen = parser().parse_args()
    decoder = Decoder(chosen, chosen.out)
    save(decoder.model(), chosen.out)
    if chosen.sparse:
        with open(chosen.out + ".data", "wb") as data:
            os.truncate(data.fileno(), decoder.offset)
    print(f"{expected_log10_order(chosen):.10f}")


if __name__ == "__main__":
    main()
