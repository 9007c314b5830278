"""`symmetry --explain`: chains of nodes that can be followed in the graph.

Every chain is checked against the model itself, read by python3-onnx: each step's node reads or makes (or its nested
graph or function is given or gives) the values it comes and goes by, consecutive steps share a value at the same axis
and position, a chain starts at the axis that was asked for, and the chain of a pinned axis ends with the reason that the
report gives. What the tree of a free axis ties is what the report says moves together.
"""

import onnx

import catalogue
import operators
from harness import Failure, check, check_equal, run_json

AXES = 14  # of one model that are explained, spread over its classes

# Facts about a group as a whole, which no node states.
WITHOUT_CHAIN = ("no other position plays the same part", "cuts across other blocks")

# What pins an axis, worked out by hand: (model, axis, operators of the chain; None is the graph itself, words of its end).
PINNED = (
    ("vgg11_bn.preserve", "features.0.weight:1", ["Conv", None], 'graph input "input"'),
    ("vgg11_bn.preserve", "classifier.6.bias:0", ["Gemm", None], 'graph output "output"'),
    ("vgg11_bn.preserve", "features.4.weight:-1", ["Conv"], "kernel offsets of Conv "),
    ("conv_argmax", "c2:0", ["Conv", "Relu", "ArgMax"], "reported positions of ArgMax "),
    ("unknown_operator", "c2:0", ["Gemm", "Relu", "Mystery"], "operator without a rule: input of Mystery "),
    ("unknown_operator", "c4:1", ["Gemm"], 'unknown shape of input "v4_0" of Gemm '),
    ("embedding", "c0:0", ["Gather"], "positions looked up by data of Gather "),
    ("local_function", "c0:0", ["Dense", "MatMul", "Dense", None], 'graph input "x"'),
)

# What ties two axes: (model, the axes, operators of the chain).
TIED = (
    ("resnet18.preserve", "layer1.1.conv2.weight:0", "conv1.weight:0",
     ["Conv", "BatchNormalization", "Add", "Relu", "Add", "MaxPool", "Relu", "BatchNormalization", "Conv"]),
    ("conv_grouped", "c0:0", "c2:1", ["Conv", "Relu", "Conv"]),
    ("branch", "c0:0", "no_w:0", ["Gemm", "Relu", "MatMul"]),
    ("loop", "c0:0", "c2:0", ["Gemm", "Loop", "MatMul"]),
    ("loop", "c0:0", "c2:1", ["Gemm", "Loop", "Tanh", "MatMul"]),
    ("local_function", "c0:1", "c2:0", ["Dense", "Dense", "MatMul", "Dense"]),
)


def cases():
    for model in catalogue.small() + catalogue.exported():
        yield f"{model.label}/chains", lambda model=model: chains(model.path)
    for name, axis, chain, end in PINNED:
        yield f"pinned/{name}/{axis}", lambda n=name, a=axis, c=chain, e=end: is_pinned(n, a, c, e)
    for name, one, other, chain in TIED:
        yield f"tied/{name}/{one}={other}", lambda n=name, a=one, b=other, c=chain: are_tied(n, a, b, c)
    yield "not-tied", are_not_tied
    yield "notes", tell_positions_apart
    for name in operators.models.MODELS:
        yield f"operators/{name}/chains", lambda name=name: chains(operators.made(name))


# ---- the graph ----


class Graph:
    """What the nodes of a model, nested ones and those of functions included, have to do with which values."""

    def __init__(self, path):
        self.model = onnx.load(str(path), load_external_data=False)
        self.functions = {(f.domain, f.name): f for f in self.model.functions}
        self.nodes = {}  # (label, operator): sets of names of values, one for each such node
        self.stored = set()
        for holder in (self.model.graph, *self.model.functions):
            self.collect(holder.node)
            self.stored |= set(names_stored(holder))
        self.inputs = {value.name for value in self.model.graph.input}
        self.outputs = {value.name for value in self.model.graph.output}

    def collect(self, nodes):
        for index, node in enumerate(nodes):
            label = node.name or f"#{index} {node.op_type}"
            self.nodes.setdefault((label, node.op_type), []).append(self.values(node))
            for body in bodies(node):
                self.collect(body.node)

    def values(self, node):
        """What a node touches: for one with nested graphs, also what they are given, give, and read from outside."""
        touched = set(node.input) | set(node.output)
        for body in bodies(node):
            touched |= {value.name for value in (*body.input, *body.output)}
            for inner in body.node:
                touched |= self.values(inner) - set(inner.output)
        function = self.functions.get((node.domain, node.op_type))
        if function is not None:
            touched |= set(function.input) | set(function.output)
        return touched - {""}

    def touches(self, step, names):
        return any(names <= touched for touched in self.nodes.get((step["node"], step["op_type"]), []))


def bodies(node):
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def tensor_of(axis):
    return axis.rpartition(":")[0]


# ---- one model ----


def chains(path):
    graph, report = Graph(path), run_json("symmetry", path)
    chosen = choose(report["classes"])
    check(chosen, "the model has no parameter axis")
    for name in chosen:
        try:
            explanation = run_json("symmetry", path, "--explain", name)
            check_equal(explanation["axis"], name, "axis")
            for part in explanation["parts"]:
                follow(graph, name, part)
                agrees(report["classes"], name, part)
        except Failure as failure:
            raise Failure(f"--explain {name}: {failure}") from None


