"""What the digests of structure, weights and whole forms ignore and what they see; lists of them; embedded ones."""

import os
import re

import numpy
import onnx
from onnx import numpy_helper

import catalogue
import disguise
from harness import (canonical, check, check_equal, check_same_bytes, hash_of, run, run_json, sample, scratch)

# Readers whose float inputs training would change.
TRAINED = {"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LSTM", "GRU", "RNN"}
ODD_NAMES = ("two words.onnx", "line\nbreak.onnx", "back\\slash.onnx", "carriage\rreturn.onnx", "\\n.onnx", "é.onnx")


def cases():
    for model in catalogue.small() + catalogue.from_npm():
        yield f"{model.label}/fine-tuned", lambda model=model: fine_tuned(model)
        yield f"{model.label}/disguised", lambda model=model: disguised(model)
        yield f"{model.label}/embedded", lambda model=model: embedded(model)
    for model in catalogue.samples():
        yield f"{model.label}/structure-changed", lambda model=model: structure_changed(model)
        yield f"{model.label}/weights-elsewhere", lambda model=model: weights_elsewhere(model)
        yield f"{model.label}/tampered", lambda model=model: tampered(model)
        yield f"{model.label}/metadata-kept", lambda model=model: metadata_kept(model)
    for kind in ([], ["--structure"], ["--weights"]):
        yield f"list{''.join(kind)}", lambda kind=kind: list_of(kind)
    yield "list/odd-names", odd_names
    yield "list/trouble", list_trouble
    yield "embedded/trouble", embedded_trouble


def digest(kind, path):
    """The digest, or "refused" where a model has no canonical form; its structure always has a digest."""
    ended = run("hash", f"--{kind}", "--quiet", path)
    if kind == "weights" and ended.status == 2 and "the form is not canonical" in ended.errors:
        return "refused"
    check_equal(ended.status, 0, f"exit of hash --{kind}: {ended.errors}")
    return ended.output


def tune(model, random):
    """Changes every trained tensor that is an initializer, equal ones in different ways. Returns how many."""
    tensors = {tensor.name: tensor for graph in disguise.graphs_of(model) for tensor in graph.initializer}
    trained = {name for graph in disguise.graphs_of(model) for node in graph.node if node.op_type in TRAINED
               for name in node.input if name in tensors and tensors[name].data_type == 1 and tensors[name].dims}
    for name in sorted(trained):
        values = numpy_helper.to_array(tensors[name])
        noise = random.uniform(0.5, 1.5, values.shape)
        tensors[name].CopyFrom(numpy_helper.from_array((values * noise + 0.01 * noise).astype(numpy.float32), name))
    return len(trained)


def fine_tuned(model):
    """Other weights of the same shapes: the structure's digest stays, the others change."""
    loaded = onnx.load(str(model.path))
    disguise.split_shared(loaded, None)  # what was equal before training need not be shared afterwards
    count = tune(loaded, numpy.random.default_rng(3))
    with scratch() as folder:
        tuned = folder / "tuned.onnx"
        onnx.save(loaded, str(tuned))
        check_equal(digest("structure", tuned), digest("structure", model.path), "structure after training")
        if count and digest("weights", tuned) != "refused":
            check(digest("weights", tuned) != digest("weights", model.path), "training does not show in the weights")


def disguised(model):
    """Names, order, storage, idle nodes; and a random member of the class."""
    loaded = onnx.load(str(model.path))
    disguise.everything(loaded, numpy.random.default_rng(5))
    with scratch() as folder:
        onnx.save(loaded, str(folder / "disguised.onnx"))
        sample(model.path, 5, folder / "sampled.onnx")
        for kind in ("structure", "weights"):
            expected = digest(kind, model.path)
            for name in ("disguised.onnx", "sampled.onnx"):
                check_equal(digest(kind, folder / name), expected, f"{kind} of {name}")


