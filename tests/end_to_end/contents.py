"""What `inspect` says is in a model: known counts, and that nothing is lost or counted twice."""

import collections

import catalogue
from harness import SANITIZED_TOOL, check, check_equal, run, run_json

# Multiply-accumulates per picture of 224 x 224, as published for these architectures and as layer sizes give them; or
# per sample.
WORK = {
    "alexnet": 714188480,
    "vgg11_bn": 7609090048,
    "resnet18": 1814073344,
    "resnet50": 4089184256,
    "densenet121": 2834161664,
    "mobilenet_v2": 300774272,
    "squeezenet1_1": 349151936,
    "swin_t": 4490566656,
    "vit_b_16": 17563828224,
    # Nested graphs. A layer of 4 x 6 and one of 5 x 3 around branches of 6 x 5, or of 6 x 5 and 6 x 7 + 7 x 5: the dearer
    # one counts. Layers of 4 x 5 and 5 x 3 around three rounds of 5 x 5. Layers of 2 x 4 and 4 x 2 around five steps of
    # 3 x 4 + 4 x 4.
    "branch": 24 + 30 + 15,
    "unequal_branches": 24 + 77 + 15,
    "loop": 20 + 3 * 25 + 15,
    "scan": 8 + 5 * 28 + 8,
}
# Parameters and running statistics in PyTorch; exports with separate BatchNormalization hold exactly these.
PARAMETERS = {
    "alexnet.preserve": 61100840,
    "vgg11_bn.preserve": 132868840 + 5504,
    "resnet18.preserve": 11689512 + 9600,
    "resnet50.preserve": 25557032 + 53120,
    "densenet121.preserve": 7978856 + 83648,
    "mobilenet_v2.preserve": 3504872 + 34112,
    "squeezenet1_1.preserve": 1235496,
    "vit_b_16.default": 86567656,
}
# How many blocks of a kind: what somebody who knows the architecture would count.
KINDS = {
    "alexnet": {"Conv": 5, "Gemm": 3, "Pool": 4},
    "vgg11_bn": {"Conv": 8, "Gemm": 3},
    "resnet18": {"Conv": 20, "Residual": 8, "Gemm": 1, "Pool": 2},
    "resnet50": {"Conv": 53, "Residual": 16, "Gemm": 1},
    "densenet121": {"Conv": 120, "Concat": 58, "Pool": 5, "Gemm": 1},
    "mobilenet_v2": {"Conv": 52, "Residual": 10, "Gemm": 1},
    "squeezenet1_1": {"Conv": 26, "Concat": 8, "Gemm": 0},
    "vit_b_16": {"Attention": 12, "Normalization": 25, "Residual": 24, "Gemm": 25, "Conv": 1, "Parameter": 2},
    "swin_t": {"Attention": 12, "Normalization": 29, "Residual": 24, "Gemm": 28, "Conv": 1, "Parameter": 0},
    "digits_attention": {"Attention": 1, "Normalization": 2, "Residual": 2, "Gemm": 4},
    "digits_resnet": {"Conv": 6, "Residual": 2, "Gemm": 1},
    "ch_PP-OCRv4_det_infer": {"Conv": 64, "Resize": 6},
    "ch_PP-OCRv4_rec_infer": {"Attention": 2, "Normalization": 5, "Conv": 38},
    "embedding": {"Embedding": 1, "Gemm": 1},
    "recurrent": {"Recurrent": 1},
}
SUMMED_UP = {"Layout", "Shape", "Constant", "Quantization"}


def cases():
    for model in catalogue.everything():
        yield f"{model.label}/accounts", lambda model=model: accounts(model)
        architecture = model.name.split(".")[0]
        if architecture in WORK:
            yield f"{model.label}/work", lambda model=model: work(model, WORK[model.name.split(".")[0]])
        if model.name in PARAMETERS:
            yield f"{model.label}/parameters", lambda model=model: parameters(model, PARAMETERS[model.name])
        if architecture in KINDS:
            yield f"{model.label}/kinds", lambda model=model: kinds(model, KINDS[model.name.split(".")[0]])
    yield "conformance-models", conformance_models


def accounts(model):
    """Every node is in one row or listed; parameters and work add up."""
    found = run_json("inspect", model.path)
    names = [name for block in found["blocks"] for name in block["nodes"]] + found["unassigned"]
    check_equal(len(names), found["nodes"], "nodes in blocks and without one")
    check_equal(sum(one["count"] for one in found["operators"]), found["nodes"], "nodes by operator")
    check_equal(sum(one["elements"] for one in found["types"]), found["parameters"], "parameters by type")
    counted = sum(block["parameters"] for block in found["blocks"])
    unread = unread_parameters(model)
    check_equal(counted, found["parameters"] - unread, "parameters of the blocks")
    totals = [block["macs"]["value"] for block in found["blocks"]]
    if found["macs"]["value"] is not None and None not in totals:
        check_equal(sum(totals), found["macs"]["value"], "multiply-accumulates of the blocks")
    for block in found["blocks"]:
        check(block["nodes"] and block["kind"] and block["detail"], f"an empty row: {block}")


def unread_parameters(model):
    """Elements of float initializers that no node reads."""
    import onnx

    graph = onnx.load(str(model.path), load_external_data=False).graph
    read = {value.name for value in graph.output}
    pending = [graph]
    while pending:
        for node in pending.pop().node:
            read.update(node.input)
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    pending.append(attribute.g)
                    read.update(value.name for value in attribute.g.output)
    total = 0
    for tensor in graph.initializer:
        if tensor.name not in read and tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims:
            count = 1
            for dim in tensor.dims:
                count *= dim
            total += count
    return total


def work(model, expected):
    check_equal(run_json("inspect", model.path)["macs"]["expression"].replace(" ", ""), f"{expected}*N", "work")


def parameters(model, expected):
    found = run_json("inspect", model.path)
    check_equal(found["parameters"], expected, "parameters")
    check_equal(found["parameter_bytes"], 4 * expected, "bytes")


def kinds(model, expected):
    found = run_json("inspect", model.path)
    counts = collections.Counter(block["kind"] for block in found["blocks"])
    for kind, count in expected.items():
        check_equal(counts[kind], count, f"blocks of kind {kind}")
    check_equal(found["unassigned"], [], "nodes without a block")


def conformance_models():
    """ONNX's own models have every operator in every form: the sanitized build says something about each."""
    for path in catalogue.testdata():
        run("inspect", path, "--quiet", tool=SANITIZED_TOOL, expect=0)
