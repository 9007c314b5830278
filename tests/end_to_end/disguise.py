"""Equivalent models made without the program's help have the same canonical bytes and digest; other models do not.

Disguises: names changed, nodes and initializers in other orders, documentation and metadata and declared types added and
removed, no-op nodes and pairs of nodes, dead nodes, duplicate constants, constants as nodes, typed fields, external data,
swapped inputs of commutative operators, hidden units permuted by numpy. Every model of everywhere.py gets each of them,
and all at once. (That something changes where something has to: changes.py.)
"""

import functools

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue
import everywhere
from harness import CannotRun, Failure, canonical, check, check_same_form, run, scratch


def cases():
    for model in everywhere.models():
        yield f"{model.label}/disguises", functools.partial(all_disguises, model)
    for name, weights in HIDDEN.items():
        yield f"permuted-by-numpy/{name}", functools.partial(permuted_by_numpy, catalogue.made()[name], weights)
    yield "not-equivalent/one-weight-moved", one_weight_moved


def all_disguises(model):
    """The digest of the model in each disguise; where it has none, and for the last, the whole form."""
    with model.ready() as path, scratch(6 * path.stat().st_size) as folder:
        everywhere.can_be_edited(path)
        plain = canonical(path, folder / "plain.onnx")
        digest = run("hash", "--quiet", path)
        content, seen, too_large = path.read_bytes(), [], []
        for name, disguise in DISGUISES.items():
            if name not in FOR_LARGE and path.stat().st_size > LARGE and not everywhere.LONG:
                continue
            try:
                same_canon(path, disguise, plain, digest if name != "all-at-once" else None, folder)
            except TooLarge:
                too_large.append(name)
            except Failure as failure:
                seen.append(f"{name}: {failure}")
        check(path.read_bytes() == content, "the test changed its model")
        check(not seen, "; ".join(seen))
        if too_large:
            raise CannotRun(f"{', '.join(too_large)}: of 2 GiB or more, which the library that makes them does not write")


class TooLarge(Exception):
    pass


def same_canon(path, disguise, plain, digest, folder):
    """One disguise. `digest` is what hash said of the model; without it, or when hash refused, forms are compared."""
    changed = onnx.load(str(path))
    location = disguise(changed, numpy.random.default_rng(99))
    where = folder / "disguised.onnx"
    if location == EXTERNAL:
        onnx.save(changed, str(where), save_as_external_data=True, location="weights.data", size_threshold=0)
    else:
        save(changed, where)
    if digest is not None and digest.status == 0:
        found = run("hash", "--quiet", where)
        check(found.output == digest.output, f"another digest ({found.explain()})")
    else:
        check_same_form(plain, where, "canonical form of the model and of its disguise")
    where.unlink()
    (folder / "weights.data").unlink(missing_ok=True)


def save(model, where):
    try:
        onnx.save(model, str(where))
    except ValueError as error:
        if "maximum protobuf size" not in str(error):
            raise
        raise TooLarge from error


def permuted_by_numpy(path, layers):
    with scratch() as folder:
        plain = canonical(path, folder / "plain.onnx")
        same_canon(path, lambda model, random: permute(model, random, layers), plain, None, folder)


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
        del graph.node[:]
        graph.node.extend(nodes[i] for i in topological_order([reads(node) for node in nodes],
                                                              [set(node.output) - {""} for node in nodes], random))


def topological_order(read, made, random):
    """Numbers of nodes in a random order in which each comes after those that make what it reads."""
    maker = {name: i for i, names in enumerate(made) for name in names}
    behind, missing = [[] for _ in made], []
    for i, names in enumerate(read):
        before = {maker[name] for name in names if name in maker}
        missing.append(len(before))
        for k in before:
            behind[k].append(i)
    ready, ordered = [i for i, count in enumerate(missing) if count == 0], []
    while ready:
        ordered.append(ready.pop(random.integers(len(ready))))
        for i in behind[ordered[-1]]:
            missing[i] -= 1
            if missing[i] == 0:
                ready.append(i)
    check(len(ordered) == len(made), "the nodes of the model have no order")
    return ordered


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
    """Every use of an initializer by a node of the main graph has one of its own; the first keeps the name."""
    graph = model.graph
    declared = {value.name for value in graph.input}
    tensors = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in declared}
    used = set().union(*[reads(node) - set(node.input) for node in graph.node])  # by graphs inside, which are left alone
    for number, node in enumerate(graph.node):
        for i, name in enumerate(node.input):
            if name in tensors and name in used:
                copy = graph.initializer.add()
                copy.CopyFrom(tensors[name])
                copy.name = node.input[i] = f"{name}_copy_{number}_{i}"
            used.add(name)
    graph.doc_string = "nothing is shared"


