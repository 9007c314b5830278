"""Networks whose units look alike still have one canonical form, whatever order they are written in.

Brute force: every element of a small net's permutation group, or many of a large one's, is applied in numpy; all
results must have one digest. The number of different files among them is the size of the orbit that `symmetry --orbit`
reports.
Nets that are not equivalent, however much they look alike to colour refinement, must have different digests.
Random architectures get weights that are hard to tell apart, and are sampled by the program itself. A net may be
refused instead, with a sentence that names a limit; only those that are made for it are.
"""

import functools
import math

import numpy
import onnx
from onnx import numpy_helper

import catalogue  # noqa: F401, for the path of tests/models
from harness import canonical, check, check_equal, check_same_bytes, run, run_json, sample, scratch

import hand_made
import hard_nets as hard
import operator_models
import random_architectures

MOST_ELEMENTS = 1500  # of a group that is tried as a whole
SOME_ELEMENTS = 60
SEEDS = range(1, 6)


def ones(*shape):
    return numpy.ones(shape)


RING = hard.circulant([1, 2, 0, 0, 0, 0])
NETS = {
    # One class, a graph on it.
    "graph/ring-of-5": lambda: hard.one_class(hard.cycles(5)),
    "graph/ring-of-6": lambda: hard.one_class(hard.cycles(6)),
    "graph/two-triangles": lambda: hard.one_class(hard.cycles(3, 3)),
    "graph/prism": lambda: hard.one_class(hard.prism(3)),
    "graph/complete-bipartite": lambda: hard.one_class(hard.complete_bipartite(3)),
    "graph/directed-ring": lambda: hard.one_class(hard.circulant([0, 1, 0, 0, 0])),
    "graph/petersen": lambda: hard.one_class(hard.petersen()),
    "graph/pentagonal-prism": lambda: hard.one_class(hard.prism(5)),
    "graph/rook": lambda: hard.one_class(hard.rook()),
    "graph/shrikhande": lambda: hard.one_class(hard.shrikhande()),
    "graph/paley-13": lambda: hard.one_class(hard.paley(13)),
    "graph/paley-29": lambda: hard.one_class(hard.paley(29)),
    "graph/straight": lambda: hard.one_class(hard.cai_fuerer_immerman(hard.COMPLETE_4, False)),
    "graph/twisted": lambda: hard.one_class(hard.cai_fuerer_immerman(hard.COMPLETE_4, True)),
    "graph/rook-and-shrikhande": lambda: hard.one_class(hard.apart(hard.rook(), hard.shrikhande())),
    "graph/latin-square": lambda: hard.one_class(hard.latin_square(1, 5)),
    "graph/eight-rings": lambda: hard.one_class(hard.cycles(*[5] * 8)),
    # Layers in sequence.
    "chain/ring": lambda: hard.chain(hard.circulant([1, 2, 0, 0])),
    "chain/ring-both-ways": lambda: hard.chain(hard.circulant([0, 1, 0, 1, 0])),
    "chain/two-rings-in-sequence": lambda: hard.chain(RING, hard.circulant([1, 0, 3, 0, 0, 0])),
    "chain/three-layers": lambda: hard.chain(RING, RING.T, RING),
    "chain/identity": lambda: hard.chain(numpy.eye(4)),
    "chain/identities": lambda: hard.chain(*[numpy.eye(30)] * 3),
    "chain/wide-identity": lambda: hard.chain(numpy.eye(64)),
    "chain/zeros": lambda: hard.chain(numpy.zeros((4, 4))),
    "chain/wide-zeros": lambda: hard.chain(numpy.zeros((300, 300)), bias=0.0),
    "chain/all-equal": lambda: hard.chain(ones(4, 5), bias=1.0),
    "chain/zero-output": lambda: hard.chain(RING, bias=0.0, last=numpy.zeros((2, 6))),
    "chain/hadamard": lambda: hard.chain(hard.hadamard(8)),
    "chain/projective-plane": lambda: hard.chain(hard.circulant([1, 1, 0, 1] + [0] * 3)),
    "chain/petersen": lambda: hard.chain(hard.petersen()),
    "chain/complement-of-identity": lambda: hard.chain(1 - numpy.eye(5)),
    "chain/pairs": lambda: hard.chain(numpy.kron(numpy.eye(8), ones(2, 2))),
    "chain/rings-apart": lambda: hard.chain(hard.cycles(3, 3, 3, 3) + numpy.eye(12)),
    "chain/duplicates": lambda: hard.duplicates(1, 2, 2),
    "chain/many-duplicates": lambda: hard.duplicates(2, 6, 30),
    **{f"few-values/{seed}": functools.partial(hard.few_values, seed, 4, 4) for seed in range(12)},
    **{f"few-values/deep-{seed}": functools.partial(hard.few_values, seed, 3, 4, 3) for seed in range(6)},
    **{f"few-values/binary-{seed}": functools.partial(hard.few_values, seed, 4, 4, values=(0, 1))
       for seed in range(12)},
    **{f"few-values/wide-{seed}": functools.partial(hard.few_values, seed, 30, 30, 30) for seed in range(3)},
    # Blocks.
    "heads/all-ones": lambda: hard.equal_heads(2, 2),
    "heads/equal": lambda: hard.equal_heads(3, 2, seed=1),
    "heads/many-equal": lambda: hard.equal_heads(12, 16, seed=1),
    "heads/cyclic": lambda: hard.cyclic_heads(2, 3),
    "heads/many-cyclic": lambda: hard.cyclic_heads(4, 6),
    "heads/ring-inside": lambda: hard.mixed_heads(hard.circulant([1, 2, 0]), 2),
    "heads/rings-inside": lambda: hard.mixed_heads(hard.circulant([1, 2, 0, 0, 0, 0, 0]), 4),
    "heads/petersen-inside": lambda: hard.mixed_heads(hard.petersen(), 2),
    **{f"heads/few-values-{seed}": functools.partial(hard.few_valued_heads, seed, 2, 2) for seed in range(8)},
    **{f"heads/few-values-wide-{seed}": functools.partial(hard.few_valued_heads, seed, 8, 8) for seed in range(3)},
    "groups/all-ones": lambda: hard.grouped_convolution(ones(4, 2), 2),
    "groups/equal": lambda: hard.grouped_convolution(numpy.tile([[1, 2], [3, 4]], (2, 1)), 2),
    "groups/equal-but-turned": lambda: hard.grouped_convolution([[1, 2], [2, 1], [2, 1], [1, 2]], 2),
    "groups/rings": lambda: hard.grouped_convolution(numpy.tile(hard.circulant([1, 2, 0, 0]), (6, 1)), 6),
    "groups/petersen": lambda: hard.grouped_convolution(numpy.tile(hard.petersen(), (2, 1)), 2),
    "groups/depthwise": lambda: hard.grouped_convolution(ones(5, 1), 5),
}

