"""Models as ONNX Runtime's optimiser writes them: constants folded, neighbouring nodes fused into operators of its own.

What it writes has to have the group of the original: fusing changes no function. Where the original has a
BatchNormalization that is folded into the convolution before it, signs and scales go with it, permutations stay. Members
of the optimised model, and its canonical form, have to compute the same.
"""

import onnx

import catalogue
import random_architectures
import soundness
from harness import JUDGE, CannotRun, check_equal, run_json, scratch

RANDOM = 40  # random architectures
# Exports, and what of their groups stays: all of it where there is no BatchNormalization.
ALL = ("log10_order", "signs", "dimension")
EXPORTS = {"vit_b_16.default": ALL, "swin_t.default": ALL, "squeezenet1_1.plain": ALL, "resnet18.default": ALL,
           "resnet18.preserve": ("log10_order",), "densenet121.preserve": ("log10_order",),
           "mobilenet_v2.preserve": ("log10_order",)}


def cases():
    for model in catalogue.exported():
        if model.label.removeprefix("exports/") in EXPORTS:
            yield f"group/{model.label}", lambda m=model: same_group(m)
    for model in catalogue.small():
        yield model.label, lambda m=model: of_the_catalogue(m)
    for seed in range(RANDOM):
        yield f"random/{seed}", lambda s=seed: random_net(s)


def same_group(model):
    with scratch(2 * model.size) as folder:
        JUDGE.optimise(model.path, folder / "optimised.onnx")
        before, after = run_json("symmetry", model.path), run_json("symmetry", folder / "optimised.onnx")
    for key in EXPORTS[model.label.removeprefix("exports/")]:
        check_equal(round(after[key], 6), round(before[key], 6), key)


def of_the_catalogue(model):
    if model.not_runnable:
        raise CannotRun(model.not_runnable)
    with scratch(6 * model.size) as folder:
        hold(model.path, model.inputs(), folder)


def random_net(seed):
    with scratch() as folder:
        path = folder / "net.onnx"
        soundness.draw(random_architectures.random_net, seed, path)
        hold(path, catalogue.Model("random", "net", path).inputs(), folder)


def hold(path, inputs, folder):
    optimised = folder / "optimised.onnx"
    JUDGE.optimise(path, optimised)
    soundness.hold(optimised, inputs, folder)
