"""What `canonnx text` prints is ONNX's textual syntax: python3-onnx's parser reads it, and reads the same model.

All conformance models are printed as they are, with all their values, parsed, and compared with the original message.
Debian's parser is of ONNX 1.12 and knows less of the syntax than what is printed: spellings that came later (names in
quotes, labels of nodes, the omitted operand) are respelled for it. Where there is nothing to respell to (types of
sequences, tensors of unknown rank, ...) the model is only printed; `no_form` tells these by the model, not by what the
parser says. Then canonical texts of whole models: parsed and hashed, they are the model they came from.
"""

import collections
import re

import numpy
import onnx
import onnx.parser
from onnx import numpy_helper

import catalogue
from harness import CannotRun, check, check_equal, hash_of, run, scratch

LEAST_ROUND_TRIPS = 1050  # of the 1,075 models in Debian's packages; the others have no form in ONNX 1.12

done = collections.Counter()


def cases():
    for path in catalogue.testdata():
        yield f"conformance/{path.parent.name}-{path.stem}", lambda path=path: as_stored(path)
    yield "conformance/enough", enough
    for model in catalogue.small():
        yield f"{model.label}/parsed-and-hashed", lambda model=model: parsed_and_hashed(model)
    for model in catalogue.exported():
        if model.size < 5e7:
            yield f"{model.label}/parsed", lambda model=model: parsed(model)
    for name in ("values", "none", "digest"):
        yield f"weights/{name}", lambda name=name: weights(name)


def text(path, *options):
    return run("text", path, *options, expect=0).output


# ---- the syntax of ONNX 1.12 ----

QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
NODE = re.compile(r'^(\s*)(?:\[(?:\w+|"(?:[^"\\]|\\.)*")\] )?(.*?) = (\S+ )(<.*> )?\((.*?)\)( <)?(\s+#.*)?$')
OMITTED = "omitted_"


def plain(name):
    """A name as an identifier."""
    if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        return name
    return "quoted_" + name.encode().hex() if name else OMITTED


def respell_names(line):
    return QUOTED.sub(lambda match: plain(match[1].replace("\\\\", "\\").replace('\\"', '"')), line)


def respell(printed):
    """The same text with names that ONNX 1.12 can read."""
    head, _, rest = printed.partition("\n>\n")
    lines = [head, ">"]
    for line in rest.split("\n"):
        node = NODE.match(line)
        if node:
            indent, outputs, operator, attributes, inputs, graphs, _ = node.groups()
            line = (f"{indent}{respell_names(outputs)} = {operator}{attributes or ''}({respell_names(inputs)})"
                    f"{graphs or ''}")
        elif not re.search(r": (string|strings|tensor) = |^  domain: |^  opset_import: ", line):
            front, equals, values = line.partition(" = {")
            line = respell_names(front) + equals + values
        lines.append(line)
    return "\n".join(lines)


def parse(printed):
    try:
        return onnx.parser.parse_model(respell(printed))
    except onnx.parser.ParseError as error:
        check(False, f"onnx.parser: {error.args[0][:300]}")


def messages(message, kind):
    """All messages of a kind, inside a message or itself."""
    if message.DESCRIPTOR.name == kind:
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.label == field.LABEL_REPEATED else [value]:
                yield from messages(inner, kind)


def no_form(model):
    """Why ONNX 1.12 has no form for a model, or ''."""
    for kind in messages(model, "TypeProto"):
        if kind.WhichOneof("value") not in ("tensor_type", None):
            return "a type that is no tensor"
    for tensor in messages(model, "Tensor"):
        if not tensor.HasField("shape"):
            return "a tensor of unknown rank"
    for attribute in messages(model, "AttributeProto"):
        if attribute.type in (6, 7, 8) and not (attribute.ints or attribute.floats or attribute.strings):
            return "an empty list"
        if not numpy.isfinite([attribute.f, *attribute.floats]).all():
            return "an attribute that is infinite or no number"
        if attribute.HasField("sparse_tensor") or attribute.tensors or attribute.graphs or attribute.type_protos:
            return "a list of tensors or graphs, or a sparse tensor"
        if attribute.HasField("tp"):
            return "a type as an attribute"
        if any(character in text for text in (attribute.s, *attribute.strings) for character in (b'"', b"\\")):
            return "a quote or backslash in a string"
    for tensor in messages(model, "TensorProto"):
        if tensor.data_type not in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13):
            return "a tensor of a type whose values it does not read"
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and not numpy.isfinite(values).all():
            return "a tensor with infinities or NaN"
    if any(graph.sparse_initializer for graph in messages(model, "GraphProto")):
        return "a sparse initializer"
    return ""


