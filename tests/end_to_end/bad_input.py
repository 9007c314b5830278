"""Bad input under the sanitizers: a one-line error that names file and place, exit 2, nothing written.

A row of FILES: name -> (function that returns the bytes of the file, text that must appear in the error as its place).
Every row is given to every command.
"""

import functools
import os
import pathlib
import resource
import signal
import subprocess
import time
import zipfile

import catalogue
import wire
from harness import SANITIZED_TOOL, TOOL, CannotRun, check, check_equal, run, scratch

DEPTH = 20_000
COMMANDS = {
    "inspect": ["inspect"], "symmetry": ["symmetry"], "bound": ["bound"], "hash": ["hash"], "canon": ["canon", "-o"],
    "canon-untouched": ["canon", "--passes=none", "-o"], "sample": ["sample", "--seed", "1", "-o"],
    "canon-opt-in": ["canon", "--explain", "--with=fold-constants,fuse-gemm,fold-batch-normalization,full-scaling", "-o"],
    "structure": ["hash", "--structure"], "text": ["text"], "text-raw": ["text", "--raw", "--weights=values"],
}
MEMORY_LIMIT = 512 << 20  # bytes a hostile file of a few megabytes may cost at most, in the release build


# --- the files ----------------------------------------------------------------------------------


def good_model():
    return wire.linear_model(wire.tensor("weight", [4, 3], raw=bytes(48)))


def chain(*nodes, outputs=("y",), initializers=()):
    return wire.model(wire.graph([wire.node(*n) for n in nodes], initializers, [wire.value_info("x", "N", 4)],
                                 [wire.value_info(o, "N", 4) for o in outputs]))


def in_constant(payload):
    """The broken tensor as the value of a Constant node."""
    attribute = wire.field(1, "value") + wire.field(5, payload) + wire.field(20, 4)
    nodes = [wire.node("Constant", [], ["w"], "held", attribute), wire.node("MatMul", ["x", "w"], ["y"], "product")]
    return wire.model(wire.graph(nodes, [], [wire.value_info("x", "N", 4)], [wire.value_info("y", "N", 3)]))


def nested_graphs():
    """A graph in an attribute of a node of a graph in an attribute of a node ..."""
    return wire.model(wire.nested(DEPTH, wire.field(1, wire.node("Relu", ["x"], ["y"])), 1, 5, 6))


def nested_types():
    """An input whose type is a sequence of a sequence of a sequence ..."""
    deep = wire.nested(DEPTH, wire.field(1, wire.field(1, 1)), 4, 1)
    info = wire.field(1, "x") + wire.field(2, deep)
    return wire.model(wire.graph([wire.node("Identity", ["x"], ["y"])], [], [info], [wire.value_info("y", "N", 4)]))


def nested_unknown_groups():
    """Start-group tags of an unknown field without end: another way to make a reader recurse."""
    return wire.varint(99 << 3 | 3) * DEPTH + good_model()


