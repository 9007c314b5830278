#!/usr/bin/python3
"""Trains the four sample models on scikit-learn's handwritten digits and exports them with torch.onnx.

    train.py [FOLDER]                   writes FOLDER/digits_*.onnx (default: the folder of this script)
    train.py --continue MODEL OUT.onnx  trains MODEL (digits_mlp.onnx or digits_convnet.onnx) two epochs more

The data are 1797 images of 8 by 8 pixels; the first 1347 train, the other 450 test. Needs PyTorch, scikit-learn and
onnx (Debian: python3-torch, python3-sklearn, python3-onnx). Runs in a quarter of a minute, with a fixed seed and one
thread; on another processor or PyTorch the weights may differ in their last digits, and the accuracy a little with them.
"""

import pathlib
import sys

import onnx
import torch
from onnx import numpy_helper
from sklearn.datasets import load_digits
from torch import nn

SEED = 7
TRAINING_IMAGES = 1347
EPOCHS = 60
MORE_EPOCHS = 2
BATCH = 64


class Residual(nn.Module):
    """Two convolutions beside a shortcut; the shortcut is a 1x1 convolution where the size changes."""

    def __init__(self, channels_in, channels_out, stride):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU(),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False), nn.BatchNorm2d(channels_out))
        same = stride == 1 and channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1, stride)

    def forward(self, x):
        return torch.relu(self.branch(x) + self.shortcut(x))


class Attention(nn.Module):
    """Multi-head self-attention with packed query, key and value, spelled out."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.packed, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        packed = self.packed(x).reshape(batch, tokens, 3, self.heads, self.head_width).permute(2, 0, 3, 1, 4)
        query, key, value = packed[0], packed[1], packed[2]
        weights = torch.softmax(query @ key.transpose(-2, -1) / self.head_width**0.5, dim=-1)
        return self.out((weights @ value).transpose(1, 2).reshape(batch, tokens, width))


class AttentionClassifier(nn.Module):
    """The eight rows of the image are eight tokens; one pre-norm transformer layer; the mean token is classified."""

    def __init__(self, width=32, heads=4, hidden=48):
        super().__init__()
        self.embed, self.position = nn.Linear(8, width), nn.Parameter(0.1 * torch.randn(8, width))
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), Attention(width, heads), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.embed(x.squeeze(1)) + self.position
        x = x + self.attention(self.norm1(x))
        x = x + self.feed_forward(self.norm2(x))
        return self.head(x.mean(dim=1))


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 10))


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1, bias=False), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(96, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))


def resnet():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), Residual(12, 12, 1), Residual(12, 20, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 10))


# The convolutional net keeps its BatchNormalization nodes, as a model exported for further training does; the
# residual net is exported for inference, with them folded into the convolutions.
SAMPLES = (
    ("digits_mlp", perceptron, {}),
    ("digits_convnet", convnet, {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}),
    ("digits_resnet", resnet, {}),
    ("digits_attention", AttentionClassifier, {}),
)


def run_epoch(model, optimizer, images, labels):
    for batch in torch.randperm(len(images)).split(BATCH):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimizer.step()


def train(model, images, labels):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        run_epoch(model, optimizer, images, labels)
        schedule.step()
    return model.eval()


def export(model, path, options):
    """Exports with a free batch axis, without the source lines the exporter may note down."""
    torch.onnx.export(model, torch.zeros(1, 1, 8, 8), path, opset_version=14, input_names=["image"],
                      output_names=["digit"], dynamic_axes={"image": {0: "N"}, "digit": {0: "N"}}, **options)
    written = onnx.load(path)
    for node in written.graph.node:
        node.ClearField("doc_string")
    onnx.save(written, path)


def load_data():
    """Images in [0, 1], N x 1 x 8 x 8, and labels."""
    digits = load_digits()
    return torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16, torch.tensor(digits.target)


def go_on(start, path):
    """Fine-tunes a model whose exported tensors have the names that PyTorch gave them, with a small learning rate."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    make, options = next((make, options) for name, make, options in SAMPLES if name == pathlib.Path(start).stem)
    model = make()
    state = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
             for tensor in onnx.load(str(start)).graph.initializer}
    model.load_state_dict({name: state.get(name, value) for name, value in model.state_dict().items()})
    missing = [name for name, _ in model.named_parameters() if name not in state]
    if missing:
        sys.exit(f"{start}: the exporter renamed or folded {', '.join(missing)}")
    images, labels = (part[:TRAINING_IMAGES] for part in load_data())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)
    for _ in range(MORE_EPOCHS):
        run_epoch(model, optimizer, images, labels)
    export(model.eval(), str(path), options)


def main(folder):
    torch.set_num_threads(1)
    images, labels = load_data()
    held_out = slice(TRAINING_IMAGES, None)
    for name, make, options in SAMPLES:
        torch.manual_seed(SEED)
        model = train(make(), images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES])
        with torch.no_grad():
            right = (model(images[held_out]).argmax(dim=1) == labels[held_out]).sum().item()
        path = folder / f"{name}.onnx"
        export(model, str(path), options)
        tested = len(labels) - TRAINING_IMAGES
        parameters = sum(parameter.numel() for parameter in model.parameters())
        print(f"{name:18} {parameters:6} parameters  {path.stat().st_size:7} bytes  "
              f"{right} of {tested} test images right ({right / tested:.1%})")


if __name__ == "__main__" and sys.argv[1:2] == ["--continue"]:
    go_on(*sys.argv[2:4])
elif __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent)
