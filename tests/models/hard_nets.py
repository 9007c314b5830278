"""Networks made to be hard for a canonical form: members of their classes look alike, for one reason or another.

Each net knows its own permutation group, written down by hand and in numpy: `factors` is a list of functions that
enumerate one factor of the group, as dictionaries from (tensor, axis) to the new order of the positions on that axis.
"""

import itertools
import math

import numpy
from onnx import numpy_helper

from builder import Builder


class HardNet(Builder):
    def __init__(self, seed=0):
        super().__init__(seed, opset=17, ir_version=8)
        self.factors = []

    # ---- the group ----

    def hidden(self, extent, *places):
        """All orders of a hidden layer's units, which are on these axes."""
        self.factors.append((math.factorial(extent), lambda: ({place: order for place in places}
                                                              for order in itertools.permutations(range(extent))),
                             lambda random: dict.fromkeys(places, tuple(random.permutation(extent)))))

    def blocks(self, count, *insides):
        """All orders of blocks; `insides` are (size, places): positions block by block, free inside each block."""
        orders = math.factorial(count) * math.prod(math.factorial(size) ** count for size, _ in insides)

        def element(outer, inners):
            moved = {}
            for (size, places), orders_inside in zip(insides, inners):
                flat = tuple(block * size + k for block, inner in zip(outer, orders_inside) for k in inner)
                moved.update(dict.fromkeys(places, flat))
            return moved

        def every():
            choices = [list(itertools.product(itertools.permutations(range(size)), repeat=count))
                       for size, _ in insides]
            for outer in itertools.permutations(range(count)):
                for inners in itertools.product(*choices):
                    yield element(outer, inners)

        def one(random):
            return element(random.permutation(count), [[random.permutation(size) for _ in range(count)]
                                                       for size, _ in insides])
        self.factors.append((orders, every, one))

    def order(self):
        return math.prod(order for order, _, _ in self.factors)

    def elements(self):
        """The whole group."""
        for parts in itertools.product(*[list(every()) for _, every, _ in self.factors]):
            yield {place: order for part in parts for place, order in part.items()}

    def element(self, random):
        return {place: order for _, _, one in self.factors for place, order in one(random).items()}

    # ---- parts ----

    def batch(self, width):
        return self.input("x", ["N", width])

    def dense(self, x, weight, bias=None):
        """x W^T + b; returns the value, the weight's name and the bias's."""
        weight = self.constant(numpy.asarray(weight, dtype=numpy.float32))
        bias = None if bias is None else self.constant(numpy.asarray(bias, dtype=numpy.float32))
        return self.node("Gemm", x, weight, *([] if bias is None else [bias]), transB=1), weight, bias

    def finish(self, value, shape):
        self.output(value, shape)
        return self


# ---- graphs and matrices ----

def circulant(first):
    return numpy.array([numpy.roll(first, k) for k in range(len(first))])


def adjacency(count, edges):
    matrix = numpy.zeros((count, count))
    for a, b in edges:
        matrix[a, b] = matrix[b, a] = 1
    return matrix


def cycles(*lengths):
    edges, start = [], 0
    for length in lengths:
        edges += [(start + k, start + (k + 1) % length) for k in range(length)]
        start += length
    return adjacency(start, edges)


def petersen():
    return adjacency(10, [(k, (k + 1) % 5) for k in range(5)] + [(5 + k, 5 + (k + 2) % 5) for k in range(5)]
                     + [(k, k + 5) for k in range(5)])


def prism(length):
    return adjacency(2 * length, [(k, (k + 1) % length) for k in range(length)]
                     + [(length + k, length + (k + 1) % length) for k in range(length)]
                     + [(k, k + length) for k in range(length)])


def complete_bipartite(size):
    return adjacency(2 * size, itertools.product(range(size), range(size, 2 * size)))


def cayley(moduli, connection):
    """The Cayley graph of a product of cyclic groups."""
    elements = list(itertools.product(*[range(m) for m in moduli]))
    number = {element: k for k, element in enumerate(elements)}
    return adjacency(len(elements), [(number[a], number[tuple((x + d) % m for x, d, m in zip(a, step, moduli))])
                                     for a in elements for step in connection])


def rook():
    return cayley((4, 4), [(k, 0) for k in range(1, 4)] + [(0, k) for k in range(1, 4)])


