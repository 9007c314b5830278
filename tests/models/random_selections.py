"""Small nets in which positions of one axis are selected, repeated, joined, cut and combined with others of the same
axis, the same for the same seed: where copies of a unit turn up again, and what multiplies which is easily mistaken."""

import random

from builder import Builder

WIDEST = 24


class Selections(Builder):
    """A net (batch, 4) -> (batch, 3) with `self.value` of `self.width` units on the way."""

    def __init__(self, seed):
        super().__init__(seed)
        self.choose = random.Random(seed)
        self.story = []
        self.x = self.input("x", ["N", 4])
        self.first_width = self.choose.choice([4, 6])
        self.value, self.width = self.layer(), self.first_width

    def layer(self):
        """Units, perhaps combined with themselves in another order, perhaps multiplied."""
        width = self.first_width
        value = self.node(self.choose.choice(["Sigmoid", "Tanh", "Relu"]), self.gemm(self.x, 4, width))
        if self.choose.random() < 0.6:
            mirrored = self.choose.random() < 0.7
            order = range(width - 1, -1, -1) if mirrored else self.choose.sample(range(width), width)
            other = self.node("Gather", value, self.integers(*order), axis=1)
            value = self.node(self.choose.choice(["Max", "Mul", "Add"]), value, other)
        return self.node("Mul", value, self.weight(1, width)) if self.choose.random() < 0.8 else value

    def step(self):
        steps = [self.gather, self.tile, self.join, self.pad if self.width > 2 else self.gather, self.repeat_inside]
        steps += [self.slice] if self.width > 2 else []
        steps += [self.split, self.interleave] if self.width % 2 == 0 else []
        chosen = self.choose.choice(steps)
        self.story.append(chosen.__name__)
        chosen()
        if self.choose.random() < 0.4:
            self.value = self.node("Mul", self.value, self.weight(1, self.width))

    def gather(self):
        index = [self.choose.randrange(-self.width, self.width) for _ in range(self.choose.randint(2, 7))]
        self.value, self.width = self.node("Gather", self.value, self.integers(*index), axis=1), len(index)

    def slice(self):
        first = self.choose.randint(0, self.width - 2)
        end = self.choose.randint(first + 1, self.width)
        self.value = self.node("Slice", self.value, self.integers(first), self.integers(end), self.integers(1))
        self.width = end - first

    def tile(self):
        self.value, self.width = self.node("Tile", self.value, self.integers(1, 2)), 2 * self.width

    def repeat_inside(self):
        spread = self.node("Tile", self.node("Unsqueeze", self.value, self.integers(2)), self.integers(1, 1, 2))
        self.width *= 2
        self.value = self.node("Reshape", spread, self.integers(-1, self.width))

    def interleave(self):
        halves = self.node("Reshape", self.value, self.integers(-1, 2, self.width // 2))
        self.value = self.node("Reshape", self.node("Transpose", halves, perm=[0, 2, 1]), self.integers(-1, self.width))

    def join(self):
        parts, width = [self.value], self.width
        for _ in range(self.choose.randint(1, 2)):
            kind = self.choose.choice(["again", "first", "other"])
            if kind == "again":
                part, size = self.value, self.width
            elif kind == "first":
                part, size = self.node("Slice", self.value, self.integers(0), self.integers(1), self.integers(1)), 1
            else:
                part, size = self.layer(), self.first_width
            parts.append(part)
            width += size
        self.value, self.width = self.node("Concat", *parts, axis=1), width

    def split(self):
        left, right = self.node("Split", self.value, outputs=2, axis=1)
        kind = self.choose.choice(["exchange", "combine", "gate"])
        if kind == "exchange":
            self.value = self.node("Concat", right, left, axis=1)
        elif kind == "combine":
            self.value = self.node(self.choose.choice(["Mul", "Add", "Max"]), left, right)
            self.width //= 2
        else:
            self.value = self.node("Concat", left, self.node("Mul", left, right), axis=1)

    def pad(self):
        mode = self.choose.choice(["constant", "edge", "reflect"])
        self.value = self.node("Pad", self.value, self.integers(0, 1, 0, 1), mode=mode)
        self.width += 2


def random_net(seed):
    net = Selections(seed)
    for _ in range(net.choose.randint(1, 3)):
        if net.width <= WIDEST:
            net.step()
    last = net.choose.choice(["LeakyRelu", "Tanh", None])
    value = net.node(last, net.value) if last else net.value
    net.output(net.gemm(value, net.width, 3), ["N", 3])
    return net
