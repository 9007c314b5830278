"""The same bytes every time, in every locale, from every folder, under every build."""

import os
import shutil
import subprocess

import numpy
import onnx
from onnx import numpy_helper

import catalogue
from harness import (BUILD, SANITIZED_TOOL, CannotRun, canonical, check, check_equal, check_same_bytes, hash_of, run,
                     sample, scratch)


def models():
    npm = [model for model in catalogue.from_npm() if model.size < 3e6]
    exported = [m for m in catalogue.exported() if m.name in ("squeezenet1_1.default", "resnet18.plain")]
    return catalogue.samples() + npm + exported


def cases():
    for model in models():
        yield f"{model.label}/twice", lambda model=model: twice(model)
        yield f"{model.label}/both-builds", lambda model=model: both_builds(model)
        yield f"{model.label}/comma-locale", lambda model=model: comma_locale(model)
    for model in catalogue.samples():
        yield f"{model.label}/anywhere", lambda model=model: anywhere(model)
        yield f"{model.label}/one-bit-shows", lambda model=model: one_bit_shows(model)
        yield f"{model.label}/seeds", lambda model=model: seeds(model)


def twice(model):
    with scratch(4 * model.size) as folder:
        for make in (lambda out: canonical(model.path, out), lambda out: sample(model.path, 5, out)):
            check_same_bytes(make(folder / "a.onnx"), make(folder / "b.onnx"), "two runs")


def both_builds(model):
    with scratch(4 * model.size) as folder:
        first, second = folder / "a.onnx", folder / "b.onnx"
        check_same_bytes(canonical(model.path, first), canonical(model.path, second, tool=SANITIZED_TOOL), "two builds")
        check_same_bytes(sample(model.path, 5, first), sample(model.path, 5, second, tool=SANITIZED_TOOL), "two builds")


def german_locale():
    """A locale that writes 1,5 for 1.5 and sorts otherwise than C, made once; returns the environment for it."""
    folder = BUILD / "locale"
    if not (folder / "de_DE.UTF-8").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.which("localedef") is None:
            raise CannotRun("localedef is not installed")
        made = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", "./de_DE.UTF-8"], cwd=folder,
                              capture_output=True)
        if not (folder / "de_DE.UTF-8").is_dir():
            raise CannotRun(f"the de_DE locale cannot be made: {made.stderr.decode().strip()[:100]}")
    return {**os.environ, "LOCPATH": str(folder), "LC_ALL": "de_DE.UTF-8"}


def comma_locale(model):
    with scratch(4 * model.size) as folder:
        german, plain = german_locale(), {**os.environ, "LC_ALL": "C"}
        first = canonical(model.path, folder / "a.onnx", env=plain)
        check_same_bytes(first, canonical(model.path, folder / "b.onnx", env=german), "two locales")
        for command in ("inspect", "symmetry", "bound", "text"):
            outputs = [run(command, model.path, "--json", env=env, expect=0).output for env in (plain, german)]
            check_equal(outputs[1], outputs[0], f"{command} --json in two locales")


def anywhere(model):
    """The path, the folder and the time leave no trace."""
    with scratch() as folder:
        (folder / "other place").mkdir()
        moved = folder / "other place" / "renamed model.onnx"
        shutil.copy(model.path, moved)
        check_equal(hash_of(moved), hash_of(model.path), "digest of a copy elsewhere")
        first = canonical(model.path, folder / "a.onnx")
        run("canon", moved.name, "-o", "b.onnx", cwd=moved.parent, expect=0)
        check_same_bytes(first, moved.parent / "b.onnx", "run in another folder")
        check(str(folder).encode() not in first.read_bytes(), "the canonical form holds a path")


def one_bit_shows(model):
    """One weight changed by one unit in the last place changes the digest."""
    loaded = onnx.load(str(model.path))
    digests = {hash_of(model.path)}
    floats = [tensor for tensor in loaded.graph.initializer if tensor.data_type == 1 and numpy.prod(tensor.dims) > 1]
    with scratch() as folder:
        for tensor in floats:
            values = numpy_helper.to_array(tensor).copy()
            flat = values.reshape(-1)
            before, kept = flat[len(flat) // 2], tensor.SerializeToString()
            flat[len(flat) // 2] = numpy.nextafter(before, numpy.float32(9))
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
            onnx.save(loaded, str(folder / "nudged.onnx"))
            digests.add(hash_of(folder / "nudged.onnx"))
            tensor.ParseFromString(kept)
    check_equal(len(digests), 1 + len(floats), "number of different digests")


def seeds(model):
    """Another seed gives another member, the same seed the same."""
    with scratch() as folder:
        contents = {sample(model.path, seed, folder / "s.onnx").read_bytes() for seed in (1, 2, 3, 2**63, 1)}
        check_equal(len(contents), 4, "number of different samples of four seeds")
