"""Architectures put together at random from blocks, the same for the same seed.

    random_architectures.py SEED OUT.onnx        writes one, and prints its blocks

A value is an image (batch, channels, height, width), a sequence (batch, time, channels) or a vector (batch, channels).
A block is a function of random_blocks_*.py that takes a net and a value and returns a value; converters lead from one
kind to another. Operator sets 14 to 17, batch symbolic or static, one or several outputs.
"""

import dataclasses
import pathlib
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from builder import Builder  # noqa: E402

BLOCKS = {"image": {}, "sequence": {}, "vector": {}}  # kind that goes in -> {name: function}
CONVERTERS = {"image": {}, "sequence": {}, "vector": {}}
WIDTHS = (4, 6, 8, 12)
BATCH = 2


@dataclasses.dataclass(frozen=True)
class Value:
    """A tensor of the net: its name, kind, channels, and (height, width), (time,) or ()."""

    name: str
    kind: str
    channels: int
    rest: tuple = ()

    @property
    def axis(self):
        return 2 if self.kind == "sequence" else 1


def block(*kinds):
    """Registers a function as a block for these kinds of values, which it keeps."""
    def register(function):
        for kind in kinds:
            BLOCKS[kind][function.__name__] = function
        return function
    return register


def converter(kind):
    """Registers a function that makes another kind of value out of this one."""
    def register(function):
        CONVERTERS[kind][function.__name__] = function
        return function
    return register


class Net(Builder):
    """A Builder that chooses, and that makes the layers blocks are made of."""

    def __init__(self, seed):
        super().__init__(seed)
        self.opset = int(self.random.integers(14, 18))
        self.ir_version = 8
        self.batch = self.pick("N", BATCH)
        self.story = []

    # ---- choices ----

    def pick(self, *options):
        return options[self.random.integers(len(options))]

    def chance(self, probability):
        return self.random.random() < probability

    def width(self, multiple=1):
        return self.pick(*[width for width in WIDTHS if width % multiple == 0])

    # ---- short forms ----

    def axes(self, operator, x, *axes, **attributes):
        """An operator whose axes are an input since operator set 13."""
        return self.node(operator, x, self.integers(*axes), **attributes)

    def reshape(self, x, *extents):
        return self.node("Reshape", x, self.integers(*extents))

    def transpose(self, x, *perm):
        return self.node("Transpose", x, perm=list(perm))

    def cut(self, x, axis, start, end, step=1):
        """x[start:end:step] on one axis."""
        return self.node("Slice", x, *[self.integers(number) for number in (start, end, axis, step)])

    def take(self, x, axis, positions):
        return self.node("Gather", x, self.integers(*positions), axis=axis)

    def shares(self, x, axis, *sizes):
        return self.node("Split", x, self.integers(*sizes), outputs=len(sizes), axis=axis)

    def scalar(self, number):
        return self.constant(numpy.float32(number))

    def along(self, value, vector_values):
        """A constant of `channels` numbers, shaped so that it broadcasts over the value's channels."""
        shape = (-1, 1, 1) if value.kind == "image" else (-1,)
        return self.constant(numpy.reshape(vector_values, shape))

    def bias(self, columns):
        """Drawn, or constant: equal constants of different layers are stored once, as exporters do."""
        if self.chance(0.25):
            shared = f"shared_{columns}"
            if shared not in [tensor.name for tensor in self.initializers]:
                self.constant(numpy.full(columns, 0.1), shared)
            return shared
        return self.constant(self.random.normal(0, 0.3, columns))

    def dense(self, x, rows, columns):
        """A linear layer on the last axis, spelled in one of several ways."""
        spelling = self.random.integers(5)
        if spelling == 0:
            return self.node("MatMul", x, self.weight_matrix(rows, columns))
        if spelling == 1:
            return self.node("Add", self.bias(columns), self.node("MatMul", x, self.weight_matrix(rows, columns)))
        if spelling == 2:
            turned = self.transpose(self.constant(self.matrix(rows, columns).T), 1, 0)
            return self.node("Add", self.node("MatMul", x, turned), self.bias(columns))
        if spelling == 3:
            product = self.node("MatMul", x, self.weight_matrix(rows, columns))
            return self.node("Sub", product, self.node("Neg", self.bias(columns)))
        scaled = self.node("Mul", self.weight_matrix(rows, columns), self.scalar(0.9))
        return self.node("Add", self.node("MatMul", x, scaled), self.bias(columns))

    def matrix(self, rows, columns):
        return self.random.normal(0.0, 1.0 / numpy.sqrt(rows) + 0.05, (rows, columns))

    def weight_matrix(self, rows, columns):
        return self.constant(self.matrix(rows, columns))

    def project(self, value, columns):
        """A linear layer over the channels of any value."""
        if value.kind == "image":
            name = self.conv(value.name, value.channels, columns, self.pick(1, 3))
        elif value.kind == "vector" and self.chance(0.5):
            name = self.gemm(value.name, value.channels, columns)
        else:
            name = self.dense(value.name, value.channels, columns)
        return Value(name, value.kind, columns, value.rest)

    def activate(self, value):
        operator = self.pick("Relu", "Tanh", "Sigmoid", "LeakyRelu", "Elu", "Softplus", "HardSwish", "none")
        return value if operator == "none" else self.same(value, self.node(operator, value.name))

    def same(self, value, name):
        """The value's kind and size under another name."""
        return dataclasses.replace(value, name=name)