def structure_changed(model):
    """Each of these is another structure with the same weights."""
    def another_attribute(loaded):
        loaded.graph.node[0].attribute.append(onnx.helper.make_attribute("unheard_of", 3))

    def another_operator(loaded):
        next(node for node in loaded.graph.node if node.op_type in ("Relu", "Gelu", "Tanh", "Erf")).op_type = "Sin"

    def another_name(loaded):
        old, new = loaded.graph.output[0].name, "renamed"
        loaded.graph.output[0].name = new
        for node in loaded.graph.node:
            node.output[:] = [new if name == old else name for name in node.output]

    def another_version(loaded):
        next(entry for entry in loaded.opset_import if entry.domain in ("", "ai.onnx")).version += 1

    def another_type(loaded):
        loaded.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "M"

    expected, weights = digest("structure", model.path), digest("weights", model.path)
    with scratch() as folder:
        for change in (another_attribute, another_operator, another_name, another_version, another_type):
            loaded = onnx.load(str(model.path))
            change(loaded)
            onnx.save(loaded, str(folder / "changed.onnx"))
            check(digest("structure", folder / "changed.onnx") != expected, f"{change.__name__} does not show")
            if change is another_name:
                check_equal(digest("weights", folder / "changed.onnx"), weights, "weights under another output name")


def weights_elsewhere(model):
    """The same tensors behind another graph, and in another order: the same weights."""
    loaded = onnx.load(str(model.path))
    graph = loaded.graph
    last = graph.output[0]
    graph.node.append(onnx.helper.make_node("Neg", [last.name], ["negated"]))
    last.name = "negated"
    with scratch() as folder:
        onnx.save(loaded, str(folder / "other.onnx"))
        check_equal(digest("weights", folder / "other.onnx"), digest("weights", model.path), "weights")
        check(hash_of(folder / "other.onnx") != hash_of(model.path), "the form does not show another graph")


def embedded(model):
    """The hash in the file is the hash of the file, with it and without it, and again."""
    with scratch(4 * model.size) as folder:
        first, again = folder / "first.onnx", folder / "again.onnx"
        ended = run("canon", "--embed-hash", model.path, "-o", first)
        if ended.status != 0:
            check(run("hash", model.path).status == 2, f"hash works, embedding does not: {ended.explain()}")
            check(not first.exists(), "a model was written although there is no hash")
            return
        expected = hash_of(model.path)
        check_equal(hash_of(first), expected, "hash of the file with the hash")
        props = {entry.key: entry.value for entry in onnx.load(str(first)).metadata_props}
        check(re.fullmatch(r"\d+:" + expected, props.get("canonnx.hash", "")), f"metadata is {props}")
        check_equal(run("hash", "--check", first, expect=0).output, f"{first}: OK\n", "hash --check")
        canonical(first, again)
        check_same_bytes(again, canonical(model.path, folder / "plain.onnx"), "canon drops the hash")
        for options in (["--embed-hash"], ["--keep-metadata"], ["--keep-metadata", "--embed-hash"]):
            run("canon", *options, first, "-o", again, expect=0)
            check_same_bytes(first, again, f"canon {options} of a canonical form with its hash")


def tampered(model):
    with scratch() as folder:
        path = folder / "model.onnx"
        run("canon", "--embed-hash", model.path, "-o", path, expect=0)
        loaded = onnx.load(str(path))
        tensor = next(t for t in loaded.graph.initializer if t.data_type == 1 and len(t.dims) > 1)
        values = numpy_helper.to_array(tensor).copy()
        values.flat[0] = numpy.nextafter(values.flat[0], numpy.float32(9))
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.save(loaded, str(path))
        ended = run("hash", "--check", path, expect=1)
        check_equal(ended.output, f"{path}: FAILED\n", "hash --check of a model with one weight changed")
        kept = folder / "kept.onnx"
        run("canon", "--keep-metadata", path, "-o", kept, expect=0)
        run("hash", "--check", kept, expect=1)
        run("canon", "--embed-hash", path, "-o", path, expect=0)
        run("hash", "--check", path, expect=0)


def metadata_kept(model):
    """The hash ignores other metadata, wherever it is, and leaves it alone."""
    loaded = onnx.load(str(model.path))
    onnx.helper.set_model_props(loaded, {"author": "somebody"})
    if hasattr(loaded.graph.node[0], "metadata_props"):
        entry = loaded.graph.node[0].metadata_props.add()
        entry.key, entry.value = "layer", "first"
    with scratch() as folder:
        path = folder / "model.onnx"
        onnx.save(loaded, str(path))
        run("canon", "--keep-metadata", "--embed-hash", path, "-o", path, expect=0)
        props = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
        check_equal(sorted(props), ["author", "canonnx.hash"], "keys of the metadata")
        run("hash", "--check", path, expect=0)
        check_equal(hash_of(path), hash_of(model.path), "hash with metadata and without")