def shrikhande():
    return cayley((4, 4), [(1, 0), (0, 1), (1, 1)])


def paley(prime):
    squares = {k * k % prime for k in range(1, prime)}
    return numpy.array([[float((a - b) % prime in squares) for a in range(prime)] for b in range(prime)])


def cai_fuerer_immerman(base, twisted):
    """The graph of Cai, Fuerer and Immerman over a base graph: colour refinement never tells a twisted one from a
    straight one. A vertex of degree d becomes the even subsets of its edges; an edge is a pair of vertices at each end,
    joined straight, or crossed for one edge when twisted."""
    edges = [(a, b) for a, b in itertools.combinations(range(len(base)), 2) if base[a, b]]
    number, found = {}, []

    def vertex(*key):
        return number.setdefault(key, len(number))

    for v in range(len(base)):
        around = [e for e in edges if v in e]
        for size in range(0, len(around) + 1, 2):
            for subset in itertools.combinations(around, size):
                for e in around:
                    found.append((vertex("middle", v, subset), vertex("end", v, e, e in subset)))
    for e in edges:
        crossed = twisted and e == edges[0]
        for side in (False, True):
            found.append((vertex("end", e[0], e, side), vertex("end", e[1], e, side != crossed)))
    return adjacency(len(number), found)


def latin_square(seed, size):
    """The graph of a random Latin square: its places, joined by row, column and symbol. Strongly regular, and mostly
    without any automorphism."""
    random = numpy.random.default_rng(seed)
    square = -numpy.ones((size, size), dtype=int)

    def fill(place):
        row, column = divmod(place, size)
        if row == size:
            return True
        for symbol in random.permutation(size):
            if symbol not in square[row, :column] and symbol not in square[:row, column]:
                square[row, column] = symbol
                if fill(place + 1):
                    return True
        square[row, column] = -1
        return False
    fill(0)
    places = list(itertools.product(range(size), repeat=2))
    return adjacency(size * size, [(i, j) for i, a in enumerate(places) for j, b in enumerate(places)
                                   if i < j and (a[0] == b[0] or a[1] == b[1] or square[a] == square[b])])


def apart(*matrices):
    """One block-diagonal matrix."""
    size = sum(map(len, matrices))
    result, start = numpy.zeros((size, size)), 0
    for matrix in matrices:
        result[start:start + len(matrix), start:start + len(matrix)] = matrix
        start += len(matrix)
    return result


def hadamard(size):
    matrix = numpy.ones((1, 1))
    while len(matrix) < size:
        matrix = numpy.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


COMPLETE_4 = 1 - numpy.eye(4)


# ---- nets ----

def one_class(matrix):
    """A residual layer of `matrix` on one hidden class: its graph, up to isomorphism."""
    net, size = HardNet(), len(matrix)
    h, first, _ = net.dense(net.batch(2), numpy.ones((size, 2)))
    h = net.relu(h)
    mixed, middle, _ = net.dense(h, matrix)
    h = net.node("Add", h, net.relu(mixed))
    y, last, _ = net.dense(h, numpy.ones((1, size)))
    net.hidden(size, (first, 0), (middle, 0), (middle, 1), (last, 1))
    return net.finish(y, ["N", 1])


def chain(*matrices, bias=None, first=None, last=None):
    """Hidden layers in sequence; all that tells units apart is in `matrices` (out x in)."""
    net = HardNet()
    sizes = [matrices[0].shape[1]] + [matrix.shape[0] for matrix in matrices]
    x, name, shift = net.dense(net.batch(2), numpy.ones((sizes[0], 2)) if first is None else first,
                               None if bias is None else numpy.full(sizes[0], bias))
    places = [(name, 0)] + ([(shift, 0)] if shift else [])
    for matrix, size in zip(matrices, sizes):
        x, name, shift = net.dense(net.relu(x), matrix, None if bias is None else numpy.full(len(matrix), bias))
        net.hidden(size, *places, (name, 1))
        places = [(name, 0)] + ([(shift, 0)] if shift else [])
    y, name, _ = net.dense(net.relu(x), numpy.ones((1, sizes[-1])) if last is None else last)
    net.hidden(sizes[-1], *places, (name, 1))
    return net.finish(y, ["N", len(last) if last is not None else 1])


