#!/usr/bin/python3
"""Small nets written in PyTorch and exported by it: the ways in which people spell one and the same layer.

    pytorch_nets.py NAME OUT.onnx        exports one

A row of NETS: name -> (function that returns the module, shapes of its inputs, options of the export). What group each
has, and why, stands in tests/end_to_end/groups.py. Every weight is drawn, for PyTorch starts many at zero or one.
"""

import math
import sys
import warnings

import torch
from torch import nn
from torch.nn import functional

TOKENS = "tokens"  # marks an input of whole numbers below VOCABULARY
VOCABULARY = 11
OPSET = 14

# ---- encoders ----------------------------------------------------------------------------------


class Encoder(nn.Module):
    """PyTorch's own encoder layers between a projection and a classifier."""

    def __init__(self, **options):
        super().__init__()
        layer = nn.TransformerEncoderLayer(12, 3, 20, batch_first=True, **options)
        self.into, self.layers, self.out = nn.Linear(5, 12), nn.TransformerEncoder(layer, 2), nn.Linear(12, 4)

    def forward(self, x):
        return self.out(self.layers(self.into(x)).mean(1))


class PackedAttention(nn.Module):
    """One projection for queries, keys and values, taken apart as nanoGPT, timm, GPT-NeoX or einops do."""

    def __init__(self, width, heads, way, causal=False):
        super().__init__()
        self.heads, self.way, self.causal = heads, way, causal
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def parts(self, x):
        batch, time, width = x.shape
        size = width // self.heads
        packed = self.qkv(x)
        if self.way == "split":
            return [part.view(batch, time, self.heads, size).transpose(1, 2) for part in packed.split(width, dim=2)]
        if self.way == "chunk":
            return [part.reshape(batch, -1, self.heads, size).transpose(1, 2) for part in packed.chunk(3, dim=-1)]
        if self.way == "unbind":
            return packed.reshape(batch, time, 3, self.heads, size).permute(2, 0, 3, 1, 4).unbind(0)
        if self.way == "index":
            packed = packed.reshape(batch, time, 3, self.heads, size).permute(2, 0, 3, 1, 4)
            return packed[0], packed[1], packed[2]
        if self.way == "heads_first":  # every head holds its own q, k and v, one after the other
            return packed.view(batch, time, self.heads, 3 * size).transpose(1, 2).chunk(3, dim=-1)
        if self.way == "heads_first_index":
            packed = packed.view(batch, time, self.heads, 3, size)
            return [packed[..., k, :].transpose(1, 2) for k in range(3)]
        if self.way == "slices":
            return [packed[..., k * width:(k + 1) * width].view(batch, time, self.heads, size).transpose(1, 2)
                    for k in range(3)]
        raise ValueError(self.way)

    def forward(self, x):
        batch, time, width = x.shape
        query, key, value = self.parts(x)
        scores = query @ key.transpose(-2, -1) * (1.0 / math.sqrt(key.size(-1)))
        if self.causal:
            mask = torch.tril(torch.ones(time, time))
            scores = scores.masked_fill(mask == 0, float("-inf"))
        mixed = torch.softmax(scores, dim=-1) @ value
        return self.proj(mixed.transpose(1, 2).reshape(batch, time, width))


class PackedEncoder(nn.Module):
    """Two layers, normalised before each half."""

    def __init__(self, way, causal=False):
        super().__init__()
        self.into, self.out = nn.Linear(5, 12), nn.Linear(12, 4)
        self.attention = nn.ModuleList(PackedAttention(12, 3, way, causal) for _ in range(2))
        self.feed = nn.ModuleList(nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 12)) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(12) for _ in range(5))

    def forward(self, x):
        x = self.into(x)
        for layer in range(2):
            x = x + self.attention[layer](self.norms[2 * layer](x))
            x = x + self.feed[layer](self.norms[2 * layer + 1](x))
        return self.out(self.norms[4](x))


# ---- rotary grouped-query decoders -------------------------------------------------------------


def rotate_half(x):
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def rotated_halves(x, cos, sin):
    """Llama of Hugging Face: tables of the whole width, both halves of them equal."""
    return x * torch.cat((cos, cos), -1) + rotate_half(x) * torch.cat((sin, sin), -1)


def rotated_chunks(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def rotated_pairs(x, cos, sin):
    """Neighbours are a pair: GPT-J, and Llama as first published."""
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1).flatten(-2)


