"""Canonical scales of networks with units that training has let die: weights of 1e-34 and below, next to biases as usual.

Members are made here, by numbers and not by `sample`: every unit is multiplied by a power of two as small or as large as
its weights allow without losing a bit, some of them subnormal afterwards. All have one canonical form; it computes what
the network computes; and one unit in the last place of the smallest weight makes another one.
"""

import functools

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

import catalogue
from harness import JUDGE, canonical, check, check_equal, check_same_bytes, hash_of, run, run_json, sample, scratch

RANDOM = 40
MEMBERS = 3


def cases():
    yield "sample", sample_resnet
    yield "drift", drift
    yield "circle", circle
    yield "exact_samples/float", functools.partial(exact_samples, numpy.float32, TensorProto.FLOAT)
    yield "exact_samples/double", functools.partial(exact_samples, numpy.float64, TensorProto.DOUBLE)
    for seed in range(RANDOM):
        yield f"random/{seed}", functools.partial(one_form, seed)
        yield f"normalized/{seed}", functools.partial(one_form, seed, normalized=True)


class Layers:
    """A perceptron with ReLU between its layers, and BatchNormalization in front of these if that is asked for; layers of
    half of the seeds have no biases."""

    def __init__(self, seed, normalized=False):
        self.random = numpy.random.RandomState(seed)
        widths = self.random.randint(5, 10, self.random.randint(3, 6))
        draw = lambda *shape: self.random.normal(size=shape).astype(numpy.float32)
        self.weights = [draw(after, before) for before, after in zip(widths, widths[1:])]
        self.biases = [draw(len(weight)) if seed % 2 == 0 else None for weight in self.weights]
        self.norms = [{name: abs(draw(len(weight))) if name == "variance" else draw(len(weight))
                       for name in ("gain", "shift", "mean", "variance")} if normalized else None
                      for weight in self.weights[:-1]]
        for unit in self.units():
            self.let_die(*unit)

    def units(self):
        return [(layer, unit) for layer, weight in enumerate(self.weights[:-1]) for unit in range(len(weight))]

    def let_die(self, layer, unit):
        """One unit of four sends on next to nothing; of others, one weight, or what comes in, is as small."""
        small = numpy.float32(10) ** numpy.float32(self.random.randint(-41, -33))
        fate = self.random.randint(8)
        if fate < 2:
            self.weights[layer + 1][:, unit] *= small
        elif fate == 2:
            self.weights[layer + 1][0, unit] *= small
        elif fate == 3:
            self.weights[layer][unit] *= small
        elif fate == 4 and self.norms[layer]:
            self.norms[layer]["gain"][unit] *= small

    def slices(self, layer, unit):
        """What a unit multiplies by its factor, and what by its inverse; with normalization, one pair in front of it, and
        one behind it."""
        one = slice(unit, unit + 1)
        bias = [] if self.biases[layer] is None else [self.biases[layer][one]]
        before, after = [self.weights[layer][unit], *bias], [self.weights[layer + 1][:, unit]]
        norm = self.norms[layer]
        if norm is None:
            return [(before, after)]
        return [([*before, norm["mean"][one]], [norm["gain"][one]]),
                ([norm["gain"][one], norm["shift"][one]], after)]

    def multiply(self, layer, unit):
        """By random powers of two, often the largest or the smallest ones, that lose no bit."""
        for direct, inverse in self.slices(layer, unit):
            self.multiply_slices(direct, inverse)

    def multiply_slices(self, direct, inverse):
        (fall, rise), (inverse_fall, inverse_rise) = room(direct), room(inverse)
        least, most = -min(fall, inverse_rise), min(rise, inverse_fall)
        exponent = self.random.choice([least, most, self.random.randint(least, most + 1)])
        for values, by in [(part, exponent) for part in direct] + [(part, -exponent) for part in inverse]:
            before = values.astype(numpy.float64)
            values[:] = numpy.ldexp(before, by)
            check((values.astype(numpy.float64) == numpy.ldexp(before, by)).all(), "the test lost bits")

    def outputs_vary(self):
        """Not so where a whole layer died, or all units are below zero."""
        values = numpy.random.RandomState(1).normal(size=(len(self.weights[0][0]), 50))
        for number, weight in enumerate(self.weights):
            values = weight.astype(numpy.float64) @ values
            if self.biases[number] is not None:
                values += self.biases[number][:, None]
            if number == len(self.norms):
                break
            if norm := self.norms[number]:
                deviation = numpy.sqrt(norm["variance"] + 1e-5)
                values = (values - norm["mean"][:, None]) * (norm["gain"] / deviation)[:, None] + norm["shift"][:, None]
            values = numpy.maximum(values, 0)
        return abs(numpy.diff(values)).max(axis=0).min() > 0.01 * abs(values).max()  # between any two inputs

    def save(self, path):
        nodes, initializers, value = [], [], "x"
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            given = {f"weight{number}": weight} | ({} if bias is None else {f"bias{number}": bias})
            initializers += [numpy_helper.from_array(array, name) for name, array in given.items()]
            nodes.append(helper.make_node("Gemm", [value, *given], [f"sum{number}"], transB=1))
            value = f"sum{number}"
            if number == len(self.norms):
                break
            if self.norms[number]:
                named = {f"{name}{number}": array for name, array in self.norms[number].items()}
                initializers += [numpy_helper.from_array(array, name) for name, array in named.items()]
                nodes.append(helper.make_node("BatchNormalization", [value, *named], [f"normal{number}"]))
                value = f"normal{number}"
            nodes.append(helper.make_node("Relu", [value], [f"unit{number}"]))
            value = f"unit{number}"
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", int(width)])
                for name, width in (("x", self.weights[0].shape[1]), (nodes[-1].output[0], len(self.weights[-1])))]
        graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], initializers)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
        return path


