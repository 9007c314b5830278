#!/usr/bin/python3
"""Exports of all of torchvision's architectures that Debian's version has: each at a size that runs in seconds.

    zoo.py LIST                    names of all architectures
    zoo.py NAME OUT.onnx           exports one

Weights are drawn where PyTorch leaves zeros and ones, and normalisations are fitted to one batch of noise: otherwise the
signal of a deep network dies out, and all its inputs give one output. Detectors answer noise with nothing: their last
layers are spread out and their thresholds lowered, so that there are boxes to compare. The quantised architectures are
calibrated on the same noise and converted. An export in a process of its own takes its memory with it when it ends.
"""

import sys
import warnings

SMALL = ("mobilenet_v3_small", "shufflenet_v2_x0_5", "squeezenet1_0", "mnasnet0_5", "efficientnet_b0", "regnet_x_400mf",
         "googlenet")
SEED = 20240117
OPSET = {"flow": 16, "detection": 14}
SIDE = {"inception_v3": 299, "quantized_inception_v3": 299}
FEW_BOXES = {"detections_per_img": 12, "score_thresh": 0.0, "topk_candidates": 40}
REGIONS = {"box_detections_per_img": 12, "box_score_thresh": 0.0, "rpn_post_nms_top_n_test": 40,
           "rpn_pre_nms_top_n_test": 40, "min_size": 160, "max_size": 160}
PICTURE = {"min_size": 160, "max_size": 160}


def kinds():
    """{name: kind}: "image", "segmentation", "detection", "video", "flow" or "quantization"."""
    import torchvision.models as models

    found = {}
    for kind, module in (("image", models), ("segmentation", models.segmentation), ("detection", models.detection),
                         ("video", models.video), ("flow", models.optical_flow),
                         ("quantization", models.quantization)):
        for name in models.list_models(module=module):
            found[name] = kind
    return found


def detector_options(name):
    if name.startswith("keypointrcnn"):
        return {**REGIONS, "num_classes": 7}  # its usual one class would be a constant output
    if "rcnn" in name:
        return REGIONS
    return FEW_BOXES if name.startswith("ssd") else {**FEW_BOXES, **PICTURE}


def takes_pictures(name):
    """Whether inputs shall be numbers from 0 to 1: wilder ones have detectors find nothing, and attention over tens of
    thousands of places look at one alone."""
    return any(part in name for part in ("rcnn", "retinanet", "fcos", "ssd", "mvit", "s3d", "r3d", "mc3", "r2plus1d"))


def noise(*shape):
    """What the judge draws: noise with an offset and an amplitude of its own in every slice of the first two axes."""
    import torch

    slices = shape[:2] + (1,) * (len(shape) - 2)
    return 2 * torch.rand(slices) - 1 + (0.5 + 2 * torch.rand(slices)) * (2 * torch.rand(shape) - 1)


def build(name, kind):
    """(module, example inputs)"""
    import torch
    import torchvision

    options = {"weights": None}
    if kind in ("segmentation", "detection"):
        options["weights_backbone"] = None
    if kind == "detection":
        options.update(detector_options(name))
    if kind == "quantization":
        options["quantize"] = False  # converted after the weights are drawn
    if name.endswith(("googlenet", "inception_v3")):
        options["init_weights"] = True
    model = torchvision.models.get_model(name, **options).eval()
    if kind == "video":
        frames, side = (16, 224) if name.startswith(("mvit", "s3d")) else (8, 64)
        return model, (torch.rand(2, 3, frames, side, side),)
    if kind == "flow":
        return model, (noise(2, 3, 128, 128), noise(2, 3, 128, 128))
    if kind == "detection":
        return model, ([torch.rand(3, 160, 160)],)
    side = SIDE.get(name, 64 if kind == "segmentation" else 224)
    return model, (noise(2, 3, side, side),)


def many(name, kind, inputs):
    """What normalisations are fitted to: more samples than are exported, where a smaller side will do."""
    if kind in ("image", "quantization", "segmentation") and not name.startswith(("maxvit", "vit", "swin")):
        return (noise(12, 3, 96, 96),)
    return inputs


def fit(part, inputs):
    """Before a normalisation is applied: its statistics become those of what arrives, shaken."""
    import torch

    value = inputs[0]
    over = [axis for axis in range(value.dim()) if axis != 1]
    spread = value.var(over, unbiased=False).clamp(min=1e-3)
    part.running_mean.copy_(value.mean(over) + 0.1 * spread.sqrt() * torch.randn_like(spread))
    part.running_var.copy_(spread * torch.empty_like(spread).uniform_(0.7, 1.4))


