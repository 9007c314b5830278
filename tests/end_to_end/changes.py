"""Whatever a model computes with shows in its digest: one change of one kind, and the digest is another one.

For every model of the catalogue up to a size, and for random architectures (scripts/canonical: for all, and torchvision's
zoo): one weight of several tensors moved by one unit in the last place; two biases of a layer exchanged without their
rows; one attribute changed, and one added; one tensor of another type; one output renamed. Changed is the canonical
form, where every tensor counts and has a use of its own; no two of the changed files may have one digest.
"""

import copy
import functools

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue
import everywhere
from disguise import COMMUTATIVE
from harness import CannotRun, Failure, canonical, check, check_equal, run, scratch

NUDGED = 5  # tensors of a model
FLOATS = {onnx.TensorProto.FLOAT: numpy.float32, onnx.TensorProto.DOUBLE: numpy.float64,
          onnx.TensorProto.FLOAT16: numpy.float16}
BIASED = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2}  # slot of the bias; the weights are slot 1


def cases():
    for model in everywhere.models():
        yield model.label, functools.partial(every_change_shows, model)


def every_change_shows(model):
    with model.ready() as path, scratch(4 * path.stat().st_size) as folder:
        answer = run("canon", path, "-o", folder / "form.onnx", expect=0).output
        if "not canonical" in " ".join(answer.split()):
            raise CannotRun("it has no canonical form, and no digest")
        everywhere.can_be_edited(folder / "form.onnx")
        form = onnx.load(str(folder / "form.onnx"))
        digests, random = {}, numpy.random.default_rng(11)
        note(digests, "unchanged", form, folder)
        for what, change in changes(form, random):
            undo = change()
            note(digests, what, form, folder)
            undo()
        note_again = digest_of(form, folder)
        check_equal(note_again, digests["unchanged"], "digest after all changes were taken back")
        check(len(digests) > 3, f"only {len(digests)} changes were tried")
        for what, digest in digests.items():
            same = [other for other, its in digests.items() if its == digest and other != what]
            check(not same, f"{what} and {', '.join(same)}: one digest")


def digest_of(model, folder):
    onnx.save(model, str(folder / "changed.onnx"))
    ended = run("hash", "--quiet", folder / "changed.onnx")
    if ended.status != 0:
        raise Failure(ended.explain())
    return ended.output


def note(digests, what, model, folder):
    try:
        digests[what] = digest_of(model, folder)
    except Failure as failure:
        if "another type" not in what:  # which may make it no model any more
            raise Failure(f"{what}: {failure}") from None


def changes(form, random):
    """(what, function that changes the model and returns the function that takes it back)"""
    yield from nudges(form, random)
    yield from exchanges(form, random)
    yield from attributes(form, random)
    yield from types(form, random)
    yield "output renamed", lambda: rename_output(form, form.graph.output[0].name, "another name")


def replaced(tensor, values):
    """Puts other values into a tensor of the graph; returns what undoes it."""
    kept = copy.deepcopy(tensor)
    tensor.CopyFrom(numpy_helper.from_array(numpy.ascontiguousarray(values), tensor.name))
    return lambda: tensor.CopyFrom(kept)


def nudges(form, random):
    """One unit in the last place, up or down, at a random place of several tensors."""
    left_alone = second_operands(form)
    tensors = [tensor for tensor in form.graph.initializer if tensor.data_type in FLOATS and numpy.prod(tensor.dims) > 0
               and tensor.name not in left_alone]
    for number in random.permutation(len(tensors))[:NUDGED]:
        tensor, type_ = tensors[number], FLOATS[tensors[number].data_type]
        values = numpy_helper.to_array(tensor).copy()
        if not numpy.isfinite(values).all():
            continue
        flat = values.reshape(-1)
        place = random.integers(len(flat))
        flat[place] = numpy.nextafter(flat[place], type_(random.choice([-3e4, 3e4])))
        yield f"{tensor.name}[{place}] moved by one unit", functools.partial(replaced, tensor, values)


def second_operands(form):
    """Names of initializers that are combined with others in a way that knows no order: where they are the same, what is
    done to one could as well be done to the other."""
    constants = {tensor.name for tensor in form.graph.initializer}
    return {name for node in form.graph.node if node.op_type in COMMUTATIVE and constants.issuperset(node.input)
            for name in node.input[1:]}


def exchanges(form, random):
    """Two biases of one layer that differ in size, where their rows differ too."""
    tensors = {tensor.name: tensor for tensor in form.graph.initializer if tensor.data_type in FLOATS}
    readers = [name for node in form.graph.node for name in node.input]
    candidates = []
    for node in form.graph.node:
        slot = BIASED.get(node.op_type)
        if slot is not None and len(node.input) > slot and node.input[slot] in tensors and node.input[1] in tensors:
            if readers.count(node.input[slot]) == 1:
                candidates.append(node.input[slot])
    for number in random.permutation(len(candidates))[:2]:
        tensor = tensors[candidates[number]]
        values = numpy_helper.to_array(tensor).copy()
        sizes = numpy.abs(values)
        if values.ndim == 1 and len(numpy.unique(sizes)) > 1:
            first, second = int(sizes.argmin()), int(sizes.argmax())
            values[[first, second]] = values[[second, first]]
            yield f"biases {first} and {second} of {tensor.name} exchanged", functools.partial(replaced, tensor, values)


def attributes(form, random):
    """One attribute changed, one added, in random nodes."""
    nodes = list(form.graph.node)
    numbered = [attribute for node in nodes for attribute in node.attribute
                if attribute.type == onnx.AttributeProto.FLOAT and numpy.isfinite(attribute.f)]
    if numbered:
        chosen = numbered[random.integers(len(numbered))]
        yield f"attribute {chosen.name} moved by one unit", lambda: nudge_attribute(chosen)
    node = nodes[random.integers(len(nodes))]
    yield f"attribute added to {node.name}", lambda: add_attribute(node)


def nudge_attribute(attribute):
    before = attribute.f
    attribute.f = float(numpy.nextafter(numpy.float32(before), numpy.float32(3e4)))

    def undo():
        attribute.f = before
    return undo


def add_attribute(node):
    node.attribute.append(helper.make_attribute("unheard_of", 3))

    def undo():
        del node.attribute[-1]
    return undo


def types(form, random):
    """A tensor of floats as one of doubles, and an input of another type."""
    tensors = [tensor for tensor in form.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT]
    if tensors:
        tensor = tensors[random.integers(len(tensors))]
        values = numpy_helper.to_array(tensor).astype(numpy.float64)
        yield f"{tensor.name} of another type", functools.partial(replaced, tensor, values)
    floats = [value for value in form.graph.input if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    if floats:
        yield f"{floats[0].name} of another type", lambda: retype(floats[0])


def retype(value):
    value.type.tensor_type.elem_type = onnx.TensorProto.DOUBLE

    def undo():
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    return undo


def rename_output(form, old, new):
    for node in form.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for value in form.graph.output:
        value.name = new if value.name == old else value.name
    for tensor in form.graph.initializer:
        tensor.name = new if tensor.name == old else tensor.name
    return lambda: rename_output(form, new, old)
