"""Writes protobuf bytes by hand, for files that no library would write."""


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def field(number, content):
    """A length-delimited field (bytes, str) or a varint field (int)."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content % 2**64)
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(depth, core, *numbers):
    """`core` wrapped `depth` times in fields of these numbers, the innermost number last; linear in the depth."""
    headers, length = [], len(core)
    for _ in range(depth):
        for number in reversed(numbers):
            header = varint(number << 3 | 2) + varint(length)
            headers.append(header)
            length += len(header)
    return b"".join(reversed(headers)) + core


def model(graph, opset=14):
    """A model message around the bytes of a graph."""
    return field(1, 7) + field(7, graph) + field(8, field(2, opset))


def value_info(name, *dims):
    shape = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


def node(operator, inputs, outputs, name="", *attributes):
    return (b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
            + (field(3, name) if name else b"") + field(4, operator) + b"".join(field(5, a) for a in attributes))


def tensor(name, dims, *, raw=None, floats=None, external=None, kind=1):
    """A tensor with raw bytes, with packed float_data, or with external data {key: value}."""
    import struct

    out = b"".join(field(1, d) for d in dims) + field(2, kind) + field(8, name)
    if floats is not None:
        out += field(4, struct.pack(f"<{len(floats)}f", *floats))
    if raw is not None:
        out += field(9, raw)
    for key, value in (external or {}).items():
        out += field(13, field(1, key) + field(2, str(value)))
    return out + (field(14, 1) if external else b"")


def graph(nodes, initializers=(), inputs=(), outputs=()):
    return (b"".join(field(1, n) for n in nodes) + field(2, "g") + b"".join(field(5, i) for i in initializers)
            + b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs))


def linear_model(weight):
    """y = x W, with W the given tensor message called "weight", and x of shape [N, 4]: W should be [4, 3]."""
    return model(graph([node("MatMul", ["x", "weight"], ["y"], "product")], [weight],
                       [value_info("x", "N", 4)], [value_info("y", "N", 3)]))
