"""hash, diff and text say the same about pairs of small models made by hand: the same network, or another one.

What the models of the other tests do not have: constants that a branch returns, sparse tensors, bits that belong to no
element, declared types inside loops, fields of later versions of the format.
"""

import functools
import json

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

from harness import check, check_equal, run, scratch

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
INT4, UINT4, FLOAT4, UINT2 = 22, 21, 23, 25  # that the installed onnx has no names for
node, info = helper.make_node, helper.make_tensor_value_info


def cases():
    for name, (first, second) in SAME.items():
        yield f"same/{name}", functools.partial(same, first, second)
    for name, (first, second, words) in OTHERS.items():
        yield f"other/{name}", functools.partial(other, first, second, words)


def written(models, folder):
    paths = []
    for number, model in enumerate(models):
        paths.append(folder / f"{number}.onnx")
        paths[-1].write_bytes(model().SerializeToString())
    return paths


def digests(path):
    return [run("hash", "--quiet", *kind, path, expect=0).output for kind in ((), ("--structure",), ("--weights",))]


def same(*models):
    with scratch() as folder:
        first, second = written(models, folder)
        check(first.read_bytes() != second.read_bytes(), "the files are the same")
        check_equal(digests(second), digests(first), "digests")
        check_equal(run("text", second, expect=0).output, run("text", first, expect=0).output, "text")
        for pair in ((first, second), (second, first)):
            check_equal(json.loads(run("diff", *pair, "--json", expect=0).output)["verdict"], "equivalent", "verdict")


def other(first, second, words):
    with scratch() as folder:
        pair = written((first, second), folder)
        check(digests(pair[0])[0] != digests(pair[1])[0], "the digests are equal")
        run("diff", *reversed(pair), expect=1)
        report = run("diff", *pair, expect=1).output
        check(words in " ".join(report.split()), f"no {words!r} in:\n{report}")


def array(name, values, type_=numpy.float32):
    return numpy_helper.from_array(numpy.asarray(values, type_), name)


def model(nodes, tensors=(), inputs=(), outputs=(), functions=(), sparse=()):
    graph = helper.make_graph(list(nodes), "g", list(inputs) or [info("x", FLOAT, (1, 4))],
                              list(outputs) or [info("y", FLOAT, (1, 4))], initializer=list(tensors))
    graph.sparse_initializer.extend(sparse)
    sets = [helper.make_opsetid("", 17)] + [helper.make_opsetid("mine", 1)] * bool(functions)
    made = helper.make_model(graph, opset_imports=sets, functions=list(functions))
    made.ir_version = 8
    return made


# ---- how tensors are stored ----

def packed(type_, data):
    """Five elements of less than a byte."""
    tensor = TensorProto(name="w", data_type=type_, dims=[5], raw_data=bytes(data))
    return model([node("Cast", ["w"], ["c"], to=FLOAT), node("Add", ["x", "c"], ["y"])], [tensor],
                 [info("x", FLOAT, (5,))], [info("y", FLOAT, (5,))])


def idle_location(given):
    tensor = array("c", [1, 2, 3, 4])
    if given:
        tensor.external_data.add(key="location", value="nowhere")
        tensor.data_location = TensorProto.DEFAULT
    return model([node("Add", ["x", "c"], ["y"])], [tensor])


def sparse_tensor(values=(1, 2), indices_name="", name="w"):
    made = onnx.SparseTensorProto(dims=[4, 4])
    made.values.CopyFrom(array(name, values))
    made.indices.CopyFrom(array(indices_name, [0, 5], numpy.int64))
    return made


def sparse_product(**how):
    return model([node("MatMul", ["x", "w"], ["y"])], sparse=[sparse_tensor(**how)])


def sparse_default(**how):
    return model([node("MatMul", ["x", "w"], ["y"])], sparse=[sparse_tensor(**how)],
                 inputs=[info("x", FLOAT, (1, 4)), info("w", FLOAT, (4, 4))])


def sparse_output(**how):
    return model([node("Relu", ["x"], ["y"])], sparse=[sparse_tensor(**how)],
                 outputs=[info("y", FLOAT, (1, 4)), info("w", FLOAT, (4, 4))])


def old_product(first, second, **stretched):
    """Before operator set 7 the second operand was stretched on demand, and only then the order counted."""
    made = model([node("Sigmoid", ["x"], ["s"]), node("Mul", [first, second], ["y"], **stretched)])
    made.opset_import[0].version = 6
    return made


# ---- functions ----

def function(nodes, outputs=("b",)):
    made = helper.make_function("mine", "F", ["a"], list(outputs), list(nodes), [helper.make_opsetid("", 17)])
    results = ["y", "z"][:len(outputs)]
    return model([node("F", ["x"], results, domain="mine")], functions=[made],
                 outputs=[info(name, FLOAT, (1, 4)) for name in results])


def function_constant(**value):
    return function([node("Constant", [], ["c"], **value), node("Add", ["a", "c"], ["b"])])


def function_outputs(first, second):
    return function([node("Relu", ["a"], [first]), node("Tanh", ["a"], [second])], ("b", "c"))


# ---- nested graphs ----

def branch(then, tensors=(), outer=(), type_=FLOAT, shape=(1, 4)):
    """An If whose second branch is -x; the first one is given."""
    first = helper.make_graph(list(then), "then", [], [info("t", type_, shape)], initializer=list(tensors))
    second = helper.make_graph([node("Neg", ["x"], ["e"])], "else", [], [info("e", FLOAT, (1, 4))])
    return model([node("If", ["c"], ["y"], then_branch=first, else_branch=second)], outer,
                 [info("x", FLOAT, (1, 4)), info("c", BOOL, ())])