def extents_of(net, value):
    if value.kind == "image":
        return [net.batch, value.channels, *value.rest]
    return [net.batch, *value.rest, value.channels]


def start(net, kind=None):
    kind = kind or net.pick("image", "sequence", "vector")
    rest = {"image": (8, 8), "sequence": (6,), "vector": ()}[kind]
    value = Value(f"input_{len(net.inputs)}", kind, net.pick(3, 4, 5), rest)
    net.input(value.name, extents_of(net, value))
    return value


def apply(net, value, table, name):
    net.story.append(name)
    return table[value.kind][name](net, value)


def tame(net, value):
    """Keeps numbers in range, so that no output drowns the others."""
    return net.same(value, net.node(net.pick("Tanh", "Softsign", "Sigmoid"), value.name))


def finish(net, value):
    """One or several outputs, from heads or from hidden layers."""
    if net.chance(0.15):
        net.story.append("output of a hidden layer")
        net.output(net.node("Identity", value.name), extents_of(net, value))
    ends = [net.project(value, 3)]
    if net.chance(0.2):
        net.story.append("two heads")
        ends.append(net.project(value, 2))
    for end in ends:
        net.output(end.name, extents_of(net, end))


def random_net(seed):
    """A chain of blocks and converters; about one net in five has two inputs that meet."""
    load_blocks()
    net = Net(seed)
    value = start(net)
    value = net.activate(net.project(value, net.width()))
    for _ in range(net.random.integers(3, 7)):
        if net.chance(0.25):
            value = apply(net, value, CONVERTERS, net.pick(*CONVERTERS[value.kind]))
        value = apply(net, value, BLOCKS, net.pick(*BLOCKS[value.kind]))
        value = net.activate(value) if net.chance(0.6) else tame(net, value)
    finish(net, value)
    return net


def single_block(kind, name, seed, table=None):
    """Projection, one block, projection: the smallest model that a block can go wrong in."""
    load_blocks()
    table = table or BLOCKS
    net = Net(seed)
    value = net.activate(net.project(start(net, kind), net.width()))
    value = tame(net, apply(net, value, table, name))
    finish(net, net.same(value, net.node("Relu", value.name)) if net.chance(0.5) else value)
    return net


def load_blocks():
    import random_blocks_images  # noqa: F401
    import random_blocks_sequences  # noqa: F401
    import random_blocks_shapes  # noqa: F401
    import random_blocks_weights  # noqa: F401


def singles():
    """(kind, name, table) of every block and converter."""
    load_blocks()
    return [(kind, name, table) for table in (BLOCKS, CONVERTERS) for kind in table for name in table[kind]]


if __name__ == "__main__":
    sys.modules["random_architectures"] = sys.modules["__main__"]
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    import onnx

    made = random_net(int(sys.argv[1]))
    onnx.save(made.model(), sys.argv[2])
    print(", ".join(made.story))
