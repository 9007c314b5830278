"""The same bytes every time: in every run, with any number of threads, in every locale, wherever the system puts
memory, from every folder, under every build."""

import contextlib
import itertools
import os
import pathlib
import shutil
import subprocess

import numpy
import onnx
from onnx import numpy_helper

import catalogue
import everywhere
from harness import (BUILD, CLANG_TOOL, SANITIZED_TOOL, TOOL, CannotRun, canonical, check, check_equal,
                     check_same_bytes, hash_of, run, run_json, sample, scratch)

RUNS = 20
LOCALES = ("C", "de_DE.UTF-8", "tr_TR.UTF-8")  # 1,5 for 1.5, another order; another upper case of i
BUILDS = {"gcc, release": TOOL, "clang, release": CLANG_TOOL, "gcc, sanitizers": SANITIZED_TOOL}


def models():
    npm = [model for model in catalogue.from_npm() if model.size < 3e6]
    exported = [m for m in catalogue.exported() if m.name in ("squeezenet1_1.default", "resnet18.plain")]
    return catalogue.samples() + npm + exported


def cases():
    for model in models():
        yield f"{model.label}/twenty-runs", lambda model=model: twenty_runs(model)
        yield f"{model.label}/twice", lambda model=model: twice(model)
        yield f"{model.label}/all-builds", lambda model=model: all_builds(model)
        yield f"{model.label}/locales", lambda model=model: locales(model)
    yield "all-models/twenty-runs", all_models_in_twenty_runs
    for model in catalogue.samples():
        yield f"{model.label}/anywhere", lambda model=model: anywhere(model)
        yield f"{model.label}/one-bit-shows", lambda model=model: one_bit_shows(model)
        yield f"{model.label}/seeds", lambda model=model: seeds(model)
    yield "addresses-are-random", addresses_are_random


def surroundings():
    """Environments that may not matter: every locale with one thread and with two, and with and without random
    addresses; for ever, so that as many as are wanted can be taken. The program's own threads are as many as the
    processors that it may use."""
    one = ["taskset", "-c", str(min(os.sched_getaffinity(0)))]
    addresses = ([], ["setarch", "-R"])
    for locale, threads, fixed in itertools.cycle(itertools.product(LOCALES, ("1", "2"), addresses)):
        yield (one if threads == "1" else []) + fixed, {**locale_environment(locale), "OMP_NUM_THREADS": threads}


def twenty_runs(model):
    """Twenty digests, of all three kinds in turn, and what canon writes as the first and as the last."""
    digests = {kind: set() for kind in ((), ("--structure",), ("--weights",))}
    with scratch(4 * model.size) as folder:
        first = canonical(model.path, folder / "first.onnx")
        for number, (wrapper, environment) in zip(range(RUNS), surroundings()):
            command = [*wrapper, str(TOOL), "hash", "--quiet"]
            for kind, found in digests.items():
                ended = subprocess.run([*command, *kind, str(model.path)], env=environment, capture_output=True)
                check_equal(ended.returncode, 0, f"exit of run {number}: {ended.stderr.decode()}")
                found.add(ended.stdout)
            if number % 4 == 3:
                again = folder / "again" / first.name  # weights beside a file are called after it
                again.parent.mkdir(exist_ok=True)
                subprocess.run([*wrapper, str(TOOL), "canon", "--quiet", str(model.path), "-o", str(again)],
                               env=environment, check=True)
                check_same_bytes(first, again, f"canon as run 0 and as run {number}")
        for kind, found in digests.items():
            check_equal(len(found), 1, f"number of different digests {''.join(kind)} of {RUNS} runs")


