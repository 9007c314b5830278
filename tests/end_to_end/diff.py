"""canonnx diff and apply: equivalent models are recognised and the witness replays; other models are described.

Disguised models, and members of a model's orbit that were permuted, flipped and scaled, have to be equivalent, with a
witness that takes one file's weights to the other's, bit by bit, and with a true word about every tensor. A fine-tuned
model has to read the same whether its channels were shuffled or not. Every kind of change to a graph has to be named in
one line.
"""

import hashlib
import json
import os
import subprocess
import sys

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue
import disguise
import make
import random_architectures
from harness import (BUILD, JUDGE, ROOT, TOOL, SANITIZED_TOOL, check, check_equal, check_same_bytes, run, sample,
                     scratch)

SEED = 11
RANDOM = int(os.environ.get("CANONNX_RANDOM", 60))  # random architectures
# Further ones, in which the nearest symmetry is easily missed: several scales or signs that are wrong together (65, 87),
# blocks inside blocks (80, 611), scales and nothing else (338), two small classes that only show each other (490).
HARD_RANDOM = (65, 80, 87, 338, 490, 611)
FINE_TUNED_EXPORTS = ("resnet18.default", "mobilenet_v2.plain", "squeezenet1_1.default", "densenet121.default")


def cases():
    for model in catalogue.small():
        yield f"equivalent/disguised/{model.label}", lambda m=model: disguised(m)
        yield f"equivalent/permuted/{model.label}", lambda m=model: moved(m, "permute")
        yield f"equivalent/moved/{model.label}", lambda m=model: moved(m, "permute,sign,scale")
        yield f"fine-tuned/{model.label}", lambda m=model: fine_tuned(m)
    for model in catalogue.exported():
        if model.name in FINE_TUNED_EXPORTS:
            yield f"fine-tuned/{model.label}", lambda m=model: fine_tuned(m)
            yield f"equivalent/permuted/{model.label}", lambda m=model: moved(m, "permute")
    for seed in sorted({*range(RANDOM), *HARD_RANDOM}):
        yield f"fine-tuned/random/{seed}", lambda s=seed: fine_tuned_random(s)
    for name in ("digits_mlp", "digits_convnet"):
        yield f"fine-tuned/trained/{name}", lambda n=name: trained(n)
    for elements in ("permute", "sign", "scale"):
        yield f"fine-tuned/only-{elements}", lambda e=elements: only(e)
    for name, (change, verdict, line) in CHANGES.items():
        yield f"change/{name}", lambda c=change, v=verdict, t=line: changed(c, v, t)
    for name, test in OTHERS.items():
        yield name, test


def diff(a, b, *options, expect=None, **more):
    """The JSON report; `expect` is the exit status."""
    ended = run("diff", a, b, *options, "--json", expect=expect, **more)
    return json.loads(ended.output)


def noisy(path, out, size=0.02, seed=5):
    """A copy whose float weights all moved a little: what training on would do. By what images are resized is no weight."""
    model, random = onnx.load(str(path)), numpy.random.default_rng(seed)
    sizes = {name for node in model.graph.node if node.op_type in ("Resize", "Upsample") for name in node.input[1:]}
    moved = 0
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == numpy.float32 and values.size > 1 and tensor.name not in sizes:
            noise = size * (values.std() + 1e-6) * random.standard_normal(values.shape)
            tensor.CopyFrom(numpy_helper.from_array((values + noise).astype(numpy.float32), tensor.name))
            moved += 1
    onnx.save(model, str(out))
    return moved


# ---- equivalent models ----


def disguised(model):
    random = numpy.random.default_rng(99)
    changed_model = onnx.load(str(model.path))
    disguise.everything(changed_model, random)
    with scratch() as folder:
        onnx.save(changed_model, str(folder / "disguised.onnx"))
        report = diff(model.path, folder / "disguised.onnx", expect=0)
        check_equal(report["verdict"], "equivalent", "verdict")
        check(report["ways"], "no way is named in which the files differ")
        check_equal({row["status"] for row in report["nodes"]} - {"same"}, set(), "status of nodes")


def tensors_by_name(path):
    graph = onnx.load(str(path)).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def multiset(values, verdict):
    """What two tensors have in common by their verdict: the numbers in any order, without signs, without exponents."""
    if verdict in ("sign-flipped", "scaled"):
        values = numpy.abs(values)
    if verdict == "scaled":
        values = numpy.frexp(values)[0]
    return values.tobytes() if verdict == "same" else numpy.sort(values, axis=None).tobytes()


