"""What people export, and the group each has, worked out by hand: its formula, and its order from factorials.

A row of TORCHVISION or NETS: name -> formula, with a comment that derives it. Tested for each: log10 of the order, that
the text output shows this very group as a formula, and (of the small nets) that random members compute the same.
Networks are built in tests/models/pytorch_nets.py, exports.py and zoo.py.
"""

import functools
import math
import re
import sys

import onnx

import catalogue
import group_formula
import soundness
from harness import BUILD, ROOT, check, check_equal, run, run_json, scratch

sys.path.insert(0, str(ROOT / "tests/models"))

import make  # noqa: E402


def shuffle_net(stages, repeats, last):
    """Channels of ShuffleNet v2 followed by hand: who made each, and which convolutions read it.

    A unit reads the second half of the channels, makes as many new ones, and interleaves the first half with them. So
    channels that the same convolution made and that are read by the same units may be exchanged, and no others; which
    those are, only following the interleaving tells. Inside, every unit has one more free layer, kept by its depthwise
    convolution.
    """
    free = [24]  # of the first convolution, read by both branches of the first unit
    made = {}  # channel -> [number of the convolution that made it, units that read it ...]

    def new(count):
        channels = range(len(made), len(made) + count)
        for channel in channels:
            made[channel] = [channels.start]
        return list(channels)

    def interleaved(left, right):
        return [channel for pair in zip(left, right) for channel in pair]

    for width, units in zip(stages, repeats):
        half = width // 2
        free.append(half)  # inside the second branch of the unit that halves the image, which reads all channels
        channels = interleaved(new(half), new(half))
        for unit in range(1, units):
            free.append(half)
            for channel in channels[half:]:
                made[channel].append((width, unit))
            channels = interleaved(channels[:half], new(half))
    free.append(last)
    alike = {}
    for history in made.values():
        alike[tuple(history)] = alike.get(tuple(history), 0) + 1
    return " x ".join(f"S_{count}" for count in free + list(alike.values()) if count > 1)


TORCHVISION = {
    # Five convolutions and two layers; flattening makes 6 x 6 positions of each channel, which follow it.
    "alexnet": "S_64 x S_192 x S_384 x S_256^2 x S_4096^2",
    # Eight convolutions and two layers.
    "vgg11_bn": "S_64 x S_128 x S_256^2 x S_512^4 x S_4096^2",
    # Four streams, each read and added to by two blocks that have one layer inside; the first is also the stem's.
    "resnet18": "S_64^3 x S_128^3 x S_256^3 x S_512^3",
    # The stem; streams of 256, 512, 1024, 2048; 3, 4, 6, 3 blocks with two layers inside.
    "resnet50": "S_64 x S_256 x S_512 x S_1024 x S_2048 x S_64^6 x S_128^8 x S_256^12 x S_512^6",
    # 58 layers of a bottleneck of 128 and 32 new channels, which all later layers of the block read; the stem; three
    # transitions, to 128, 256 and 512 channels.
    "densenet121": "S_64 x S_128^58 x S_32^58 x S_128 x S_256 x S_512",
    # The stem of 32, whose depthwise convolution keeps it; streams of 16 to 320 channels; every block but the first
    # widens six times, kept by the depthwise convolution; the last layer.
    "mobilenet_v2": "S_32 x S_16 x S_24 x S_32 x S_64 x S_96 x S_160 x S_320 x S_96 x S_144^2 x S_192^3 x S_384^4 x "
                    "S_576^3 x S_960^3 x S_1280",
    # The stem; in each fire module the squeezed channels and both kinds of expanded ones, which a Concat keeps apart. The
    # last convolution and global pooling lead to the output.
    "squeezenet1_1": "S_64 x S_16^2 x S_32^2 x S_48^2 x S_64^2 x S_64^4 x S_128^4 x S_192^4 x S_256^4",
    # One stream through 12 blocks; in each 12 heads, whose queries and keys are 64 that move alike, and whose values are
    # another 64; and a hidden layer of 3072.
    "vit_b_16": "S_768 x ((S_64 x S_64) wr S_12)^12 x S_3072^12",
    # Streams of 96, 192, 384, 768 in 2, 2, 6, 2 blocks with 3, 6, 12, 24 heads of 32 and hidden layers four times as wide.
    # Merging patches joins four copies of a stream, which move alike. The tables of relative positions have an axis of
    # heads, which moves with them.
    "swin_t": "S_96 x S_192 x S_384 x S_768 x ((S_32 x S_32) wr S_3)^2 x ((S_32 x S_32) wr S_6)^2 x "
              "((S_32 x S_32) wr S_12)^6 x ((S_32 x S_32) wr S_24)^2 x S_384^2 x S_768^2 x S_1536^6 x S_3072^2",
    # The stem and four streams; in each block 32 groups that move as a whole, of c channels before and c after the
    # grouped convolution: 32! (c!)^64.
    "resnext50_32x4d": "S_64 x S_256 x S_512 x S_1024 x S_2048 x ((S_4 x S_4) wr S_32)^3 x ((S_8 x S_8) wr S_32)^4 x "
                       "((S_16 x S_16) wr S_32)^6 x ((S_32 x S_32) wr S_32)^3",
    # The backbone as resnet50, without its last layer. Of the pyramid, the inner channels, which upsampling adds to those of
    # the next level; and what its five outputs have in common, which both heads read. A head is four layers, each
    # normalised in 32 groups of 8; the box head's last layer is read by two convolutions. Boxes, classes and what is made of
    # them are the outputs.
    "fcos_resnet50_fpn": "S_64 x S_256 x S_512 x S_1024 x S_2048 x S_64^6 x S_128^8 x S_256^12 x S_512^6 x S_256^2 x "
                         "(S_8 wr S_32)^8",
    "shufflenet_v2_x0_5": shuffle_net((48, 96, 192), (4, 8, 4), 1024),
    "shufflenet_v2_x1_0": shuffle_net((116, 232, 464), (4, 8, 4), 1024),
}
# The number that the project set itself.
VIT = 140226.386685077