FILES = {
    "empty-file": (lambda: b"", ""),
    "text-file": (lambda: b"# A model\n\nThis is a text about models, not a model.\n" * 20, ""),
    "zeros": (lambda: bytes(4096), ""),
    "all-ones": (lambda: b"\xff" * 4096, ""),
    "no-graph": (lambda: wire.field(1, 7) + wire.field(8, wire.field(2, 14)), "graph"),
    "raw-data-too-short": (lambda: wire.linear_model(wire.tensor("weight", [4, 3], raw=bytes(47))), "weight"),
    "raw-data-too-long": (lambda: wire.linear_model(wire.tensor("weight", [4, 3], raw=bytes(52))), "weight"),
    "raw-data-missing": (lambda: wire.linear_model(wire.tensor("weight", [4, 3])), "weight"),
    "float-data-too-short": (lambda: wire.linear_model(wire.tensor("weight", [4, 3], floats=[1.0] * 11)), "weight"),
    "constant-too-short": (lambda: in_constant(wire.tensor("held", [4, 3], raw=bytes(40))), "held"),
    "dims-overflow": (lambda: wire.linear_model(wire.tensor("weight", [1 << 32, 1 << 32], raw=b"")), "weight"),
    "dims-overflow-bytes": (lambda: wire.linear_model(wire.tensor("weight", [1 << 62], raw=b"")), "weight"),
    "dims-negative": (lambda: wire.linear_model(wire.tensor("weight", [-4, -3], raw=bytes(48))), "weight"),
    "element-type-unknown": (lambda: wire.linear_model(wire.tensor("weight", [4, 3], raw=bytes(48), kind=99)),
                             "weight"),
    "cycle": (lambda: chain(("Add", ["x", "b"], ["a"], "one"), ("Relu", ["a"], ["b"], "two"),
                            ("Relu", ["b"], ["y"], "three")), ""),
    "cycle-of-one": (lambda: chain(("Add", ["x", "y"], ["y"], "snake")), ""),
    "name-made-twice": (lambda: chain(("Relu", ["x"], ["y"], "one"), ("Tanh", ["x"], ["y"], "two")), "y"),
    "name-of-input-made-again": (lambda: chain(("Relu", ["x"], ["x"], "one"), ("Tanh", ["x"], ["y"], "two")), "x"),
    "initializer-twice": (lambda: wire.model(wire.graph(
        [wire.node("MatMul", ["x", "w"], ["y"])], [wire.tensor("w", [4, 4], raw=bytes(64))] * 2,
        [wire.value_info("x", "N", 4)], [wire.value_info("y", "N", 4)])), "w"),
    "input-nobody-makes": (lambda: chain(("Relu", ["ghost"], ["y"], "one")), "ghost"),
    "output-nobody-makes": (lambda: chain(("Relu", ["x"], ["y"], "one"), outputs=("y", "ghost")), "ghost"),
    "graphs-nested-20000-deep": (nested_graphs, ""),
    "types-nested-20000-deep": (nested_types, ""),
    "groups-nested-20000-deep": (nested_unknown_groups, ""),
    "million-empty-nodes": (lambda: wire.model(wire.field(1, b"") * 1_500_000), ""),
    "million-empty-tensors": (lambda: wire.model(wire.field(5, b"") * 1_500_000), ""),
    "external-absolute": (lambda: external_model("/etc/passwd"), "weight"),
    "external-parent": (lambda: external_model("../outside.bin"), "weight"),
    "external-parent-inside": (lambda: external_model("inner/../../outside.bin"), "weight"),
    "external-link-out": (lambda: external_model("link.bin"), "weight"),
    "external-through-linked-folder": (lambda: external_model("linked/outside.bin"), "weight"),
    "external-folder": (lambda: external_model("inner"), "weight"),
    "external-pipe": (lambda: external_model("pipe"), "weight"),
    "external-missing": (lambda: external_model("nowhere.bin"), "weight"),
    "external-past-end": (lambda: external_model("data.bin", offset=60, length=48), "weight"),
    "external-short": (lambda: external_model("data.bin", offset=0, length=44), "weight"),
    "external-negative-offset": (lambda: external_model("data.bin", offset=-4, length=48), "weight"),
    "external-offset-overflow": (lambda: external_model("data.bin", offset=2**64 - 4, length=48), "weight"),
    "external-offset-no-number": (lambda: external_model("data.bin", offset="12 apples", length=48), "weight"),
    "external-no-location": (lambda: wire.linear_model(wire.tensor("weight", [4, 3], external={"offset": 0})),
                             "weight"),
}


# Odd, but models all the same: every command takes them.
ODD_BUT_GOOD = {
    "plain": lambda: good_model(),
    "no-nodes": lambda: wire.model(wire.graph([], [], [wire.value_info("x", "N", 4)], [wire.value_info("x", "N", 4)])),
    "empty-tensor": lambda: chain(("Relu", ["x"], ["y"]), initializers=[wire.tensor("none", [0, 3], raw=b"")]),
    "scalar": lambda: chain(("Mul", ["x", "one"], ["y"]), initializers=[wire.tensor("one", [], raw=bytes(4))]),
    "unknown-fields": lambda: good_model() + wire.field(1000, b"from the future") + wire.field(1001, 7),
    "parts-longer-than-the-whole": lambda: split_too_far(),
    "unnamed-nodes": lambda: chain(("Relu", ["x"], ["a"]), ("Tanh", ["a"], ["y"])),
}


