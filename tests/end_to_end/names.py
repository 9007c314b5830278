"""What canon says about itself: the map from new names to old ones, and what each pass did."""

import json
import re

import numpy
import onnx
from onnx import numpy_helper

import catalogue
import disguise
from harness import canonical, check, check_equal, run, run_json, scratch

LARGEST = 12e6  # bytes of a model whose weights are compared
GROUPING = r"(Reshape|Squeeze|Unsqueeze)_\d+_in1"  # numbers that a node takes in place of others


def cases():
    for model in catalogue.everything():
        if model.size < LARGEST:
            yield f"{model.label}/mapped", lambda model=model: mapped(model)
    for model in catalogue.samples() + catalogue.from_npm():
        yield f"{model.label}/explained", lambda model=model: explained(model)
    yield "map/trouble", map_trouble


def functions_of(model):
    return getattr(model, "functions", [])


def graphs_in(nodes):
    """Graphs inside nodes, at any depth."""
    for node in nodes:
        for attribute in node.attribute:
            for graph in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                yield graph
                yield from graphs_in(graph.node)


def names_in(model):
    """(function or None, kind) -> {name: what has it} for everything that has a name."""
    found = {}

    def put(scope, kind, name, thing):
        if name:
            found.setdefault((scope, kind), {})[name] = thing

    for scope, nodes, graphs in [(None, model.graph.node, [model.graph])] + [
            (function.name, function.node, []) for function in functions_of(model)]:
        for graph in graphs + list(graphs_in(nodes)):
            for value in graph.input:
                put(scope, "values", value.name, value)
            for tensor in graph.initializer:
                put(scope, "initializers", tensor.name, tensor)
            for sparse in graph.sparse_initializer:
                put(scope, "initializers", sparse.values.name, sparse)
            for node in graph.node:
                put_node(put, scope, node)
        if not graphs:
            for node in nodes:
                put_node(put, scope, node)
            for name in next(f.input for f in functions_of(model) if f.name == scope):
                put(scope, "values", name, None)
    return found


def put_node(put, scope, node):
    put(scope, "nodes", node.name, node)
    for name in node.output:
        put(scope, "values", name, node)


def significands(tensor):
    """What permutations, signs and powers of two leave of a tensor."""
    values = numpy_helper.to_array(tensor)
    if values.dtype.kind != "f":
        return sorted(values.ravel().tolist(), key=str)
    return numpy.sort(numpy.frexp(numpy.abs(values.astype(numpy.float64)).ravel())[0]).tolist()


def mapped(model):
    """Every name of the output is in the map, and maps to names of the same kind of thing in the input."""
    with scratch(4 * model.size) as folder:
        out, where = folder / "canonical.onnx", folder / "map.json"
        run("canon", model.path, "-o", out, "--name-map", where, expect=0)
        check_equal(canonical(model.path, folder / "plain.onnx").read_bytes(), out.read_bytes(), "canon with a map")
        given = json.loads(where.read_text())
        before, after = names_in(onnx.load(str(model.path))), names_in(onnx.load(str(out)))
        for (scope, kind), things in after.items():
            entries = {entry["name"]: entry for entry in given[kind] if entry["function"] == scope}
            missing = sorted(set(things) - set(entries))
            check(not missing, f"{kind} that are not in the map: {missing[:5]}")
            for name, thing in things.items():
                check_entry(entries[name], kind, thing, before, scope)
        for kind in ("values", "initializers", "nodes"):
            made = [entry["name"] for entry in given[kind] if entry["made"]]
            check(all(kind == "initializers" and re.fullmatch(GROUPING, name) for name in made), f"canon made {kind}: {made}")


def check_entry(entry, kind, thing, before, scope):
    known = dict(before.get((scope, kind), {}))
    if kind == "initializers":  # they may have been made by Constant nodes
        known.update({name: node for name, node in before.get((scope, "values"), {}).items() if name not in known})
    grouping = kind == "initializers" and entry["made"]  # of a node that does not take what it took before
    check(kind == "nodes" or entry["old"] or grouping, f"{entry} has no old name")
    for old in entry["old"]:
        check(old in known, f"{entry}: the input has no such {kind}")
        if kind == "nodes":
            regrouped = known[old].op_type == "Reshape" and thing.op_type in ("Squeeze", "Unsqueeze")
            check(known[old].op_type == thing.op_type or regrouped, f"{old}: {known[old].op_type} is {thing.op_type}")
        if isinstance(thing, onnx.TensorProto) and isinstance(known[old], onnx.TensorProto):
            check_equal(list(thing.dims), list(known[old].dims), f"dims of {old}")
            check_equal(significands(thing), significands(known[old]), f"elements of {old}")


def explained(model):
    """Passes are listed in their order, count what they say, and have nothing to say about a canonical form's nodes."""
    rows = [row["name"] for row in run_json("list", "passes")["rows"]]
    with scratch(4 * model.size) as folder:
        out, again = folder / "canonical.onnx", folder / "again.onnx"
        disguised = onnx.load(str(model.path))
        disguise.add_idle_nodes(disguised, numpy.random.default_rng(1))
        onnx.save(disguised, str(folder / "idle.onnx"))
        passes = run_json("canon", "--explain", folder / "idle.onnx", "-o", out)["passes"]
        names = [one["name"] for one in passes]
        check_equal([row for row in rows if row in names], names, "order of the passes")
        by_name = {one["name"]: one for one in passes}
        for one in passes:
            check(one["rounds"] >= 1 and (one["changed"] > 0 or not one["details"]), f"{one}")
        removed = {node.name for node in disguised.graph.node if node.op_type == "Identity" and node.name}
        text = "\n".join(by_name["identities"]["details"] + by_name["dead"]["details"])
        check(all(name in text for name in removed), "identities and dead do not name what they removed")
        check("nor_this" not in text or by_name["dead"]["changed"] >= 1, "dead removed nothing")
        passes = {one["name"]: one for one in run_json("canon", "--explain", out, "-o", again)["passes"]}
        for name in ("documentation", "metadata", "tensors", "constants", "identities", "transposes", "reshapes",
                     "dead", "attributes", "opsets", "permutations"):
            check_equal(passes[name]["changed"], 0, f"changes of {name} in a canonical form")
        whole = run("canon", "--explain", "--all", out, "-o", again, expect=0).output
        check(all(f"\n{name}: " in whole for name in passes), "--all leaves passes out")
        check("\nidentities: " not in run("canon", "--explain", out, "-o", again, expect=0).output,
              "an idle pass is explained")
        check("passes" not in run_json("canon", out, "-o", again), "explained without being asked")


def map_trouble():
    model = catalogue.samples()[0].path
    with scratch() as folder:
        out = folder / "out.onnx"
        check_equal(run("canon", model, "-o", out, "--name-map", out).status, 2, "exit with the map over the model")
        check(not out.exists(), "the model was written")
        ended = run("canon", model, "-o", out, "--name-map", folder / "none" / "map.json")
        check_equal(ended.status, 2, "exit with the map in no folder")
        check("map.json: cannot write" in ended.errors, ended.errors)
        (folder / "map.json").write_text("old")
        run("canon", model, "-o", out, "--name-map", folder / "map.json", expect=0)
        check_equal(sorted(path.name for path in folder.iterdir()), ["map.json", "out.onnx"], "what is in the folder")