# ---- comparing ----

def comparable(model):
    """The model with what the text leaves out or respells taken out of it."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for graph in messages(model, "GraphProto"):
        graph.name = plain(graph.name)
        del graph.quantization_annotation[:]
    for node in messages(model, "NodeProto"):
        node.ClearField("name")
        for names in (node.input, node.output):
            names[:] = [plain(name) for name in names]
    for tensor in messages(model, "TensorProto"):
        name, values = tensor.name, numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(values))
        tensor.name = plain(name)
    for value in messages(model, "ValueInfoProto"):
        value.name = plain(value.name)
    for attribute in messages(model, "AttributeProto"):
        if attribute.HasField("t"):
            attribute.t.ClearField("name")
    for dimension in messages(model, "Dimension"):
        if dimension.HasField("dim_param"):
            dimension.dim_param = plain(dimension.dim_param)
    for function in messages(model, "FunctionProto"):
        for names in (function.input, function.output):
            names[:] = [plain(name) for name in names]
    forget_defaults(model)
    return model


def forget_defaults(message):
    """Fields that say what is meant anyway, and documentation."""
    for field, value in message.ListFields():
        if field.name == "doc_string" and message.DESCRIPTOR.name != "ModelProto":
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in value if field.label == field.LABEL_REPEATED else [value]:
                forget_defaults(inner)
        elif field.label != field.LABEL_REPEATED and value in ("", 0) and field.name in (
                "domain", "producer_name", "producer_version", "model_version", "doc_string"):
            message.ClearField(field.name)


def as_stored(path):
    printed = text(path, "--raw", "--weights=values")
    check_equal(text(path, "--raw", "--weights=values"), printed, "the text printed again")
    done["printed"] += 1
    model = onnx.load(str(path))
    if no_form(model):
        done[no_form(model)] += 1
        return
    check_equal(comparable(parse(printed)), comparable(model), "the model parsed")
    done["parsed"] += 1


def enough():
    check(done["parsed"] >= LEAST_ROUND_TRIPS, f"only {done['parsed']} of {done['printed']} came back: {dict(done)}")


# ---- canonical texts ----

def parsed_and_hashed(model):
    """The text with all values is the model: parsed, it has the model's digest."""
    with scratch() as folder:
        run("canon", model.path, "-o", folder / "canonical.onnx", expect=0)
        why = no_form(onnx.load(str(folder / "canonical.onnx")))
        if why:
            raise CannotRun(f"ONNX 1.12 has no syntax for {why}")
        again = parse(text(model.path, "--weights=values"))
        for node in messages(again, "NodeProto"):
            node.input[:] = ["" if name == OMITTED else name for name in node.input]
            node.output[:] = ["" if name == OMITTED else name for name in node.output]
        onnx.save(again, str(folder / "parsed.onnx"))
        check_equal(hash_of(folder / "parsed.onnx"), hash_of(model.path), "digest of the model parsed from its text")


def parsed(model):
    """With digests in place of weights everything but the weights is there, as it is printed."""
    printed = text(model.path)
    try:
        again = onnx.parser.parse_model(printed)
    except onnx.parser.ParseError as error:
        check(False, f"onnx.parser: {error.args[0][:300]}")
    with scratch(2 * model.size) as folder:
        run("canon", model.path, "-o", folder / "canonical.onnx", expect=0)
        graph = onnx.load(str(folder / "canonical.onnx")).graph
    check_equal(sorted((tensor.data_type, *tensor.dims) for tensor in again.graph.initializer),
                sorted((tensor.data_type, *tensor.dims) for tensor in graph.initializer), "types and dims")
    check_equal(sorted(node.op_type for node in again.graph.node), sorted(node.op_type for node in graph.node),
                "operators")
    names = [name for node in again.graph.node for name in node.output]
    names += [tensor.name for tensor in again.graph.initializer] + [value.name for value in again.graph.input]
    check_equal(len(set(names)), len(names), "names that are different")


def weights(how):
    model = catalogue.samples()[0]
    printed = text(model.path, f"--weights={how}")
    check_equal(len(printed.splitlines()), len(text(model.path).splitlines()), "lines")
    check_equal(" xxh3 " in printed, how == "digest", "whether there are digests")
    check_equal(max(map(len, printed.splitlines())) > 1000, how == "values", "whether a line is long")
