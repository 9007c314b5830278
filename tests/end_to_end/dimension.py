"""The yardstick for scales and linear changes: a search in the Lie algebra finds as many dimensions as the program claims.

Every axis of every float parameter may be multiplied by any matrix: this is one large group, and near the identity its
elements are a linear space, with a coordinate for each pair of positions of an axis. Those that leave the function as it
is, for all values of the parameters, are a subspace, whose dimension is found from derivatives of the outputs by the
parameters, at several random values of them. What leaves every value of the parameters as it is (the same factor on one
axis and its inverse on another) counts for nothing. The search knows nothing of layers, activations or heads.

Models are one block each of the soundness tests, small, between two layers. PyTorch evaluates them in 64-bit floats
(small_torch.py), after ONNX Runtime has confirmed that it computes the same.
"""

import collections

import numpy
import torch
from onnx import numpy_helper

import catalogue  # noqa: F401, for the path of tests/models
from completeness import SmallNet, example_inputs, symmetry_of
from harness import CannotRun, check
from small_torch import OPERATORS, Evaluator, as_tensor

import random_architectures

compared = collections.Counter()
KINDS = {"image": (8, 8), "sequence": (6,), "vector": ()}
SEEDS = 3  # nets of every block
BATCH = {"image": 3, "sequence": 12, "vector": 60}
MOST_COORDINATES, MOST_PARAMETERS = 500, 600  # of a net that is searched
MOST_DRAWS = 60
LARGE = 100  # the numbers of masks, of which hardly anything is left behind a Softmax
SMALL, CLEAR = 1e-12, 1e-10  # singular values, relative to the largest, that are zero, and that are not

# Blocks with freedom that the program does not follow: the search may find more there, never less.
WHOLE_AXIS = "one factor for all positions of an axis"
WHOLE_BLOCK = "one factor for all positions inside a block"
PINNED = "factors of positions that may not be permuted"
SHARED = "a factor of a constant that has several uses"
COPIES = "mixing the copies of one channel, of which only the sum is left"
BEYOND = {
    "batched_weight": WHOLE_AXIS, "mix_tokens": WHOLE_AXIS, "outer_product": WHOLE_AXIS, "spectral_scale": WHOLE_AXIS,
    "tied_matrices": WHOLE_AXIS, "weight_is_also_read": WHOLE_AXIS, "weight_normalization": WHOLE_AXIS,
    "weight_standardization": WHOLE_AXIS, "weight_twice": WHOLE_AXIS,
    "channel_shuffle": WHOLE_BLOCK, "depthwise_separable": WHOLE_BLOCK, "group_normalization": WHOLE_BLOCK,
    "grouped_convolution": WHOLE_BLOCK, "pixel_shuffle": WHOLE_BLOCK, "transposed_convolution": WHOLE_BLOCK,
    "boolean_mask": PINNED, "folded_channels": PINNED, "gathers": PINNED, "integer_scales": PINNED,
    "padded_channels": PINNED,
    "rotary_attention": SHARED, "shared_constants": SHARED, "grouped_query_attention": SHARED,
    "shared_grouped_weight": COPIES, "tiled_channels": COPIES,
    "rearranged_weight": "mixing one factor of an axis that a Reshape makes of two",
    "circulant_weight": "the algebra of a cycle", "rolled": "the algebra of a cycle",
    "maxima_and_clips": "what lies below a constant, at most values of the parameters",
}


def cases():
    random_architectures.load_blocks()
    for kind, blocks in random_architectures.BLOCKS.items():
        for block in blocks:
            for seed in range(SEEDS):
                net = net_of(kind, block, seed)
                if can_be_searched(net.model()):
                    yield f"{kind}/{block}/{seed}", lambda net=net: as_many_as_claimed(net)
    yield "enough-compared", lambda: check(compared["exactly"] > 100, f"only {compared['exactly']} compared")


def can_be_searched(model):
    parameters = parameters_of(model)
    return (all(node.op_type in OPERATORS for node in model.graph.node)
            and all(tensor.abs().max() < LARGE for tensor in parameters.values())
            and len(coordinates(parameters)) <= MOST_COORDINATES
            and sum(tensor.numel() for tensor in parameters.values()) <= MOST_PARAMETERS)


def as_many_as_claimed(net):
    model = net.model()
    torch.set_num_threads(1)
    claimed = symmetry_of(model)["dimension"]
    found, where_it_matters = dimensions(model)
    check(claimed <= found, f"the group has {found} dimensions, {claimed} are claimed")
    if not BEYOND.keys() & set(net.story):
        check(claimed >= where_it_matters, f"the group has {where_it_matters} dimensions, {claimed} are claimed")
        compared["exactly"] += 1


# ---- nets ----


class Net(SmallNet):
    """Of three or four channels: two that are normalized are one number and its negative."""

    widths = (3, 4)


def net_of(kind, block, seed):
    """A layer, an activation or none, the block, an activation or none, and a layer."""
    net = Net(seed)
    net.batch = BATCH[kind]
    value = random_architectures.Value("x", kind, 3, KINDS[kind])
    net.input("x", random_architectures.extents_of(net, value))
    value = activate(net, net.project(value, net.width()))
    value = activate(net, random_architectures.apply(net, value, random_architectures.BLOCKS, block))
    end = net.project(value, 2)
    net.output(end.name, random_architectures.extents_of(net, end))
    return net