def choose(classes):
    """Axes of as many classes as possible, first ones and last ones of each."""
    axes = []
    for pick in (0, -1):
        for entry in classes:
            if entry["parameters"]:
                parameter = entry["parameters"][pick]
                axes.append(f"{parameter['tensor']}:{parameter['axis']}")
    axes = list(dict.fromkeys(axes))
    return axes[::max(1, len(axes) // AXES)]


def follow(graph, axis, part):
    """Walks along every branch of a chain."""
    steps = part["chain"]
    for number, step in enumerate(steps):
        place = f"step {number} ({step['op_type']} {step['node']})"
        check(step["after"] is None or step["after"] < number, f"{place} comes before what it follows on from")
        if step["after"] is None:
            check_equal((step["from"], step["from_position"]), (axis, part["first"]), f"{place} starts")
        else:
            before = steps[step["after"]]
            check(before["to"] is not None, f"{place} follows on from a step without a value")
            check_equal((step["from"], step["from_position"]), (before["to"], before["to_position"]), f"{place} starts")
        check(step["says"], f"{place} says nothing")
        check_equal(step["ties"], step["to"] is not None and tensor_of(step["to"]) in graph.stored, f"{place} ties")
        if step["node"] is None:
            check(tensor_of(step["from"]) in graph.inputs | graph.outputs | graph.stored,
                  f"{place} is no value of the graph's own")
            check_equal(step["to"], None, f"{place} leads to")
            continue
        names = {tensor_of(end) for end in (step["from"], step["to"]) if end is not None}
        check(graph.touches(step, names), f"{place} does not touch all of {sorted(names)}")
    ends = [step for step in steps if step["to"] is None]
    if ends:
        check_equal(ends, steps[-1:], "steps that lead nowhere")


def names_stored(holder):
    """What a graph or a function stores, and what the graphs nested in it store."""
    yield from (tensor.name for tensor in getattr(holder, "initializer", ()))
    for node in holder.node:
        if node.op_type == "Constant":
            yield node.output[0]
        for body in bodies(node):
            yield from names_stored(body)


def agrees(classes, axis, part):
    """What a part says is what the report says."""
    holding = [entry for entry in classes if axis in axes_of(entry)]
    if part["pinned_by"] is not None:
        check(part["pinned_by"] in {entry["pinned_by"] for entry in holding},
              f"pinned by {part['pinned_by']}, but not in the report")
        if part["pinned_by"] not in WITHOUT_CHAIN:
            check(part["chain"], f"no chain leads to what pins it: {part['pinned_by']}")
            check_equal(part["chain"][-1]["to"], None, "the end of the chain leads to")
            check_equal(part["chain"][-1]["says"], part["pinned_by"], "the end of the chain")
        return
    found = [entry for entry in holding if (entry["name"], entry["group"]) == (part["class"], part["group"])]
    check(found, f"class {part['class']} with group {part['group']} is not in the report")
    entry = found[0]
    tied = {step["to"] for step in part["chain"] if step["ties"]} | {axis}
    check_equal(sorted(tied), sorted(axes_of(entry)), "what moves together")


# ---- chains that were worked out by hand ----


def one_part(explanation):
    check_equal(len(explanation["parts"]), 1, "parts")
    return explanation["parts"][0]


def is_pinned(name, axis, chain, end):
    path = catalogue.made()[name]
    explanation = run_json("symmetry", path, "--explain", axis)
    part = one_part(explanation)
    check(not part["free"], "it is free")
    check_equal([step["op_type"] for step in part["chain"]], chain, "chain")
    check(part["pinned_by"].startswith(end), f"pinned by {part['pinned_by']}")
    follow(Graph(path), explanation["axis"], part)


def are_tied(name, one, other, chain):
    path = catalogue.made()[name]
    explanation = run_json("symmetry", path, "--explain", one, "--explain", other)
    check(explanation["tied"], explanation["says"])
    part = one_part(explanation)
    check_equal([step["op_type"] for step in part["chain"]], chain, "chain")
    check_equal(part["chain"][-1]["to"], other, "the end of the chain")
    follow(Graph(path), one, part)


def are_not_tied():
    path = catalogue.made()["resnet18.preserve"]
    explanation = run_json("symmetry", path, "--explain", "conv1.weight:0", "--explain", "layer2.0.conv1.weight:0")
    check_equal((explanation["tied"], explanation["parts"]), (False, []), "tied")


def tell_positions_apart():
    """Of eight channels three go one way and five another."""
    parts = run_json("symmetry", catalogue.made()["conv_split"], "--explain", "c0:0")["parts"]
    check_equal([(part["first"], part["count"], part["group"], part["class"]) for part in parts],
                [(0, 3, "S_3", "c0:0"), (3, 5, "S_5", "c0:0[3]")], "parts")
    check_equal(parts[0]["notes"], ["position 0 occurs on c3:1 and position 3 does not"], "notes")


def axes_of(entry):
    return {f"{parameter['tensor']}:{parameter['axis']}" for parameter in entry["parameters"]}
