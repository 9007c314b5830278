"""Opt-in passes round: what they make computes the same up to rounding, and they say that they did. Passes that do not
round give the same bits."""

import numpy
import onnx
from onnx import numpy_helper

import catalogue
import everywhere
import soundness
from harness import (JUDGE, CannotRun, canonical, check, check_equal, check_same_bytes, check_same_form, hash_of, run,
                     run_json, sample, scratch)

LARGEST = 60e6  # bytes


def opt_in():
    return [row["name"] for row in run_json("list", "passes")["rows"] if row["detail"] == "opt-in, rounds"]


def structural():
    """All passes that leave every weight and every sum alone: not those that choose a member of the class, and not
    those that round. (A sign is exact by itself, but a runtime's tanh need not be odd to the last bit. And ONNX Runtime
    takes another kernel for an LSTM whose weights are not in the graph that holds it, so `hoist` shows.)"""
    return [row["name"] for row in run_json("list", "passes")["rows"]
            if row["detail"] != "opt-in, rounds" and row["name"] not in ("hoist", "scales", "signs", "permutations")]


def cases():
    models = [model for model in catalogue.samples() + catalogue.from_npm() + catalogue.exported()
              if model.size < LARGEST and not model.not_runnable]
    passes = ",".join(opt_in())
    kept = ",".join(structural())
    for model in models:
        yield f"{model.label}/opt-in", lambda model=model: rounds(model, passes)
    for model in everywhere.models():
        yield f"{model.label}/same-bits", lambda model=model: same_bits(model, kept)
    for model in catalogue.samples():
        for one in opt_in():
            yield f"{model.label}/{one}", lambda model=model, one=one: rounds(model, one)
        yield f"{model.label}/opt-in-of-a-twin", lambda model=model: of_a_twin(model, passes)
    yield "normalizations-go", normalizations_go
    yield "gemms-come", gemms_come
    yield "scales-go", scales_go
    yield "not-opt-in", not_opt_in


def count(path, operator):
    return sum(node.op_type == operator for node in onnx.load(str(path)).graph.node)


def rounds(model, passes):
    with scratch(6 * model.size) as folder:
        out = folder / "folded.onnx"
        report = run_json("canon", model.path, "-o", out, "--with", passes)
        plain = canonical(model.path, folder / "plain.onnx")
        said = [note for note in report["notes"] if note.startswith("rounds: ")]
        check_equal(out.read_bytes() != plain.read_bytes(), bool(said), "something changed, and it was said")
        if said:
            JUDGE.compare(model.path, out, model.inputs())
            onnx.checker.check_model(onnx.load(str(out)))
        if any(note.startswith("not canonical") for note in report["notes"]):
            return
        check_same_form(out, out, "canon of the result")
        run("canon", out, "-o", folder / "again.onnx", "--with", passes, expect=0)
        check_same_bytes(out, folder / "again.onnx", "the same passes again")


def same_bits(model, passes):
    """The same bits come out when no sum is reordered. (ONNX Runtime's fusions depend on which operand of an Add comes
    first, and on names: switched off, or it would be they that are tested.)"""
    if model.not_runnable:
        raise CannotRun(model.not_runnable)
    with model.ready() as path, scratch(4 * path.stat().st_size) as folder:
        out = folder / "structure.onnx"
        run("canon", path, "-o", out, "--passes", passes, expect=0)
        answer = JUDGE.ask({"reference": str(path), "other": str(out), "inputs": model.inputs(path),
                            "stamp": str(path.stat().st_mtime_ns), "literal": True})
        if not answer["ok"] and answer["stage"].endswith("reference"):
            raise CannotRun(f"ONNX Runtime does not run it: {soundness.reason(answer['error'])}")
        check(answer["ok"], f"{answer.get('stage')}: {answer.get('error')}")
        for output in answer["outputs"]:
            check(output["identical"], f"output {output['name']} differs by {output['difference']:.3g}")
        if not all(output["varies"] for output in answer["outputs"]):
            raise CannotRun("an output hardly varies: a comparison proves nothing")