def split_too_far():
    """An axis of 4 in parts of 3 and 3."""
    parts = wire.field(1, "split") + wire.field(8, 3) + wire.field(8, 3) + wire.field(20, 7)
    nodes = [wire.node("Split", ["w"], ["a", "b"], "parts", parts), wire.node("ReduceSum", ["b"], ["s"]),
             wire.node("Add", ["x", "s"], ["y"])]
    graph = wire.graph(nodes, [wire.tensor("w", [4, 3], raw=bytes(48))], [wire.value_info("x", "N", 4)],
                       [wire.value_info("y", "N", 4)])
    return wire.model(graph, opset=12)


def external_model(location, **where):
    return wire.linear_model(wire.tensor("weight", [4, 3], external={"location": location, **where}))


def furnish(folder):
    """What the external-data rows point at: data inside, data outside, links from inside to outside."""
    inside = folder / "models"
    (inside / "inner").mkdir(parents=True)
    (inside / "data.bin").write_bytes(bytes(100))
    (folder / "outside.bin").write_bytes(bytes(100))
    (inside / "link.bin").symlink_to(folder / "outside.bin")
    (inside / "linked").symlink_to(folder)
    os.mkfifo(inside / "pipe")
    return inside


# --- what must happen ---------------------------------------------------------------------------


def refuses(model, place, command, out, tool=SANITIZED_TOOL, **options):
    """One command on one bad model: exit 2, one line naming the file and the place, nothing left behind."""
    arguments = [*COMMANDS[command]]
    if arguments[-1] == "-o":
        arguments.append(out / "out.onnx")
    ended = run(*arguments, model, tool=tool, env={**os.environ, "TMPDIR": str(out)}, **options)
    lines = ended.errors.splitlines()
    check(ended.status == 2, f"{command}: {ended.explain()}")
    check(len(lines) == 1, f"{command}: {len(lines)} lines on standard error: {ended.explain()}")
    check(lines[0].startswith(f"canonnx: {model}: "), f"{command}: does not name the file: {lines[0]!r}")
    what = lines[0][len(f"canonnx: {model}: "):]
    check(place in what, f"{command}: does not name the place ({place!r}): {lines[0]!r}")
    check(len(what) >= 8, f"{command}: says nothing: {lines[0]!r}")
    check(all(character.isprintable() for character in lines[0]), f"{command}: unprintable: {lines[0]!r}")
    check_equal(ended.output, "", f"{command}: standard output")
    check_equal(sorted(os.listdir(out)), [], f"{command}: files left behind")


def refuses_everywhere(content, place):
    """All commands on a file with this content."""
    with scratch(len(content)) as folder:
        inside, out = furnish(folder), folder / "out"
        out.mkdir()
        model = inside / "model.onnx"
        model.write_bytes(content)
        for command in COMMANDS:
            refuses(model, place, command, out)


def refuses_path(make_path):
    """All commands on a path that is no model file; make_path(folder) prepares it."""
    with scratch() as folder:
        out = folder / "out"
        out.mkdir()
        path = make_path(folder)
        for command in COMMANDS:
            refuses(path, "", command, out)


def accepts_everywhere(content):
    with scratch() as folder:
        model = folder / "model.onnx"
        model.write_bytes(content)
        for command, arguments in COMMANDS.items():
            out = [folder / "out.onnx"] if arguments[-1] == "-o" else []
            ended = run(*arguments, *out, model, tool=SANITIZED_TOOL, expect=0)
            check("runtime error" not in ended.errors, f"{command}: {ended.explain()}")


