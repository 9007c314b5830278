"""What every end-to-end test uses: the program, scratch space, the judge, and small assertions."""

import contextlib
import dataclasses
import filecmp
import functools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
TOOL = pathlib.Path(os.environ.get("CANONNX", BUILD / "release/cli/canonnx")).absolute()
SANITIZED_TOOL = pathlib.Path(os.environ.get("CANONNX_DEV", BUILD / "dev/cli/canonnx")).absolute()
CLANG_TOOL = pathlib.Path(os.environ.get("CANONNX_CLANG", BUILD / "clang/cli/canonnx")).absolute()
JUDGE_FOLDER = BUILD / "judge"
TIME_LIMIT = 120  # seconds for one run of the program; none should come near
LARGEST_DIFFERENCE = 1e-4  # of the output's scale


class Failure(Exception):
    """A test failed; the text says how."""


class CannotRun(Exception):
    """The machine lacks what a test needs; the text says what. Counted and printed, never silent."""


def check(condition, complaint):
    if not condition:
        raise Failure(complaint)


def check_equal(actual, expected, what):
    check(actual == expected, f"{what}: got {actual!r}, expected {expected!r}")


def check_same_bytes(first, second, what):
    check(filecmp.cmp(first, second, shallow=False), f"{what}: the files differ")


@dataclasses.dataclass
class Run:
    """How one run of the program ended."""

    status: int
    output: str
    errors: str

    def explain(self):
        lines = self.errors.strip().splitlines()
        report = next((line for line in lines if "runtime error" in line or "ERROR: " in line), "")
        return f"exit {self.status}: {report or ' / '.join(lines[:3])[:400]}"


def run(*arguments, tool=None, expect=None, **options):
    """Runs the program; with `expect`, any other exit status is a failure. Bytes on stdin through `input`."""
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    if options["stdin"] is None:
        del options["stdin"]
    try:
        ended = subprocess.run([str(tool or TOOL), *map(str, arguments)], capture_output=True,
                               timeout=TIME_LIMIT, **options)
    except subprocess.TimeoutExpired:
        raise Failure(f"canonnx {' '.join(map(str, arguments))} took more than {TIME_LIMIT} s") from None
    result = Run(ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace"))
    if expect is not None and result.status != expect:
        raise Failure(f"canonnx {' '.join(map(str, arguments))}: {result.explain()}")
    return result


def run_json(*arguments, **options):
    output = run(*arguments, "--json", expect=0, **options).output
    try:
        return json.loads(output)
    except json.JSONDecodeError as error:
        raise Failure(f"canonnx {arguments[0]} --json printed no JSON: {error}") from None


def canonical(model, out, **options):
    run("canon", model, "-o", out, expect=0, **options)
    return out


def sample(model, seed, out, elements="", **options):
    """A random member of the model's class; `elements` names the kinds of group elements, as --with takes them."""
    run("sample", model, "--seed", seed, "-o", out, *([f"--with={elements}"] if elements else []), expect=0, **options)
    return out


@functools.cache
def kinds_of_elements():
    """What the tests of random members give --with of `canonnx sample`: permutations; all exact kinds; all kinds, for
    changes of basis round. $CANONNX_WITH replaces them, separated by spaces."""
    if "CANONNX_WITH" in os.environ:
        return tuple(os.environ["CANONNX_WITH"].split())
    return "permute", "permute,sign,scale", "permute,sign,scale,linear"


LEFT = ("left as they are", "not canonical")  # words of canon's notes on factors that are no part of the form


def canonical_and_whole(model, out):
    """The canonical form, and whether signs and scales are part of it (docs/FORMAT.md, 6.6, 6.8)."""
    notes = " ".join(run("canon", model, "-o", out, expect=0).output.split())
    return out, not any(words in notes for words in LEFT)


def check_group_kept(model, form):
    """The canonical form's group holds the model's: operands in another order, names and copies hide none of it. In the
    form equal tensors are one; every use with a tensor of its own can only have more freedom."""
    before, after = (run_json("symmetry", path)["log10_order"] for path in (model, form))
    if after < before:
        with scratch(2 * form.stat().st_size) as folder:
            run("canon", "--passes=dead", model, "-o", folder / "alive.onnx", expect=0)
            run("canon", "--passes=separate", form, "-o", folder / "separate.onnx", expect=0)
            before, after = (run_json("symmetry", folder / name)["log10_order"]
                             for name in ("alive.onnx", "separate.onnx"))
    check(after >= before * (1 - 1e-12) - 1e-9,
          f"the group of the canonical form has log10 {after!r}, that of the model {before!r}")


def hash_of(model, **options):
    """The digest that `canonnx hash` prints for one model, its line checked."""
    line = run("hash", model, expect=0, **options).output
    digest, _, path = line.rstrip("\n").partition("  ")
    check(path == str(model) and digest and set(digest) <= set("0123456789abcdef"), f"hash printed {line!r}")
    return digest


@contextlib.contextmanager
def scratch(room=0):
    """A temporary folder, on the RAM disk when `room` bytes fit there twice."""
    ram = pathlib.Path("/dev/shm")
    fits = ram.is_dir() and os.access(ram, os.W_OK) and shutil.disk_usage(ram).free > 2 * room
    folder = tempfile.mkdtemp(prefix="canonnx-test-", dir=ram if fits else None)
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_same_form(form, model, what):
    """`canon` makes the file `form` of `model`, byte by byte. It gets the same name, in another folder, since weights
    beside a file are called after it."""
    files = [form, *form.parent.glob(form.name + ".*")]
    with scratch(sum(file.stat().st_size for file in files)) as folder:
        canonical(model, folder / form.name)
        for file in files:
            check_same_bytes(file, folder / file.name, what)


class Judge:
    """ONNX Runtime, in a process of its own that lives as long as the tests."""

    def __init__(self):
        self.process = None

    def ask(self, request):
        if self.process is None:
            self.process = subprocess.Popen(
                ["node", str(ROOT / "tests/judge/judge.mjs")], cwd=JUDGE_FOLDER, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            errors = self.process.stderr.read().strip()[-300:]
            status = self.process.wait()
            self.process = None
            raise Failure(f"the judge ended with status {status}: {errors}")
        return json.loads(line)

    def compare(self, reference, other, inputs, literal=False, limit=LARGEST_DIFFERENCE):
        """Fails unless both models run and agree, to `limit` of the scale, on outputs that prove something. `literal`:
        without fusing nodes."""
        stamp = pathlib.Path(reference).stat().st_mtime_ns
        answer = self.ask({"reference": str(reference), "other": str(other), "inputs": inputs, "stamp": str(stamp),
                           "literal": literal})
        check(answer["ok"], f"{answer.get('stage')}: {answer.get('error')}")
        check(answer["outputs"], "the model has no outputs")
        for output in answer["outputs"]:
            name, scale = output["name"], output["scale"]
            check(output["finite"], f"output {name} is not finite: the comparison proves nothing")
            check(output["varies"],
                  f"output {name} hardly varies ({output['variation']:.1e} of its scale): "
                  "the comparison proves nothing")
            check(output["difference"] <= limit * scale,
                  f"output {name} differs by {output['difference']:.3g} at a scale of {scale:.3g}")
        return answer["outputs"]

    def optimise(self, model, out):
        """Writes the model as the runtime's optimiser leaves it, before what depends on the machine."""
        answer = self.ask({"reference": str(model), "optimised": str(out)})
        check(answer["ok"], f"{answer.get('stage')}: {answer.get('error')}")

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(timeout=60)
            self.process.stdout.close()
            self.process.stderr.close()
            self.process = None


JUDGE = Judge()
