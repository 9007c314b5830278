"""Inferred shapes, dimension by dimension, against python3-onnx's inference and against the shapes of example outputs.

Every model is taken twice: with the shapes that it declares for anything but its inputs removed, so that they have to
be inferred; and, where it comes with example data, with all inputs but the first made constants besides, so that
shapes, axes, sizes and repeats are known to both sides. Wherever onnx knows a number we have to know the same one; and
no number of ours may differ from the shape of an example output.
"""

import collections
import subprocess

import onnx

import catalogue
from harness import SANITIZED_TOOL, TIME_LIMIT, CannotRun, Failure, check, scratch

# Built together with the unit tests.
FACTS = SANITIZED_TOOL.parent.parent / "tests/unit/facts_tool"

# (model, value) -> why onnx's numbers for it are not the truth. The model's example output has to agree with us.
ONNX_IS_WRONG = {
    ("test_stft", "output"): "python3-onnx 1.12 counts all frequencies, but an STFT is onesided by default",
    ("test_stft_with_window", "output"): "python3-onnx 1.12 counts all frequencies, but an STFT is onesided by default",
}
# (model, value) or operator -> why we do not know what onnx knows.
SEQUENCES = "sequences that somebody else made, and optionals, are not followed"
UNKNOWN_TO_US = {
    "SequenceLength": SEQUENCES, "SequenceAt": SEQUENCES,
    "OptionalHasElement": SEQUENCES, "OptionalGetElement": SEQUENCES,
    ("test_scan_sum", "y"): "Scan 8, which scans batches, pins everything",
    ("test_scan_sum", "z"): "Scan 8, which scans batches, pins everything",
    ("test_loop11", "res_scan"): "what a Loop carries may change its extents; onnx believes what the body declares",
}
LEAST = {"models": 2100, "values": 17000, "dims": 26000, "example dims we know": 2800}

counts = collections.Counter()
needed = set()  # entries of the two tables that were


def cases():
    if not FACTS.exists():
        raise CannotRun(f"{FACTS} is not built")
    for path in catalogue.testdata():
        name = path.parent.name
        yield f"testdata/{name}", lambda path=path: declared_by_none(path)
        if (path.parent / "test_data_set_0").exists():
            yield f"testdata/{name}/constants", lambda path=path: constants(path)
    for model in catalogue.samples() + catalogue.exported():
        yield model.label, lambda model=model: declared_by_none(model.path)
    yield "enough-compared", enough


def enough():
    print("shapes: " + ", ".join(f"{count} {what}" for what, count in counts.items()), flush=True)
    for what, least in LEAST.items():
        check(counts[what] >= least, f"only {counts[what]} {what} compared")
    useless = [entry for entry in [*ONNX_IS_WRONG, *UNKNOWN_TO_US] if entry not in needed]
    check(not useless, f"listed for nothing: {useless}")


# ---- what others know ----


def undeclared(model):
    """The model without the shapes that it declares for what nodes compute."""
    given = {value.name for value in model.graph.input}
    del model.graph.value_info[:]
    for value in model.graph.output:
        if value.name not in given:
            forget_shape(value.type)
    return model


def forget_shape(type_):
    if type_.HasField("tensor_type"):
        type_.tensor_type.ClearField("shape")
    elif type_.HasField("sequence_type"):
        forget_shape(type_.sequence_type.elem_type)
    elif type_.HasField("optional_type"):
        forget_shape(type_.optional_type.elem_type)


def inferred(model):
    """{value: (type, dims or None)} that onnx infers for values that nodes compute; a dim is a number or None."""
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except onnx.shape_inference.InferenceError:
        raise CannotRun("python3-onnx's inference refuses the model") from None
    known = {}
    for value in list(graph.value_info) + list(graph.output):
        if value.type.HasField("tensor_type"):
            known[value.name] = plain_type(value.type.tensor_type)
    return known


def plain_type(tensor):
    if not tensor.HasField("shape"):
        return tensor.elem_type, None
    return tensor.elem_type, [d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim]


def examples(folder, model):
    """{output: shape} of the first example data set, for outputs that are tensors."""
    shapes = {}
    for index, value in enumerate(model.graph.output):
        data = folder / f"output_{index}.pb"
        if value.type.HasField("tensor_type") and data.exists():
            shapes[value.name] = list(onnx.TensorProto.FromString(data.read_bytes()).dims)
    return shapes


