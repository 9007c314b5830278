"""`git diff`, `git log -p` and `git difftool` show models as text, with the three lines of configuration of the guide.

The lines are read from docs/guide.md, so what people copy is what is tested.
"""

import os
import re
import shutil
import subprocess

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue
from harness import ROOT, TOOL, CannotRun, check, check_equal, run, sample, scratch


def cases():
    yield "changed-weight", changed_weight
    yield "permuted", permuted
    yield "inserted-node", inserted_node
    yield "log", log
    yield "difftool", difftool
    yield "unreadable", unreadable
    yield "not-canonical", not_canonical


def configuration():
    """The guide's lines: the block that begins with .gitattributes."""
    guide = (ROOT / "docs/guide.md").read_text()
    block = re.search(r"^    echo '\*\.onnx diff=onnx'(?:.*\n)+?(?=\n)", guide, re.MULTILINE)
    check(block, "docs/guide.md has no lines of configuration")
    lines = [line.strip() for line in block[0].splitlines()]
    check_equal(len(lines), 3, "lines of configuration")
    return lines


class Repository:
    """A repository in a scratch folder, set up as the guide says."""

    def __init__(self, folder):
        if shutil.which("git") is None:
            raise CannotRun("git is not installed")
        self.folder = folder
        links = folder / "bin"
        links.mkdir()
        (links / "canonnx").symlink_to(TOOL)
        self.environment = {
            "PATH": f"{links}:{os.environ['PATH']}", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
            "GIT_PAGER": "cat", "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@b.c"}
        self.tree = folder / "tree"
        self.tree.mkdir()
        self.run("git init -q")
        for line in configuration():
            self.run(line)
        self.model = self.tree / "model.onnx"

    def run(self, command):
        ended = subprocess.run(["sh", "-c", command], cwd=self.tree, env=self.environment, capture_output=True,
                               text=True, stdin=subprocess.DEVNULL, timeout=60)
        check(ended.returncode == 0, f"{command}: exit {ended.returncode}: {ended.stderr[:300]}")
        return ended.stdout

    def commit(self, message):
        self.run(f"git add -A && git commit -qm '{message}'")

    def diff(self, what=""):
        """Changed lines of `git diff`."""
        return [line for line in self.run(f"git diff {what}").splitlines() if re.match(r"[+-](?![+-]{2} )", line)]


def repository(folder):
    made = Repository(folder)
    shutil.copy(original(), made.model)
    made.commit("first")
    return made


def original():
    return next(model.path for model in catalogue.samples() if model.name == "digits_convnet")


def change_weight(path):
    model = onnx.load(str(path))
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[1] += numpy.float32(0.01)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, str(path))


def changed_weight():
    with scratch() as folder:
        made = repository(folder)
        change_weight(made.model)
        changed = made.diff()
        check_equal([line[0] for line in changed], ["-", "+"], "kinds of changed lines")
        check_equal(changed[0].split(" xxh3 ")[0][1:], changed[1].split(" xxh3 ")[0][1:], "the line up to its digest")


def permuted():
    """The same network with its channels shuffled: git knows another file, and has nothing to show."""
    with scratch() as folder:
        made = repository(folder)
        sample(original(), 11, made.model)
        check(made.run("git status --porcelain").strip() == "M model.onnx", "git did not see another file")
        check_equal(made.diff(), [], "changed lines")
        made.commit("shuffled")
        check_equal(made.diff("HEAD~1 HEAD"), [], "changed lines of the commit")


def insert_node(path):
    model = onnx.load(str(path))
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    name, relu.output[0] = relu.output[0], "before"
    at = list(model.graph.node).index(relu)
    model.graph.node.insert(at + 1, helper.make_node("Tanh", ["before"], [name]))
    onnx.save(model, str(path))


def inserted_node():
    with scratch() as folder:
        made = repository(folder)
        insert_node(made.model)
        changed = made.diff()
        check(any(" = Tanh (" in line for line in changed), f"the new node is not shown: {changed}")
        check(len(changed) <= 4, f"{len(changed)} changed lines")


def log():
    with scratch() as folder:
        made = repository(folder)
        insert_node(made.model)
        made.commit("insert a node")
        sample(made.model, 3, made.model)
        made.commit("shuffle")
        shown = made.run("git log -p")
        newest, middle, first = re.split(r"^commit ", shown, flags=re.MULTILINE)[1:]
        check("Tanh" in middle and "+<" in first, "git log -p does not show the text")
        check("Binary files" not in shown, "git log -p shows a binary file")
        check(not re.search(r"^[+-](?![+-]{2} )", newest, re.MULTILINE), "the shuffled model has changed lines")


def difftool():
    with scratch() as folder:
        made = repository(folder)
        change_weight(made.model)
        changed = [line for line in made.run("git difftool --no-prompt --tool=onnx").splitlines()
                   if re.match(r"[+-](?![+-]{2} )", line)]
        check_equal([line[0] for line in changed], ["-", "+"], "kinds of changed lines")


def unreadable():
    """A file that is no model does not stop git; its size and digest tell versions apart."""
    with scratch() as folder:
        made = repository(folder)
        made.model.write_bytes(b"not a model")
        check(any("Not a readable model" in line for line in made.diff()), "the trouble is not shown")
        made.commit("broken")
        made.model.write_bytes(b"not a model!")
        check(any("12 bytes, xxh3 " in line for line in made.diff()), "another digest is not shown")
        made.model.write_bytes(b"")
        check(made.diff(), "an empty file is not shown")
        check_equal(run("text", made.model).status, 2, "exit status without --textconv")


def not_canonical():
    """Where no canonical form is found, textconv shows what there is and says so."""
    with scratch() as folder:
        path = folder / "tied.onnx"
        onnx.save(tied(), str(path))
        plain = run("text", path)
        shown = run("text", "--textconv", path, expect=0).output
        if plain.status == 0:
            check_equal(shown, plain.output, "what --textconv printed of a canonical form")
        else:
            check("not canonical" in plain.errors and not plain.output, f"text said {plain.errors!r}")
            check(shown.startswith("# The form is not canonical: "), f"--textconv printed {shown[:80]!r}")
        check(" = Gemm " in shown or " = MatMul " in shown, "--textconv printed no nodes")
        check(run("text", "--raw", path, expect=0).output.startswith("<\n"), "--raw printed a comment")


def tied():
    """A weight matrix whose rows can only be told apart by trying: a graph that is regular, of two kinds of cycles."""
    size = 12
    adjacency = numpy.zeros((size, size), numpy.float32)
    cycles = [list(range(6)), list(range(6, 9)), list(range(9, 12))]
    for cycle in cycles:
        for a, b in zip(cycle, cycle[1:] + cycle[:1]):
            adjacency[a, b] = adjacency[b, a] = 1
    tensors = [numpy_helper.from_array(numpy.ones((3, size), numpy.float32), "a"),
               numpy_helper.from_array(adjacency, "b"),
               numpy_helper.from_array(numpy.ones((size, 2), numpy.float32), "c")]
    nodes = [helper.make_node("MatMul", ["x", "a"], ["p"]), helper.make_node("Relu", ["p"], ["q"]),
             helper.make_node("MatMul", ["q", "b"], ["r"]), helper.make_node("Add", ["q", "r"], ["s"]),
             helper.make_node("MatMul", ["s", "c"], ["y"])]
    graph = helper.make_graph(nodes, "tied", [helper.make_tensor_value_info("x", 1, ["N", 3])],
                              [helper.make_tensor_value_info("y", 1, ["N", 2])], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