# Beyond the limits: three graphs that are alike to refinement even after one vertex of each was set apart, and no
# automorphism to cut the tree.
TOO_HARD = {"latin-squares": lambda: hard.one_class(hard.apart(*[hard.latin_square(seed, 6) for seed in range(3)]))}

# Nets of which no two are equivalent, though colour refinement alone tells none of a row apart.
DIFFERENT = {
    "ring-or-triangles": ["graph/ring-of-6", "graph/two-triangles"],
    "cubic-graphs-of-6": ["graph/prism", "graph/complete-bipartite"],
    "cubic-graphs-of-10": ["graph/petersen", "graph/pentagonal-prism"],
    "strongly-regular": ["graph/rook", "graph/shrikhande"],
    "straight-or-twisted": ["graph/straight", "graph/twisted"],
}


def cases():
    random_architectures.load_blocks()
    for name in NETS:
        yield f"{name}/one-form", functools.partial(one_form, name)
        yield f"{name}/samples", functools.partial(samples, name)
    for name, row in DIFFERENT.items():
        yield f"different/{name}", functools.partial(different, row)
    for name, make in TOO_HARD.items():
        yield f"too-hard/{name}", functools.partial(refused, make)
    for number, (kind, name, table) in enumerate(random_architectures.singles()):
        yield f"refilled/{kind}/{name}", functools.partial(refilled, number, kind, name, table)
    yield "irregular/says-so", says_irregular
    yield "irregular/shared", refuses_shared_irregular
    for name, row in BRANCHES.items():
        yield f"branches/{name}", functools.partial(equal_branches, *row)


def says_irregular():
    """Matrices that are transposed into each other: no class describes that, and canon says what it did not sort."""
    with scratch() as folder:
        onnx.save(operator_models.MODELS["sum_with_itself_in_a_stack"][0]().model(), str(folder / "net.onnx"))
        notes = run_json("canon", folder / "net.onnx", "-o", folder / "canonical.onnx")["notes"]
        check(any("too irregular" in note for note in notes), f"notes: {notes}")


def refuses_shared_irregular():
    """Groups of two convolutions that cut across each other are sorted by neither; a bias that both read may have left
    one kind. So the form is not claimed to be canonical, and there is no digest."""
    model = hand_made.MODELS["conv_channel_shuffle"][0]().model()
    grouped = [node for node in model.graph.node if node.op_type == "Conv" and len(node.input) == 3][1:]
    grouped[1].input[2] = grouped[0].input[2]
    with scratch() as folder:
        onnx.save(model, str(folder / "net.onnx"))
        ended = run("hash", folder / "net.onnx", expect=2)
        check("could not be sorted" in ended.errors, ended.explain())
        notes = run_json("canon", folder / "net.onnx", "-o", folder / "canonical.onnx")["notes"]
        check(any(note.startswith("not canonical: ") for note in notes), f"notes: {notes}")


