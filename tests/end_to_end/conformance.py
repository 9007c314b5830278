"""No operator's constants may move when they matter: ONNX's conformance models with their inputs made constants.

ONNX ships a small model and example data for every operator. All inputs but the first become initializers, so that
shapes, scales, indices, axes and weights turn into parameters of a model; its canonical form and a random member of
its group must then compute what the original does, on the example data.
"""

import collections

import numpy
import onnx
from onnx import numpy_helper

import catalogue
from harness import JUDGE, LARGEST_DIFFERENCE, CannotRun, canonical, check, sample, scratch

TYPES = {**catalogue.ELEMENT_TYPES, 4: "uint16", 5: "int16", 10: "float16", 12: "uint32", 13: "uint64"}
LEAST_MODELS = 500  # that must really have been compared; there are 510 with Debian 12's packages

compared = collections.Counter()


def cases():
    chosen = [path for path in catalogue.testdata() if path.parts[-3] == "node"]
    for path in chosen:
        if (path.parent / "test_data_set_0" / "input_1.pb").exists():
            yield path.parent.name, lambda path=path: constants_hold(path)
    yield "enough-compared", lambda: check(compared["models"] >= LEAST_MODELS, f"only {compared['models']} compared")


def constants_hold(path):
    model, feed = onnx.load(str(path)), example(path)
    for value in list(model.graph.input)[1:]:
        tensor = feed.pop(value.name, None)
        if tensor is not None:
            tensor.name = value.name
            model.graph.initializer.append(tensor)
            model.graph.input.remove(value)
    if any(value.type.tensor_type.elem_type == onnx.TensorProto.STRING for value in model.graph.output):
        raise CannotRun("outputs are strings, which the judge does not compare")
    model.ir_version = max(model.ir_version, 4)  # before, initializers had to be inputs
    inputs = [specification(name, tensor) for name, tensor in feed.items()]
    with scratch() as folder:
        frozen = folder / "frozen.onnx"
        onnx.save(model, str(frozen))
        agree(frozen, frozen, inputs)
        agree(frozen, canonical(frozen, folder / "canonical.onnx"), inputs)
        agree(frozen, sample(frozen, 1, folder / "sample.onnx"), inputs)
    compared["models"] += 1


def example(path):
    """{input name: tensor} of the first data set; inputs that are no plain numeric tensor cannot be used."""
    feed = {}
    for index, value in enumerate(onnx.load(str(path)).graph.input):
        data = path.parent / "test_data_set_0" / f"input_{index}.pb"
        if not value.type.HasField("tensor_type") or value.type.tensor_type.elem_type not in TYPES:
            raise CannotRun("an input is no numeric tensor the judge can make")
        tensor = onnx.TensorProto.FromString(data.read_bytes())
        feed[value.name] = tensor
    return feed


def specification(name, tensor):
    values = numpy_helper.to_array(tensor)
    if values.dtype == numpy.float16:
        values = values.view(numpy.uint16)
    flat = values.ravel().tolist()
    if values.dtype.itemsize == 8 and values.dtype.kind in "iu":
        flat = [str(value) for value in flat]
    if values.dtype.kind == "f" and not numpy.isfinite(values).all():
        raise CannotRun("the example holds infinities or NaN, which JSON does not carry")
    return {"name": name, "type": TYPES[tensor.data_type], "shape": list(tensor.dims), "data": flat}


def agree(reference, other, inputs, limit=LARGEST_DIFFERENCE):
    answer = JUDGE.ask({"reference": str(reference), "other": str(other), "inputs": inputs, "rounds": 1,
                        "stamp": str(reference.stat().st_mtime_ns)})
    if not answer["ok"] and (answer["stage"].endswith("reference") or reference == other):
        raise CannotRun("ONNX Runtime does not run the original")
    check(answer["ok"], f"{other.stem}: {answer.get('stage')}: {answer.get('error')}")
    for output in answer["outputs"]:
        close = output["difference"] <= limit * max(output["scale"], 1e-30)
        if reference == other and not close:
            raise CannotRun("its outputs are random")
        check(close, f"{other.stem}: output {output['name']} differs by {output['difference']:.3g} "
                     f"at a scale of {output['scale']:.3g}")