def list_of(kind):
    """What hash prints, hash --check reads; a wrong digest is exit 1, a missing model exit 2."""
    paths = [str(model.path) for model in catalogue.samples()]
    with scratch() as folder:
        listed = run("hash", *kind, *paths, expect=0).output
        digests = folder / "digests"
        digests.write_text("# a comment\n" + listed)
        good = "".join(f"{path}: OK\n" for path in paths)
        check_equal(run("hash", *kind, "--check", digests, expect=0).output, good, "hash --check")
        check_equal(run("hash", *kind, "--check", "-", input=listed.upper().replace(
            listed.upper()[34:], listed[34:]).encode(), expect=0).output, good, "a list on standard input")
        check_equal(run("hash", *kind, "--check", "-", input=listed.replace("\n", "\r\n").encode(), expect=0).output, good,
                    "hash --check of lines that end as elsewhere")
        check_equal(run("hash", *kind, "--check", "--quiet", digests, expect=0).output, "", "hash --check --quiet")
        digests.write_text(listed.replace(listed[:4], "0000" if listed[:4] != "0000" else "1111", 1))
        ended = run("hash", *kind, "--check", "--quiet", digests, expect=1)
        check_equal(ended.output, f"{paths[0]}: FAILED\n", "one wrong digest")
        found = run("hash", *kind, "--check", "--json", digests).output
        check('"ok": false' in found and found.count('"ok": true') == len(paths) - 1, found)


def odd_names():
    """Names are escaped as sha256sum escapes them, and found again."""
    with scratch() as folder:
        for name in ODD_NAMES:
            canonical(catalogue.samples()[0].path, folder / name)
        listed = run("hash", *ODD_NAMES, cwd=folder, expect=0).output
        check_equal(listed.count("\n"), len(ODD_NAMES), "number of lines")
        theirs = os.popen(f"cd '{folder}' && sha256sum -- *").read()  # glob order is another one
        check_equal(sorted(escape(line, 32) for line in listed.splitlines()),
                    sorted(escape(line, 64) for line in theirs.splitlines()), "names as sha256sum prints them")
        ended = run("hash", "--check", "-", cwd=folder, input=listed.encode(), expect=0)
        check_equal(ended.output.count(": OK\n"), len(ODD_NAMES), "number of names found again")


def escape(line, digits):
    """A line of digests without the digest."""
    marked = line.startswith("\\")
    return marked, line[marked + digits:]


def list_trouble():
    model = str(catalogue.samples()[0].path)
    line = run("hash", model, expect=0).output
    for text, words in (
            ("", "no .onnx|holds no|no digests|empty|not a"), ("# nothing\n", "no digests|byte|not a"),
            (line + "rubbish\n", "line 2: not a digest and a path"), (line[1:] + line, "byte|not a|line 1"),
            (line + line.replace("  ", " "), "line 2: not a digest"),
            (line.rstrip("\n") + "\0x\n" + line, "line 1: not a digest|byte"),
            (line + f"{'0' * 32}  missing.onnx\n", "missing.onnx: cannot open the file")):
        with scratch() as folder:
            (folder / "list").write_text(text)
            ended = run("hash", "--check", folder / "list", expect=2)
            check(re.search(words, ended.errors), f"{text!r}: {ended.errors}")
            check_equal(run("hash", "--check", "-", input=text.encode()).status, 2, f"exit for {text!r} on a pipe")
    check_equal(run("hash", "--structure", "--weights", model).status, 2, "exit for two kinds at once")


def embedded_trouble():
    model = catalogue.samples()[0].path
    check("holds no hash" in run("hash", "--check", model, expect=2).errors, "a model without a hash")
    with scratch() as folder:
        path = folder / "model.onnx"
        for value, words in (("rubbish", "malformed"), ("1:" + "0" * 31, "malformed"), ("", "malformed"),
                             ("999:" + "0" * 32, "version 999")):
            loaded = onnx.load(str(model))
            onnx.helper.set_model_props(loaded, {"canonnx.hash": value})
            onnx.save(loaded, str(path))
            check(words in run("hash", "--check", path, expect=2).errors, f"embedded hash {value!r}")
            check_equal(hash_of(path), hash_of(model), "hash of a file with a bad embedded hash")
        run("canon", "--embed-hash", model, "-o", path, expect=0)
        check("whole form" in run("hash", "--check", "--structure", path, expect=2).errors, "--structure of a model")
        check(run("canon", "--embed-hash", "--passes=dead", model, "-o", folder / "x.onnx", expect=2).errors,
              "a hash of no canonical form")
        check(not (folder / "x.onnx").exists(), "a refused hash wrote a file")
        check_equal(run_json("hash", "--check", path)["checks"][0]["ok"], True, "hash --check --json")