# Blocks whose signs hang together: the norm of a matrix does not see the signs of its rows nor of its columns. And groups
# that cut across each other, with weights of which some are equal.
REFUSED = ("weight_normalization", "two_groupings")


@functools.lru_cache(maxsize=None)
def made(name):
    return NETS[name]()


def members(net, rng):
    """Elements of the net's group: all, or many."""
    if net.order() <= MOST_ELEMENTS:
        yield from net.elements()
    else:
        for _ in range(SOME_ELEMENTS):
            yield net.element(rng)


def write(net, element, path):
    """The net, permuted; returns its tensors' bytes."""
    model = net.model()
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    arrays = hard.moved(tensors, element)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy.ascontiguousarray(arrays[tensor.name]), tensor.name))
    onnx.save(model, str(path))
    return b"".join(arrays[name].tobytes() for name in sorted(arrays))


def digests(paths):
    """What `hash` says of many models in one run."""
    lines = run("hash", *paths, expect=0).output.splitlines()
    check_equal(len(lines), len(paths), "lines that hash printed")
    return {line.split("  ")[0] for line in lines}


def one_form(name):
    net, contents = made(name), set()
    with scratch() as folder:
        paths = []
        for number, element in enumerate(members(net, numpy.random.default_rng(5))):
            paths.append(folder / f"{number}.onnx")
            contents.add(write(net, element, paths[-1]))
        found = digests(paths)
        check(len(found) == 1, f"{len(found)} digests among {len(paths)} equivalent files")
        check_same_bytes(canonical(paths[0], folder / "a.onnx"), canonical(paths[-1], folder / "b.onnx"),
                         "canonical forms")
        if net.order() <= MOST_ELEMENTS:
            orbit = 10 ** run_json("symmetry", "--orbit", paths[0])["orbit_log10"]
            check(math.isclose(orbit, len(contents), rel_tol=1e-6),
                  f"{len(contents)} different files, orbit_log10 says {orbit}")


def samples(name):
    """The same with the program's own samples, and of the canonical form."""
    with scratch() as folder:
        write(made(name), {}, folder / "net.onnx")
        paths = [sample(folder / "net.onnx", seed, folder / f"{seed}.onnx") for seed in SEEDS]
        paths += [folder / "net.onnx", canonical(folder / "net.onnx", folder / "canonical.onnx")]
        check_equal(len(digests(paths)), 1, "digests of the net, its canonical form and five samples")


def different(row):
    with scratch() as folder:
        for name in row:
            write(made(name), {}, folder / f"{name.replace('/', '-')}.onnx")
        check_equal(len(digests(sorted(folder.iterdir()))), len(row), "digests of nets that are not equivalent")


def refused(make):
    """The form is written all the same, is said not to be canonical, and has no digest."""
    with scratch() as folder:
        write(make(), {}, folder / "net.onnx")
        answer = run("hash", folder / "net.onnx", expect=2)
        check("limit tie-refinements" in answer.errors and "c0:0" in answer.errors, answer.errors)


def refilled(number, kind, name, table):
    """One block of every kind, with weights that are hard to tell apart."""
    model = random_architectures.single_block(kind, name, 0, table).model()
    hard.refill(model, hard.FILLINGS[number % len(hard.FILLINGS)], number)
    with scratch() as folder:
        onnx.save(model, str(folder / "net.onnx"))
        paths = [sample(folder / "net.onnx", seed, folder / f"{seed}.onnx") for seed in SEEDS]
        if name in REFUSED:
            for path in [folder / "net.onnx", *paths]:
                result = run("hash", path, expect=2)
                check("not canonical" in result.errors, f"hash says {result.errors!r}")
            return
        check_equal(len(digests([folder / "net.onnx", *paths])), 1, "digests of the model and five samples")


def branch(seed, size=3):
    random = numpy.random.default_rng(seed)
    return random.normal(size=(size, 2)), random.normal(size=size), random.normal(size=(2, size))


def turned(weights):
    return weights[0][::-1], weights[1][::-1], weights[2][:, ::-1]


BRANCHES = {
    "equal": (branch(1), branch(1)),
    "equal-in-another-order": (branch(1), turned(branch(1))),
    "different": (branch(1), branch(2)),
    "all-ones": ((ones(4, 2), ones(4), ones(2, 4)),) * 2,
}


def equal_branches(first, second):
    """Two branches that are added: neither their order in the file nor that of their units shows."""
    with scratch() as folder:
        contents = [(first, second, False), (first, second, True), (second, first, False),
                    (turned(second), first, True)]
        for number, (a, b, swapped) in enumerate(contents):
            write(hard.branches(a, b, swapped), {}, folder / f"{number}.onnx")
        check_equal(len(digests(sorted(folder.iterdir()))), 1, "digests of two branches in four orders")
