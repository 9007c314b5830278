"""Equivalent models have the same `canonnx text`, and a small change of a model is a small change of its text.

On exports of real architectures: a node is inserted at the beginning, in the middle and at the end, and a weight is
changed; the lines that differ are counted.
"""

import difflib
import functools
import subprocess
import sys

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue
import disguise
from harness import TOOL, check, check_equal, run, sample, scratch

MOST_MEGABYTES = 150  # for 531 MB of model
LAYERS = ("Conv", "Gemm", "MatMul")

# The most lines that inserting one node may change (as diff counts them, a changed line twice): the node, its constant,
# the line that reads it, and nodes of its operator behind it up to the next layer. In transformers the canonical order
# of attention heads comes from hashes that see the whole graph, so some blocks' weights have other digests; that is
# allowed for, and the texts without digests are counted too.
FEW, FEW_WITHOUT_DIGESTS = 12, 40
MODELS = {"resnet18.default": FEW, "resnet18.plain": FEW, "mobilenet_v2.plain": FEW, "densenet121.default": 40,
          "swin_t.default": 60}


def cases():
    for model in catalogue.samples() + catalogue.written_by_hand() + catalogue.from_npm():
        yield f"{model.label}/sampled", lambda model=model: same_after_sampling(model)
        yield f"{model.label}/disguised", lambda model=model: same_after_disguise(model)
    for model in catalogue.exported():
        if model.name in MODELS:
            for place in ("first", "middle", "last"):
                for operator in ("Tanh", "Mul"):
                    yield (f"{model.label}/{operator}-{place}",
                           lambda m=model, o=operator, p=place: node_inserted(m, o, p))
            yield f"{model.label}/weight", lambda model=model: weight_changed(model)
    for model in catalogue.samples():
        yield f"{model.label}/before-training", lambda model=model: same_before_training(model)
    yield "largest/memory", memory_stays_bounded


@functools.lru_cache(maxsize=4)
def text_before(path, *options):
    return text(path, *options)


def text(path, *options):
    return run("text", path, *options, expect=0).output.splitlines()


def changed_lines(before, after):
    return [line for line in difflib.unified_diff(before, after, lineterm="", n=0) if line[0] in "+-"][2:]


# ---- equivalent models ----

def same_after_sampling(model):
    with scratch(2 * model.size) as folder:
        check_equal(text(sample(model.path, 3, folder / "sample.onnx")), text(model.path), "text of a random member")


def same_after_disguise(model):
    changed = onnx.load(str(model.path))
    disguise.everything(changed, numpy.random.default_rng(5))
    with scratch(2 * model.size) as folder:
        onnx.save(changed, str(folder / "disguised.onnx"))
        check_equal(text(folder / "disguised.onnx"), text(model.path), "text of the model disguised")


# ---- changes ----

def same_before_training(model):
    """A model whose biases are still all zero: without digests, the text is that of the trained one."""
    loaded = onnx.load(str(model.path))
    for tensor in loaded.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 1:
            tensor.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(tensor), tensor.name))
    with scratch(2 * model.size) as folder:
        onnx.save(loaded, str(folder / "new.onnx"))
        check_equal(changed_lines(text_before(model.path, "--weights=none"), text(folder / "new.onnx", "--weights=none")),
                    [], "lines that changed without digests")


def insert(graph, operator, place):
    """Behind a layer: the first one, the one in the middle, the last one whose output is not the graph's."""
    outputs = {value.name for value in graph.output}
    layers = [i for i, node in enumerate(graph.node) if node.op_type in LAYERS and node.output[0] not in outputs]
    at = layers[{"first": 0, "middle": len(layers) // 2, "last": -1}[place]]
    name = graph.node[at].output[0]
    graph.node[at].output[0] = "before_the_change"
    inputs = ["before_the_change"]
    if operator == "Mul":
        graph.initializer.append(numpy_helper.from_array(numpy.float32(0.75).reshape(()), "factor"))
        inputs.append("factor")
    graph.node.insert(at + 1, helper.make_node(operator, inputs, [name]))


def node_inserted(model, operator, place):
    loaded = onnx.load(str(model.path))
    insert(loaded.graph, operator, place)
    most = MODELS[model.name]
    with scratch(2 * model.size) as folder:
        onnx.save(loaded, str(folder / "changed.onnx"))
        changed = changed_lines(text_before(model.path), text(folder / "changed.onnx"))
        bare = changed_lines(text_before(model.path, "--weights=none"), text(folder / "changed.onnx", "--weights=none"))
    check(any(line[0] == "+" and f" = {operator} (" in line for line in changed), "the new node is not shown")
    check(len(changed) <= most, f"{len(changed)} lines changed, expected at most {most}")
    check(len(bare) <= FEW_WITHOUT_DIGESTS, f"{len(bare)} lines changed without digests")


def weight_changed(model):
    """One element of a matrix or kernel: exactly one line is another."""
    loaded = onnx.load(str(model.path))
    tensors = [t for t in loaded.graph.initializer if t.data_type == onnx.TensorProto.FLOAT and len(t.dims) >= 2]
    values = numpy_helper.to_array(tensors[0]).copy()
    values.flat[values.size // 2] += numpy.float32(0.01)
    tensors[0].CopyFrom(numpy_helper.from_array(values, tensors[0].name))
    with scratch(2 * model.size) as folder:
        onnx.save(loaded, str(folder / "changed.onnx"))
        changed = changed_lines(text_before(model.path), text(folder / "changed.onnx"))
        bare = changed_lines(text_before(model.path, "--weights=none"), text(folder / "changed.onnx", "--weights=none"))
    check_equal([line[0] for line in changed], ["-", "+"], "kinds of lines that changed")
    check_equal(changed[0].split(" xxh3 ")[0][1:], changed[1].split(" xxh3 ")[0][1:], "the line up to its digest")
    check_equal(bare, [], "lines that changed without digests")


def memory_stays_bounded():
    """The text of a model of 531 MB, without holding its weights."""
    model = next(model for model in catalogue.exported() if model.name == "vgg11_bn.default")
    for option in ("--weights=digest", "--raw"):
        held = peak(model.path, option)
        check(held < MOST_MEGABYTES, f"canonnx text {option} held {held:.0f} MB")


# A process of its own, since what a program held counts what the one that started it held.
MEASURE = """
import os, subprocess, sys
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def peak(path, option):
    """The most megabytes that a run of the program held."""
    measured = subprocess.run([sys.executable, "-c", MEASURE, str(TOOL), "text", option, str(path)], text=True,
                              capture_output=True, timeout=60, check=True)
    status, kilobytes = map(int, measured.stdout.split())
    check_equal(status, 0, "exit status")
    return kilobytes / 1024
