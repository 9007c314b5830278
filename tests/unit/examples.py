#!/usr/bin/python3
"""Every example in the documentation is what the program prints, and every key of its JSON output is explained.

    examples.py PROGRAM [--write]

An example is an indented block that begins with "$ canonnx ..."; its commands run in a scratch folder that holds
samples/, one after another through each file. With --write, the outputs in the files are replaced by the real ones.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ("README.md", "docs/guide.md")
PROMPT = "    $ "
JSON_COMMANDS = (
    "inspect samples/digits_attention.onnx", "symmetry samples/digits_convnet.onnx",
    "symmetry --format=perm-spec samples/digits_convnet.onnx",
    "symmetry samples/digits_convnet.onnx --explain 4.weight:0", "bound samples/digits_mlp.onnx",
    "canon --explain samples/digits_convnet.onnx -o canonical.onnx", "hash samples/digits_mlp.onnx missing.onnx",
    "hash --check samples/digits_mlp.onnx",
    "diff samples/digits_mlp.onnx samples/digits_convnet.onnx", "diff samples/digits_mlp.onnx samples/digits_mlp.onnx",
    "text samples/digits_mlp.onnx",
    "sample samples/digits_mlp.onnx --seed=1 -o sample.onnx", "list limits",
)


def run(command, folder):
    """What a terminal without colours would show."""
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1"}
    ended = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=120)
    return ended.stdout


def with_real_output(text, folder):
    """The same text with the output behind every example's commands replaced."""
    lines, result = text.split("\n"), []
    at = 0
    while at < len(lines):
        result.append(lines[at])
        at += 1
        if not result[-1].startswith(PROMPT):
            continue
        while at < len(lines) and (lines[at].startswith("    ") or not lines[at]) and not lines[at].startswith(PROMPT):
            at += 1
        result += [("    " + line).rstrip() for line in run(result[-1][len(PROMPT):], folder).splitlines()]
        if at < len(lines) and not lines[at].startswith(PROMPT):
            result.append("")
    return "\n".join(result)


def keys_of(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def unexplained_keys(folder):
    guide = (ROOT / "docs/guide.md").read_text()
    explained = set(re.findall(r"`([A-Za-z0-9_]+)(?:\[\])?`", guide))
    for command in JSON_COMMANDS:
        printed = json.loads(run(f"canonnx {command} --json 2>/dev/null", folder))
        # Names of tensors and permutations are keys there, and data.
        for data in ("axes_to_perm", "permutations"):
            if data in printed:
                printed[data] = list(printed[data].values())
        for key in sorted(set(keys_of(printed)) - explained):
            yield f"docs/guide.md does not explain the key `{key}` of canonnx {command}"


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    troubles = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "samples").symlink_to(ROOT / "samples")
        os.environ["PATH"] = f"{program.parent}:{os.environ['PATH']}"
        for name in FILES:
            text = (ROOT / name).read_text()
            real = with_real_output(text, folder)
            if real != text and "--write" in sys.argv:
                (ROOT / name).write_text(real)
            elif real != text:
                pairs = zip(text.split("\n"), real.split("\n"))
                number, (ours, theirs) = next((n, p) for n, p in enumerate(pairs, 1) if p[0] != p[1])
                troubles.append(f"{name}:{number}: says {ours!r}, the program {theirs!r}")
        troubles += unexplained_keys(folder)
    print("\n".join(troubles))
    return 1 if troubles else 0


if __name__ == "__main__":
    sys.exit(main())
