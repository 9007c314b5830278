"""Equivalent models made without the program's help have the same canonical bytes; other models do not.

Disguises: names changed, nodes and initializers in another order, documentation and metadata, no-op and dead nodes,
duplicate constants, constants as nodes, swapped inputs of commutative operators, hidden units permuted by numpy.
"""

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue
from harness import canonical, check, check_same_bytes, scratch


def cases():
    for model in catalogue.small() + catalogue.from_npm():
        for name, disguise in DISGUISES.items():
            yield f"{model.label}/{name}", lambda model=model, disguise=disguise: same_canon(model, disguise)
    for name, weights in HIDDEN.items():
        yield f"permuted-by-numpy/{name}", lambda name=name, weights=weights: same_canon(
            catalogue.Model("hand_made", name, catalogue.made()[name]), lambda m, random: permute(m, random, weights))
    yield "not-equivalent/one-weight-moved", one_weight_moved


def same_canon(model, disguise):
    random = numpy.random.default_rng(99)
    changed = onnx.load(str(model.path))
    disguise(changed, random)
    with scratch() as folder:
        onnx.save(changed, str(folder / "disguised.onnx"))
        check((folder / "disguised.onnx").read_bytes() != model.path.read_bytes(), "the disguise changed nothing")
        plain = canonical(model.path, folder / "plain.onnx")
        check_same_bytes(plain, canonical(folder / "disguised.onnx", folder / "found.onnx"),
                         "canonical form of the model and of its disguise")


def graphs_of(model):
    """The main graph and all graphs inside it."""
    found, todo = [], [model.graph]
    while todo:
        graph = todo.pop()
        found.append(graph)
        todo += [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return found


def rename(model, random):
    """All names but those of the main graph's inputs and outputs."""
    interface = {value.name for value in [*model.graph.input, *model.graph.output]} | {""}
    numbers, names = iter(random.permutation(100_000)), {}

    def new(name):
        if name in interface:
            return name
        return names.setdefault(name, f"t{next(numbers)}")

    for graph in graphs_of(model):
        graph.name = f"g{next(numbers)}"
        for node in graph.node:
            node.name = f"n{next(numbers)}"
            node.input[:] = [new(name) for name in node.input]
            node.output[:] = [new(name) for name in node.output]
        for named in [*graph.initializer, *graph.value_info, *graph.input, *graph.output]:
            named.name = new(named.name)


def reorder(model, random):
    """Initializers and value infos shuffled; nodes in a random order that still defines before use."""
    for graph in graphs_of(model):
        for repeated in (graph.initializer, graph.value_info):
            shuffled = [repeated[i] for i in random.permutation(len(repeated))]
            copies = [type(item).FromString(item.SerializeToString()) for item in shuffled]
            del repeated[:]
            repeated.extend(copies)
        nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
        made_here = {name for node in nodes for name in node.output if name}
        done, ordered = set(), []
        while nodes:
            ready = [i for i, node in enumerate(nodes) if not (reads(node) & made_here) - done]
            node = nodes.pop(ready[random.integers(len(ready))])
            done |= set(node.output)
            ordered.append(node)
        del graph.node[:]
        graph.node.extend(ordered)


def reads(node):
    """Names that a node reads, graphs inside it included."""
    names = set(node.input) - {""}
    for attribute in node.attribute:
        if attribute.HasField("g"):
            for inner in attribute.g.node:
                names |= reads(inner)
            names |= {value.name for value in attribute.g.output}
    return names


def annotate(model, random):
    """Documentation, metadata and producer."""
    model.producer_name, model.producer_version, model.doc_string = "someone else", "9.9", "A model."
    helper.set_model_props(model, {"note": "made for a test"})
    model.graph.doc_string = "The graph."
    for node in model.graph.node:
        node.doc_string = f"line {random.integers(1000)}"


def add_idle_nodes(model, random):
    """An Identity behind some nodes, and nodes and initializers nobody reads."""
    graph = model.graph
    outputs = {value.name for value in graph.output}
    behind = {}
    for node in list(graph.node):
        for i, name in enumerate(node.input):
            if name in behind and not any(a.HasField("g") for a in node.attribute):
                node.input[i] = behind[name]
        if node.output[0] not in outputs and random.random() < 0.4 and node.op_type != "Constant":
            behind[node.output[0]] = f"{node.output[0]}_again"
    nodes = []
    for node in graph.node:
        nodes.append(node)
        if node.output[0] in behind:
            nodes.append(helper.make_node("Identity", [node.output[0]], [behind[node.output[0]]]))
    first_input = graph.input[0].name
    nodes.insert(0, helper.make_node("Identity", [first_input], ["nobody_reads_this"]))
    nodes.append(helper.make_node("Identity", ["nobody_reads_this"], ["nor_this"]))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    if model.ir_version >= 4:  # before, every initializer was part of the interface
        graph.initializer.append(numpy_helper.from_array(numpy.ones(3, dtype=numpy.float32), "unread"))


def split_shared(model, _random):
    """Every use of an initializer by a node of the main graph gets a copy of its own."""
    graph = model.graph
    declared = {value.name for value in graph.input}
    tensors = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in declared}
    for number, node in enumerate(graph.node):
        for i, name in enumerate(node.input):
            if name in tensors:
                copy = graph.initializer.add()
                copy.CopyFrom(tensors[name])
                copy.name = node.input[i] = f"{name}_copy_{number}_{i}"
    graph.doc_string = "nothing is shared"