def cases():
    for name, make_content in ODD_BUT_GOOD.items():
        yield f"odd-but-good/{name}", lambda make_content=make_content: accepts_everywhere(make_content())
    yield "missing-file", lambda: refuses_path(lambda folder: folder / "nowhere.onnx")
    yield "missing-folder", lambda: refuses_path(lambda folder: folder / "no" / "where.onnx")
    yield "folder-without-model", lambda: refuses_path(empty_folder)
    yield "folder-with-two-models", lambda: refuses_path(crowded_folder)
    yield "endless-device", lambda: refuses_path(lambda folder: pathlib.Path("/dev/zero"))
    for name, (make_content, place) in FILES.items():
        yield name, lambda make_content=make_content, place=place: refuses_everywhere(make_content(), place)
    for name, make_zip in ZIPS.items():
        yield f"zip-{name}", lambda make_zip=make_zip: refuses_path(make_zip)
    for model in catalogue.samples():
        yield f"truncated/{model.name}", lambda model=model: truncated(model)
        yield f"flipped-bits/{model.name}", lambda model=model: flipped(model)
    yield "memory-of-hostile-files", memory_of_hostile_files
    yield "from-standard-input", from_standard_input
    for command in ("canon", "sample"):
        for name, prepare in FULL.items():
            yield f"full-disk-{name}/{command}", lambda command=command, prepare=prepare: prepare(command)
        yield f"no-such-output-folder/{command}", lambda command=command: cannot_write(
            command, lambda folder: folder / "nowhere" / "out.onnx")
        yield f"unwritable-output-folder/{command}", lambda command=command: cannot_write(command, unwritable)
        yield f"output-is-a-folder/{command}", lambda command=command: cannot_write(command, lambda folder: folder)
        yield f"output-untouched-by-error/{command}", lambda command=command: output_untouched(command)
    for command in ("inspect", "symmetry", "bound", "hash", "text"):
        yield f"full-standard-output/{command}", lambda command=command: full_standard_output(command)
    for milliseconds in (2, 10, 20, 30, 50):
        yield f"killed-after-{milliseconds}-ms", lambda moment=milliseconds / 1000: killed(moment)
    yield "bad-usage", bad_usage


def empty_folder(folder):
    (folder / "models").mkdir()
    (folder / "models" / "readme.txt").write_text("no model here")
    return folder / "models"


def crowded_folder(folder):
    (folder / "models").mkdir()
    for name in ("a", "b"):
        (folder / "models" / f"{name}.onnx").write_bytes(good_model())
    return folder / "models"


# --- zip bundles --------------------------------------------------------------------------------