def check_verdicts(report, before, after):
    """Every tensor's verdict is the weakest that is true."""
    for row in report["tensors"]:
        if row["a"] not in before:  # a Constant node
            continue
        a, b = before[row["a"]], after[row["b"]]
        true = next((verdict for verdict in ("same", "permuted", "sign-flipped", "scaled")
                     if multiset(a, verdict) == multiset(b, verdict)), "changed")
        check_equal(row["verdict"], true, f"verdict on {row['a']}")


def moved(model, elements):
    """diff finds the symmetry that sample applied, apply applies it, and numpy sees the same weights."""
    with scratch(6 * model.size) as folder:
        member, back, witness = folder / "member.onnx", folder / "back.onnx", folder / "witness.json"
        sample(model.path, SEED, member, elements)
        report = diff(model.path, member, "--witness", witness, expect=0)
        check(report["verdict"] in ("equivalent", "identical"), f"verdict {report['verdict']}")
        run("apply", model.path, "--witness", witness, "-o", back, expect=0)
        wanted, found = tensors_by_name(member), tensors_by_name(back)
        check_verdicts(report, tensors_by_name(model.path), wanted)
        check_equal(sorted(found), sorted(wanted), "names of tensors")
        for name, values in wanted.items():
            check_equal(found[name].tobytes(), values.tobytes(), f"bytes of {name}")
        if not model.not_runnable:
            JUDGE.compare(model.path, back, model.inputs())


def ways_are_named():
    """Which kinds of symmetry lead to a member, by class and tensor: as many as were drawn, and no others."""
    original = ROOT / "samples/digits_convnet.onnx"
    keys = {"permute": ("permutation of", "permuted", "permuted"), "sign": ("signs of", "flipped", "sign-flipped"),
            "scale": ("scales of", "scaled", "scaled")}
    with scratch() as folder:
        for elements in ("permute", "sign", "scale", "permute,sign,scale"):
            sample(original, SEED, folder / "member.onnx", elements)
            report = diff(original, folder / "member.onnx", expect=0)
            for kind, (way, key, verdict) in keys.items():
                drawn = kind in elements.split(",")
                check_equal(any(text.startswith(way) for text in report["ways"]), drawn, f"{way} in {report['ways']}")
                check_equal(any(row[key] for row in report["classes"]), drawn, f"classes {key} with {elements}")
                if "," not in elements:
                    check_equal(any(row["verdict"] == verdict for row in report["tensors"]), drawn, verdict)
            check(all(row[key] <= row["extent"] for row in report["classes"] for _, key, _ in keys.values()),
                  "more units than a class has")


def witness_by_numpy():
    """A witness says what it says: numpy replays it without the program."""
    original = ROOT / "samples/digits_convnet.onnx"
    with scratch() as folder:
        sample(original, SEED, folder / "member.onnx", "permute,sign,scale")
        diff(original, folder / "member.onnx", "--witness", folder / "w.json", expect=0)
        found, wanted = tensors_by_name(original), tensors_by_name(folder / "member.onnx")
        for row in json.loads((folder / "w.json").read_text())["axes"]:
            values, axis = found[row["tensor"]], row["axis"]
            if "source" in row:
                values = numpy.take(values, row["source"], axis)
            along = [-1 if k == axis else 1 for k in range(values.ndim)]
            values = values * numpy.array(row.get("signs", [1]), numpy.float32).reshape(along)
            found[row["tensor"]] = numpy.ldexp(values, numpy.array(row.get("exponents", [0])).reshape(along))
        for name, values in wanted.items():
            check(numpy.array_equal(found[name], values), f"{name} replayed by numpy")


# ---- fine-tuned models ----


def numbers(report):
    return [report["relative"], *(row["relative"] for row in report["tensors"]),
            *(row["relative"] for row in report["blocks"])]


