"""Graphs of any number of nodes, to see how time grows with it: written as bytes, so that a million is made in seconds.

    large_graphs.py KIND NODES OUT

Four kinds, with small tensors throughout, so that what is measured is the work on the graph:

chain      Relu after Relu: as deep as it is long
residual   x + W x over and over: one symmetry class that runs through all of the model
wide       independent branches of MatMul, Add, Relu, MatMul that one Sum collects
tensors    a small multi-layer perceptron, MatMul, Add, Relu: a class and two tensors of their own for each layer
"""

import pathlib
import random
import struct
import sys


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def chunk(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


class Graph:
    """Field numbers are those of proto/onnx.proto."""

    def __init__(self):
        self.parts = []
        self.count = 0
        self.random = random.Random(1)

    def node(self, operator, *inputs):
        name = f"v{self.count}"
        self.count += 1
        self.parts.append(chunk(1, b"".join(chunk(1, i) for i in inputs) + chunk(2, name) + chunk(4, operator)))
        return name

    def weight(self, *dims):
        name = f"w{len(self.parts)}"
        size = 1
        for extent in dims:
            size *= extent
        values = struct.pack(f"<{size}f", *(self.random.uniform(-1, 1) for _ in range(size)))
        self.parts.append(chunk(5, b"".join(number(1, d) for d in dims) + number(2, 1) + chunk(8, name)
                                + chunk(9, values)))
        return name

    def save(self, path, result, width):
        dims = b"".join(chunk(1, number(1, extent)) for extent in (1, width))
        kind = chunk(2, chunk(1, number(1, 1) + chunk(2, dims)))
        ports = chunk(11, chunk(1, "x") + kind) + chunk(12, chunk(1, result) + kind)
        graph = b"".join(self.parts) + chunk(2, "large") + ports
        pathlib.Path(path).write_bytes(number(1, 8) + chunk(7, graph) + chunk(8, number(2, 17)))


def chain(graph, nodes):
    value = "x"
    while graph.count < nodes:
        value = graph.node("Relu", value)
    return value


def residual(graph, nodes):
    value = graph.node("MatMul", "x", graph.weight(4, 4))
    while graph.count < nodes - 2:
        value = graph.node("Add", value, graph.node("MatMul", value, graph.weight(4, 4)))
    return graph.node("MatMul", value, graph.weight(4, 4))


def wide(graph, nodes):
    ends = []
    while graph.count < nodes - 1:
        inner = graph.node("Relu", graph.node("Add", graph.node("MatMul", "x", graph.weight(4, 4)), graph.weight(4)))
        ends.append(graph.node("MatMul", inner, graph.weight(4, 4)))
    return graph.node("Sum", *ends)


def tensors(graph, nodes):
    value = "x"
    while graph.count < nodes:
        value = graph.node("Relu", graph.node("Add", graph.node("MatMul", value, graph.weight(4, 4)), graph.weight(4)))
    return value


KINDS = {kind.__name__: kind for kind in (chain, residual, wide, tensors)}


def make(kind, nodes, path):
    graph = Graph()
    graph.save(path, KINDS[kind](graph, nodes), 4)


if __name__ == "__main__":
    make(sys.argv[1], int(sys.argv[2]), sys.argv[3])
