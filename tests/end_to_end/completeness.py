"""The yardstick: a search over all permutations, or all signs, along the axes of a small model's parameters finds no more.

The models are small and random, made of the blocks of the soundness tests, with inputs and outputs of one channel: every
axis that is longer than one is hidden. All weights differ, so a permutation of the axes either changes the
function or is one of its symmetries. The search tries every tuple of permutations, one for each axis of each float
parameter, on its own: it knows nothing of layers, and axes that move together are its finding. Signs are searched in the
same way. PyTorch evaluates each model in 64-bit floats (small_torch.py), after ONNX Runtime has confirmed that it computes
the same. (The dimension of scales and linear changes: dimension.py.)
"""

import collections
import functools
import itertools
import math

import numpy
import onnx
from onnx import helper, numpy_helper

import catalogue  # noqa: F401, for the path of tests/models
from harness import JUDGE, check, run_json, scratch
from small_torch import OPERATORS, Evaluator, as_tensor

import random_architectures

compared = collections.Counter()
MOST_TUPLES = 20_000  # that a model of the normal run may have
MODELS = 60
KINDS = ("vector", "sequence")
SAMPLES = 24  # enough that no unit is silent for all of them
CLOSE = 1e-9  # of the output's scale, in 64-bit floats


class SmallNet(random_architectures.Net):
    """A net of two to four channels whose weights are all different."""

    widths = (2, 3, 4)

    def width(self, multiple=1):
        return self.pick(*[width for width in self.widths if width % multiple == 0])

    def bias(self, columns):
        return self.constant(self.random.normal(0, 0.3, columns))


def small_net(seed):
    """One or two blocks between a layer from one channel and a layer to one channel."""
    net = SmallNet(seed)
    net.batch = SAMPLES
    kind = KINDS[seed % 2]
    rest = (2,) if kind == "sequence" else ()
    value = random_architectures.Value("x", kind, 1, rest)
    net.input("x", random_architectures.extents_of(net, value))
    value = net.same(net.project(value, net.width()), net.nodes[-1].output[0])
    for _ in range(net.pick(1, 1, 2)):
        value = net.same(value, net.node(net.pick("Tanh", "Sigmoid"), value.name))
        blocks = random_architectures.BLOCKS[value.kind]
        value = random_architectures.apply(net, value, random_architectures.BLOCKS, net.pick(*blocks))
    value = net.same(value, net.node("Tanh", value.name))
    end = net.project(value, 1)
    net.output(end.name, random_architectures.extents_of(net, end))
    return net


def float_parameters(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT}


def permuted(array):
    """The array with its axes permuted, in all ways."""
    for orders in itertools.product(*[itertools.permutations(range(extent)) for extent in array.shape]):
        yield array[numpy.ix_(*orders)]


def permutations(shape):
    """How many ways that are."""
    return math.prod(math.factorial(extent) for extent in shape)


def flipped(array):
    """The array with the signs of some slices changed, in all ways: what changes nothing is done to axis 0 alone."""
    choices = [itertools.product(*[(1, -1) if axis == 0 or i else (1,) for i in range(extent)])
               for axis, extent in enumerate(array.shape)]
    for signs in itertools.product(*[list(choice) for choice in choices]):
        yield array * functools.reduce(numpy.multiply.outer, [numpy.array(factors) for factors in signs])


def flips(shape):
    return 2 ** (sum(shape) - len(shape) + 1)


def tuples(model, count):
    """How many tuples of changes there are, `count` of each parameter, or 0 when the search cannot judge the model."""
    if any(node.op_type not in OPERATORS for node in model.graph.node):
        return 0
    parameters = [array for array in float_parameters(model).values() if array.ndim]
    if any(len(numpy.unique(array)) != array.size for array in parameters):
        return 0
    return math.prod(count(array.shape) for array in parameters)


def all_weights_matter(model):
    """Whether every weight changes the output: what a Clip hides, a Softmax cancels or nothing reads may lie anyhow."""
    evaluator = Evaluator(model, example_inputs(model))
    expected = evaluator.outputs()
    for name in float_parameters(model):
        original = evaluator.values[name]
        for place in numpy.ndindex(tuple(original.shape)):
            moved = original.clone()
            moved[place] += 0.1
            evaluator.change(name, moved)
            if are_close(evaluator.outputs(), expected):
                return False
        evaluator.change(name, original)
    return True


def are_close(outputs, expected):
    return all((value - wanted).abs().max() <= CLOSE * wanted.abs().max() for value, wanted in zip(outputs, expected))


def chosen(count, most, ways=permutations, seed=0):
    """The first `count` seeds whose models the search can judge in reasonable time."""
    random_architectures.load_blocks()
    while count:
        net = small_net(seed)
        if 1 < tuples(net.model(), ways) <= most and all_weights_matter(net.model()):
            yield seed, net
            count -= 1
        seed += 1