def fine_tuned(model):
    """The copy, and the copy shuffled, or flipped and scaled, too, are reported with the same verdict and the same
    numbers."""
    with scratch(6 * model.size) as folder:
        tuned, moved, witness = folder / "tuned.onnx", folder / "moved.onnx", folder / "witness.json"
        if noisy(model.path, tuned) == 0:
            return check_equal(diff(model.path, tuned, expect=0)["relative"], 0, "relative change")
        plain = diff(model.path, tuned, expect=1)
        for elements in ("permute", "permute,sign,scale"):
            sample(tuned, SEED, moved, elements)
            check_same_numbers(plain, diff(model.path, moved, "--witness", witness, expect=1))
        run("apply", model.path, "--witness", witness, "-o", folder / "aligned.onnx", expect=0)
        aligned = diff(folder / "aligned.onnx", moved, "--as-stored", expect=1)
        check(aligned["relative"] <= 3 * plain["relative"], f"aligned by the witness: {aligned['relative']}")


def fine_tuned_random(seed):
    with scratch() as folder:
        onnx.save(random_architectures.random_net(seed).model(), str(folder / "net.onnx"))
        fine_tuned(catalogue.Model("random", str(seed), folder / "net.onnx"))


def check_same_numbers(plain, moved):
    """The reports on a fine-tuned copy and on the same copy, moved within its class, say the same."""
    check_equal((plain["verdict"], moved["verdict"]), ("other-weights", "other-weights"), "verdicts")
    check(0 < plain["relative"] < 0.1, f"relative change {plain['relative']}")
    for first, second in zip(numbers(plain), numbers(moved), strict=True):
        close = first == second or abs(first - second) <= 1e-12 * abs(first)
        check(close, f"relative changes {first} and {second} of the copy and its moved twin")


def trained(name):
    """The same for a copy that was really trained on, two epochs; and the numbers are those that numpy finds."""
    original, tuned = ROOT / f"samples/{name}.onnx", BUILD / f"models/trained/{name}.onnx"
    script = ROOT / "samples/train.py"
    recipe = hashlib.sha256(script.read_bytes() + original.read_bytes()).hexdigest()
    make.make_one(tuned, recipe, lambda path: subprocess.run([sys.executable, script, "--continue", original, path],
                                                             check=True, capture_output=True))
    plain = diff(original, tuned, expect=1)
    before, after = tensors_by_name(original), tensors_by_name(tuned)
    change = sum(numpy.sum((values.astype(float) - after[key]) ** 2) for key, values in before.items())
    norm = sum(numpy.sum(values.astype(float) ** 2) for values in before.values())
    check(abs(plain["relative"] / (change / norm) ** 0.5 - 1) < 1e-12, f"relative change {plain['relative']}")
    with scratch() as folder:
        for elements in ("permute", "sign", "scale", "permute,sign,scale"):
            sample(tuned, SEED, folder / "moved.onnx", elements)
            check_same_numbers(plain, diff(original, folder / "moved.onnx"))


def only(elements):
    """What was not drawn is not found: a shuffled copy has no signs, a flipped one no permutation."""
    keys = {"permute": "permuted", "sign": "flipped", "scale": "scaled"}
    with scratch() as folder:
        noisy(ROOT / "samples/digits_attention.onnx", folder / "tuned.onnx")
        sample(folder / "tuned.onnx", SEED, folder / "moved.onnx", elements)
        report = diff(ROOT / "samples/digits_attention.onnx", folder / "moved.onnx", expect=1)
        for kind, key in keys.items():
            check_equal(any(row[key] for row in report["classes"]), kind == elements, f"classes {key}")


# ---- changes of a graph ----


def insert_node(model):
    graph = model.graph
    node = next(node for node in graph.node if node.op_type == "Relu")
    user = next(other for other in graph.node if node.output[0] in other.input)
    inserted = helper.make_node("Tanh", [node.output[0]], ["inserted_value"], name="inserted")
    user.input[list(user.input).index(node.output[0])] = "inserted_value"
    graph.node.insert(list(graph.node).index(node) + 1, inserted)


def delete_node(model):
    graph = model.graph
    node = next(node for node in graph.node if node.op_type == "Relu")
    for other in graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
    graph.node.remove(node)


def change_attribute(model):
    node = next(node for node in model.graph.node if node.op_type == "MaxPool")
    for attribute in node.attribute:
        if attribute.name == "strides":
            attribute.ints[:] = [1, 1]


def rename_input(model):
    old = model.graph.input[0].name
    model.graph.input[0].name = "renamed"
    for node in model.graph.node:
        node.input[:] = ["renamed" if name == old else name for name in node.input]