def activate(net, value):
    operator = net.pick("none", "Relu", "Tanh", "Sigmoid")
    return value if operator == "none" else net.same(value, net.node(operator, value.name))


# ---- the search ----


def parameters_of(model):
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return {name: as_tensor(array) for name, array in arrays.items() if array.dtype.kind == "f" and array.ndim}


def coordinates(parameters):
    """(name, axis, i, j, k): to position i of the axis, position j is added, at position k of axis 0; None: at all of them.

    Axis 0 of tensors with three axes or more may be made of groups, experts or heads, in which the others go their own ways.
    """
    return [(name, axis, i, j, k) for name, tensor in parameters.items() for axis, extent in enumerate(tensor.shape)
            for k in (range(tensor.shape[0]) if tensor.ndim > 2 and axis else [None])
            for i in range(extent) for j in range(extent)]


def directions(parameters, places):
    """How all parameters, side by side, move when a coordinate does: a column for each."""
    begin, count = {}, 0
    for name, tensor in parameters.items():
        begin[name], count = count, count + tensor.numel()
    columns = torch.zeros(count, len(places), dtype=torch.float64)
    for number, (name, axis, i, j, k) in enumerate(places):
        moved = torch.zeros_like(parameters[name])
        where = slice(None) if k is None else slice(k, k + 1)
        moved[where].select(axis, i).copy_(parameters[name][where].select(axis, j))
        columns[begin[name]:begin[name] + moved.numel(), number] = moved.reshape(-1)
    return columns


def drawn(parameters, random):
    """Other values of the same size: of any sign where there were both, positive where all were."""
    def other(tensor):
        if tensor.min() >= 0:
            return tensor * as_tensor(random.uniform(0.5, 1.5, tensor.shape))
        return tensor.abs().mean() * as_tensor(random.normal(size=tensor.shape))
    return {name: other(tensor) for name, tensor in parameters.items()}


def derivatives(model, parameters, inputs, random, rows):
    """Of random sums of all outputs, `rows` of them, by all parameters side by side."""
    sizes = [tensor.numel() for tensor in parameters.values()]

    def outputs(flat):
        parts = torch.split(flat, sizes)
        values = {name: part.reshape(tensor.shape) for (name, tensor), part in zip(parameters.items(), parts)}
        made = torch.cat([output.reshape(-1) for output in Evaluator(model, {**inputs, **values}).outputs()])
        return as_tensor(mixing) @ made

    flat = torch.cat([tensor.reshape(-1) for tensor in parameters.values()])
    count = sum(output.numel() for output in Evaluator(model, {**inputs, **parameters}).outputs())
    mixing = random.normal(size=(rows, count)) / numpy.sqrt(count)
    return torch.autograd.functional.jacobian(outputs, flat, vectorize=True)


def clear_rank(values):
    """How many singular values are not zero."""
    values = values / values[0]
    between = [value for value in values.tolist() if SMALL < value < CLEAR]
    if between:
        raise CannotRun(f"a rank is not clear: {between[0]:.1g}")
    return int((values >= CLEAR).sum())


def rank(matrix):
    norms = matrix.norm(dim=0)
    used = norms > SMALL * norms.max()
    return clear_rank(torch.linalg.svdvals(matrix[:, used] / norms[used])) if used.any() else 0


def more_rows(rows, added):
    """A matrix with the columns' products of both, one upon the other, and no more rows than columns."""
    return torch.linalg.qr(torch.cat([rows, added]))[1]


def no_rows(columns):
    return torch.zeros(0, columns, dtype=torch.float64)


def row_space(rows):
    """Orthonormal rows that span the same."""
    _, values, space = torch.linalg.svd(rows, full_matrices=False)
    return space[:clear_rank(values)]


def dimensions(model):
    """Of the group of linear changes along axes that keep the function: with those of parts that do not matter, and without.
    """
    random = numpy.random.default_rng(7)
    start = parameters_of(model)
    places = coordinates(start)
    size = sum(tensor.numel() for tensor in start.values())
    inputs = {name: as_tensor(array) for name, array in example_inputs(model).items()}
    moves, slopes, effects = [], no_rows(size), no_rows(len(places))
    found = []
    while len(found) < 3 or not found[-1] == found[-2] == found[-3]:
        for _ in range(max(max(tensor.shape) for tensor in start.values()) + 4 if not found else 4):
            parameters = drawn(start, random)
            moves.append(directions(parameters, places))
            slope = derivatives(model, parameters, inputs, random, size // 3 + 10)
            slopes, effects = more_rows(slopes, slope), more_rows(effects, slope @ moves[-1])
        if len(moves) > MOST_DRAWS:
            raise CannotRun("ranks still grow")
        matters, moved, moved_where_it_matters = row_space(slopes), no_rows(len(places)), no_rows(len(places))
        for move in moves:
            moved = more_rows(moved, move)
            moved_where_it_matters = more_rows(moved_where_it_matters, matters @ move)
        found.append((rank(moved) - rank(effects), rank(moved_where_it_matters) - rank(effects)))
    return found[-1]