# Encoders of two layers: a stream of 12; 3 heads, with 4 of queries and keys and 4 of values; a hidden layer of 20.
ENCODER = "S_12 x ((S_4 x S_4) wr S_3)^2 x S_20^2"
# Decoders of two layers: a stream of 12, which embedding rows and logits leave free; hidden layers of 16, gates and what
# they gate alike. Queries and keys of 6 are rotated in 3 pairs, by one table for all heads and layers: pairs move alike
# everywhere, S_3 once. A key head holds 6 values and serves 2 query heads; both key heads may be exchanged with theirs.
DECODER = "S_12 x S_3 x ((S_6 x S_2) wr S_2)^2 x S_16^2"
# The same with pairs that may not move.
STILL_TABLE = "S_12 x ((S_6 x S_2) wr S_2)^2 x S_16^2"
# Not rotated, the 6 features of a key head and of the query heads it serves move alike, in any order.
PLAIN_DECODER = "S_12 x ((S_6 x S_6 x S_2) wr S_2)^2 x S_16^2"
# However key and value heads are repeated for the query heads that they serve: (head, copy) by Expand, Tile, Gather with a
# list of numbers or Concat along an axis made for it; or (copy, head), all heads and then all again.
REPEATS = ("expand", "flattened", "indexed", "selected", "tiled", "stacked", "joined", "round", "round_tiled", "grouped")