def raise_opset(model):
    model.opset_import[0].version += 1


def change_type(model):
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(numpy.float16), tensor.name))


def one_ulp(model):
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[3] = numpy.nextafter(values.flat[3], numpy.float32(9))
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def flip_signs(model):
    tensor = model.graph.initializer[0]
    values = numpy_helper.to_array(tensor).copy()
    values[::2] *= -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def double(model):
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(tensor), tensor.name))


# name: (change, verdict, what one line of the report has to say)
CHANGES = {
    "node-inserted": (insert_node, "different-structure", ("+ Tanh inserted, after",)),
    "node-deleted": (delete_node, "different-structure", ("- Relu /2/Relu, after",)),
    "attribute": (change_attribute, "different-structure", ("~ MaxPool", "strides [2, 2] ->")),
    "input-renamed": (rename_input, "different-structure", ("input name image: image -> renamed",)),
    "opset": (raise_opset, "different-structure", ("operator set: 14 -> 15",)),
    "type": (change_type, "different-structure", ("float 12 x 1 x 3 x 3 -> float16 12 x 1 x 3 x 3",)),
    "one-ulp": (one_ulp, "other-weights", ("0.weight", "changed")),
    "signs": (flip_signs, "other-weights", ("sign-flipped, axis 0: 6 of 12 signs",)),
    "factor": (double, "other-weights", ("scaled, by 2",)),
}


def changed(change, verdict, parts):
    original = ROOT / "samples/digits_convnet.onnx"
    model = onnx.load(str(original))
    change(model)
    with scratch() as folder:
        onnx.save(model, str(folder / "changed.onnx"))
        report = diff(original, folder / "changed.onnx", expect=1)
        check_equal(report["verdict"], verdict, "verdict")
        text = run("diff", original, folder / "changed.onnx", expect=1).output
        found = [line for line in text.splitlines() if all(part in line for part in parts)]
        check_equal(len(found), 1, f"lines that say {' ... '.join(parts)} in:\n{text}\n")


# ---- single tests ----


def size_of_one_ulp():
    original = ROOT / "samples/digits_convnet.onnx"
    model = onnx.load(str(original))
    one_ulp(model)
    before = next(numpy_helper.to_array(tensor) for tensor in onnx.load(str(original)).graph.initializer
                  if len(tensor.dims) == 4)
    after = next(numpy_helper.to_array(tensor) for tensor in model.graph.initializer if len(tensor.dims) == 4)
    with scratch() as folder:
        onnx.save(model, str(folder / "changed.onnx"))
        rows = [row for row in diff(original, folder / "changed.onnx", expect=1)["tensors"] if row["differing"]]
    check_equal([row["differing"] for row in rows], [1], "elements that differ, by tensor")
    step = abs(before.astype(float) - after.astype(float))
    check_equal(rows[0]["largest"], step.max(), "largest difference")
    relative = numpy.sqrt((step ** 2).sum() / (before.astype(float) ** 2).sum())
    check(abs(rows[0]["relative"] / relative - 1) < 1e-9, f"relative change {rows[0]['relative']}, not {relative}")


def tolerance():
    original = ROOT / "samples/digits_convnet.onnx"
    with scratch() as folder:
        noisy(original, folder / "noisy.onnx", 1e-4)
        check_equal(diff(original, folder / "noisy.onnx", expect=1)["verdict"], "other-weights", "verdict")
        loose = diff(original, folder / "noisy.onnx", "--tolerance=0.001", expect=0)
        check_equal(loose["verdict"], "equivalent-within-tolerance", "verdict with a tolerance")
        tight = diff(original, folder / "noisy.onnx", "--tolerance=1e-6", expect=1)
        check_equal(tight["verdict"], "other-weights", "verdict with too small a tolerance")


def bias_of_another():
    """Rows permuted without their biases hold the same numbers, and are another function."""
    original = catalogue.made()["mlp_3_4_3_2"]
    model = onnx.load(str(original))
    disguise.permute(model, numpy.random.default_rng(4), [[("c0", 0)]])
    with scratch() as folder:
        onnx.save(model, str(folder / "changed.onnx"))
        check_equal(diff(original, folder / "changed.onnx", expect=1)["verdict"], "other-weights", "verdict")


