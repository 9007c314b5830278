"""The models on which the canonical form has to hold: those of the catalogue up to a size, random architectures, and in
the long run (scripts/canonical) all of the catalogue and of torchvision.

$CANONNX_LARGEST is the size in megabytes, $CANONNX_RANDOM and $CANONNX_FIRST choose the random architectures,
$CANONNX_ZOO those of torchvision, as in soundness.py.
"""

import contextlib
import dataclasses
import functools
import os
import typing

import onnx

import catalogue
import soundness
from harness import CannotRun, scratch

import random_architectures

LARGEST = float(os.environ.get("CANONNX_LARGEST", 36)) * 1e6
LONG = "CANONNX_ZOO" in os.environ
RANDOM = int(os.environ.get("CANONNX_RANDOM", 40))


@dataclasses.dataclass(frozen=True)
class Source:
    """A model that is made when it is needed: `make(folder)` returns its path."""

    label: str
    make: typing.Callable
    not_runnable: str = ""  # why ONNX Runtime cannot run it

    @contextlib.contextmanager
    def ready(self):
        with scratch() as folder:
            path = self.make(folder)
            try:
                yield path
            finally:
                if self.label.startswith("torchvision/"):
                    soundness.drop_large(path)

    def inputs(self, path):
        """What the judge feeds the model."""
        kind, name = self.label.split("/", 1)
        if kind == "torchvision":
            return soundness.zoo_inputs(name, path)
        return catalogue.Model(kind, name, path).inputs()


def can_be_edited(path):
    """Python's protobuf writes no message of 2 GiB, and its copies of one fill the memory."""
    form = onnx.load(str(path), load_external_data=False)
    beside = {entry.value for tensor in form.graph.initializer for entry in tensor.external_data if entry.key == "location"}
    if sum((path.parent / name).stat().st_size for name in {path.name, *beside}) >= 2**31:
        raise CannotRun("it is 2 GiB or more, which the library that edits models for this test does not write")


def random_net(seed, folder):
    path = folder / "net.onnx"
    onnx.save(random_architectures.random_net(seed).model(), str(path))
    return path


def models():
    for model in catalogue.everything():
        if model.size <= LARGEST:
            yield Source(model.label, lambda _folder, path=model.path: path, model.not_runnable)
    for seed in range(soundness.FIRST, soundness.FIRST + RANDOM):
        yield Source(f"random/{seed}", functools.partial(random_net, seed))
    for name in soundness.zoo_names() if LONG else ():
        yield Source(f"torchvision/{name}", lambda _folder, name=name: soundness.torchvision_file(name))