def returned(values, outer=False):
    tensors = [array("t", [values])]
    return branch([], () if outer else tensors, tensors if outer else ())


def loop(results=("s1", "s2"), shape=(1, 4)):
    nodes = [node("Identity", ["go"], ["on"]), node("Relu", ["p"], ["s1"]), node("Tanh", ["q"], ["s2"])]
    body = helper.make_graph(
        nodes, "body", [info("i", INT64, ()), info("go", BOOL, ()), info("p", FLOAT, shape), info("q", FLOAT, (1, 4))],
        [info("on", BOOL, ()), *[info(name, FLOAT, (1, 4)) for name in results]])
    return model([node("Loop", ["n", "", "x", "x"], ["y", "z"], body=body)], [array("n", 3, numpy.int64)],
                 outputs=[info("y", FLOAT, (1, 4)), info("z", FLOAT, (1, 4))])


# ---- the interface ----

def denoted(whole="", axis=""):
    made = model([node("Relu", ["x"], ["y"])])
    made.graph.input[0].type.denotation = whole
    made.graph.output[0].type.tensor_type.shape.dim[0].denotation = axis
    return made


def symbol(text):
    return model([node("Relu", ["x"], ["y"])], inputs=[info("x", FLOAT, (text, 4))])


def unknown(where, data=b""):
    made = model([node("Add", ["x", "c"], ["y"])], [array("c", [1, 2, 3, 4])])
    part = {"model": made, "graph": made.graph, "node": made.graph.node[0], "tensor": made.graph.initializer[0],
            "port": made.graph.input[0], "set": made.opset_import[0]}[where]
    if data:
        part.MergeFromString(b"\xa2\x3f\x02" + data)  # field 1012, two bytes
    return made


def given(make, *arguments, **named):
    return functools.partial(make, *arguments, **named)


SAME = {
    **{f"padding/{type_}": (given(packed, type_, [0x21, 0x43, 0x05]), given(packed, type_, [0x21, 0x43, 0xf5]))
       for type_ in (INT4, UINT4, FLOAT4)},
    "padding/2-bit": (given(packed, UINT2, [0xe4, 0x02]), given(packed, UINT2, [0xe4, 0xfe])),
    "idle-location": (given(idle_location, False), given(idle_location, True)),
    "sparse-names": (sparse_product, given(sparse_product, indices_name="indices")),
    "old-operands": (given(old_product, "x", "s"), given(old_product, "s", "x")),
    "constant-in-function": (given(function_constant, value_floats=[1.0, 2.0, 3.0, 4.0]),
                             given(function_constant, value=array("v", [1, 2, 3, 4]))),
    "number-in-function": (given(function_constant, value_float=2.0), given(function_constant, value=array("v", 2))),
}

OTHERS = {
    "old-stretched-operands": (given(old_product, "x", "s", broadcast=1), given(old_product, "s", "x", broadcast=1),
                               "~ Mul"),
    "packed": (given(packed, INT4, [0x21, 0x43, 0x05]), given(packed, INT4, [0x21, 0x43, 0x06]), "other weights"),
    "branch-returns-another-constant": (given(returned, [1, 2, 3, 4]), given(returned, [1, 2, 3, 5]), "other weights"),
    "branch-returns-another-outer-constant": (given(returned, [1, 2, 3, 4], True), given(returned, [1, 2, 3, 5], True),
                                              "other weights"),
    "branch-returns-another-shape": (given(branch, [], [array("t", [[1, 2, 3, 4]])]),
                                     given(branch, [], [array("t", [1, 2, 3, 4])]),
                                     "then_branch, output 0: float 1 x 4 -> float 4"),
    "branch-declares-another-shape": (given(branch, [node("Relu", ["x"], ["t"])]),
                                      given(branch, [node("Relu", ["x"], ["t"])], shape=("N", 4)),
                                      "then_branch, output 0: declared float[1, 4] -> float[N, 4]"),
    "loop-declares-another-shape": (loop, given(loop, shape=None), "body, input 2: declared float[1, 4] -> float"),
    "loop-outputs-exchanged": (loop, given(loop, ("s2", "s1")), "body, output 1:"),
    "function-outputs-exchanged": (given(function_outputs, "b", "c"), given(function_outputs, "c", "b"),
                                   "output source F/b:"),
    "sparse-values": (sparse_product, given(sparse_product, values=(1, 3)), "other sparse contents"),
    "sparse-default": (sparse_default, given(sparse_default, values=(1, 3)), "input value w: sparse -> other"),
    "sparse-output": (sparse_output, given(sparse_output, values=(1, 3)), "output value w: sparse -> other"),
    "denotation": (denoted, given(denoted, "IMAGE"), "input type x: float[1, 4] -> float[1, 4] (IMAGE: , )"),
    "denotation-of-axis": (denoted, given(denoted, axis="DATA_BATCH"), "output type y:"),
    "symbol-that-looks-like-a-number": (given(symbol, 1), given(symbol, "1"), "spelled otherwise"),
    **{f"unknown-field/{where}": (given(unknown, where), given(unknown, where, b"hi"), "does not know")
       for where in ("model", "graph", "node", "tensor", "port", "set")},
}
