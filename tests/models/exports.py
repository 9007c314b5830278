"""Exports of torchvision's architectures: the models people really have.

Each architecture is exported in variants, named NAME.VARIANT:

  default   exporter's defaults. BatchNormalization is folded into the convolutions and weights are as
            torchvision draws them. Those leave many biases zero, and the exporter stores equal tensors
            once, so unrelated layers share one zero bias: a trap that must tie nothing.
  preserve  do_constant_folding=False and TrainingMode.PRESERVE on a model in eval mode: separate
            BatchNormalization nodes. Fresh statistics are all ones and zeros and would hide a wrong
            permutation of them, so here every parameter and statistic is drawn (see `draw`).
  plain     as preserve, but with torchvision's fresh weights: scale, variance, mean and shift of
            unrelated layers are then one shared tensor of ones and one of zeros. Small models only.

swin_t and vit_b_16 start with heads whose outputs are constant or nearly so: they are drawn in every variant.
"""

import warnings

VARIANTS_BY_ARCHITECTURE = {
    "alexnet": ("default", "preserve"),
    "vgg11_bn": ("default", "preserve"),
    "resnet18": ("default", "preserve", "plain"),
    "resnet50": ("default", "preserve"),
    "densenet121": ("default", "preserve", "plain"),
    "mobilenet_v2": ("default", "preserve", "plain"),
    "squeezenet1_1": ("default", "preserve", "plain"),
    "swin_t": ("default",),
    "vit_b_16": ("default",),
}
ALWAYS_DRAWN = ("swin_t", "vit_b_16")
OPSET = 14
SEED = 20240117


def names():
    """NAME.VARIANT of every export, smallest architectures not first: the order of the table above."""
    return [f"{name}.{variant}" for name, variants in VARIANTS_BY_ARCHITECTURE.items() for variant in variants]


def draw(module):
    """Replaces what PyTorch leaves at zero or one by random values of a size that keeps outputs varied.

    BatchNormalization gets random gains and shifts, and the statistics of one batch of noise, shaken: with statistics
    that do not fit, the signal of a deep network dies out and all its inputs give one output.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    normalizations = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    with torch.no_grad():
        for part in normalizations:
            part.weight.uniform_(0.5, 1.5)
            part.bias.normal_(0.0, 0.2)
            part.momentum = 1.0
        for name, parameter in module.named_parameters():
            if parameter.min() == parameter.max():
                parameter.normal_(1.0 if name.endswith("weight") and parameter.dim() == 1 else 0.0, 0.1)
        if normalizations:
            module.train()
            module(torch.randn(4, 3, 96, 96))
            module.eval()
        for part in normalizations:
            part.running_mean += 0.1 * part.running_var.sqrt() * torch.randn_like(part.running_mean)
            part.running_var *= torch.empty_like(part.running_var).uniform_(0.7, 1.4)


def export(name, path):
    """Writes the export called NAME.VARIANT to `path`."""
    import torch
    import torchvision

    architecture, variant = name.split(".")
    torch.manual_seed(SEED)
    model = getattr(torchvision.models, architecture)(weights=None).eval()
    if variant == "preserve" or architecture in ALWAYS_DRAWN:
        draw(model)
    options = {}
    if variant != "default":
        options = {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            torch.randn(1, 3, 224, 224),
            path,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "N"}, "output": {0: "N"}},
            **options,
        )
