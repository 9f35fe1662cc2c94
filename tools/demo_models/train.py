"""Train the demo's classifier and write it as ONNX: `python train.py OUT.onnx` (torch, CPU, ~2 minutes).

Three residual blocks of 1x1 -> grouped 3x3 (512 channels, 4 per group) -> 1x1 at 8x8 pixels: few
weights, and exactly the kind of convolution that the converter makes dense for rk3588.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import digits
import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

WIDTH = 32
EXPANDED = 512
GROUPS = 128
BLOCKS = 3
EPOCHS = 16
BATCH = 64


class Unit(nn.Module):
    """Convolution and batch normalisation, which the export folds into one Conv."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(x))
        return result

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weight and bias of the one Conv that equals this unit at inference."""
        deviation = torch.sqrt(self.norm.running_var + self.norm.eps)  # type: ignore[operator, arg-type]
        scale = (self.norm.weight / deviation).detach().double()
        weight = self.conv.weight.detach().double() * scale[:, None, None, None]
        bias = self.norm.bias.detach().double() - self.norm.running_mean.double() * scale  # type: ignore[union-attr, operator]
        return weight.float().numpy(), bias.float().numpy()


class Block(nn.Module):
    """1x1 up, grouped 3x3, 1x1 down, added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.up = Unit(WIDTH, EXPANDED, 1)
        self.grouped = Unit(EXPANDED, EXPANDED, 3, groups=GROUPS)
        self.down = Unit(EXPANDED, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.grouped(torch.relu(self.up(x))))
        return torch.relu(self.down(hidden) + x)


class Classifier(nn.Module):
    """(N, 1, 32, 32) images to (N, 10) logits."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Unit(1, WIDTH // 2, 3, stride=2)
        self.entry = Unit(WIDTH // 2, WIDTH, 3, stride=2)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.entry(torch.relu(self.stem(x))))
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.head(x.mean((2, 3)))
        return result


def train(data: digits.Digits) -> Classifier:
    """Return the classifier after `EPOCHS` of Adam with a falling learning rate; seeded."""
    torch.manual_seed(digits.SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums in another order would change the digest
    images, labels = torch.from_numpy(data.train_images), torch.from_numpy(data.train_labels)
    model = Classifier()
    steps = EPOCHS * (len(labels) // BATCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(labels))
        for first in range(0, len(labels) - BATCH + 1, BATCH):
            chosen = order[first : first + BATCH]
            loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {loss.item():.4f}", file=sys.stderr)
    return model.eval()


def export(model: Classifier) -> onnx.ModelProto:
    """Return the ONNX: static batch of 1, batch normalisation folded, readable names."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []

    def conv(unit: Unit, source: str, name: str) -> str:
        weight, bias = unit.folded()
        weights.append(numpy_helper.from_array(weight, f"{name}.weight"))
        weights.append(numpy_helper.from_array(bias, f"{name}.bias"))
        layer = unit.conv
        pads = [int(layer.padding[0])] * 4
        attributes = {"kernel_shape": list(layer.kernel_size), "pads": pads, "group": layer.groups}
        inputs = [source, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Conv", inputs, [name], name, strides=list(layer.stride), **attributes))
        return name

    def relu(source: str) -> str:
        nodes.append(helper.make_node("Relu", [source], [f"{source}.relu"], f"{source}.relu"))
        return f"{source}.relu"

    x = relu(conv(model.stem, "image", "stem"))
    x = relu(conv(model.entry, x, "entry"))
    for number, block in enumerate(model.blocks):
        name = f"block{number}"
        hidden = relu(conv(block.up, x, f"{name}.up"))  # type: ignore[arg-type]
        hidden = relu(conv(block.grouped, hidden, f"{name}.grouped"))  # type: ignore[arg-type]
        hidden = conv(block.down, hidden, f"{name}.down")  # type: ignore[arg-type]
        nodes.append(helper.make_node("Add", [hidden, x], [f"{name}.add"], f"{name}.add"))
        x = relu(f"{name}.add")
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pool"], "pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["features"], "features"))
    weights.append(numpy_helper.from_array(model.head.weight.detach().numpy(), "head.weight"))
    weights.append(numpy_helper.from_array(model.head.bias.detach().numpy(), "head.bias"))
    head = ["features", "head.weight", "head.bias"]
    nodes.append(helper.make_node("Gemm", head, ["logits"], "logits", transB=1))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 32, 32])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "digits", [image], [logits], weights)
    result = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 14)], producer_name="rkbench-demo"
    )
    result.ir_version = 8
    onnx.checker.check_model(result, full_check=True)
    return result


def accuracy(model: Classifier, data: digits.Digits) -> float:
    """Return the share of held-out digits that are named right."""
    with torch.no_grad():
        named = model(torch.from_numpy(data.held_out_images)).argmax(1).numpy()
    return float((named == data.held_out_labels).mean())


def main(out: Path) -> None:
    """Train, write `out`, and print one JSON line about it."""
    data = digits.load()
    model = train(data)
    onnx.save(export(model), str(out))
    facts = {
        "held_out_images": len(data.held_out_labels),
        "held_out_accuracy": round(accuracy(model, data), 4),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