def unrelated():
    made = catalogue.made()
    ended = run("diff", made["resnet18.default"], made["mobilenet_v2.default"], expect=1)
    lines = ended.output.splitlines()
    check(lines[0].startswith("different structure: "), f"first line {lines[0]!r}")
    check(len(lines) < 40, f"{len(lines)} lines about two unrelated models")


def identical():
    original = ROOT / "samples/digits_mlp.onnx"
    with scratch() as folder:
        (folder / "copy.onnx").write_bytes(original.read_bytes())
        ended = run("diff", original, folder / "copy.onnx", expect=0)
        check_equal(ended.output, "identical files\n", "output")
        (folder / "broken.onnx").write_bytes(original.read_bytes()[:-1000])
        for pair in ((original, folder / "broken.onnx"), (folder / "broken.onnx", original)):
            for tool in (TOOL, SANITIZED_TOOL):
                ended = run("diff", *pair, tool=tool, expect=2)
                check_equal((ended.output, ended.errors.count("\n")), ("", 1), "output and lines of errors")
                check(str(folder / "broken.onnx") in ended.errors, f"the error names another file: {ended.errors}")


def sanitized():
    """Everything once under the sanitizers."""
    for model in catalogue.samples():
        with scratch() as folder:
            noisy(model.path, folder / "noisy.onnx")
            sample(folder / "noisy.onnx", SEED, folder / "moved.onnx")
            diff(model.path, folder / "moved.onnx", "--witness", folder / "w.json", tool=SANITIZED_TOOL, expect=1)
            run("apply", model.path, "--witness", folder / "w.json", "-o", folder / "applied.onnx",
                tool=SANITIZED_TOOL, expect=0)
            sample(model.path, SEED, folder / "member.onnx", "permute,sign,scale")
            run("diff", model.path, folder / "member.onnx", "--witness", folder / "w.json", tool=SANITIZED_TOOL)
            run("apply", model.path, "--witness", folder / "w.json", "-o", folder / "applied.onnx",
                tool=SANITIZED_TOOL, expect=0)
            for other in catalogue.samples():
                run("diff", model.path, other.path, "--all", tool=SANITIZED_TOOL,
                    expect=0 if other.path == model.path else 1)


def foreign_witness():
    """A witness of another model, one that is no permutation, and one that is no symmetry are refused."""
    original = ROOT / "samples/digits_convnet.onnx"
    with scratch() as folder:
        witness, out = folder / "w.json", folder / "out.onnx"
        sample(original, SEED, folder / "moved.onnx")
        diff(original, folder / "moved.onnx", "--witness", witness, expect=0)
        ended = run("apply", ROOT / "samples/digits_mlp.onnx", "--witness", witness, "-o", out, expect=2)
        check("of another model" in ended.errors, ended.errors)
        whole = json.loads(witness.read_text())
        axis = whole["axes"][0]["source"]
        for wrong, reason in ((axis[::-1], "no symmetry|contradicts"), ([0] * len(axis), "not given a permutation"),
                              (axis[:-1], "another extent")):
            whole["axes"][0]["source"] = wrong
            witness.write_text(json.dumps(whole))
            ended = run("apply", original, "--witness", witness, "-o", out, expect=2)
            check(any(part in ended.errors for part in reason.split("|")), f"{reason}: {ended.errors}")
        for wrong, reason in ((folder, "it is a folder"), (folder / "none.json", "cannot open the file"),
                              (original, "no JSON")):
            ended = run("apply", original, "--witness", wrong, "-o", out, expect=2)
            check(reason in ended.errors, ended.errors)
        check(not out.exists(), "a refused witness wrote a model")