ALL = ("", ".static", ".dynamic", ".unfolded")  # forms of export, see pytorch_nets.FORMS
NETS = {
    ("encoder_pytorch", ALL): ENCODER,
    ("encoder_pytorch_norm_first", ALL): ENCODER,
    # However the packed projection is taken apart, queries, keys and values are what they are.
    ("encoder_packed_split", ALL): ENCODER,
    ("encoder_packed_chunk", ALL): ENCODER,
    ("encoder_packed_unbind", ALL): ENCODER,
    ("encoder_packed_index", ALL): ENCODER,
    ("encoder_packed_slices", ALL): ENCODER,
    ("encoder_packed_heads_first", ALL): ENCODER,
    ("encoder_packed_heads_first_index", ALL): ENCODER,
    ("encoder_packed_causal", ALL): ENCODER,
    # However pairs are formed and key heads repeated.
    ("decoder_halves", ALL): DECODER,
    ("decoder_chunks", ALL): DECODER,
    ("decoder_pairs", ALL): DECODER,
    ("decoder_viewed", ALL): DECODER,  # both members of a pair are taken from it by number, so each moves as the pair does
    **{(f"decoder_{repeat}", ALL): DECODER for repeat in REPEATS},
    # Every key head, and every pair of the table, taken out, doubled and put back: alike for all of them.
    ("decoder_interleave", (".static",)): DECODER,
    ("decoder_early", (".static",)): DECODER,
    ("decoder_repeated", (".static",)): DECODER,
    # Where the table's extents are not known, a loop takes its pairs out by number: they stay. The heads do not notice,
    # for all of them are turned by the same table.
    ("decoder_repeated", ("", ".dynamic", ".unfolded")): STILL_TABLE,
    **{(f"decoder_plain_{repeat}", ALL): PLAIN_DECODER for repeat in (*REPEATS, "early")},
    ("decoder_plain_interleave", ("", ".static", ".unfolded")): PLAIN_DECODER,
    ("decoder_computed", ALL): DECODER,
    # The table's rows are tokens either way, and its columns the stream.
    ("decoder_tied", ALL): DECODER,
    # The stream of queries, 12; the 10 features that keys and values are made of; heads as in an encoder.
    ("cross_attention", ALL): "S_12 x S_10 x ((S_4 x S_4) wr S_3)",
    # The stream; self- and cross-attention; a hidden layer. The memory's 12 features meet columns of a packed weight
    # whose other rows read the stream: where that weight is one tensor they move as the stream does, and only where the
    # exporter has cut it into two tensors on their own.
    ("decoder_pytorch", ("", ".dynamic", ".unfolded")): "S_12 x ((S_4 x S_4) wr S_3)^2 x S_20",
    ("decoder_pytorch", (".static",)): "S_12^2 x ((S_4 x S_4) wr S_3)^2 x S_20",
    # What goes in and what the latents are made of (alike or not, as above), what comes out, the heads, and the 6
    # latents, for only their mean is used.
    ("latents", ("", ".dynamic", ".unfolded")): "S_12 x S_12 x S_6 x ((S_4 x S_4) wr S_3)",
    ("latents", (".static",)): "S_12^2 x S_12 x S_6 x ((S_4 x S_4) wr S_3)",
    # Two hidden layers, of 9 and 8, and the 4 of the adapter between.
    ("adapter_beside", ALL): "S_9 x S_8 x S_4",
    ("adapter_merged", ALL): "S_9 x S_8 x S_4",
    # Two layers in both directions: four sets of 5 units, each with its gates.
    ("lstm", ALL): "S_5^4",
    ("lstm_batch_first", ALL): "S_5^4",
    ("lstm_end", ALL): "S_5^4",
    ("gru", ALL): "S_5^4",
    ("gru_end", ALL): "S_5^4",
    ("rnn", ALL): "S_5^4",
    # Going down 4, 4; 6, 6; 8, 8, and up 5; 6, 6; 3; 4, 4: a Concat keeps its parts apart.
    ("u_net", ALL): "S_4^2 x S_6^2 x S_8^2 x S_5 x S_6^2 x S_3 x S_4^2",
    # 4, 4; 6, 6; 5, 5. (Unfolded, the sizes of the resized image are computed from floats and pin its channels.)
    ("u_net_resized", ("", ".static", ".dynamic")): "S_4^2 x S_6^2 x S_5^2",
    # Channels that are shuffled between convolutions: 8; 4 groups of 2 inputs and 2 outputs. What is shuffled is in no
    # blocks but those of the grouped convolution.
    ("shuffled", ALL): "S_8 x ((S_2 x S_2) wr S_4)",
    # In each of 2 groups: 4 inputs, and 2 groups of 3 inputs and 3 outputs.
    ("grouped", ALL): "(S_4 x ((S_3 x S_3) wr S_2)) wr S_2",
    # The stream of 12 is normalised in groups: of 4, all at once, or each for itself. Inside the block 2 groups of 4.
    ("group_norm_3", ALL): "(S_4 wr S_3) x (S_4 wr S_2)",
    ("group_norm_1", ALL): "S_12 x (S_4 wr S_2)",
    ("group_norm_12", ALL): "S_12 x (S_4 wr S_2)",
    # The stream; the 3 heads; the 4 channels of queries and keys, which one convolution and norm make the same in all heads,
    # and the 4 of values. (With images of any size too much is computed.)
    ("pooled_attention", ("", ".static", ".unfolded")): "S_12 x S_3 x S_4 x S_4",
    # The stream of 8, with its depthwise convolution, norm and scale; the wide layer.
    ("channel_norm", ALL): "S_8 x S_20",
    # The width of the table, and the hidden layer; tokens are fixed.
    ("tied_language_model", ALL): "S_8 x S_10",
    # Without a residual path the width before the head is another one than the embedding's ...
    ("untied_language_model", ALL): "S_8 x S_8 x S_10",
    # ... unless both use one table, which they do in the file when constants are not folded: a transposed copy is another
    # tensor.
    ("only_tied_language_model", ("", ".static", ".dynamic")): "S_8 x S_8 x S_10",
    ("only_tied_language_model", (".unfolded",)): "S_8 x S_10",
    # Two images, one set of weights: 6 channels and the 7 numbers of the code.
    ("siamese", ALL): "S_6 x S_7",
    # The trunk, 6 and 8, which both outputs read; 9 inside the second head.
    ("two_heads", ALL): "S_6 x S_8 x S_9",
}