def draw(module, inputs):
    """Draws what is constant, and fits all normalisations in one pass."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm
    from torchvision.ops import FrozenBatchNorm2d

    norms = [part for part in module.modules() if isinstance(part, (_BatchNorm, FrozenBatchNorm2d))]
    with torch.no_grad():
        for part in norms:
            part.weight.uniform_(0.2, 0.5)  # less than one: residual nets are chaotic otherwise
            part.bias.normal_(0.0, 0.2)
        for name, parameter in module.named_parameters():
            if parameter.numel() > 1 and parameter.min() == parameter.max():
                parameter.normal_(1.0 if name.endswith("weight") and parameter.dim() == 1 else 0.0, 0.1)
        hooks = [part.register_forward_pre_hook(fit) for part in norms]
        hooks += [part.register_forward_hook(spread_out(spread)) for part, spread in last_layers(module)]
        module(*inputs)
        for hook in hooks:
            hook.remove()


# The last layers of detectors, and how far apart their outputs shall be: enough to tell them apart, and little enough
# that what arrives as rounding errors of a deep network does not change which boxes are found.
LAST = {"cls_score": 0.1, "cls_logits": 0.3, "classification_head.module_list": 0.5, "kps_score_lowres": 2.0,
        "mask_fcn_logits": 0.3, "bbox_ctrness": 1.0, "bbox_pred": 0.02, "bbox_reg": 0.02,
        "regression_head.module_list": 0.1}

FEWEST = 20  # values of a channel from which a spread can be told


def last_layers(module):
    """(layer, spread of its outputs) of every last layer of a detector."""
    import torch

    for name, part in module.named_modules():
        if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear, torch.nn.ConvTranspose2d)):
            for key, spread in LAST.items():
                if key in name:
                    yield part, spread


def spread_out(spread):
    """A hook on a last layer: its outputs get mean zero and this spread, in every channel, the first time."""
    import torch

    def hook(part, inputs, output):
        if hasattr(part, "is_fitted") or output.numel() < FEWEST * output.shape[1]:
            return None
        part.is_fitted = True
        over = [axis for axis in range(output.dim()) if axis != 1]
        mean = output.mean(over)
        factor = spread / output.std(over).clamp(min=1e-4)
        shape = [1, -1] + [1] * (output.dim() - 2)
        turned = isinstance(part, torch.nn.ConvTranspose2d)  # its outputs are axis 1 of the weight
        part.weight.mul_(factor.reshape([1, -1, 1, 1] if turned else [-1] + [1] * (part.weight.dim() - 1)))
        if part.bias is None:
            return output * factor.reshape(shape)
        part.bias.copy_((part.bias - mean) * factor)
        return (output - mean.reshape(shape)) * factor.reshape(shape)
    return hook


def convert(module, inputs):
    """The 8-bit model: layers fused, ranges observed on the noise, weights and operators replaced."""
    import torch
    from torch.ao import quantization

    torch.backends.quantized.engine = "qnnpack"
    module.qconfig = quantization.QConfig(
        activation=quantization.HistogramObserver.with_args(reduce_range=False),
        weight=quantization.default_weight_observer)
    module.fuse_model(is_qat=False)
    quantization.prepare(module, inplace=True)
    with torch.no_grad():
        module(*inputs)
    quantization.convert(module, inplace=True)


def add_zero():
    """Teaches the exporter the one operator that it lacks for Swin v2, which sets the biases of keys to zero."""
    import torch

    torch.onnx.register_custom_op_symbolic(
        "aten::zero", lambda graph, x: graph.op("Mul", x, graph.op("Constant", value_t=torch.tensor(0.0))), 14)


def export(name, path):
    """Writes the architecture; raises what the exporter raises."""
    import torch

    add_zero()
    torch.manual_seed(SEED)
    kind = kinds()[name]
    model, inputs = build(name, kind)
    draw(model, many(name, kind, inputs))
    if kind == "quantization":
        convert(model, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, inputs, path, opset_version=OPSET.get(kind, 14),
                          do_constant_folding=kind in ("detection", "quantization"))


if __name__ == "__main__":
    if sys.argv[1:] == ["LIST"]:
        print("\n".join(kinds()))
    elif len(sys.argv) == 3:
        export(*sys.argv[1:])
    else:
        sys.exit(__doc__)