def few_values(seed, *sizes, values=(-1, 0, 1), bias=0.0):
    """Weights drawn from few values, equal biases."""
    random = numpy.random.default_rng(seed)
    def draw(rows, columns):
        return random.choice(values, (rows, columns))
    return chain(*[draw(b, a) for a, b in zip(sizes, sizes[1:])], bias=bias, first=draw(sizes[0], 2),
                 last=draw(2, sizes[-1]))


def duplicates(seed, distinct, copies):
    """Every unit several times, in rows and columns."""
    random = numpy.random.default_rng(seed)
    matrix = random.normal(size=(distinct, distinct))
    return chain(numpy.repeat(numpy.repeat(matrix, copies, 0), copies, 1), bias=0.5,
                 first=numpy.repeat(random.normal(size=(distinct, 2)), copies, 0))


def attention(query, key, value, out, heads):
    """Self-attention of [N, T, width]; weights are width x (heads * size), `out` (heads * size) x width."""
    net = HardNet()
    width, inner = numpy.shape(query)
    size, value_size = inner // heads, numpy.shape(value)[1] // heads
    x = net.input("x", ["N", 3, width])
    names = [net.constant(numpy.asarray(matrix, dtype=numpy.float32)) for matrix in (query, key, value, out)]

    def split(weight, size, order):
        parts = net.node("Reshape", net.node("MatMul", x, weight), net.integers(0, 0, heads, size))
        return net.node("Transpose", parts, perm=order)
    q, k = split(names[0], size, [0, 2, 1, 3]), split(names[1], size, [0, 2, 3, 1])
    v = split(names[2], value_size, [0, 2, 1, 3])
    mixed = net.node("MatMul", net.node("Softmax", net.node("MatMul", q, k), axis=-1), v)
    joined = net.node("Reshape", net.node("Transpose", mixed, perm=[0, 2, 1, 3]),
                      net.integers(0, 0, heads * value_size))
    net.blocks(heads, (size, [(names[0], 1), (names[1], 1)]), (value_size, [(names[2], 1), (names[3], 0)]))
    return net.finish(net.node("MatMul", joined, names[3]), ["N", 3, width])


def equal_heads(heads, size, seed=None):
    """All heads the same: constant, or random."""
    random = numpy.random.default_rng(seed)
    part = [numpy.ones((2, size)) if seed is None else random.normal(size=(2, size)) for _ in range(3)]
    return attention(*[numpy.tile(matrix, (1, heads)) for matrix in part],
                     numpy.tile(numpy.ones((size, 2)) if seed is None else random.normal(size=(size, 2)), (heads, 1)),
                     heads)


def cyclic_heads(heads, size):
    """Inputs, channels and heads in rings: a head's query is its key rolled by one, in every head another input."""
    width = heads * size
    query = numpy.zeros((width, width))
    for h in range(heads):
        query[h * size:(h + 1) * size, h * size:(h + 1) * size] = circulant([1, 2] + [0] * (size - 2))
    ring = numpy.roll(query, 1, 0)
    return attention(query, ring, query, numpy.ones((width, width)), heads)


def few_valued_heads(seed, heads, size, width=2):
    random = numpy.random.default_rng(seed)
    draw = [random.choice((-1, 0, 1), (width, heads * size)) for _ in range(3)]
    return attention(*draw, random.choice((-1, 0, 1), (heads * size, width)), heads)


def mixed_heads(inside, heads):
    """Heads of which nothing is known but `inside`, a matrix between the channels of value and the next layer."""
    net = HardNet()
    size = len(inside)
    x = net.input("x", ["N", 3, 2])
    ones = numpy.ones((2, heads * size))
    names = [net.constant(ones) for _ in range(3)]

    def split(weight, order):
        parts = net.node("Reshape", net.node("MatMul", x, weight), net.integers(0, 0, heads, size))
        return net.node("Transpose", parts, perm=order)
    q, k, v = split(names[0], [0, 2, 1, 3]), split(names[1], [0, 2, 3, 1]), split(names[2], [0, 2, 1, 3])
    mixed = net.node("MatMul", net.node("Softmax", net.node("MatMul", q, k), axis=-1), v)
    joined = net.node("Reshape", net.node("Transpose", mixed, perm=[0, 2, 1, 3]), net.integers(0, 0, heads * size))
    last = net.constant(numpy.kron(numpy.eye(heads), inside))
    after = net.relu(net.node("MatMul", joined, last))
    end = net.constant(numpy.ones((heads * size, 1)))
    net.blocks(heads, (size, [(names[0], 1), (names[1], 1)]), (size, [(names[2], 1), (last, 0)]))
    net.hidden(heads * size, (last, 1), (end, 0))
    return net.finish(net.node("MatMul", after, end), ["N", 3, 1])


