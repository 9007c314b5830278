"""Nothing that we claim is wrong: three random members of every model's group compute what the model computes.

Models: random architectures, every block of theirs on its own, small exports of torchvision, and every model of ONNX's
own test data whose float parameters are in the file. (Samples, hand-made, npm's and larger exports: equivalence.py asks
the same of them.) For each: outputs vary; the canonical form agrees; three samples agree and have the same canonical
form; and the canonical form of the canonical form is itself. scripts/soundness runs more of everything.
"""

import collections
import os
import re
import subprocess
import sys

import onnx

import catalogue
import conformance
from harness import BUILD, JUDGE, ROOT, CannotRun, Failure, canonical, check, check_same_bytes, sample, scratch

import make
import random_architectures
import zoo

SEEDS = (1, 2, 3)
RANDOM = int(os.environ.get("CANONNX_RANDOM", 60))  # random architectures, 0, 1, 2 ...
SINGLES = int(os.environ.get("CANONNX_SINGLES", 1))  # of every block on its own
FIRST = int(os.environ.get("CANONNX_FIRST", 0))  # seed of the first of either
LEAST_RANDOM = 40  # that must really have been compared
EXPORT_LIMIT = 900  # seconds

compared = collections.Counter()


def cases():
    for seed in range(FIRST, FIRST + RANDOM):
        yield f"random/{seed}", lambda seed=seed: written(random_architectures.random_net(seed), "random")
    yield "random/enough-compared", enough_compared
    for kind, name, table in random_architectures.singles():
        for seed in range(FIRST, FIRST + SINGLES):
            yield f"block/{kind}/{name}/{seed}", lambda kind=kind, name=name, table=table, seed=seed: written(
                random_architectures.single_block(kind, name, seed, table), "block")
    for name in zoo_names():
        yield f"torchvision/{name}", lambda name=name: exported(name)
    for path in with_parameters():
        yield f"testdata/{path.parent.name}", lambda path=path: shipped(path)


def zoo_names():
    chosen = os.environ.get("CANONNX_ZOO", " ".join(zoo.SMALL))
    return list(zoo.kinds()) if chosen == "all" else chosen.split()


def enough_compared():
    least = min(LEAST_RANDOM, RANDOM * 2 // 3)
    check(compared["random"] >= least, f"only {compared['random']} random architectures were compared")


# ---- one model ----


def written(net, kind):
    """A random net; one whose outputs are the same for all inputs is told apart from one that fails."""
    with scratch() as folder:
        path = folder / "net.onnx"
        onnx.save(net.model(), str(path))
        try:
            hold(path, catalogue.Model("random", "net", path).inputs(), folder)
        except Failure as failure:
            raise Failure(f"{', '.join(net.story)}: {failure}") from None
    compared[kind] += 1


def exported(name):
    """A torchvision architecture, exported once and kept."""
    path = BUILD / "models" / "zoo" / f"{name}.onnx"
    trouble = path.with_suffix(".trouble")  # an export that failed is not tried again
    recipe = make.recipe("zoo.py", "exports.py")
    if trouble.exists() and trouble.read_text().startswith(recipe):
        raise CannotRun(trouble.read_text()[len(recipe):])
    try:
        make.make_one(path, recipe, lambda where: export(name, where))
    except CannotRun as reason:
        trouble.write_text(f"{recipe}{reason}")
        raise
    with scratch(6 * path.stat().st_size) as folder:
        hold(path, catalogue.Model("zoo", name, path).inputs(), folder)


def export(name, where):
    try:
        run = subprocess.run([sys.executable, str(ROOT / "tests/models/zoo.py"), name, where], capture_output=True,
                             timeout=EXPORT_LIMIT)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"PyTorch needs more than {EXPORT_LIMIT} s to export it") from None
    if run.returncode != 0:
        lines = run.stderr.decode(errors="replace").strip().splitlines() or [f"status {run.returncode}"]
        raise CannotRun(f"PyTorch does not export it: {lines[-1][:120]}")


def shipped(path):
    """ONNX's own model on its example data; its outputs may be constant, since it is one operator."""
    inputs = [conformance.specification(name, tensor) for name, tensor in example(path).items()]
    with scratch() as folder:
        form = canonical(path, folder / "canonical.onnx")
        runs = JUDGE.ask({"reference": str(path), "other": str(path), "inputs": inputs, "rounds": 1})
        if not runs["ok"]:
            raise CannotRun(f"ONNX Runtime does not run it: {reason(runs['error'])}")
        conformance.agree(path, form, inputs)
        for seed in SEEDS:
            member = sample(path, seed, folder / "sample.onnx")
            conformance.agree(path, member, inputs)
            check_same_bytes(form, canonical(member, folder / "moved.onnx"), f"canonical form of sample {seed}")


def example(path):
    """{input name: tensor}; in old files, initializers are inputs too, without example data."""
    graph = onnx.load(str(path)).graph
    given = {tensor.name for tensor in graph.initializer}
    feed = {}
    for index, value in enumerate(value for value in graph.input if value.name not in given):
        if value.type.tensor_type.elem_type not in conformance.TYPES:
            raise CannotRun("an input is no numeric tensor the judge can make")
        data = path.parent / "test_data_set_0" / f"input_{index}.pb"
        feed[value.name] = onnx.TensorProto.FromString(data.read_bytes())
    return feed


def with_parameters():
    """Models of ONNX's test data that hold float weights, as initializers or as Constant nodes."""
    return [path for path in catalogue.testdata()
            if path.name == "model.onnx" and (path.parent / "test_data_set_0").is_dir() and holds_floats(path)]


def holds_floats(path):
    graph = onnx.load(str(path)).graph
    tensors = list(graph.initializer)
    tensors += [a.t for node in graph.node if node.op_type == "Constant" for a in node.attribute if a.HasField("t")]
    return any(tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) > 0 for tensor in tensors)


def hold(path, inputs, folder):
    """Runs the model against its canonical form and three samples."""
    form = canonical(path, folder / "canonical.onnx")
    runs = JUDGE.ask({"reference": str(path), "other": str(path), "inputs": inputs,
                      "stamp": str(path.stat().st_mtime_ns)})
    if not runs["ok"]:
        raise CannotRun(f"ONNX Runtime does not run it: {reason(runs['error'])}")
    constant = [output["name"] for output in runs["outputs"] if not output["varies"]]
    if constant:
        raise CannotRun("an output hardly varies: a comparison proves nothing")
    agree(path, form, inputs, "the canonical form")
    check_same_bytes(form, canonical(form, folder / "again.onnx"), "canonical form of the canonical form")
    for seed in SEEDS:
        member = sample(path, seed, folder / "sample.onnx")
        agree(path, member, inputs, f"sample {seed}")
        check_same_bytes(form, canonical(member, folder / "moved.onnx"), f"canonical form of sample {seed}")


def reason(error):
    """ONNX Runtime's complaint without the file's and the node's name, so that equal ones are counted together."""
    return re.sub(r"(/\S+|Name:'[^']*'|\(\w+_\d+\))", "", error)[:120]


def agree(path, other, inputs, what):
    try:
        JUDGE.compare(path, other, inputs)
    except Failure as failure:
        raise Failure(f"{what}: {failure}") from None