def constants_as_nodes(model, _random):
    """Initializers of the main graph become Constant nodes, typed data where they were raw."""
    graph = model.graph
    declared = {value.name for value in graph.input}
    moved = [tensor for tensor in graph.initializer if tensor.name not in declared]
    nodes = [helper.make_node("Constant", [], [tensor.name], value=retyped(tensor)) for tensor in moved]
    kept = [onnx.TensorProto.FromString(t.SerializeToString()) for t in graph.initializer if t.name in declared]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    rest = [onnx.NodeProto.FromString(node.SerializeToString()) for node in graph.node]
    del graph.node[:]
    graph.node.extend(nodes + rest)
    graph.doc_string = f"{len(nodes)} constants"


def retyped(tensor):
    if tensor.data_type == onnx.TensorProto.FLOAT and tensor.raw_data:
        values = numpy_helper.to_array(tensor)
        return helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, values.ravel().tolist())
    return tensor


COMMUTATIVE = ("Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal", "Max", "Mean", "Min", "Mul", "Or", "Sum",
               "Xor")


def swap_commutative(model, _random):
    """Inputs of commutative operators the other way round."""
    for graph in graphs_of(model):
        for node in graph.node:
            old = any(attribute.name == "broadcast" for attribute in node.attribute)
            if node.op_type in COMMUTATIVE and node.domain == "" and not old:
                node.input[:] = list(node.input)[::-1]


def typed_fields(model, _random):
    """The elements of all tensors in fields of their types instead of bytes."""
    for graph in graphs_of(model):
        for tensor in graph.initializer:
            values = numpy_helper.to_array(tensor)
            field, kind = TYPED.get(tensor.data_type, (None, None))
            if field is not None:
                tensor.ClearField("raw_data")
                del getattr(tensor, field)[:]
                getattr(tensor, field).extend(values.ravel().view(kind) if kind else values.ravel())


TYPED = {onnx.TensorProto.FLOAT: ("float_data", None), onnx.TensorProto.DOUBLE: ("double_data", None),
         onnx.TensorProto.INT64: ("int64_data", None), onnx.TensorProto.INT32: ("int32_data", None),
         onnx.TensorProto.INT8: ("int32_data", None), onnx.TensorProto.UINT8: ("int32_data", None),
         onnx.TensorProto.BOOL: ("int32_data", None), onnx.TensorProto.FLOAT16: ("int32_data", numpy.uint16)}


def raw_data(model, _random):
    """The elements of all tensors as bytes."""
    for graph in graphs_of(model):
        for tensor in graph.initializer:
            if tensor.data_type in TYPED and not tensor.external_data:
                tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))


EXTERNAL = "external"


def external(_model, _random):
    return EXTERNAL


def without_notes(model, _random):
    """Documentation, metadata and declared types removed."""
    for field in ("doc_string", "producer_name", "producer_version", "metadata_props"):
        model.ClearField(field)
    for graph in graphs_of(model):
        graph.ClearField("doc_string")
        graph.ClearField("value_info")
        for node in graph.node:
            node.ClearField("doc_string")


def declared_types(model, _random):
    """Types of inner values, as onnx infers them."""
    inferred = typed_values(model)
    known = {info.name for info in model.graph.value_info}
    model.graph.value_info.extend(info for name, info in inferred.items() if name not in known)


