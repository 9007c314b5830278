#!/usr/bin/python3
"""Makes the models the tests run on, in a folder that serves as a cache.

    make.py FOLDER [NAME...]      all of them, or those named (NAME.VARIANT for exports)

A model is made anew when its file is missing or when the scripts that make it changed.
Exports land in FOLDER/exports, hand-made models in FOLDER/hand_made.
"""

import hashlib
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import exports  # noqa: E402
import hand_made  # noqa: E402


def recipe(*scripts):
    """Digest of the scripts that make a model; part of the stamp beside it."""
    return hashlib.sha256(b"".join((HERE / script).read_bytes() for script in scripts)).hexdigest()


def make_one(path, recipe_digest, write):
    """Calls write(path) unless a file of the same recipe is there; returns seconds spent, None if none."""
    stamp = path.with_suffix(".stamp")
    if path.exists() and stamp.exists() and stamp.read_text() == recipe_digest:
        return None
    started = time.time()
    path.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    unfinished = path.with_suffix(".unfinished")
    write(str(unfinished))
    os.replace(unfinished, path)
    stamp.write_text(recipe_digest)
    return time.time() - started


def make(folder, wanted=()):
    """Makes all models (or those in `wanted`); returns {name: path} with the exports first."""
    folder = pathlib.Path(folder)
    kinds = (
        ("exports", exports.names(), exports.export, recipe("exports.py")),
        ("hand_made", hand_made.MODELS, hand_made.build, recipe("hand_made.py", "builder.py")),
    )
    paths = {}
    for kind, names, write, digest in kinds:
        for name in names:
            if wanted and name not in wanted:
                continue
            path = folder / kind / f"{name}.onnx"
            seconds = make_one(path, digest, lambda where, name=name: write(name, where))
            if seconds is not None and kind == "exports":
                print(f"  made {name} in {seconds:.1f} s", file=sys.stderr)
            paths[name] = path
    return paths


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(f"{len(make(sys.argv[1], sys.argv[2:]))} models")
