"""The judge must accept a model as equal to itself, and must be able to reject."""

import json
import os
import subprocess

import numpy
import onnx
from onnx import numpy_helper

import catalogue
from harness import JUDGE, ROOT, Failure, check, scratch


def cases():
    for model in catalogue.everything():
        if not model.not_runnable:
            yield f"{model.label}/equals-itself", lambda model=model: equals_itself(model)
    for model in catalogue.samples() + catalogue.from_npm() + small_exports():
        yield f"{model.label}/notices-one-swap", lambda model=model: notices_a_swap(model)
    yield "constant-output-is-rejected", constant_output
    yield "model-that-cannot-run-is-rejected", cannot_run
    yield "missing-runtime-is-an-error", missing_runtime


def small_exports():
    return [model for model in catalogue.exported() if model.size < 100e6 and model.name != "swin_t.default"]


def equals_itself(model):
    """Also shows that the model's outputs vary on our inputs, so that later comparisons prove something."""
    for output in JUDGE.compare(model.path, model.path, model.inputs()):
        check(output["difference"] == 0, "a model differs from itself")


def notices_a_swap(model):
    """Neighbouring channels of one weight swapped, and nowhere else: a broken permutation, which must show.

    The weight is the largest one with several rows. All its rows trade places in pairs, as a single pair may be
    dead or equal.
    """
    loaded = onnx.load(str(model.path))
    weights = [t for t in tensors_inside(loaded.graph) if t.data_type == 1 and len(t.dims) >= 2 and t.dims[0] >= 4]
    check(weights, "the model has no weight to spoil")
    tensor = max(weights, key=lambda t: numpy.prod(t.dims))
    values = numpy_helper.to_array(tensor).copy()
    order = numpy.arange(len(values))
    order[: len(values) // 2 * 2] = order[: len(values) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
    tensor.CopyFrom(numpy_helper.from_array(values[order], tensor.name))
    with scratch(model.size) as folder:
        onnx.save(loaded, str(folder / "spoilt.onnx"))
        try:
            JUDGE.compare(model.path, folder / "spoilt.onnx", model.inputs())
        except Failure as failure:
            check("differs by" in str(failure), f"rejected for another reason: {failure}")
            return
    raise Failure("the judge did not notice swapped channels")


def tensors_inside(graph):
    """Initializers and tensor attributes, those of nested graphs too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from tensors_inside(attribute.g)


def constant_output():
    from builder import Builder

    b = Builder(1)
    x = b.input("x", ["N", 4])
    b.output(b.node("Gemm", x, b.constant(numpy.zeros((3, 4))), b.weight(3), transB=1), ["N", 3])
    with scratch() as folder:
        onnx.save(b.model(), str(folder / "constant.onnx"))
        inputs = [{"name": "x", "type": "float32", "shape": [2, 4]}]
        expect_rejection(folder / "constant.onnx", inputs, "proves nothing")


def cannot_run():
    path = catalogue.made()["unknown_operator"]
    expect_rejection(path, [{"name": "x", "type": "float32", "shape": [2, 4]}], "load reference")


def expect_rejection(path, inputs, reason):
    try:
        JUDGE.compare(path, path, inputs)
    except Failure as failure:
        check(reason in str(failure), f"rejected for another reason: {failure}")
        return
    raise Failure("the judge accepted it")


def missing_runtime():
    with scratch() as folder:
        ended = subprocess.run(["node", str(ROOT / "tests/judge/judge.mjs")], cwd=folder, capture_output=True,
                               text=True, input=json.dumps({}) + "\n", env={"PATH": os.environ["PATH"]})
    check(ended.returncode == 1 and "not installed" in ended.stderr, f"exit {ended.returncode}: {ended.stderr!r}")