def all_models_in_twenty_runs():
    """Digests of all models of everywhere.py: those that a run of hash can take at once, twenty times, and in all builds;
    nets of the zoo one by one, in fewer runs."""
    with contextlib.ExitStack() as stack:
        sources = [source for source in everywhere.models() if not source.label.startswith("torchvision/")]
        paths = [str(stack.enter_context(source.ready())) for source in sources]
        expected = run("hash", *paths)
        check(len(expected.output.splitlines()) > len(paths) * 0.9, f"few models have a digest: {expected.errors[:300]}")
        for number, (wrapper, environment) in zip(range(RUNS), surroundings()):
            ended = subprocess.run([*wrapper, str(TOOL), "hash", *paths], env=environment, capture_output=True, text=True)
            check_equal((ended.stdout, ended.stderr), (expected.output, expected.errors), f"run {number}")
        for build, tool in BUILDS.items():
            found = run("hash", *paths, tool=tool)
            check_equal((found.output, found.errors), (expected.output, expected.errors), build)
    for source in everywhere.models():
        if source.label.startswith("torchvision/"):
            with source.ready() as path:
                digests = {subprocess.run([*wrapper, str(TOOL), "hash", str(path)], env=environment,
                                          capture_output=True).stdout for _, (wrapper, environment)
                           in zip(range(4), surroundings())}
                check_equal(len(digests), 1, f"number of different digests of {source.label}")


def addresses_are_random():
    """Or else the twenty runs would not show an order that comes from addresses."""
    setting = pathlib.Path("/proc/sys/kernel/randomize_va_space")
    if not setting.exists() or setting.read_text().strip() == "0":
        raise CannotRun("the system does not randomise addresses")
    stacks = {subprocess.run(["grep", "stack", "/proc/self/maps"], capture_output=True).stdout for _ in range(4)}
    check(len(stacks) > 1, "four processes have their stacks at one address")


def twice(model):
    with scratch(4 * model.size) as folder:
        for make in (lambda out: canonical(model.path, out), lambda out: sample(model.path, 5, out)):
            check_same_bytes(make(folder / "a.onnx"), make(folder / "b.onnx"), "two runs")


def all_builds(model):
    """Compilers and sanitizers; canon, with its opt-in passes too, a sample, and every kind of digest."""
    everything = ",".join(row["name"] for row in run_json("list", "passes")["rows"] if "opt-in" in row["detail"])
    made = {}
    with scratch(8 * model.size) as folder:
        for build, tool in BUILDS.items():
            files = [canonical(model.path, folder / "canon.onnx", tool=tool),
                     sample(model.path, 5, folder / "sample.onnx", tool=tool), folder / "opt-in.onnx"]
            run("canon", model.path, "-o", files[-1], "--with", everything, tool=tool, expect=0)
            made[build] = [path.read_bytes() for path in files]
            made[build] += [run("hash", *kind, model.path, tool=tool, expect=0).output
                            for kind in ([], ["--structure"], ["--weights"])]
    first, names = made["gcc, release"], ("canon", "sample", "canon --with", "hash", "structure", "weights")
    for build, results in made.items():
        for what, ours, theirs in zip(names, first, results):
            check(ours == theirs, f"{what}: {build} and gcc, release differ")


def locale_environment(name):
    """The environment for a locale, which is made once."""
    if name == "C":
        return {**os.environ, "LC_ALL": "C"}
    folder = BUILD / "locale"
    if not (folder / name).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.which("localedef") is None:
            raise CannotRun("localedef is not installed")
        made = subprocess.run(["localedef", "-i", name.split(".")[0], "-f", "UTF-8", f"./{name}"], cwd=folder,
                              capture_output=True)
        if not (folder / name).is_dir():
            raise CannotRun(f"the locale {name} cannot be made: {made.stderr.decode().strip()[:100]}")
    return {**os.environ, "LOCPATH": str(folder), "LC_ALL": name}


def locales(model):
    """What is printed, too."""
    with scratch(4 * model.size) as folder:
        commands = (["inspect", model.path], ["symmetry", model.path], ["bound", model.path],
                    ["canon", "--explain", model.path, "-o", folder / "a.onnx"])
        outputs = [[run(*command, "--json", env=locale_environment(name), expect=0).output for command in commands]
                   for name in LOCALES]
        for name, found in zip(LOCALES[1:], outputs[1:]):
            for command, plain, other in zip(commands, outputs[0], found):
                check_equal(other, plain, f"{command[0]} --json in {name}")


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