def constants_as_nodes(model, _random):
    """Initializers of the main graph become Constant nodes, typed data where they were raw."""
    graph = model.graph
    declared = {value.name for value in graph.input}
    moved = [tensor for tensor in graph.initializer if tensor.name not in declared]
    nodes = [helper.make_node("Constant", [], [tensor.name], value=retyped(tensor)) for tensor in moved]
    for tensor in moved:
        graph.initializer.remove(tensor)
    rest = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes + rest)
    graph.doc_string = f"{len(moved)} constants"


def retyped(tensor):
    if tensor.data_type == onnx.TensorProto.FLOAT and tensor.raw_data:
        values = numpy_helper.to_array(tensor)
        return helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, values.ravel().tolist())
    return tensor


def swap_commutative(model, _random):
    """Inputs of Add and Mul the other way round."""
    swapped = 0
    for graph in graphs_of(model):
        for node in graph.node:
            if node.op_type in ("Add", "Mul", "Max") and node.domain == "" and len(node.input) == 2:
                node.input[:] = [node.input[1], node.input[0]]
                swapped += 1
    model.graph.doc_string = f"{swapped} swapped"


def move_nested(model, random):
    """Initializers of nested graphs go to the main graph; what only one nested graph reads goes there."""
    main, *nested = graphs_of(model)
    declared = {value.name for graph in graphs_of(model) for value in [*graph.input, *graph.output]}
    moves = []
    for graph in nested:
        moves += [(tensor, graph, main) for tensor in graph.initializer if tensor.name not in declared]
    for tensor in main.initializer:
        readers = [graph for graph in graphs_of(model) if any(tensor.name in node.input for node in graph.node)]
        if len(readers) == 1 and readers[0] is not main and tensor.name not in declared:
            moves.append((tensor, main, readers[0]))
    for tensor, source, target in moves:
        number = random.integers(1 << 40)
        copy = target.initializer.add()
        copy.CopyFrom(tensor)
        copy.name = f"{tensor.name}_moved_{number}"
        rename_reads(source if source is not main else target, tensor.name, copy.name)
        source.initializer.remove(tensor)
    model.graph.doc_string = f"{len(moves)} moved"


def rename_reads(graph, old, new):
    """In the nodes of a graph and of the graphs inside it."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                rename_reads(attribute.g, old, new)


def everything(model, random):
    for disguise in (move_nested, split_shared, add_idle_nodes, swap_commutative, rename, reorder, annotate):
        disguise(model, random)


DISGUISES = {
    "renamed": rename, "reordered": reorder, "annotated": annotate, "idle-nodes": add_idle_nodes,
    "shared-constants-split": split_shared, "constants-as-nodes": constants_as_nodes,
    "nested-initializers-moved": move_nested, "commutative-swapped": swap_commutative, "all-at-once": everything,
}

# Which axes of which initializers one hidden layer's units are on, for models whose layers are plain to see.
HIDDEN = {
    "mlp_3_4_3_2": [[("c0", 0), ("c1", 0), ("c2", 1)], [("c2", 0), ("c3", 0), ("c4", 1)]],
    "mlp_shallow_128": [[("c0", 0), ("c1", 0), ("c2", 1)]],
    "mlp_siamese": [[("c0", 0), ("c2", 0), ("c1", 1)]],
    "mlp_tied_autoencoder": [[("c0", 0), ("c1", 0)]],
    "mlp_square_tied_to_itself": [[("c0", 0), ("c1", 0), ("c2", 0), ("c2", 1), ("c3", 1)]],
    "conv_depthwise": [[("c0", 0), ("c1", 0), ("c2", 0), ("c3", 0), ("c6", 1)]],
    "mlp_prelu": [[("c0", 0), ("c1", 0), ("c2", 0), ("c3", 1)]],
}


def permute(model, random, layers):
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for places in layers:
        extent = tensors[places[0][0]].dims[places[0][1]]
        order = random.permutation(extent)
        for name, axis in places:
            values = numpy.take(numpy_helper.to_array(tensors[name]), order, axis=axis)
            tensors[name].CopyFrom(numpy_helper.from_array(values, name))


def one_weight_moved(seed=4):
    """Rows of one matrix permuted without its bias: another function, so another canonical form."""
    path = catalogue.made()["mlp_3_4_3_2"]
    changed = onnx.load(str(path))
    permute(changed, numpy.random.default_rng(seed), [[("c0", 0)]])
    with scratch() as folder:
        onnx.save(changed, str(folder / "changed.onnx"))
        first = canonical(path, folder / "a.onnx").read_bytes()
        second = canonical(folder / "changed.onnx", folder / "b.onnx").read_bytes()
        check(first != second, "two different functions have one canonical form")