def room(parts):
    """By how much exponents may fall, and rise, without a number losing a bit."""
    numbers = numpy.abs(numpy.concatenate(parts).astype(numpy.float64))
    mantissas, exponents = numpy.frexp(numbers[numbers != 0])
    mantissas = (mantissas * 2**53).astype(numpy.int64)
    zeros = numpy.log2((mantissas & -mantissas).astype(numpy.float64)).astype(int)
    return min(exponents - 53 + zeros, default=0) + 149, 128 - max(exponents, default=128)


def one_form(seed, normalized=False):
    with scratch() as folder:
        layers = next(drawn for attempt in range(100)
                      if (drawn := Layers(seed + 1000 * attempt, normalized)).outputs_vary())
        path = layers.save(folder / "net.onnx")
        form = canonical(path, folder / "canonical.onnx")
        JUDGE.compare(path, form, catalogue.Model("random", "layers", path).inputs())
        digest = hash_of(path)
        for _ in range(MEMBERS):
            for unit in layers.units():
                layers.multiply(*unit)
            check_equal(hash_of(layers.save(folder / "member.onnx")), digest, "digest of a member")
            check_equal(run_json("diff", path, folder / "member.onnx", "--witness", folder / "w.json")["verdict"],
                        "equivalent", "verdict")
            run("apply", path, "--witness", folder / "w.json", "-o", folder / "applied.onnx", expect=0)
            check_same_bytes(folder / "applied.onnx", folder / "member.onnx", "the model moved as the witness says")
            check_equal(hash_of(sample(path, seed, folder / "sample.onnx", elements="permute,sign,scale")), digest,
                        "digest of a sample")
        move_smallest_weight(layers)
        check(hash_of(layers.save(folder / "other.onnx")) != digest, "another weight has the same digest")


