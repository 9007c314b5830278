"""For every model: the canonical form computes the same, and is the same for every member of the class. Three members
are drawn: permuted; also flipped and scaled; also mixed, which rounds, so that it has a form of its own."""

import hashlib

import onnx

import catalogue
from harness import (JUDGE, LARGEST_DIFFERENCE, CannotRun, Failure, canonical, canonical_and_whole, check, check_equal,
                     check_group_kept, check_same_bytes, check_same_form, hash_of, kinds_of_elements,
                     run_json, sample, scratch)
from soundness import LINEAR

LARGE = 1 << 26  # bytes; the checker reads larger models by path, and no member of them is drawn that is only permuted


def cases():
    for model in catalogue.everything():
        with scratch(6 * model.size) as folder:
            bench = Bench(model, folder)
            label = model.label
            if not model.not_runnable:
                yield f"{label}/canon-computes-the-same", bench.canon_computes_the_same
            yield f"{label}/canon-is-valid", bench.canon_is_valid
            yield f"{label}/canon-twice", bench.canon_twice
            yield f"{label}/group", bench.group_is_kept
            yield f"{label}/hash", bench.hash_is_of_the_canonical
            yield from members(label, bench)


def members(label, bench, valid=True):
    """The cases of the members that are drawn of one model; `valid`: whether python3-onnx knows its operators."""
    drawn_kinds = kinds_of_elements() if bench.model.size < LARGE else kinds_of_elements()[-2:]
    for seed, kinds in enumerate(drawn_kinds, 1):
        member, drawn = f"{label}/{kinds.replace(',', '+')}", (seed, kinds)
        if bench.runs():
            yield f"{member}/computes-the-same", lambda d=drawn: bench.sample_computes_the_same(*d)
        if valid:
            yield f"{member}/is-valid", lambda d=drawn: bench.sample_is_valid(*d)
        if "linear" not in kinds:
            yield f"{member}/has-the-same-canon", lambda d=drawn: bench.sample_has_the_same_canon(*d)
        yield f"{member}/really-moves", lambda d=drawn: bench.sample_moves(*d)
        bench.forget_sample()


class Bench:
    """One model with its canonical form and one sample, each made when first needed."""

    def __init__(self, model, folder):
        self.model, self.folder = model, folder
        self.canonical_result = self.sample_result = None
        self.inputs = self.weights = self.order = None
        self.whole = False  # whether signs and scales are part of the canonical form

    def runs(self):
        """Whether the judge can compare the model with others."""
        return not self.model.not_runnable

    def canonical(self):
        return self._once("canonical_result", self._make_canonical)

    def _make_canonical(self):
        form, self.whole = canonical_and_whole(self.model.path, self.folder / "canonical.onnx")
        return form

    def sample(self, seed, kinds):
        return self._once("sample_result", lambda: sample(self.model.path, seed, self.folder / "sample.onnx", kinds))

    def _once(self, slot, make):
        """Makes it the first time; a failure is kept too, so that all tests that need it report it."""
        if getattr(self, slot) is None:
            try:
                setattr(self, slot, make())
            except Failure as failure:
                setattr(self, slot, failure)
        result = getattr(self, slot)
        if isinstance(result, Failure):
            raise result
        return result

    def forget_sample(self):
        (self.folder / "sample.onnx").unlink(missing_ok=True)
        self.sample_result = None

    def judge(self, other, limit=LARGEST_DIFFERENCE):
        if self.inputs is None:
            self.inputs = self.model.inputs()
        JUDGE.compare(self.model.path, other, self.inputs, limit=limit)

    def accepted(self, path):
        """python3-onnx's checker accepts the file, provided that it accepts the original."""
        complaint = checker_complaint(self.model.path)
        if complaint:
            raise CannotRun(f"python3-onnx's checker does not accept the original: {complaint}")
        complaint = checker_complaint(path)
        check(not complaint, f"python3-onnx's checker: {complaint}")

    def canon_computes_the_same(self):
        self.judge(self.canonical())

    def canon_is_valid(self):
        self.accepted(self.canonical())

    def canon_twice(self):
        check_same_form(self.canonical(), self.canonical(), "canon of the canonical form")

    def group_is_kept(self):
        check_group_kept(self.model.path, self.canonical())

    def hash_is_of_the_canonical(self):
        check_equal(hash_of(self.canonical()), hash_of(self.model.path), "digest of the canonical form")

    def sample_computes_the_same(self, seed, kinds):
        self.judge(self.sample(seed, kinds), LINEAR if "linear" in kinds else LARGEST_DIFFERENCE)

    def sample_is_valid(self, seed, kinds):
        self.accepted(self.sample(seed, kinds))

    def sample_has_the_same_canon(self, seed, kinds):
        form, member = self.canonical(), self.sample(seed, kinds)
        if kinds != "permute" and not self.whole:
            raise CannotRun("the form says that signs or scales are no part of it")
        moved = canonical(member, self.folder / "moved.onnx")
        try:
            check_same_bytes(form, moved, "canonical form of the model and of its sample")
        finally:
            moved.unlink()
        check_equal(hash_of(member), hash_of(self.model.path), "digest of the sample")

    def sample_moves(self, seed, kinds):
        """Another member than the model itself, whenever the group is large enough to tell."""
        if self.weights is None:
            self.weights = weights(self.model.path)
            self.order = run_json("symmetry", self.model.path)["log10_order"]
        changed = weights(self.sample(seed, kinds)) != self.weights
        if self.order > 6:
            check(changed, f"sample with seed {seed} changed no weight, with a group of order 10^{self.order:.0f}")
        elif self.order == 0 and kinds == "permute":
            check(not changed, "sample changed weights although the group has one member")


def checker_complaint(path):
    """What the checker says against a model, or None; large models it reads by itself."""
    try:
        onnx.checker.check_model(str(path) if path.stat().st_size > LARGE else onnx.load(str(path)))
    except onnx.checker.ValidationError as complaint:
        return str(complaint).strip().splitlines()[0]
    return None


def weights(path):
    """Digests of all tensors, sorted: blind to their names, their order, and where they are stored."""
    digests = []
    graphs = [onnx.load(str(path)).graph]
    while graphs:
        graph = graphs.pop()
        tensors = list(graph.initializer)
        for attribute in (attribute for node in graph.node for attribute in node.attribute):
            if attribute.HasField("g"):
                graphs.append(attribute.g)
            if attribute.HasField("t"):
                tensors.append(attribute.t)
        for tensor in tensors:
            content = tensor.raw_data or onnx.numpy_helper.to_array(tensor).tobytes()
            digests.append(hashlib.blake2b(content).digest())
    return sorted(digests)