def rotated_viewed(x, cos, sin):
    """Neighbours as an axis of two."""
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    first, second = pairs[..., 0], pairs[..., 1]
    turned = torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return turned.reshape(x.shape)


def rotated_repeated(x, cos, sin):
    """GPT-J of Hugging Face: tables repeated, and the rotated neighbour made by stacking.

    (The exporter turns a negative `dim` of repeat_interleave into a positive one in place, in other nodes' arguments, too.)
    """
    cos, sin = (torch.repeat_interleave(table, 2, dim=1) for table in (cos, sin))
    turned = torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).reshape(x.shape)
    return x * cos + turned * sin


ROTATIONS = {"halves": rotated_halves, "chunks": rotated_chunks, "pairs": rotated_pairs, "viewed": rotated_viewed,
             "repeated": rotated_repeated, "none": lambda x, cos, sin: x}


def repeat_expand(x, times):
    batch, groups, time, size = x.shape
    return x[:, :, None].expand(batch, groups, times, time, size).reshape(batch, groups * times, time, size)


def repeat_interleave(x, times):
    return torch.repeat_interleave(x, times, dim=1)


def repeat_early(x, times):
    """Heads doubled while they stand behind the time axis. (What the exporter writes for heads in front of an axis whose
    length it does not know, does not run.)"""
    return torch.repeat_interleave(x.transpose(1, 2), times, dim=2).transpose(1, 2)


def repeat_flattened(x, times):
    return x.unsqueeze(2).expand(-1, -1, times, -1, -1).flatten(1, 2)


