"""Nothing that we claim is wrong: three random members of every model's group compute what the model computes.

Models: random architectures, every block of theirs on its own, nets that select and repeat units at random, small nets
of PyTorch in every form of export, exports of torchvision, and every model of ONNX's own test data whose float
parameters are in the file. (Samples, hand-made, npm's and larger exports: equivalence.py asks the same of them.) For
each: outputs vary, or the test has failed; the canonical form agrees; three samples of every kind of group element that
`canonnx sample` knows agree, and have the same canonical form where the form says that they do; the canonical form of
the canonical form is itself; and its group is no smaller. scripts/soundness runs more of everything, all models of the
catalogue included, with every kind alone and all at once.
"""

import collections
import os
import re
import shutil
import subprocess
import sys

import onnx

import catalogue
import conformance
from harness import (BUILD, JUDGE, LARGEST_DIFFERENCE, ROOT, CannotRun, Failure, canonical_and_whole, check,
                     check_group_kept, check_same_form, kinds_of_elements, sample, scratch)

import make
import random_architectures
import random_selections
import zoo

SEEDS = (1, 2, 3)
RANDOM = int(os.environ.get("CANONNX_RANDOM", 60))  # random architectures, 0, 1, 2 ...
SINGLES = int(os.environ.get("CANONNX_SINGLES", 1))  # of every block on its own
FIRST = int(os.environ.get("CANONNX_FIRST", 0))  # seed of the first of either
OTHER_RANDOM = (20191,)  # farther seeds, whose members once had several canonical forms
LEAST_RANDOM = 40  # that must really have been compared
WHOLE_CATALOGUE = "CANONNX_CATALOGUE" in os.environ  # also what equivalence.py asks less of
EXPORT_LIMIT = 900  # seconds
LARGEST_MESSAGE = 1 << 31  # bytes that protobuf reads as one message
REDRAWN = 5  # times a random net is drawn at most until its outputs vary
KEPT = 150 << 20  # bytes; larger exports of the long run are made anew each time rather than fill the disk
# Of the scale, for canonical forms of 8-bit models: ONNX Runtime fuses other operators in them, what was near a half is
# rounded the other way, and the random layers behind enlarge it. Their samples have to agree as closely as all others.
ROUNDED = 0.15
LINEAR = 1e-3  # of the scale, with changes of basis: the only group elements that round the weights themselves

compared = collections.Counter()


def cases():
    for seed in (*range(FIRST, FIRST + RANDOM), *(seed for seed in OTHER_RANDOM if FIRST == 0)):
        yield f"random/{seed}", lambda seed=seed: written(random_architectures.random_net, seed, "random")
    yield "random/enough-compared", enough_compared
    for seed in range(FIRST, FIRST + RANDOM):
        yield f"selection/{seed}", lambda seed=seed: written(random_selections.random_net, seed, "selection")
    for kind, name, table in random_architectures.singles():
        for seed in range(FIRST, FIRST + SINGLES):
            yield f"block/{kind}/{name}/{seed}", lambda kind=kind, name=name, table=table, seed=seed: written(
                lambda number: random_architectures.single_block(kind, name, number, table), seed, "block")
    for name in zoo_names():
        yield f"torchvision/{name}", lambda name=name: exported(name)
    if WHOLE_CATALOGUE:
        for model in catalogue.everything():
            yield f"{model.label}", lambda model=model: of_the_catalogue(model)
    for path in with_parameters():
        yield f"testdata/{path.parent.name}", lambda path=path: shipped(path)


def zoo_names():
    chosen = os.environ.get("CANONNX_ZOO", " ".join(zoo.SMALL))
    return list(zoo.kinds()) if chosen == "all" else chosen.split()