def of_a_twin(model, passes):
    """Channels are folded one by one, so it does not matter in which order they are."""
    with scratch(6 * model.size) as folder:
        twin = sample(model.path, 8, folder / "twin.onnx")
        for source, out in ((model.path, "a.onnx"), (twin, "b.onnx")):
            run("canon", source, "-o", folder / out, "--with", passes, "--embed-hash", expect=0)
        check_same_bytes(folder / "a.onnx", folder / "b.onnx", "folded forms of two members of a class")
        run("hash", "--check", folder / "a.onnx", expect=0)
        check(hash_of(folder / "a.onnx") != "", "no hash")


def normalizations_go():
    """Models lose every BatchNormalization that is behind a convolution, and only when asked."""
    for name, path in [(model.name, model.path) for model in catalogue.samples() + catalogue.exported()
                       if model.name in ("digits_convnet", "resnet18.plain")]:
        with scratch() as folder:
            before = count(path, "BatchNormalization")
            check(before > 1, f"{name} has no BatchNormalization")
            run("canon", path, "-o", folder / "folded.onnx", "--with=fold-batch-normalization", expect=0)
            check_equal(count(folder / "folded.onnx", "BatchNormalization"), 0, f"what is left in {name}")
            check_equal(count(canonical(path, folder / "plain.onnx"), "BatchNormalization"), before, "without asking")


def scales_go():
    """Units behind a ReLU are multiplied by any positive numbers, and divided again behind it: the full scaling undoes
    that up to rounding, exact scales cannot."""
    model = next(model for model in catalogue.samples() if model.name == "digits_mlp")
    changed = onnx.load(str(model.path))
    tensors = {tensor.name: tensor for tensor in changed.graph.initializer}
    layers = [node for node in changed.graph.node if node.op_type == "Gemm"]
    factors = numpy.random.default_rng(3).uniform(0.3, 3, 48).astype(numpy.float32)
    for name, along in ((layers[0].input[1], factors[:, None]), (layers[0].input[2], factors),
                        (layers[1].input[1], 1 / factors)):
        values = numpy_helper.to_array(tensors[name]) * along
        tensors[name].CopyFrom(numpy_helper.from_array(values.astype(numpy.float32), name))
    with scratch() as folder:
        onnx.save(changed, str(folder / "changed.onnx"))
        JUDGE.compare(model.path, folder / "changed.onnx", model.inputs())
        check_equal(diff_of(folder, model.path, folder / "changed.onnx"), 1, "exit status of diff, exact forms")
        check_equal(diff_of(folder, model.path, folder / "changed.onnx", "--with=full-scaling"), 0,
                    "exit status of diff, fully scaled forms")


def diff_of(folder, a, b, *options):
    """What diff says of the canonical forms of two models, up to rounding."""
    for model, out in ((a, "a.onnx"), (b, "b.onnx")):
        run("canon", "--quiet", model, "-o", folder / out, *options, expect=0)
    return run("diff", "--tolerance=1e-5", folder / "a.onnx", folder / "b.onnx").status


def gemms_come():
    path = next(model.path for model in catalogue.samples() if model.name == "digits_attention")
    with scratch() as folder:
        run("canon", path, "-o", folder / "fused.onnx", "--with=fuse-gemm,fold-constants", expect=0)
        check(count(folder / "fused.onnx", "Gemm") >= count(path, "Gemm"), "a Gemm went away")


def not_opt_in():
    path = catalogue.samples()[0].path
    with scratch() as folder:
        for passes, words in (("dead", "need not be asked for"), ("sparkle", "there is no pass"),
                              ("", "there is no pass")):
            ended = run("canon", path, "-o", folder / "x.onnx", f"--with={passes}", expect=2)
            check(words in ended.errors, ended.errors)
        check(not (folder / "x.onnx").exists(), "a refused command wrote a file")