JUDGED = ("", ".dynamic")  # forms whose random members are judged too
EXTENTS = {"N": 2, "height": 16, "width": 16, "time_x0": 6, "time_x1": 4}  # of symbolic dimensions
VOCABULARY = 11


def cases():
    for label, formula in TORCHVISION.items():
        for name, path in torchvision_exports(label):
            yield f"{name}/group", lambda path=path, formula=formula: has_group(path(), formula)
    yield "vit_b_16/number", lambda: check(
        math.isclose(group_formula.log10_order(group_formula.parse(TORCHVISION["vit_b_16"])), VIT, rel_tol=1e-14),
        "the formula of vit_b_16 has another order")
    for (name, forms), formula in NETS.items():
        for form in forms:
            net = name + form
            yield f"{net}/group", lambda net=net, formula=formula: has_group(exported(net), formula)
            if form in JUDGED or len(forms) == 1:
                yield f"{net}/members", lambda net=net: members_agree(net)


def torchvision_exports(architecture):
    """(name, function that returns the file) of every variant of an architecture."""
    kept = [(model.name, lambda model=model: model.path) for model in catalogue.exported()
            if model.name.split(".")[0] == architecture]
    return kept or [(architecture, lambda: soundness.torchvision_file(architecture))]


@functools.cache
def exported(net):
    def export(where):
        import pytorch_nets  # brings PyTorch, which is slow to start

        pytorch_nets.export(net, where)

    path = BUILD / "models/pytorch" / f"{net}.onnx"
    make.make_one(path, make.recipe("pytorch_nets.py"), export)
    return path


def has_group(path, formula):
    """The order, and the formula that the text output shows."""
    expected = group_formula.parse(formula)
    order = run_json("symmetry", path)["log10_order"]
    wanted = group_formula.log10_order(expected)
    shown = re.search(r"^G = (.*(?:\n {4}.*)*)", run("symmetry", path, expect=0).output, re.MULTILINE)
    check(shown, "symmetry shows no formula")
    text = " ".join(shown[1].split())
    check(math.isclose(order, wanted, rel_tol=1e-12, abs_tol=1e-12),
          f"log10 of the order is {order!r}, expected {wanted!r}; shown is {text}")
    check_equal(group_formula.parse(text), expected, f"formula {text}")


def members_agree(net):
    path = exported(net)
    with scratch() as folder:
        soundness.hold(path, inputs_of(path), folder)


def inputs_of(path):
    specs = []
    for value in onnx.load(str(path)).graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value or EXTENTS[dim.dim_param] for dim in tensor.shape.dim]
        specs.append({"name": value.name, "type": catalogue.ELEMENT_TYPES[tensor.elem_type], "shape": shape})
        if tensor.elem_type == onnx.TensorProto.INT64:
            specs[-1]["high"] = VOCABULARY
    return specs
