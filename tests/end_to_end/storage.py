"""The same model however it is stored: external data, zip bundles, a folder, standard input."""

import shutil
import zipfile

import numpy
import onnx

import catalogue
from harness import (SANITIZED_TOOL, canonical, check, check_equal, check_same_bytes, hash_of, run, sample, scratch)

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def with_external_data(path, folder, per_tensor=False):
    """The model at `path` written to `folder`, its tensors in file(s) beside it; returns the new path."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    onnx.save(onnx.load(str(path)), str(target), save_as_external_data=True, all_tensors_to_one_file=not per_tensor,
              location=None if per_tensor else "weights.data", size_threshold=0, convert_attribute=False)
    check(any(t.external_data for t in onnx.load(str(target), load_external_data=False).graph.initializer),
          "the test's model has no external data")
    return target


def zipped(folder, target, method, prefix=""):
    with zipfile.ZipFile(target, "w", compression=method) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, prefix + path.name)
    return target


def cases():
    for model in catalogue.samples() + [m for m in catalogue.from_npm() if "legacy" in m.name]:
        for name, store in FORMS.items():
            yield f"{model.label}/{name}", lambda model=model, store=store: same_model(model, store)
    yield "deflated-and-stored-large", large_bundle
    yield "inner-path-picks-one-of-two", inner_path
    yield "sample-of-external-data", sample_of_external
    yield "untouched-external-data-stays-readable", untouched_external
    yield "output-over-input", output_over_input
    yield "hash-of-several", hash_of_several


def copied(path, folder):
    folder.mkdir()
    return shutil.copy(path, folder)


def in_folder(path, folder):
    copied(path, folder / "one")
    return folder / "one"


def bundled(method, external=False, prefix=""):
    def store(path, folder):
        inside = folder / "inside"
        if external:
            with_external_data(path, inside)
        else:
            copied(path, inside)
        return zipped(inside, folder / "bundle.zip", method, prefix)

    return store


FORMS = {
    "external-one-file": lambda path, folder: with_external_data(path, folder / "ext"),
    "external-file-per-tensor": lambda path, folder: with_external_data(path, folder / "ext", per_tensor=True),
    "folder": in_folder,
    "folder-with-external": lambda path, folder: with_external_data(path, folder / "ext").parent,
    "zip-stored": bundled(STORED),
    "zip-deflated": bundled(DEFLATED),
    "zip-stored-external": bundled(STORED, external=True),
    "zip-deflated-external": bundled(DEFLATED, external=True),
    "zip-in-a-folder-external": bundled(DEFLATED, external=True, prefix="deep/folder/"),
    "standard-input": None,
}


def same_model(model, store):
    """Canonical bytes and digest of the stored form equal those of the plain file, also under the sanitizers."""
    with scratch(10 * model.size) as folder:
        plain = canonical(model.path, folder / "plain.onnx")
        for tool in (None, SANITIZED_TOOL):
            out = folder / "out.onnx"
            if store is None:
                content = model.path.read_bytes()
                run("canon", "-", "-o", out, input=content, tool=tool, expect=0)
                with open(model.path, "rb") as opened:
                    line = run("hash", "-", stdin=opened, tool=tool, expect=0).output
                digest = line.split()[0]
            else:
                work = folder / f"form-{tool is None}"
                work.mkdir()
                form = store(model.path, work)
                canonical(form, out, tool=tool)
                digest = hash_of(form, tool=tool)
            check_same_bytes(plain, out, "canonical form of the plain and of the stored model")
            check_equal(digest, hash_of(model.path), "digest")
            run("inspect", "-" if store is None else form, tool=tool, expect=0,
                **({"input": content} if store is None else {}))


def large_bundle():
    """44 MB in a bundle, stored (at an offset that is no multiple of a page or word) and deflated."""
    model = next(m for m in catalogue.exported() if m.name == "resnet18.default")
    with scratch(10 * model.size) as folder:
        digest = hash_of(model.path)
        for method in (STORED, DEFLATED):
            inside = folder / f"inside{method}"
            copied(model.path, inside)
            (inside / "a_note.txt").write_text("odd")
            form = zipped(inside, folder / f"bundle{method}.zip", method)
            check_equal(hash_of(form), digest, "digest of the bundle")


def inner_path():
    with scratch() as folder:
        inside = folder / "inside"
        inside.mkdir()
        first, second = catalogue.samples()[:2]
        shutil.copy(first.path, inside / "a.onnx")
        shutil.copy(second.path, inside / "b.onnx")
        form = zipped(inside, folder / "bundle.zip", DEFLATED, "inner/")
        check_equal(hash_of(f"{form}!inner/a.onnx"), hash_of(first.path), "digest of a.onnx")
        check_equal(hash_of(f"{form}!inner/b.onnx"), hash_of(second.path), "digest of b.onnx")


def sample_of_external():
    model = catalogue.samples()[0]
    with scratch() as folder:
        form = with_external_data(model.path, folder / "ext")
        out = sample(form, 3, folder / "out.onnx", tool=SANITIZED_TOOL)
        onnx.checker.check_model(onnx.load(str(out)), full_check=True)
        check_equal(hash_of(out), hash_of(model.path), "digest")


def untouched_external():
    """canon --passes=none into another folder: the result is whole, wherever its data now lie."""
    model = catalogue.samples()[1]
    with scratch() as folder:
        form = with_external_data(model.path, folder / "ext")
        (folder / "elsewhere").mkdir()
        out = folder / "elsewhere" / "out.onnx"
        run("canon", "--passes=none", form, "-o", out, tool=SANITIZED_TOOL, expect=0)
        original, written = onnx.load(str(form)).graph, onnx.load(str(out)).graph
        for before, after in zip(original.initializer, written.initializer, strict=True):
            check_equal(after.name, before.name, "name")
            check(numpy.array_equal(onnx.numpy_helper.to_array(before), onnx.numpy_helper.to_array(after)),
                  f"{before.name} changed")


def output_over_input():
    model = catalogue.samples()[0]
    with scratch() as folder:
        path = folder / "model.onnx"
        shutil.copy(model.path, path)
        canonical(path, path)
        check_same_bytes(path, canonical(model.path, folder / "other.onnx"), "canonical form written over its input")


def hash_of_several():
    paths = [model.path for model in catalogue.samples()]
    lines = run("hash", *paths, expect=0).output.splitlines()
    check_equal(lines, [f"{hash_of(path)}  {path}" for path in paths], "lines of hash with several models")
