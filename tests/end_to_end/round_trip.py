"""canon --passes=none keeps the message: every model parses in python3-onnx to what the original parses to.

ONNX's conformance models go through the build with sanitizers, and through a full canon there too.
"""

import functools
import pathlib

import onnx

import catalogue
from harness import SANITIZED_TOOL, check, check_same_bytes, run, scratch

BIG = 1 << 24


def cases():
    for path in catalogue.testdata():
        label = testdata_label(path)
        yield f"testdata/{label}/untouched", lambda path=path: untouched(path)
        yield f"testdata/{label}/canon", lambda path=path: canon_accepted(path)
    for model in catalogue.everything():
        yield f"{model.label}/untouched", lambda model=model: untouched(model.path)


def testdata_label(path):
    for folder in catalogue.TESTDATA:
        if path.is_relative_to(folder):
            relative = path.relative_to(folder)
            return "/".join(part for part in relative.parts if part not in ("data", "model.onnx"))
    return str(path)


def untouched(path):
    size = path.stat().st_size
    with scratch(size) as folder:
        out = folder / "out.onnx"
        tool = None if size > BIG else SANITIZED_TOOL
        ended = run("canon", "--passes=none", path, "-o", out, tool=tool, expect=0)
        check("runtime error" not in ended.errors, ended.explain())
        original, written = onnx.load(str(path)), onnx.load(str(out))
        if original == written:
            return
        # Messages holding a NaN in a float field are unequal to themselves: their bytes decide.
        check(original.SerializeToString(deterministic=True) == written.SerializeToString(deterministic=True),
              f"the message changed: {first_difference(original, written)}")


def first_difference(first, second, place="model"):
    """Where two messages differ first, as field names."""
    for descriptor in first.DESCRIPTOR.fields:
        before, after = getattr(first, descriptor.name), getattr(second, descriptor.name)
        if before == after:
            continue
        here = f"{place}.{descriptor.name}"
        if descriptor.label == descriptor.LABEL_REPEATED:
            if len(before) != len(after):
                return f"{here} has {len(after)} entries, not {len(before)}"
            index = next(i for i, (b, a) in enumerate(zip(before, after)) if b != a)
            if descriptor.type == descriptor.TYPE_MESSAGE:
                return first_difference(before[index], after[index], f"{here}[{index}]")
            return f"{here}[{index}]: {before[index]!r:.80} became {after[index]!r:.80}"
        if descriptor.type == descriptor.TYPE_MESSAGE:
            return first_difference(before, after, here)
        return f"{here}: {before!r:.80} became {after!r:.80}"
    return f"{place}: the same fields, but set differently"


@functools.cache
def checker_accepts(path):
    """Whether python3-onnx's checker accepts the original: it refuses some of its own models."""
    try:
        onnx.checker.check_model(onnx.load(str(path)))
    except onnx.checker.ValidationError:
        return False
    return True


def canon_accepted(path: pathlib.Path):
    """A full canon of a conformance model: accepted by the checker when the original is, and idempotent."""
    with scratch() as folder:
        once, twice = folder / "once.onnx", folder / "twice.onnx"
        ended = run("canon", path, "-o", once, tool=SANITIZED_TOOL, expect=0)
        check("runtime error" not in ended.errors, ended.explain())
        if checker_accepts(path):
            onnx.checker.check_model(onnx.load(str(once)))
        run("canon", once, "-o", twice, expect=0)
        check_same_bytes(once, twice, "canon of the canonical form")