def move_smallest_weight(layers):
    """By one unit in its last place."""
    weight = min(layers.weights, key=lambda weight: abs(weight[weight != 0]).min())
    place = numpy.unravel_index(numpy.argmin(numpy.where(weight == 0, numpy.inf, abs(weight))), weight.shape)
    weight[place] = numpy.nextafter(weight[place], numpy.float32(numpy.copysign(1, weight[place])))


def sample_resnet():
    """The sample that was trained like that: its form has scales, and no note says otherwise."""
    with scratch() as folder:
        report = run("canon", "samples/digits_resnet.onnx", "-o", folder / "form.onnx", expect=0)
        check("note:" not in report.output, report.output)


def drift():
    """A hundred layers without biases that shrink their signals by 2^12 each: even doubles have no room for what their last
    weights would be. That is said, and no two members get different digests."""
    random = numpy.random.RandomState(11)
    layers = Layers(1)
    layers.weights = [numpy.ldexp(random.normal(size=(3, 3)), -12).astype(numpy.float32) for _ in range(100)]
    layers.biases, layers.norms = [None] * 100, [None] * 99
    with scratch() as folder:
        for member in range(4):
            path = layers.save(folder / "net.onnx")
            notes = " ".join(run("canon", path, "-o", folder / "form.onnx", expect=0).output.split())
            check("not canonical: scales were looked for beyond the exponents of doubles" in notes, notes)
            check(run("hash", path).status != 0, "a form that is not canonical was hashed")
            for unit in layers.units():
                layers.multiply(*unit)


def circle():
    """Two weights of 2^64 and more that face each other, so that two units lower each other without an end. The search for
    room gives up soon, which is a matter of time only: it reads all weights in each of its steps."""
    random = numpy.random.RandomState(5)
    into, square, out = [random.normal(size=shape).astype(numpy.float32) for shape in ((4, 300), (300, 300), (300, 2))]
    square[0, 1] = square[1, 0] = 2.0 ** 64.6
    given = {"into": into, "square": square, "out": out}
    nodes = [helper.make_node("MatMul", ["x", "into"], ["units"]), helper.make_node("MatMul", ["units", "square"], ["more"]),
             helper.make_node("Add", ["units", "more"], ["sum"]), helper.make_node("MatMul", ["sum", "out"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in (("x", 4), ("y", 2))]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:],
                              [numpy_helper.from_array(array, name) for name, array in given.items()])
    with scratch() as folder:
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8),
                  str(folder / "net.onnx"))
        notes = " ".join(run("canon", folder / "net.onnx", "-o", folder / "form.onnx", expect=0).output.split())
        check("scales are left as they are: not all weights have room" in notes, notes)


def exact_samples(kind, declared):
    """`sample` draws no scale that costs a bit, beside numbers that are not finite either."""
    random = numpy.random.RandomState(3)
    into, bias, out = [random.normal(size=shape).astype(kind) for shape in ((4, 6), 6, (6, 3))]
    into[:, :3] *= 4 * numpy.finfo(kind).tiny
    into[2, 4] = numpy.nan
    out[1] = numpy.ldexp(out[1], numpy.finfo(kind).minexp - 4)
    given = {"into": into, "bias": bias, "out": out}
    nodes = [helper.make_node("Gemm", ["x", "into", "bias"], ["sum"]), helper.make_node("Relu", ["sum"], ["unit"]),
             helper.make_node("MatMul", ["unit", "out"], ["y"])]
    ends = [helper.make_tensor_value_info(name, declared, ["N", width])
            for name, width in (("x", 4), ("y", 3))]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:],
                              [numpy_helper.from_array(array, name) for name, array in given.items()])
    with scratch() as folder:
        path = folder / "net.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
        for seed in range(8):
            member = onnx.load(str(sample(path, seed, folder / "member.onnx", elements="scale")))
            for after in member.graph.initializer:
                mantissas = [numpy.frexp(array)[0] for array in (given[after.name], numpy_helper.to_array(after))]
                check(numpy.array_equal(*mantissas, equal_nan=True), f"{after.name} lost bits with seed {seed}")
