"""Is our schema a superset of another ONNX implementation's?

Usage: proto_schema.py OURS.proto THEIRS.proto

Compiles both with protoc and compares descriptors: every message, field and enum value of theirs has to
be in ours with the same number, type, label, packing and oneof.
"""

import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2


def describe(path):
    path = pathlib.Path(path).resolve()
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "descriptors"
        subprocess.run(
            ["protoc", f"--proto_path={path.parent}", f"--descriptor_set_out={out}", str(path)], check=True
        )
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]


def facts(file):
    """{dotted name: what a reader of the format has to agree on}"""
    found = {}

    def enum(prefix, item):
        found[f"{prefix}.{item.name}"] = "enum"
        for value in item.value:
            found[f"{prefix}.{item.name}.{value.name}"] = value.number

    def message(prefix, item):
        name = f"{prefix}.{item.name}"
        found[name] = "message"
        for field in item.field:
            oneof = item.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else None
            found[f"{name}.{field.name}"] = (
                field.number, field.type, field.label, field.type_name, field.options.packed, oneof,
            )
        for inner in item.nested_type:
            message(name, inner)
        for inner in item.enum_type:
            enum(name, inner)

    for item in file.message_type:
        message(file.package, item)
    for item in file.enum_type:
        enum(file.package, item)
    return found


def main():
    ours, theirs = facts(describe(sys.argv[1])), facts(describe(sys.argv[2]))
    newest = "onnx.Version.IR_VERSION"
    wrong = [
        f"{name}: theirs {fact}, ours {ours.get(name, 'missing')}"
        for name, fact in theirs.items()
        if ours.get(name) != fact and name != newest
    ]
    if ours[newest] < theirs[newest]:
        wrong.append(f"{newest}: theirs {theirs[newest]}, ours {ours[newest]}")
    print("\n".join(wrong) or f"{len(theirs)} facts of theirs hold in ours ({len(ours)} facts)")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