def foreign_factors():
    """Signs and exponents that no symmetry has, or that no float can hold, are refused."""
    original = ROOT / "samples/digits_convnet.onnx"
    with scratch() as folder:
        witness, out = folder / "w.json", folder / "out.onnx"
        sample(original, SEED, folder / "member.onnx", "sign,scale")
        diff(original, folder / "member.onnx", "--witness", witness, expect=0)
        whole = witness.read_text()
        for key, change, reason in (("exponents", lambda list_: [list_[0] + 1] + list_[1:], "no symmetry"),
                                    ("signs", lambda list_: [-list_[0]] + list_[1:], "no symmetry"),
                                    ("signs", lambda list_: [3] + list_[1:], "neither 1 nor -1"),
                                    ("exponents", lambda list_: [10**6] + list_[1:], "that no number has"),
                                    ("signs", lambda list_: list_[1:], "no witness|another extent")):
            wrong = json.loads(whole)
            row = next(row for row in wrong["axes"] if key in row)
            row[key] = change(row[key])
            witness.write_text(json.dumps(wrong))
            ended = run("apply", original, "--witness", witness, "-o", out, expect=2)
            check(any(part in ended.errors for part in reason.split("|")), f"{reason}: {ended.errors}")
        far = json.loads(whole)
        for row in far["axes"]:
            row["exponents"] = [100 * exponent for exponent in row.get("exponents", [])]
        far["axes"] = [{name: value for name, value in row.items() if value != []} for row in far["axes"]]
        witness.write_text(json.dumps(far))
        ended = run("apply", original, "--witness", witness, "-o", out, expect=2)
        check("beyond what float can hold" in ended.errors, ended.errors)
        check(not out.exists(), "a refused witness wrote a model")


def extreme_doubles():
    """Numbers whose squares are no doubles: a change is as large as it is, or infinite, and never a NaN or nothing."""
    def one(value):
        return helper.make_model(helper.make_graph(
            [helper.make_node("Add", ["x", "c"], ["y"])], "g",
            [helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, (5,))],
            [helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, (5,))],
            [numpy_helper.from_array(numpy.full(5, value), "c")]), opset_imports=[helper.make_opsetid("", 14)])
    with scratch() as folder:
        for a, b in ((1e200, 1.1e200), (5e-324, 1e-323), (1e200, 1.0)):
            onnx.save(one(a), str(folder / "a.onnx"))
            onnx.save(one(b), str(folder / "b.onnx"))
            text = run("diff", folder / "a.onnx", folder / "b.onnx", "--tolerance=1e-3", expect=1).output
            check("nan" not in text, f"{a} and {b}:\n{text}")


def place_of_witness():
    """It takes the place of no device, pipe or folder, and of none of the models; apply does not write over it."""
    original = ROOT / "samples/digits_mlp.onnx"
    with scratch() as folder:
        first, second, witness = folder / "first.onnx", folder / "second.onnx", folder / "w.json"
        first.write_bytes(original.read_bytes())
        sample(original, SEED, second)
        os.mkfifo(folder / "pipe")
        os.symlink("second.onnx", folder / "link")
        before = sorted(os.listdir(folder)), first.read_bytes(), second.read_bytes()
        for name in ("pipe", ".", "first.onnx", "link", "nowhere/w.json"):
            ended = run("diff", first, second, "--witness", folder / name, expect=2)
            check_equal((ended.output, ended.errors.count("\n")), ("", 1), f"output and lines of errors for {name}")
        check_equal((sorted(os.listdir(folder)), first.read_bytes(), second.read_bytes()), before, "the folder")
        check((folder / "pipe").is_fifo() and (folder / "link").is_symlink(), "a pipe or a link was replaced")
        run("diff", first, second, "--witness", witness, expect=0)
        content = witness.read_bytes()
        run("apply", first, "--witness", witness, "-o", witness, expect=2)
        check_equal(witness.read_bytes(), content, "the witness")


def nothing_moves():
    original = ROOT / "samples/digits_attention.onnx"
    with scratch() as folder:
        noisy(original, folder / "noisy.onnx")
        diff(original, folder / "noisy.onnx", "--witness", folder / "w.json", expect=1)
        check_equal(json.loads((folder / "w.json").read_text())["axes"], [], "axes of a witness that moves nothing")
        run("apply", original, "--witness", folder / "w.json", "-o", folder / "same.onnx", expect=0)
        check_same_bytes(original, folder / "same.onnx", "a model and itself under the identity")


OTHERS = {
    "one-ulp-size": size_of_one_ulp, "tolerance": tolerance, "bias-of-another": bias_of_another,
    "ways": ways_are_named, "witness-by-numpy": witness_by_numpy,
    "unrelated": unrelated, "identical-and-broken": identical, "sanitized": sanitized,
    "witness-refused": foreign_witness, "factors-refused": foreign_factors, "witness-of-nothing": nothing_moves,
    "witness-place": place_of_witness, "extreme-doubles": extreme_doubles,
}