def repeat_indexed(x, times):
    return x[:, [head // times for head in range(x.shape[1] * times)]]


def repeat_selected(x, times):
    return torch.index_select(x, 1, torch.tensor([head // times for head in range(x.shape[1] * times)]))


def repeat_tiled(x, times):
    batch, groups, time, size = x.shape
    return x[:, :, None].repeat(1, 1, times, 1, 1).reshape(batch, groups * times, time, size)


def repeat_stacked(x, times):
    return torch.stack([x] * times, dim=2).flatten(1, 2)


def repeat_joined(x, times):
    return torch.cat([x.unsqueeze(2)] * times, dim=2).flatten(1, 2)


def repeat_round(x, times):
    """All heads, and then all heads again: query head h belongs to key head h modulo the number of those."""
    return torch.cat([x] * times, dim=1)


def repeat_round_tiled(x, times):
    return x.repeat(1, times, 1, 1)


REPEATS = {"expand": repeat_expand, "interleave": repeat_interleave, "early": repeat_early, "flattened": repeat_flattened,
           "indexed": repeat_indexed, "selected": repeat_selected, "tiled": repeat_tiled, "stacked": repeat_stacked,
           "joined": repeat_joined, "round": repeat_round, "round_tiled": repeat_round_tiled}


class GroupedAttention(nn.Module):
    """4 query heads in 2 groups, of size 6; rotated, with tables given, as buffers or computed from the length."""

    def __init__(self, rotation, repeat):
        super().__init__()
        self.rotate, self.repeat = ROTATIONS[rotation], repeat
        self.query, self.out = nn.Linear(12, 24, bias=False), nn.Linear(24, 12, bias=False)
        self.key, self.value = nn.Linear(12, 12, bias=False), nn.Linear(12, 12, bias=False)

    def forward(self, x, cos, sin):
        batch, time, _ = x.shape
        query = self.query(x).view(batch, time, 4, 6).transpose(1, 2)
        key = self.key(x).view(batch, time, 2, 6).transpose(1, 2)
        value = self.value(x).view(batch, time, 2, 6).transpose(1, 2)
        query, key = self.rotate(query, cos, sin), self.rotate(key, cos, sin)
        mask = torch.full((time, time), -1e4).triu(1)
        if self.repeat == "grouped":  # queries as (group, times) instead of keys repeated
            query = query.reshape(batch, 2, 2, time, 6)
            scores = query @ key.unsqueeze(2).transpose(-2, -1) / math.sqrt(6) + mask
            mixed = (torch.softmax(scores, -1) @ value.unsqueeze(2)).reshape(batch, 4, time, 6)
        else:
            key, value = REPEATS[self.repeat](key, 2), REPEATS[self.repeat](value, 2)
            scores = query @ key.transpose(-2, -1) / math.sqrt(6) + mask
            mixed = torch.softmax(scores, -1) @ value
        return self.out(mixed.transpose(1, 2).reshape(batch, time, 24))


class RootMeanSquare(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class RotaryDecoder(nn.Module):
    """Two blocks on tokens. `tables`: "buffers" of the file, or "computed" from positions, as Hugging Face does."""

    def __init__(self, rotation, repeat="expand", tables="buffers", tied=False):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 12)
        self.attention = nn.ModuleList(GroupedAttention(rotation, repeat) for _ in range(2))
        self.gate, self.up = (nn.ModuleList(nn.Linear(12, 16, bias=False) for _ in range(2)) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(16, 12, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(RootMeanSquare(12) for _ in range(5))
        self.head = nn.Linear(12, VOCABULARY, bias=False)
        if tied:
            self.head.weight = self.embedding.weight
        self.tables = tables
        self.register_buffer("frequencies", 100.0 ** (-torch.arange(3) / 3.0))
        angles = torch.outer(torch.arange(6).float(), self.frequencies)
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def angles(self, time):
        if self.tables == "buffers":
            return self.cos[:time], self.sin[:time]
        angles = torch.outer(torch.arange(time).float(), self.frequencies)
        return angles.cos(), angles.sin()

    def forward(self, tokens):
        cos, sin = self.angles(tokens.shape[1])
        x = self.embedding(tokens)
        for layer in range(2):
            x = x + self.attention[layer](self.norms[2 * layer](x), cos, sin)
            y = self.norms[2 * layer + 1](x)
            x = x + self.down[layer](functional.silu(self.gate[layer](y)) * self.up[layer](y))
        return self.head(self.norms[4](x))


# ---- cross-attention, adapters, recurrent nets -------------------------------------------------


class CrossAttention(nn.Module):
    """Queries from one input, keys and values from another of another width."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.out = nn.Linear(5, 12), nn.Linear(7, 10), nn.Linear(12, 4)
        self.attention = nn.MultiheadAttention(12, 3, kdim=10, vdim=10, batch_first=True)

    def forward(self, x, memory):
        x = self.left(x)
        memory = torch.relu(self.right(memory))
        return self.out(x + self.attention(x, memory, memory, need_weights=False)[0])


class Decoder(nn.Module):
    """PyTorch's own decoder layer: self-attention, cross-attention with a memory, feed-forward."""

    def __init__(self):
        super().__init__()
        self.left, self.right, self.out = nn.Linear(5, 12), nn.Linear(7, 12), nn.Linear(12, 4)
        self.layer = nn.TransformerDecoderLayer(12, 3, 20, batch_first=True)

    def forward(self, x, memory):
        return self.out(self.layer(self.left(x), self.right(memory)))


class Latents(nn.Module):
    """Perceiver: learned latents ask the input; then their mean is classified."""

    def __init__(self):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(6, 12))
        self.into, self.out = nn.Linear(5, 12), nn.Linear(12, 4)
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x):
        x = self.into(x)
        latents = self.latents.unsqueeze(0).expand(x.shape[0], -1, -1)
        return self.out(self.attention(latents, x, x, need_weights=False)[0].mean(1))


class Adapted(nn.Module):
    """A frozen layer with a low-rank adapter beside it, or added to its weight."""

    def __init__(self, merged):
        super().__init__()
        self.first, self.second, self.merged = nn.Linear(5, 9), nn.Linear(8, 3), merged
        self.frozen = nn.Linear(9, 8)
        self.down, self.up = nn.Linear(9, 4, bias=False), nn.Linear(4, 8, bias=False)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        if self.merged:
            x = functional.linear(x, self.frozen.weight + 0.5 * self.up.weight @ self.down.weight, self.frozen.bias)
        else:
            x = self.frozen(x) + 0.5 * self.up(self.down(x))
        return self.second(torch.tanh(x))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.cell = kind(3, 5, num_layers=2, bidirectional=True, **options)
        self.out = nn.Linear(10, 4)

    def forward(self, x):
        return self.out(self.cell(x)[0])


class RecurrentEnd(nn.Module):
    """Only the last states of both directions are used, side by side."""

    def __init__(self, kind):
        super().__init__()
        self.cell, self.out = kind(3, 5, num_layers=2, bidirectional=True), nn.Linear(10, 4)

    def forward(self, x):
        state = self.cell(x)[1]
        state = state[0] if isinstance(state, tuple) else state
        return self.out(torch.cat((state[-2], state[-1]), dim=1))


# ---- images ------------------------------------------------------------------------------------


def twice(into, out):
    return nn.Sequential(nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(),
                         nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU())


class UNet(nn.Module):
    """Two levels down, two up by transposed convolutions, with everything on the way joined in."""

    def __init__(self, resize=False):
        super().__init__()
        self.first, self.second, self.bottom = twice(3, 4), twice(4, 6), twice(6, 8)
        up = nn.ConvTranspose2d
        self.up_second, self.up_first = up(8, 5, 2, stride=2), up(6, 3, 2, stride=2)
        self.left_second, self.left_first, self.out = twice(11, 6), twice(7, 4), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        first = self.first(x)
        second = self.second(functional.max_pool2d(first, 2))
        bottom = self.bottom(functional.max_pool2d(second, 2))
        x = self.left_second(torch.cat((self.up_second(bottom), second), dim=1))
        return self.out(self.left_first(torch.cat((self.up_first(x), first), dim=1)))


class ResizedUNet(nn.Module):
    """The same with Resize and a convolution instead of a transposed one, and odd sizes padded to fit."""

    def __init__(self):
        super().__init__()
        self.first, self.bottom, self.left, self.out = twice(3, 4), twice(4, 6), twice(10, 5), nn.Conv2d(5, 2, 1)

    def forward(self, x):
        first = self.first(x)
        bottom = self.bottom(functional.max_pool2d(first, 2))
        x = functional.interpolate(bottom, scale_factor=2, mode="bilinear", align_corners=True)
        down, right = first.shape[2] - x.shape[2], first.shape[3] - x.shape[3]
        x = functional.pad(x, [right // 2, right - right // 2, down // 2, down - down // 2])
        return self.out(self.left(torch.cat((first, x), dim=1)))


class GroupNormNet(nn.Module):
    """Residual blocks normalised in groups; `groups` for 12 channels."""

    def __init__(self, groups):
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 12, 3, padding=1), nn.GroupNorm(groups, 12)
        self.one, self.one_norm = nn.Conv2d(12, 8, 3, padding=1), nn.GroupNorm(2, 8)
        self.two, self.two_norm = nn.Conv2d(8, 12, 3, padding=1), nn.GroupNorm(groups, 12)
        self.out = nn.Linear(12, 4)

    def forward(self, x):
        x = torch.relu(self.stem_norm(self.stem(x)))
        y = torch.relu(self.one_norm(self.one(x)))
        x = torch.relu(x + self.two_norm(self.two(y)))
        return self.out(x.mean((2, 3)))


class ShuffledNet(nn.Module):
    """Channels shuffled behind every convolution, as in the first ShuffleNet: before grouped ones and plain ones."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.three, self.out = nn.Conv2d(8, 8, 3, padding=1, groups=4), nn.Linear(8, 4)

    @staticmethod
    def shuffle(x, groups):
        n, channels, height, width = x.shape
        x = x.view(n, groups, channels // groups, height, width)
        return x.transpose(1, 2).reshape(n, channels, height, width)

    def forward(self, x):
        x = self.shuffle(torch.relu(self.shuffle(torch.relu(self.one(x)), 4)), 2)
        x = self.shuffle(torch.relu(self.two(x)), 4)
        x = self.shuffle(torch.relu(self.three(x)), 2)
        return self.out(x.mean((2, 3)))


class GroupedNet(nn.Module):
    """A convolution in two groups, and behind it one in four."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1, groups=2)
        self.three, self.out = nn.Conv2d(12, 12, 1, groups=4), nn.Linear(12, 4)

    def forward(self, x):
        x = torch.relu(self.three(torch.relu(self.two(torch.relu(self.one(x))))))
        return self.out(x.mean((2, 3)))


class ChannelNormNet(nn.Module):
    """ConvNeXt's blocks: depthwise convolution, LayerNorm over channels last, scale of each channel."""

    def __init__(self):
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 8, 4, stride=4), nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm, self.wide, self.narrow = nn.LayerNorm(8), nn.Linear(8, 20), nn.Linear(20, 8)
        self.scale, self.out = nn.Parameter(torch.ones(8, 1, 1)), nn.Linear(8, 4)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        y = self.narrow(functional.gelu(self.wide(y))).permute(0, 3, 1, 2)
        return self.out((x + self.scale * y).mean((2, 3)))


class PooledAttention(nn.Module):
    """Attention of MViT: keys and values are images that one depthwise convolution pools in every head; the class token
    goes around it, by tensor_split (exported as a loop that fills a sequence) and squeeze (as If)."""

    def __init__(self):
        super().__init__()
        self.stem, self.token = nn.Conv2d(3, 12, 4, stride=4), nn.Parameter(torch.zeros(1, 1, 12))
        self.qkv, self.project, self.out = nn.Linear(12, 36), nn.Linear(12, 12), nn.Linear(12, 4)
        self.pools = nn.ModuleList(nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, bias=False) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(4) for _ in range(2))

    def pooled(self, x, which):
        token, x = torch.tensor_split(x, (1,), dim=2)
        batch, heads, _, size = x.shape
        x = self.pools[which](x.transpose(2, 3).reshape(batch * heads, size, 4, 4)).reshape(batch, heads, size, -1)
        return self.norms[which](torch.cat((token, x.transpose(2, 3)), dim=2))

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(x.shape[0], -1, -1), x), dim=1)
        query, key, value = self.qkv(x).reshape(x.shape[0], 17, 3, 3, 4).transpose(1, 3).unbind(2)
        key, value = self.pooled(key, 0), self.pooled(value, 1)
        mixed = torch.softmax(query @ key.transpose(2, 3) / 2, -1) @ value
        x = x + self.project(mixed.transpose(1, 2).reshape(x.shape[0], 17, 12))
        return self.out(x[:, :1].squeeze(1))


# ---- one weight in several places, several outputs ---------------------------------------------


class TiedLanguageModel(nn.Module):
    """The output layer is the embedding table."""

    def __init__(self):
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(VOCABULARY, 8), nn.Linear(8, 10)
        self.back, self.head = nn.Linear(10, 8), nn.Linear(8, VOCABULARY, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        return self.head(x + self.back(torch.relu(self.hidden(x))))


class UntiedLanguageModel(nn.Module):
    """No residual path: only the shared table makes the width before the head that of the embedding."""

    def __init__(self, tied):
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(VOCABULARY, 8), nn.Linear(8, 10)
        self.back, self.head = nn.Linear(10, 8), nn.Linear(8, VOCABULARY, bias=False)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(torch.tanh(self.back(torch.relu(self.hidden(self.embedding(tokens))))))


class Siamese(nn.Module):
    """Two images through one encoder; the distance of the codes is scored."""

    def __init__(self):
        super().__init__()
        self.conv, self.dense, self.out = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 7), nn.Linear(7, 3)

    def encode(self, x):
        return self.dense(torch.relu(self.conv(x)).mean((2, 3)))

    def forward(self, left, right):
        return self.out((self.encode(left) - self.encode(right)).abs())


class TwoHeads(nn.Module):
    """A trunk, and two outputs: one from the trunk, one through a layer of its own."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.classes, self.hidden, self.box = nn.Linear(8, 5), nn.Linear(8, 9), nn.Linear(9, 4)

    def forward(self, x):
        x = self.trunk(x).mean((2, 3))
        return self.classes(x), self.box(torch.relu(self.hidden(x)))


IMAGE, SEQUENCE = (2, 3, 16, 16), (2, 6, 5)
BATCH = {0: "N"}

NETS = {
    "encoder_pytorch": (Encoder, [SEQUENCE]),
    "encoder_pytorch_norm_first": (lambda: Encoder(norm_first=True, activation="gelu"), [SEQUENCE]),
    **{f"encoder_packed_{way}": (lambda way=way: PackedEncoder(way), [SEQUENCE])
       for way in ("split", "chunk", "unbind", "index", "heads_first", "heads_first_index", "slices")},
    "encoder_packed_causal": (lambda: PackedEncoder("split", causal=True), [SEQUENCE]),
    **{f"decoder_{rotation}": (lambda rotation=rotation: RotaryDecoder(rotation), [TOKENS]) for rotation in ROTATIONS},
    **{f"decoder_{prefix}{repeat}": (lambda rotation=rotation, repeat=repeat: RotaryDecoder(rotation, repeat), [TOKENS])
       for prefix, rotation in (("", "halves"), ("plain_", "none")) for repeat in (*REPEATS, "grouped")},
    "decoder_computed": (lambda: RotaryDecoder("halves", tables="computed"), [TOKENS]),
    "decoder_tied": (lambda: RotaryDecoder("halves", tied=True), [TOKENS]),
    "cross_attention": (CrossAttention, [SEQUENCE, (2, 4, 7)]),
    "decoder_pytorch": (Decoder, [SEQUENCE, (2, 4, 7)]),
    "latents": (Latents, [SEQUENCE]),
    "adapter_beside": (lambda: Adapted(False), [(2, 5)]),
    "adapter_merged": (lambda: Adapted(True), [(2, 5)]),
    "lstm": (lambda: Recurrent(nn.LSTM), [(6, 2, 3)]),
    "lstm_batch_first": (lambda: Recurrent(nn.LSTM, batch_first=True), [(2, 6, 3)]),
    "lstm_end": (lambda: RecurrentEnd(nn.LSTM), [(6, 2, 3)]),
    "gru": (lambda: Recurrent(nn.GRU), [(6, 2, 3)]),
    "gru_end": (lambda: RecurrentEnd(nn.GRU), [(6, 2, 3)]),
    "rnn": (lambda: Recurrent(nn.RNN), [(6, 2, 3)]),
    "u_net": (UNet, [IMAGE]),
    "u_net_resized": (ResizedUNet, [IMAGE]),
    "group_norm_3": (lambda: GroupNormNet(3), [IMAGE]),
    "group_norm_1": (lambda: GroupNormNet(1), [IMAGE]),
    "group_norm_12": (lambda: GroupNormNet(12), [IMAGE]),
    "shuffled": (ShuffledNet, [IMAGE]),
    "grouped": (GroupedNet, [IMAGE]),
    "channel_norm": (ChannelNormNet, [IMAGE]),
    "tied_language_model": (TiedLanguageModel, [TOKENS]),
    "untied_language_model": (lambda: UntiedLanguageModel(False), [TOKENS]),
    "only_tied_language_model": (lambda: UntiedLanguageModel(True), [TOKENS]),
    "pooled_attention": (PooledAttention, [IMAGE]),
    "siamese": (Siamese, [IMAGE, IMAGE]),
    "two_heads": (TwoHeads, [IMAGE]),
}
# name -> how it is exported: the batch's axis alone may be symbolic, or the length too; constants folded or not.
FORMS = {
    "": {},
    ".static": {"batch": False},
    ".dynamic": {"length": True},
    ".unfolded": {"fold": False},
}


def draw(module):
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() == 1:
                parameter.normal_(1.0 if name.endswith("weight") else 0.0, 0.2)
            else:
                parameter.normal_(0.0, 1.0 / math.sqrt(parameter[0].numel()) + 0.05)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0.0, 0.2)
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)


def export(name, path):
    """Writes the net called NAME or NAME.FORM to `path`."""
    name, _, form = name.partition(".")
    form = FORMS[f".{form}" if form else ""]
    make, shapes = NETS[name]
    torch.manual_seed(5)
    module = make().eval()
    draw(module)
    inputs = tuple(torch.randint(VOCABULARY, (2, 6)) if shape == TOKENS else torch.randn(shape) for shape in shapes)
    names = [f"x{number}" for number in range(len(inputs))]
    outputs = module(*inputs)
    outputs = ["y0"] if torch.is_tensor(outputs) else [f"y{number}" for number in range(len(outputs))]
    recurrent = any(isinstance(part, nn.RNNBase) and not part.batch_first for part in module.modules())
    axes = {1 if recurrent else 0: "N"} if form.get("batch", True) else {}
    dynamic = {key: dict(axes) for key in names + outputs}
    if form.get("length"):
        free = {4: {2: "height", 3: "width"}, 3: {1: "time_{}"}}.get(3 if shapes[0] == TOKENS else len(shapes[0]), {})
        for key in names:
            dynamic[key].update({axis: extent.format(key) for axis, extent in free.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, inputs, path, opset_version=OPSET, input_names=names, output_names=outputs,
                          dynamic_axes=dynamic, do_constant_folding=form.get("fold", True))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    export(*sys.argv[1:])