def make_constants(model, folder):
    """All inputs but the first become initializers, with the first data set's values."""
    for index, value in list(enumerate(model.graph.input))[1:]:
        data = folder / f"input_{index}.pb"
        if value.type.HasField("tensor_type") and data.exists():
            tensor = onnx.TensorProto.FromString(data.read_bytes())
            tensor.name = value.name
            model.graph.initializer.append(tensor)
            model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, 4)  # before, initializers had to be inputs


# ---- what we know ----


def lines_of_facts(path):
    """(value, type, dims as texts or None) of every value of the main graph."""
    try:
        run = subprocess.run([FACTS, path], capture_output=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise Failure(f"facts_tool took more than {TIME_LIMIT} s") from None
    errors = run.stderr.decode(errors="replace").strip()
    check(run.returncode == 0 and not errors, f"facts_tool: {errors[-400:]}")
    for line in run.stdout.decode(errors="replace").splitlines():
        name, type_, rank, *dims = line.split("\t")
        yield name, int(type_), None if rank == "-" else dims


def our_facts(path):
    """{value: (type, dims or None)}, dims as numbers where they are, else None."""
    return {name: (type_, None if dims is None else [number(dim) for dim in dims])
            for name, type_, dims in lines_of_facts(path)}


def number(text):
    return int(text) if text.lstrip("-").isdigit() else None


# ---- the comparison ----


def declared_by_none(path):
    model = undeclared(onnx.load(str(path)))
    agree(path, model)


def constants(path):
    folder = path.parent / "test_data_set_0"
    model = undeclared(onnx.load(str(path)))
    make_constants(model, folder)
    agree(path, model, examples(folder, model))


def agree(path, model, shapes=None):
    name = path.parent.name if path.stem == "model" else path.stem
    with scratch(path.stat().st_size) as folder:
        stripped = folder / "stripped.onnx"
        onnx.save(model, str(stripped))
        ours = our_facts(stripped)
    producers = {value: node for node in model.graph.node for value in node.output}
    troubles = []
    for value, (type_, dims) in inferred(model).items():
        trouble = compare(name, value, producers.get(value), ours.get(value, (0, None)), type_, dims)
        troubles += [trouble] if trouble else []
    for value, shape in (shapes or {}).items():
        dims = ours.get(value, (0, None))[1]
        troubles += contradicts(value, dims, shape)
        if (name, value) in ONNX_IS_WRONG and dims != shape:
            troubles.append(f"{value} is listed, but the example is {shape}, not {dims}")
    counts["models"] += 1
    check(not troubles, f"{len(troubles)} differences: " + "; ".join(troubles[:4]))


def compare(model, value, producer, ours, type_, dims):
    """What is wrong with our fact about a value, or None."""
    operator = producer.op_type if producer is not None else "no node"
    told = f"{value} of {operator}: we say {ours}, onnx says {(type_, dims)}"
    counts["values"] += 1
    if dims is None:
        return None
    counts["dims"] += len(dims)
    counts["dims onnx knows"] += sum(dim is not None for dim in dims)
    unknown = ours[1] is None or any(a is None and b is not None for a, b in zip(ours[1], dims))
    if unknown:
        listed = next((entry for entry in ((model, value), operator) if entry in UNKNOWN_TO_US), None)
        counts["values unknown to us, listed" if listed else "values unknown to us"] += 1
        needed.add(listed)
        return None if listed else told
    if len(ours[1]) != len(dims) or any(b is not None and a != b for a, b in zip(ours[1], dims)):
        if (model, value) not in ONNX_IS_WRONG:
            return told
        counts["values onnx is wrong about, listed"] += 1
        needed.add((model, value))
    if type_ != 0 and ours[0] != type_:
        return f"type {told}"
    return None


def contradicts(value, dims, shape):
    if dims is None:
        counts["example outputs of unknown rank"] += 1
        return []
    counts["example dims"] += len(shape)
    counts["example dims we know"] += sum(dim is not None for dim in dims)
    if len(dims) == len(shape) and all(a is None or a == b for a, b in zip(dims, shape)):
        return []
    return [f"{value}: we say {dims}, but the example is {shape}"]
