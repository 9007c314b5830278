"""Our table of attribute defaults against the operator schemas of python3-onnx.

    rewrite_defaults.py ATTRIBUTE_DEFAULTS.def

For every operator, version and attribute that the schemas know, the row that canon would use has to state the
schema's default, or none. (None where the schema has one only means that canon keeps an attribute.)
"""

import re
import sys

import numpy
import onnx

ROW = re.compile(r'ATTRIBUTE_DEFAULT\("([^"]*)", "(\w+)", "(\w+)", (\d+), (\w+)(?:\((.*)\))?\)')
NAMES = {onnx.AttributeProto.INT: "INT", onnx.AttributeProto.FLOAT: "FLOAT", onnx.AttributeProto.STRING: "TEXT"}
DOCUMENTED = {"ALL", "REVERSED"}  # defaults that the specification only describes


def rows(path):
    """{(domain, operator, attribute): [(since, kind, value)]}"""
    table = {}
    for line in open(path, encoding="utf-8"):
        match = ROW.match(line)
        if match:
            *key, since, kind, value = match.groups()
            table.setdefault(tuple(key), []).append((int(since), kind, value))
    return table


def same(kind, text, attribute):
    if NAMES.get(attribute.type) != kind:
        return False
    if kind == "INT":
        return int(text) == attribute.i
    if kind == "FLOAT":
        return numpy.float32(text.rstrip("f")) == numpy.float32(attribute.f)
    return text == f'"{attribute.s.decode()}"'


def main():
    table, compared, wrong = rows(sys.argv[1]), 0, 0
    for schema in onnx.defs.get_all_schemas_with_history():
        for name, attribute in schema.attributes.items():
            known = [row for row in table.get((schema.domain, schema.name, name), []) if row[0] <= schema.since_version]
            if not known or known[-1][1] == "NONE":
                continue
            compared += 1
            _, kind, value = known[-1]
            fits = not attribute.default_value.type if kind in DOCUMENTED else same(kind, value, attribute.default_value)
            if not fits:
                wrong += 1
                print(f"{schema.name}-{schema.since_version} {name}: {kind} {value}, not {attribute.default_value}")
    print(f"{compared - wrong} passed, {wrong} failed")
    return 0 if compared > 300 and wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