def enough_compared():
    least = min(LEAST_RANDOM, RANDOM * 2 // 3)
    check(compared["random"] >= least, f"only {compared['random']} random architectures were compared")


# ---- one model ----


def written(make_net, seed, kind):
    with scratch() as folder:
        path = folder / "net.onnx"
        net = draw(make_net, seed, path)
        try:
            hold(path, catalogue.Model("random", "net", path).inputs(), folder)
        except Failure as failure:
            raise Failure(f"{', '.join(net.story)}: {failure}") from None
    compared[kind] += 1


def draw(make_net, seed, path):
    """Writes a random net. When its outputs hardly depend on its inputs, its weights are drawn anew, from another seed."""
    for attempt in range(REDRAWN):
        net = make_net(seed + attempt * 1_000_000)
        onnx.save(net.model(), str(path))
        if outputs_vary(path, catalogue.Model("random", "net", path).inputs()):
            break
    return net


def outputs_vary(path, inputs):
    answer = JUDGE.ask({"reference": str(path), "other": str(path), "inputs": inputs,
                        "stamp": str(path.stat().st_mtime_ns)})
    return not answer["ok"] or all(output["varies"] for output in answer["outputs"])


def torchvision_file(name):
    """The export of a torchvision architecture, in a folder of its own: its weights may fill several files."""
    path = BUILD / "models" / "zoo" / name / f"{name}.onnx"
    trouble = path.with_suffix(".trouble")  # an export that failed is not tried again
    recipe = make.recipe("zoo.py")
    if trouble.exists() and trouble.read_text().startswith(recipe):
        raise CannotRun(trouble.read_text()[len(recipe):])
    try:
        make.make_one(path, recipe, lambda where: export(name, where))
    except CannotRun as reason:
        trouble.write_text(f"{recipe}{reason}")
        raise
    return path


def exported(name):
    """A torchvision architecture; a large export does not stay."""
    path = torchvision_file(name)
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    try:
        with scratch(6 * size) as folder:
            hold(path, zoo_inputs(name, path), folder, ROUNDED if name.startswith("quantized") else LARGEST_DIFFERENCE)
    finally:
        drop_large(path)


def zoo_inputs(name, path):
    inputs = catalogue.Model("zoo", name, path).inputs()
    return [{**each, "low": 0, "high": 1} for each in inputs] if zoo.takes_pictures(name) else inputs


def drop_large(path):
    """A large export is made anew each time rather than fill the disk."""
    if sum(file.stat().st_size for file in path.parent.iterdir()) > KEPT:
        shutil.rmtree(path.parent)


def of_the_catalogue(model):
    """The models that equivalence.py draws one member of each kind of."""
    if model.not_runnable:
        raise CannotRun(model.not_runnable)
    with scratch(6 * model.size) as folder:
        hold(model.path, model.inputs(), folder)


def export(name, where):
    try:
        run = subprocess.run([sys.executable, str(ROOT / "tests/models/zoo.py"), name, where], capture_output=True,
                             timeout=EXPORT_LIMIT)
    except subprocess.TimeoutExpired:
        raise CannotRun(f"PyTorch needs more than {EXPORT_LIMIT} s to export it") from None
    if run.returncode != 0:
        lines = run.stderr.decode(errors="replace").strip().splitlines() or [f"status {run.returncode}"]
        complaint = next((line for line in reversed(lines) if re.match(r"[\w.]*(Error|Exception)\b", line)), lines[-1])
        raise CannotRun(f"PyTorch does not export it: {complaint[:120]}")


def shipped(path):
    """ONNX's own model on its example data; its outputs may be constant, since it is one operator."""
    inputs = [conformance.specification(name, tensor) for name, tensor in example(path).items()]
    with scratch() as folder:
        form, whole = canonical_and_whole(path, folder / "canonical.onnx")
        runs = JUDGE.ask({"reference": str(path), "other": str(path), "inputs": inputs, "rounds": 1})
        if not runs["ok"]:
            raise CannotRun(f"ONNX Runtime does not run it: {reason(runs['error'])}")
        conformance.agree(path, form, inputs)
        members(path, form, whole, lambda member, what, limit: conformance.agree(path, member, inputs, limit))


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


def hold(path, inputs, folder, canonical_limit=LARGEST_DIFFERENCE):
    """Runs the model against its canonical form and random members of its class."""
    form, whole = canonical_and_whole(path, folder / "canonical.onnx")
    if form.stat().st_size >= LARGEST_MESSAGE:
        raise CannotRun("its canonical form is one file of 2 GiB or more, which ONNX Runtime does not read")
    runs = JUDGE.ask({"reference": str(path), "other": str(path), "inputs": inputs,
                      "stamp": str(path.stat().st_mtime_ns)})
    if not runs["ok"]:
        raise CannotRun(f"ONNX Runtime does not run it: {reason(runs['error'])}")
    canonical_agrees(path, form, inputs, canonical_limit)
    check_same_form(form, form, "canonical form of the canonical form")
    check_group_kept(path, form)
    members(path, form, whole, lambda member, what, limit: agree(path, member, inputs, what, limit))


def members(path, form, whole, judge):
    """Three random members of every kind: judge(member, what it is, largest difference) fails when one computes something
    else; those that only exact elements moved have the model's canonical form, unless that is not whole."""
    folder = form.parent
    for kinds in kinds_of_elements():
        exact = "linear" not in kinds
        for seed in SEEDS:
            what = f"sample {seed} with {kinds}"
            member = sample(path, seed, folder / "sample.onnx", elements=kinds)
            judge(member, what, LARGEST_DIFFERENCE if exact else LINEAR)
            if kinds == "permute" or (exact and whole):
                check_same_form(form, member, f"canonical form of {what}")


def canonical_agrees(path, form, inputs, limit):
    """Where ONNX Runtime fuses other operators in the canonical form than in the model, that may be all there is between
    them: without fusing they have to agree."""
    try:
        agree(path, form, inputs, "the canonical form", limit)
    except Failure:
        agree(path, form, inputs, "the canonical form, nothing fused", limit, literal=True)


def reason(error):
    """ONNX Runtime's complaint without the file's and the node's name, so that equal ones are counted together."""
    return re.sub(r"(/\S+|Name:'[^']*'|\(\w+_\d+\))", "", error)[:120]


def agree(path, other, inputs, what, limit=LARGEST_DIFFERENCE, literal=False):
    try:
        JUDGE.compare(path, other, inputs, literal=literal, limit=limit)
    except Failure as failure:
        raise Failure(f"{what}: {failure}") from None
