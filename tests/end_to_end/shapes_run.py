"""Inferred shapes against the shapes that ONNX Runtime makes: one operator, or a chain that computes a size, at a time.

Inputs have symbolic extents. What we say of an output, a number or an expression of those symbols, has to be what comes
out for several sizes, whatever the attributes are, which are drawn at random; and we have to say something.
"""

import collections
import fractions
import math
import random
import re

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import JUDGE, CannotRun, check, scratch
from shapes import FACTS, lines_of_facts

SIZES = (12, 17, 20)  # what the symbols become
DRAWS = 40  # of each family
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64

counts = collections.Counter()


def cases():
    if not FACTS.exists():
        raise CannotRun(f"{FACTS} is not built")
    for name, draw in FAMILIES.items():
        yield name, lambda name=name, draw=draw: family(name, draw)
    yield "enough-compared", enough


def enough():
    print("shapes_run: " + ", ".join(f"{count} {what}" for what, count in counts.items()), flush=True)
    check(counts["outputs compared"] >= 1000, f"only {counts['outputs compared']} outputs compared")


def family(name, draw):
    chance = random.Random(name)
    ran, troubles = 0, []
    for _ in range(DRAWS):
        graph = Graph()
        draw(graph, chance)
        for size in SIZES:
            ran += graph.compare(size, troubles)
    check(ran >= DRAWS, f"only {ran} of {len(SIZES) * DRAWS} ran in ONNX Runtime")
    check(not troubles, f"{len(troubles)} differences: " + "; ".join(troubles[:4]))