def bundle(folder, members, **options):
    path = folder / "bundle.zip"
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def bomb(folder):
    """A valid model whose one tensor is 2 GiB of zeros, deflated a thousandfold."""
    path, size = folder / "bundle.zip", 2**31 - 2**20
    content_head = wire.field(1, 7)
    payload_head = b"".join(wire.field(1, d) for d in (4, size // 16)) + wire.field(2, 1) + wire.field(8, "weight")
    payload_head += wire.varint(9 << 3 | 2) + wire.varint(size)
    tail = (wire.field(11, wire.value_info("x", "N", 4)) + wire.field(12, wire.value_info("y", "N", size // 16)))
    node = wire.field(1, wire.node("MatMul", ["x", "weight"], ["y"], "product"))
    tensor_head = wire.varint(5 << 3 | 2) + wire.varint(len(payload_head) + size)
    graph_size = len(node) + len(tensor_head) + len(payload_head) + size + len(tail)
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        with archive.open("model.onnx", "w", force_zip64=True) as member:
            member.write(content_head + wire.varint(7 << 3 | 2) + wire.varint(graph_size) + node + tensor_head)
            member.write(payload_head)
            block = bytes(1 << 20)
            for _ in range(size >> 20):
                member.write(block)
            member.write(tail + wire.field(8, wire.field(2, 14)))
    return path


def damaged(folder):
    """A deflated bundle with bytes overwritten in the middle of the member's data."""
    path = bundle(folder, {"model.onnx": good_model() + bytes(2000)}, compression=zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    content[60:70] = b"\xff" * 10
    path.write_bytes(content)
    return path


def cut(folder):
    path = bundle(folder, {"model.onnx": good_model()})
    path.write_bytes(path.read_bytes()[:-30])
    return path


ZIPS = {
    "empty": lambda folder: bundle(folder, {}),
    "without-model": lambda folder: bundle(folder, {"readme.txt": "none"}),
    "two-models": lambda folder: bundle(folder, {"a.onnx": good_model(), "b.onnx": good_model()}),
    "text-as-model": lambda folder: bundle(folder, {"model.onnx": "not a model, but a text"}),
    "bomb": bomb,
    "damaged": damaged,
    "cut": cut,
    "external-parent": lambda folder: bundle(
        folder, {"in/model.onnx": external_model("../outside.bin"), "outside.bin": bytes(48)}),
    "external-absolute": lambda folder: bundle(folder, {"model.onnx": external_model("/etc/passwd")}),
    "external-missing": lambda folder: bundle(folder, {"model.onnx": external_model("data.bin")}),
    "external-short": lambda folder: bundle(
        folder, {"model.onnx": external_model("data.bin", offset=0, length=48), "data.bin": bytes(40)}),
    "escaping-member": lambda folder: bundle(folder, {"../model.onnx": good_model()}),
    "member-not-there": lambda folder: f"{bundle(folder, {'m.onnx': good_model()})}!inner/other.onnx",
}


# --- damaged real models ------------------------------------------------------------------------


def graph_end(content):
    """Where the graph field of a model ends: cut behind it, the rest may well be a valid model."""
    position = 0
    while position < len(content):
        tag, position = read_varint(content, position)
        size, after = read_varint(content, position)
        if tag & 7 == 2:
            after += size
        if tag >> 3 == 7:
            return after
        position = after
    return len(content)


def read_varint(content, position):
    value = shift = 0
    while True:
        byte = content[position]
        value, shift, position = value | (byte & 127) << shift, shift + 7, position + 1
        if byte < 128:
            return value, position


def truncated(model):
    """Cut at every one of the first bytes, and at points spread over the file and at the end of the graph."""
    content = model.path.read_bytes()
    end = graph_end(content)
    points = sorted({*range(40), *range(40, end, max(1, end // 60)), *range(end - 20, end)})
    with scratch() as folder:
        out = folder / "out"
        out.mkdir()
        path = folder / "cut.onnx"
        for point in points:
            path.write_bytes(content[:point])
            for command in ("inspect", "canon-untouched"):
                refuses(path, "", command, out)


def flipped(model):
    """One byte overwritten, at many places: a result or a proper error, never a crash or a hang."""
    content = model.path.read_bytes()
    with scratch() as folder:
        path = folder / "flipped.onnx"
        for step in range(150):
            changed = bytearray(content)
            position = (step * 7919 + step) % min(len(content), 6000) if step % 3 else step * len(content) // 150
            changed[position] ^= 1 << step % 8
            path.write_bytes(changed)
            ended = run("canon", path, "-o", folder / "out.onnx", tool=SANITIZED_TOOL)
            lines = ended.errors.splitlines()
            check(ended.status in (0, 2), f"byte {position}: {ended.explain()}")
            check(ended.status == 0 or len(lines) == 1, f"byte {position}: {ended.explain()}")
            check("runtime error" not in ended.errors, f"byte {position}: {ended.explain()}")


def memory_of_hostile_files():
    """The files that a careless reader turns into gigabytes stay within MEMORY_LIMIT, in the release build."""
    for name in ("million-empty-nodes", "million-empty-tensors", "graphs-nested-20000-deep"):
        with scratch() as folder:
            out = folder / "out"
            out.mkdir()
            path = folder / f"{name}.onnx"
            path.write_bytes(FILES[name][0]())
            limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
            refuses(path, "", "inspect", out, tool=None, preexec_fn=limit)


def from_standard_input():
    ended = run("inspect", "-", tool=SANITIZED_TOOL, input=b"no model at all")
    check(ended.status == 2 and len(ended.errors.splitlines()) == 1 and ended.errors.startswith("canonnx: "),
          ended.explain())


# --- output that cannot be written --------------------------------------------------------------


def write_command(command, out):
    extra = ["--seed", "1"] if command == "sample" else []
    return [command, catalogue.ROOT / "samples/digits_convnet.onnx", *extra, "-o", out]


def fails_to_write(command, out, **options):
    ended = run(*write_command(command, out), tool=SANITIZED_TOOL, **options)
    lines = ended.errors.splitlines()
    check(ended.status == 2, ended.explain())
    check(len(lines) == 1 and lines[0].startswith("canonnx: "), f"standard error: {ended.errors!r}")
    check(str(out) in lines[0], f"does not name the output: {lines[0]!r}")


def size_limit(command):
    """A limit on file sizes acts like a disk that fills up in the middle of the file."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    with scratch() as folder:
        fails_to_write(command, folder / "out.onnx", preexec_fn=limit)
        check_equal(os.listdir(folder), [], "files left behind")


def tiny_disk(command):
    """A file system of 8 KiB, mounted for this test where that is allowed."""
    with scratch() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(folder)]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            raise CannotRun("mounting a small file system is not allowed here")
        try:
            fails_to_write(command, folder / "out.onnx")
            check_equal(os.listdir(folder), [], "files left behind")
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def killed(moment):
    """Ended by force at any moment, canon leaves nothing, or the whole file."""
    model = next(model for model in catalogue.exported() if model.name == "resnet18.plain")
    with scratch(4 * model.path.stat().st_size) as folder:
        try:
            os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
        except OSError:
            raise CannotRun("the file system has no files without names") from None
        command = [TOOL, "canon", model.path, "-o", folder / "out.onnx"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        time.sleep(moment)
        process.kill()
        process.wait()
        left = os.listdir(folder)
        check(left in ([], ["out.onnx"]), f"left behind: {left}")
        if left:
            run("inspect", folder / "out.onnx", expect=0)


FULL = {"by-size-limit": size_limit, "by-small-disk": tiny_disk}


def unwritable(folder):
    """A folder where nobody may make files, not even root: Linux's /proc."""
    if os.geteuid() == 0:
        return pathlib.Path("/proc/out.onnx")
    (folder / "locked").mkdir(mode=0o555)
    return folder / "locked" / "out.onnx"


def cannot_write(command, choose):
    with scratch() as folder:
        before = sorted(os.listdir(folder))
        fails_to_write(command, choose(folder))
        check_equal([n for n in sorted(os.listdir(folder)) if n != "locked"], before, "files left behind")


def output_untouched(command):
    """A bad input leaves an output that was there before as it was, and the input too."""
    with scratch() as folder:
        out, model = folder / "out.onnx", folder / "bad.onnx"
        out.write_bytes(b"precious")
        model.write_bytes(FILES["cycle"][0]())
        for target in (out, model):
            before = target.read_bytes()
            extra = ["--seed", "1"] if command == "sample" else []
            run(command, model, *extra, "-o", target, tool=SANITIZED_TOOL, expect=2)
            check(target.read_bytes() == before, "the output was touched")
        check_equal(sorted(os.listdir(folder)), ["bad.onnx", "out.onnx"], "files left behind")


def full_standard_output(command):
    """Results that cannot be printed are an error, not a success."""
    with open("/dev/full", "wb") as full:
        ended = subprocess.run([SANITIZED_TOOL, command, catalogue.ROOT / "samples/digits_mlp.onnx"], stdout=full,
                               stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    lines = ended.stderr.splitlines()
    check(ended.returncode == 2 and len(lines) == 1 and lines[0].startswith("canonnx: "),
          f"exit {ended.returncode}, standard error {ended.stderr[:300]!r}")


def bad_usage():
    """Wrong usage: exit 2 and words on standard error only."""
    for arguments in ([], ["frobnicate"], ["inspect"], ["inspect", "--no-such-option", "x"], ["canon", "x"],
                      ["sample", "x", "-o", "y"], ["sample", "x", "--seed", "apples", "-o", "y"],
                      ["canon", "x", "-o", "y", "--passes=no-such-pass"]):
        ended = run(*arguments, tool=SANITIZED_TOOL)
        check(ended.status == 2 and ended.errors.startswith("canonnx"),
              f"canonnx {' '.join(arguments)}: {ended.explain()}")
        check_equal(ended.output, "", f"canonnx {' '.join(arguments)}: standard output")
