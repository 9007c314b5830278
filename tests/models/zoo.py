#!/usr/bin/python3
"""Exports of all of torchvision's architectures that Debian's version has: each at a size that runs in seconds.

    zoo.py LIST                    names of all architectures
    zoo.py NAME OUT.onnx           exports one

Weights are drawn where PyTorch leaves zeros and ones (exports.draw). Detection needs operators with data-dependent
shapes and is exported with fixed image sizes. An export in a process of its own takes its memory with it when it ends.
"""

import sys
import warnings

import exports

SMALL = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_0", "mnasnet0_5", "efficientnet_b0", "regnet_x_400mf",
         "googlenet")
SIDE = {"inception_v3": 299, "vit_h_14": 224, "vit_l_32": 224, "vit_b_32": 224, "swin_b": 224, "swin_s": 224}
OPSET = 14


def kinds():
    """{name: kind}: "image", "segmentation", "detection", "video" or "flow"."""
    import torchvision.models as models

    found = {}
    for kind, module in (("image", models), ("segmentation", models.segmentation), ("detection", models.detection),
                         ("video", models.video), ("flow", models.optical_flow),
                         ("quantization", models.quantization)):
        for name in models.list_models(module=module):
            found[name] = kind
    return found


def build(name, kind):
    """(module, example inputs)"""
    import torch
    import torchvision

    options = {"weights": None}
    if kind in ("segmentation", "detection"):
        options["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = True
    if kind == "quantization":
        options["quantize"] = False
    model = torchvision.models.get_model(name, **options).eval()
    if kind == "video":
        side = 224 if name.startswith("mvit") else 64
        return model, (torch.randn(2, 3, 16 if side == 224 else 8, side, side),)
    if kind == "flow":
        return model, (torch.randn(2, 3, 128, 128), torch.randn(2, 3, 128, 128))
    if kind == "detection":
        return model, ([torch.rand(3, 160, 160)],)
    side = SIDE.get(name, 224 if kind == "image" else 64)
    return model, (torch.randn(2, 3, side, side),)


def draw(module):
    """exports.draw, without the batch of noise that only classifiers of images take."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, _BatchNorm):
                part.running_mean.normal_(0.0, 0.1)
                part.running_var.uniform_(0.7, 1.4)
        for name, parameter in module.named_parameters():
            if parameter.numel() > 1 and parameter.min() == parameter.max():
                parameter.normal_(1.0 if name.endswith("weight") and parameter.dim() == 1 else 0.0, 0.1)


def export(name, path):
    """Writes the architecture; raises what the exporter raises."""
    import torch

    torch.manual_seed(exports.SEED)
    kind = kinds()[name]
    model, inputs = build(name, kind)
    (exports.draw if kind == "image" and SIDE.get(name, 0) == 0 else draw)(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, inputs, path, opset_version=16 if kind == "flow" else OPSET,
                          do_constant_folding=kind == "detection")


if __name__ == "__main__":
    if sys.argv[1:] == ["LIST"]:
        print("\n".join(kinds()))
    elif len(sys.argv) == 3:
        export(*sys.argv[1:])
    else:
        sys.exit(__doc__)