class Graph:
    """Some nodes on one input `x`, whose extents are symbols or numbers; every node's output is looked at."""

    def __init__(self):
        self.nodes, self.constants, self.shape, self.opset = [], [], ("N", 3, "H"), 17

    def node(self, op, *inputs, outputs=1, **attributes):
        names = [f"y{len(self.nodes)}_{i}" for i in range(outputs)]
        inputs = [i if isinstance(i, str) else self.constant(numpy.asarray(i)) for i in inputs]
        self.nodes.append(helper.make_node(op, inputs, names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def model(self):
        outputs = [helper.make_empty_tensor_value_info(name) for node in self.nodes for name in node.output]
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", FLOAT, self.shape)], outputs,
                                  self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)

    def __str__(self):
        return "; ".join(f"{n.op_type}-{self.opset} " + " ".join(
            f"{a.name}={helper.get_attribute_value(a)}" for a in n.attribute) for n in self.nodes) + " " + " ".join(
                str(numpy_helper.to_array(c).tolist()) for c in self.constants)

    def compare(self, size, troubles):
        """1 when ONNX Runtime runs the model, after comparing the shapes of all outputs."""
        symbols = {name: size + k for k, name in enumerate(s for s in self.shape if isinstance(s, str))}
        feed = {"name": "x", "type": "float32", "shape": [symbols.get(s, s) for s in self.shape]}
        with scratch() as folder:
            path = folder / "model.onnx"
            onnx.save(self.model(), str(path))
            answer = JUDGE.ask({"reference": str(path), "other": str(path), "inputs": [feed], "rounds": 1,
                                "stamp": str(path.stat().st_mtime_ns)})
            if not answer["ok"]:
                counts["could not run"] += 1
                return 0
            facts = {name: dims for name, _, dims in lines_of_facts(path)}
        for output in answer["outputs"]:
            trouble = self.difference(output, facts.get(output["name"]), symbols)
            troubles += [f"{self} at {size}: {trouble}"] if trouble else []
        return 1

    def difference(self, output, dims, symbols):
        if dims is None:
            return f"{output['name']} has unknown rank, and is {output['shape']}"
        counts["outputs compared"] += 1
        if len(dims) != len(output["shape"]):
            return f"{output['name']}: we say {dims}, it is {output['shape']}"
        for dim, extent in zip(dims, output["shape"]):
            counts["dims compared"] += 1
            counts["dims that are expressions"] += not dim.isdigit()
            if "?" in dim or evaluate(dim, symbols) != extent:
                return f"{output['name']}: we say {dims}, it is {output['shape']}"
        return None


def evaluate(text, symbols):
    """The number behind "2*floor((H + 1)/2)"."""
    names = {name: fractions.Fraction(number) for name, number in symbols.items()}
    text = re.sub(r"\b(\d+)\b", r"F(\1)", text.replace("^", "**"))
    functions = {"F": fractions.Fraction, "floor": math.floor, "ceil": math.ceil, "max": max, "min": min}
    return eval(text, {**functions, **names})


def ints(*numbers):
    return numpy.array(numbers, numpy.int64)


def floats(*numbers):
    return numpy.array(numbers, numpy.float32)


# ---- families: each adds nodes to a graph, with attributes drawn at random ----


def window(chance, pool):
    """Attributes of a window over two axes. Padding of a pool is smaller than its kernel."""
    kernel = [chance.randint(1, 4) for _ in range(2)]
    drawn = {"strides": [chance.randint(1, 5) for _ in range(2)], "kernel_shape": kernel}
    if chance.random() < 0.5:
        drawn["dilations"] = [chance.randint(1, 3) for _ in range(2)]
    padding = chance.choice(["pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID"])
    if padding == "pads":
        drawn["pads"] = [chance.randint(0, (k - 1) if pool else 3) for k in kernel * 2]
    else:
        drawn["auto_pad"] = padding
    return drawn


def pools(graph, chance):
    graph.shape, graph.opset = ("N", 3, "H", "W"), chance.choice([12, 19, 22])
    drawn = window(chance, True)
    if chance.random() < 0.6:
        drawn["ceil_mode"] = 1
    if "auto_pad" in drawn:  # runtimes forget the dilation when they choose the padding
        drawn.pop("dilations", None)
    op = chance.choice(["MaxPool", "AveragePool", "LpPool"])
    if op != "MaxPool" and graph.opset < 19:
        drawn.pop("dilations", None)
    if op == "LpPool" and graph.opset < 18:
        drawn.pop("ceil_mode", None)
    graph.node(op, "x", outputs=chance.choice([1, 2]) if op == "MaxPool" else 1, **drawn)


def convolutions(graph, chance):
    graph.shape = ("N", 4, "H", "W")
    drawn, group = window(chance, False), chance.choice([1, 2, 4])
    weight = numpy.ones([8, 4 // group, *drawn["kernel_shape"]], numpy.float32)
    graph.node("Conv", "x", weight, group=group, **drawn)


def transposed(graph, chance):
    graph.shape = ("N", 4, "H", "W")
    drawn, group = window(chance, False), chance.choice([1, 2])
    kernel = drawn["kernel_shape"]
    if "auto_pad" in drawn:  # where the window is smaller than the stride, definitions differ
        drawn["strides"] = [chance.randint(1, k) for k in kernel]
    if chance.random() < 0.3:
        drawn["output_padding"] = [chance.randint(0, s - 1) for s in drawn["strides"]]
    if chance.random() < 0.2:
        drawn["output_shape"] = [64, 66]
        drawn.pop("pads", None)
    graph.node("ConvTranspose", "x", numpy.ones([4, 3, *kernel], numpy.float32), group=group, **drawn)


def slices(graph, chance):
    graph.shape = ("N", 3, "H", "W")
    axes = chance.sample(range(4), chance.randint(1, 3))
    bounds = [[chance.choice([0, 1, 2, 5, -1, -2, -7, 30, 2**63 - 1, -2**63]) for _ in axes] for _ in range(2)]
    steps = [chance.choice([1, 1, 2, 3, -1, -2]) if graph.shape[a] == 3 else chance.choice([1, 1, 2, 3]) for a in axes]
    graph.node("Slice", "x", ints(*bounds[0]), ints(*bounds[1]), ints(*axes), ints(*steps))


def paddings(graph, chance):
    graph.shape, graph.opset = ("N", 3, "H"), chance.choice([11, 13, 18])
    mode = chance.choice(["constant", "edge", "reflect"])
    if graph.opset == 18:
        axes = chance.sample(range(3), 2)
        graph.node("Pad", "x", ints(*[chance.randint(-1, 1) for _ in range(4)]), "", ints(*axes), mode=mode)
    else:
        graph.node("Pad", "x", ints(*[chance.randint(-1, 1) for _ in range(6)]), mode=mode)


def resizes(graph, chance):
    graph.shape, graph.opset = (2, 3, "H", "W"), chance.choice([10, 11, 13, 18, 19])
    scales = [chance.choice([0.25, 0.5, 1.0, 1.5, 2.0, 3.0]) for _ in range(2)]
    if graph.opset == 10:
        graph.node("Resize", "x", floats(1, 1, *scales), mode="nearest")
    elif graph.opset >= 18 and chance.random() < 0.5:
        graph.node("Resize", "x", "", floats(*scales), mode="linear", axes=[2, 3])
    elif chance.random() < 0.3:
        graph.node("Resize", "x", "", "", ints(2, 3, 9, 11), mode="linear")
    else:
        graph.node("Resize", "x", "", floats(1, 1, *scales), mode="linear")


def resizes_of_numbers(graph, chance):
    """Scales that no float holds exactly, on extents that are numbers; and bounds that keep the ratio."""
    graph.shape, graph.opset = (2, 3, chance.randint(5, 60), chance.randint(5, 60)), chance.choice([11, 18])
    if graph.opset == 18 and chance.random() < 0.5:
        policy = chance.choice(["not_larger", "not_smaller", "stretch"])
        bounds = ints(chance.randint(4, 70), chance.randint(4, 70))
        graph.node("Resize", "x", "", "", bounds, mode="linear", axes=[2, 3], keep_aspect_ratio_policy=policy)
    else:
        scales = [chance.choice([0.1, 0.3, 0.6, 0.7, 1 / 3, 1.1, 1.3, 2.7, 1.7]) for _ in range(2)]
        graph.node("Resize", "x", "", floats(1, 1, *scales), mode="linear")


def upsamples(graph, chance):
    graph.shape, graph.opset = (2, 3, "H", "W"), chance.choice([7, 9])
    scales = [chance.choice([1.0, 1.5, 2.0, 3.0]) for _ in range(2)]
    if graph.opset == 7:
        graph.node("Upsample", "x", scales=[1.0, 1.0, *scales], mode="nearest")
    else:
        graph.node("Upsample", "x", floats(1, 1, *scales), mode="nearest")


def reshapes(graph, chance):
    graph.shape, graph.opset = ("N", 12, "H"), 14
    target = chance.choice([(0, -1), (-1,), (0, 3, 4, -1), (0, 0, -1), (-1, 0, 1), (0, 4, 3, 1, -1), (0, 0, 0),
                            (-1, 2, 6)])
    graph.node("Reshape", "x", ints(*target), allowzero=0)
    graph.node("Flatten", "x", axis=chance.randint(-3, 3))
    axes = sorted(chance.sample(range(5), 2))
    raised = graph.node("Unsqueeze", "x", ints(*axes))
    graph.node("Squeeze", raised, ints(*axes))
    order = chance.sample(range(3), 3)
    graph.node("Transpose", "x", perm=order)


def splits(graph, chance):
    graph.shape, graph.opset = ("N", 10, "H"), chance.choice([11, 13, 18])
    if graph.opset == 18:
        graph.node("Split", "x", axis=1, outputs=3, num_outputs=3)
        graph.node("Split", "x", axis=2, outputs=2, num_outputs=2)
    elif graph.opset == 13:
        graph.node("Split", "x", ints(1, 7, 2), axis=-2, outputs=3)
        graph.node("Split", "x", axis=1, outputs=5)
    else:
        graph.node("Split", "x", axis=1, outputs=2, split=[4, 6])
        graph.node("Split", "x", axis=1, outputs=5)


def selections(graph, chance):
    graph.shape = ("N", 10, "H")
    axis = chance.randint(-3, 2)
    graph.node("Gather", "x", numpy.zeros(chance.choice([(), (1,), (3,), (2, 3)]), numpy.int64), axis=axis)
    graph.node("TopK", "x", ints(chance.randint(1, 5)), axis=axis, outputs=2)
    graph.node("ArgMax", "x", axis=axis, keepdims=chance.randint(0, 1))
    graph.node("ReduceMean", "x", axes=sorted(chance.sample(range(3), 2)), keepdims=chance.randint(0, 1))
    graph.node("ReduceSum", "x", *([ints(axis)] if chance.random() < 0.7 else []), keepdims=chance.randint(0, 1))
    graph.node("GatherND", "x", numpy.zeros([2, 4, chance.randint(1, 3)], numpy.int64))
    indices = graph.node("Cast", graph.node("Clip", "x", floats(0)[0], floats(0)[0]), to=INT64)
    graph.node("GatherElements", "x", indices, axis=axis)
    graph.node("OneHot", indices, ints(7), floats(0, 1), axis=chance.randint(-4, 3))
    graph.node("Compress", "x", numpy.array([True, False, True]), axis=1)
    graph.node("Trilu", "x", upper=chance.randint(0, 1))
    graph.node("CumSum", "x", ints(axis)[0])


def copies(graph, chance):
    graph.shape = ("N", 1, "H")
    graph.node("Expand", "x", ints(*chance.choice([(5, 1), (1, 1, 1), (2, 1, 4, 1), (6, 1, 1, 1), (7, 1)])))
    graph.node("Tile", "x", ints(*[chance.randint(1, 3) for _ in range(3)]))
    graph.node("Concat", "x", "x", axis=chance.randint(-3, 2))
    graph.node("Add", "x", numpy.ones([4, 1, 5, 1], numpy.float32))
    shape = graph.node("Shape", "x")
    graph.node("ConstantOfShape", shape)
    graph.node("EyeLike", graph.node("Flatten", "x"), k=1)


def blocks(graph, chance):
    graph.shape, graph.opset = ("N", 24, 6, "H"), 13
    size = chance.choice([1, 2])
    graph.node("DepthToSpace", "x", blocksize=size, mode=chance.choice(["DCR", "CRD"]))
    graph.node("LRN", "x", size=3)
    graph.node("GlobalAveragePool", "x")
    graph.node("Hardmax", "x", axis=chance.randint(-4, 3))
    square = graph.node("MatMul", graph.node("Transpose", "x", perm=[0, 1, 3, 2]), "x")
    graph.node("Det", square)


def sizes(graph, chance):
    """How exporters compute the size of an interpolation: floats in between, rounded down."""
    graph.shape = (2, 3, "H", "W")
    shape, to = graph.node("Shape", "x"), []
    for axis in (2, 3):
        extent = graph.node("Cast", graph.node("Gather", shape, ints(axis)[0], axis=0), to=FLOAT)
        scale = chance.choice([0.5, 2.0, 1.5, 0.125, 3.0])
        if chance.random() < 0.3:
            extent = graph.node("Div", extent, floats(chance.choice([2, 4, 0.5]))[0])
        scaled = graph.node("Mul", *chance.sample([extent, floats(scale)[0]], 2))
        rounded = graph.node(chance.choice(["Floor", "Ceil", "Identity"]), scaled)
        whole = graph.node("Max", graph.node("Cast", rounded, to=INT64), ints(1)[0])
        to.append(graph.node("Unsqueeze", whole, ints(0)))
    front = graph.node("Slice", shape, ints(0), ints(2), ints(0))
    graph.node("Resize", "x", "", "", graph.node("Concat", front, *to, axis=0), mode="nearest")


def arithmetic(graph, chance):
    """Sizes computed with integers, used by Reshape, Expand, Slice and ConstantOfShape."""
    graph.shape = ("N", 6, "H")
    shape = graph.node("Shape", "x")
    n, h = (graph.node("Slice", shape, ints(k), ints(k + 1)) for k in (0, 2))
    total = graph.node("ReduceProd", shape, keepdims=1)
    graph.node("Reshape", "x", graph.node("Concat", n, ints(2), graph.node("Div", graph.node("Div", total, n), ints(2)),
                                          axis=0))
    by = chance.choice(["Add", "Sub", "Mul", "Max", "Min"])  # what may be negative is not divided
    odd = graph.node(by, h, ints(1 if by == "Sub" else chance.randint(1, 9)))
    quotient = graph.node(chance.choice(["Div", "Mod"]), odd, ints(chance.randint(1, 5)))
    graph.node("ConstantOfShape", graph.node("Concat", odd, quotient, graph.node("Abs", graph.node("Neg", n)), axis=0))
    graph.node("Slice", "x", ints(0), graph.node("Sub", h, ints(1)), ints(2))
    wanted = numpy.array([-1, 6, -1], numpy.int64)
    is_free = graph.node("Equal", wanted, ints(-1))
    graph.node("Expand", "x", graph.node("Where", is_free, numpy.ones(3, numpy.int64), wanted))
    graph.node("Range", ints(0)[0], graph.node("Squeeze", h, ints(0)), ints(chance.randint(1, 3))[0])
    grid = graph.node("Expand", graph.node("Unsqueeze", shape, ints(0)), ints(2, 1))
    graph.node("Reshape", "x", graph.node("ReduceMax", grid, axes=[0], keepdims=0))
    either = graph.node("Cast", graph.node("Greater", h, ints(0)), to=INT64)
    graph.node("ConstantOfShape", graph.node("Add", either, ints(1)))
    ones = graph.node("NonZero", numpy.array([0, 3, 0, 1, 1], numpy.int64))
    graph.node("Gather", "x", graph.node("Squeeze", ones, ints(0)), axis=1)


FAMILIES = {
    "pools": pools, "convolutions": convolutions, "transposed": transposed, "slices": slices, "paddings": paddings,
    "resizes": resizes, "resizes-of-numbers": resizes_of_numbers, "upsamples": upsamples, "reshapes": reshapes,
    "splits": splits, "selections": selections, "copies": copies, "blocks": blocks, "sizes": sizes,
    "arithmetic": arithmetic,
}