# Blocks with symmetries that points and cells do not describe: the search may find more there, never less.
BEYOND = {
    "rolled": "the shifts of a cycle, which are no product of symmetric groups",
    "circulant_weight": "the shifts of a cycle",
    "flip": "exchanging the inputs of a commutative operator",
    "slices": "exchanging the inputs of a commutative operator",
    "crossed_folds": "exchanging the inputs of a commutative operator",
    "split_and_join": "exchanging parts that equal operators work on",
    "gathers": "exchanging positions that are read equally often, in another place each",
    "boolean_mask": "exchanging positions that a constant which is no weight treats alike",
    "integer_scales": "exchanging positions that a constant which is no weight treats alike",
    "folded_channels": "an order of the outer factor for each position of the inner one; positions only moved about",
}

# The same of signs.
SIGNS_BEYOND = {
    "circulant_weight": "one sign for a whole axis", "outer_product": "one sign for a whole axis",
    "weight_is_also_read": "one sign for a whole axis", "weight_twice": "one sign for a whole axis",
    "boolean_mask": "signs of positions that may not be permuted",
    "folded_channels": "signs of positions that may not be permuted",
    "gathers": "signs of positions that may not be permuted",
    "integer_scales": "signs of positions that may not be permuted",
    "split_and_join": "signs of positions that may not be permuted",
    "tiled_channels": "signs of copies, of which only the sum is left",
}


def cases():
    for seed, net in chosen(MODELS, MOST_TUPLES):
        yield f"{seed}/{'+'.join(net.story)}", lambda net=net: nothing_is_missed(net)
    for seed, net in chosen(MODELS, MOST_TUPLES, flips):
        yield f"signs/{seed}/{'+'.join(net.story)}", lambda net=net: no_sign_is_missed(net)
    yield "enough-compared", lambda: check(min(compared["permutations"], compared["signs"]) >= MODELS // 2,
                                           f"only {dict(compared)} compared")


def symmetry_of(model):
    """What the program says of a model that ONNX Runtime and PyTorch agree about."""
    with scratch() as folder:
        path = folder / "small.onnx"
        onnx.save(model, str(path))
        inputs = example_inputs(model)
        confirm(model, path, folder, inputs, [output.numpy() for output in Evaluator(model, inputs).outputs()])
        return run_json("symmetry", path)


def nothing_is_missed(net):
    found = search(net.model(), permuted)
    order = round(10 ** symmetry_of(net.model())["log10_order"])
    check(found % order == 0, f"only {found} permutations keep the function, the group claims {order}")
    if not BEYOND.keys() & set(net.story):
        check(found == order, f"{found} permutations keep the function, the group has {order}")
        compared["permutations"] += 1


def no_sign_is_missed(net):
    found = search(net.model(), flipped)
    order = 2 ** symmetry_of(net.model())["signs"]
    check(found % order == 0, f"only {found} changes of signs keep the function, the group claims {order}")
    if not SIGNS_BEYOND.keys() & set(net.story):
        check(found == order, f"{found} changes of signs keep the function, the group has {order}")
        compared["signs"] += 1


def example_inputs(model):
    """Inputs of several magnitudes, so that no part of an activation goes unseen."""
    random = numpy.random.default_rng(3)
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in model.graph.input}
    return {name: random.normal(0, 2, shape).astype(numpy.float32).astype(numpy.float64)
            for name, shape in shapes.items()}


def search(model, changed):
    """How many tuples of changes of the parameters leave the outputs as they are.

    Parameters are changed in the order in which nodes use them; a node is computed when the last parameter it depends
    on is changed, so that most of the work is that of the last nodes.
    """
    evaluator = Evaluator(model, example_inputs(model))
    expected = evaluator.outputs()
    parameters = [(name, array) for name, array in float_parameters(model).items() if array.ndim]
    parameters.sort(key=lambda item: min(evaluator.steps_after(item[0])))
    last = {}
    for level, (name, _) in enumerate(parameters):
        for step in evaluator.steps_after(name):
            last[step] = level
    steps = [[step for step in sorted(last) if last[step] == level] for level in range(len(parameters))]

    def count(level):
        if level == len(parameters):
            return are_close(evaluator.outputs(), expected)
        name, array = parameters[level]
        total = 0
        for values in changed(array):
            evaluator.values[name] = as_tensor(values)
            evaluator.run(steps[level])
            total += count(level + 1)
        return total

    return count(0)


def confirm(model, path, folder, inputs, outputs):
    """ONNX Runtime computes these outputs for these inputs: a model of constants has them, too."""
    nodes = [helper.make_node("Constant", [], [value.name], value=numpy_helper.from_array(array.astype("float32")))
             for value, array in zip(model.graph.output, outputs)]
    graph = helper.make_graph(nodes, "constants", model.graph.input, model.graph.output)
    onnx.save(helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version),
              str(folder / "constants.onnx"))
    specs = [{"name": name, "type": "float32", "shape": list(array.shape), "data": array.ravel().tolist()}
             for name, array in inputs.items()]
    answer = JUDGE.ask({"reference": str(path), "other": str(folder / "constants.onnx"), "inputs": specs, "rounds": 1,
                        "stamp": str(path.stat().st_mtime_ns)})
    check(answer["ok"], f"{answer.get('stage')}: {answer.get('error')}")
    for output in answer["outputs"]:
        check(output["difference"] <= 1e-4 * output["scale"], f"another output by {output['difference']:.3g}")