def grouped_convolution(weights, groups):
    """A grouped convolution between two pointwise ones of equal weights: groups are blocks. `weights` is (groups * out)
    x in, of which each group has its own rows."""
    net = HardNet()
    rows, into = numpy.shape(weights)
    x = net.input("x", ["N", 1, 4, 4])
    first = net.constant(numpy.ones((groups * into, 1, 1, 1)))
    middle = net.constant(numpy.reshape(numpy.asarray(weights, dtype=float), (rows, into, 1, 1)))
    last = net.constant(numpy.ones((1, rows, 1, 1)))
    h = net.relu(net.node("Conv", x, first, kernel_shape=[1, 1]))
    h = net.relu(net.node("Conv", h, middle, kernel_shape=[1, 1], group=groups))
    y = net.node("Conv", h, last, kernel_shape=[1, 1])
    size = rows // groups

    orders = math.factorial(groups) * (math.factorial(into) * math.factorial(size)) ** groups

    def element(outer, inputs, outputs):
        return {(first, 0): tuple(g * into + k for g, order in zip(outer, inputs) for k in order),
                (last, 1): tuple(g * size + k for g, order in zip(outer, outputs) for k in order),
                "grouped": (middle, outer, inputs, outputs)}

    def every():
        for outer in itertools.permutations(range(groups)):
            for inputs in itertools.product(itertools.permutations(range(into)), repeat=groups):
                for outputs in itertools.product(itertools.permutations(range(size)), repeat=groups):
                    yield element(outer, inputs, outputs)

    def one(random):
        return element(random.permutation(groups), [random.permutation(into) for _ in range(groups)],
                       [random.permutation(size) for _ in range(groups)])
    net.factors.append((orders, every, one))
    return net.finish(y, ["N", 1, 4, 4])


def branches(first, second, swapped=False):
    """Two branches of one structure that are added; `swapped` writes them down the other way round."""
    net = HardNet()
    x = net.batch(2)
    made = {}
    for which, weights in sorted({"a": first, "b": second}.items(), reverse=swapped):
        size = len(weights[0])
        h, into, shift = net.dense(x, weights[0], weights[1])
        made[which], out, _ = net.dense(net.relu(h), weights[2])
        net.hidden(size, (into, 0), (shift, 0), (out, 1))
    y = net.node("Add", *(made[which] for which in sorted(made, reverse=swapped)))
    return net.finish(y, ["N", len(first[2])])


FILLINGS = ("few values", "ones", "identity", "ring")


def refill(model, filling, seed):
    """Gives every float parameter of a model weights that are hard to tell apart."""
    random = numpy.random.default_rng(seed)
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind != "f" or array.size == 0:
            continue
        if filling == "few values":
            filled = random.integers(-1, 2, array.shape)
        elif filling == "ones" or array.ndim < 2:
            filled = numpy.ones(array.shape)
        else:
            rows, columns = numpy.indices(array.shape[:2])
            steps = (rows - columns) % min(array.shape[:2])
            plane = (steps == 0) + (2.0 * (steps == 1) if filling == "ring" else 0)
            filled = numpy.broadcast_to(plane.reshape(plane.shape + (1,) * (array.ndim - 2)), array.shape)
        tensor.CopyFrom(numpy_helper.from_array(numpy.ascontiguousarray(filled).astype(array.dtype), tensor.name))


def moved(arrays, element):
    """Tensors by name, permuted by an element of the group."""
    arrays = dict(arrays)
    for place, order in element.items():
        if place == "grouped":
            name, outer, inputs, outputs = order
            size = len(arrays[name]) // len(outer)
            arrays[name] = numpy.concatenate([arrays[name][g * size:(g + 1) * size][list(rows)][:, list(columns)]
                                              for g, rows, columns in zip(outer, outputs, inputs)])
        else:
            name, axis = place
            arrays[name] = numpy.take(arrays[name], order, axis=axis)
    return arrays