def typed_values(model):
    """{name: type as onnx infers it} of the inner values of the main graph."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for tensor in bare.graph.initializer:
        if numpy.prod(tensor.dims) > 1024:  # what is no shape need not be copied
            bare.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    small = [tensor for tensor in bare.graph.initializer if numpy.prod(tensor.dims) <= 1024]
    del bare.graph.initializer[:]
    bare.graph.initializer.extend(small)
    try:
        return {info.name: info for info in onnx.shape_inference.infer_shapes(bare).graph.value_info}
    except (onnx.shape_inference.InferenceError, ValueError):
        return {}


def add_pairs(model, random):
    """Behind some values, nodes of which the second takes back what the first does: Transpose, Reshape, Cast, Squeeze."""
    graph, types = model.graph, typed_values(model)
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    nodes, renamed = [], {}
    for node in graph.node:
        if not any(attribute.HasField("g") for attribute in node.attribute):
            node.input[:] = [renamed.get(name, name) for name in node.input]
        nodes.append(node)
        name = node.output[0]
        tensor = types[name].type.tensor_type if name in types else None
        plain = tensor is not None and tensor.HasField("shape") and tensor.elem_type == onnx.TensorProto.FLOAT
        if plain and node.op_type != "Constant" and random.random() < 0.3 and version >= 6:
            renamed[name] = f"{name}/and_back"
            nodes += pair(random, name, renamed[name], len(tensor.shape.dim), version)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def pair(random, name, new, rank, version):
    """Nodes that make `new`, which is `name` again."""
    there, number = f"{name}/there", f"{name}/number"
    make, float_, double = helper.make_node, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
    shape = make("Shape", [name], [f"{name}/shape"])
    kind = random.integers(5) if rank > 1 else 3
    if kind == 0:
        order = random.permutation(rank)
        return [make("Transpose", [name], [there], perm=order.tolist()),
                make("Transpose", [there], [new], perm=numpy.argsort(order).tolist())]
    if kind == 1:
        return [shape, one_number(number, -1), make("Reshape", [name, number], [there]),
                make("Reshape", [there, f"{name}/shape"], [new])]
    if kind == 2 and version >= 13:
        return [one_number(number, 1), make("Unsqueeze", [name, number], [there]), make("Squeeze", [there, number], [new])]
    if kind == 4:
        return [shape, make("Reshape", [name, f"{name}/shape"], [there]), make("Cast", [there], [new], to=float_)]
    return [make("Cast", [name], [there], to=double), make("Cast", [there], [new], to=float_)]


def one_number(name, value):
    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, onnx.TensorProto.INT64, [1], [value]))


def move_nested(model, random):
    """Initializers of nested graphs go to the main graph; what only one nested graph reads goes there."""
    main, *nested = graphs_of(model)
    declared = {value.name for graph in graphs_of(model) for value in [*graph.input, *graph.output]}
    moves = []
    for graph in nested:
        moves += [(tensor, graph, main) for tensor in graph.initializer if tensor.name not in declared]
    read = [(graph, {name for node in graph.node for name in node.input}) for graph in graphs_of(model)]
    for tensor in main.initializer:
        readers = [graph for graph, names in read if tensor.name in names]
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


def with_pairs(model, random):
    raw_data(model, random)
    add_pairs(model, random)
    everything(model, random)
    constants_as_nodes(model, random)
    declared_types(model, random)


def again(disguise, seed):
    return lambda model, _random: disguise(model, numpy.random.default_rng(seed))


DISGUISES = {
    "renamed": rename, "reordered": reorder, **{f"reordered-{seed}": again(reorder, seed) for seed in (1, 2, 3)},
    "annotated": annotate, "without-notes": without_notes, "declared-types": declared_types, "idle-nodes": add_idle_nodes,
    "pairs": add_pairs, **{f"pairs-{seed}": again(add_pairs, seed) for seed in (1, 2)},
    "shared-constants-split": split_shared, "constants-as-nodes": constants_as_nodes, "typed-fields": typed_fields,
    "raw-data": raw_data, "external": external, "nested-initializers-moved": move_nested,
    "commutative-swapped": swap_commutative, "everything": everything, "all-at-once": with_pairs,
}

LARGE = 1e6  # bytes of a model that only gets these, in the tests of every change
FOR_LARGE = ("pairs", "external", "all-at-once")

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
