"""Build and convert the models that `bench boards calibrate` measures: each is mostly one term of the fit.

    .venv/bin/python tools/npu_nets/calibration.py

Into host/rkbench/npu/reference/calibration: NAME.onnx and NAME_SOC.rknn (int8, for one core), random weights
from a fixed seed. Few weights and large maps, so that the files stay small while an inference takes
milliseconds. `bench toolkit install` first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).parent))

from rkbench.toolkit.environment import find_environment
from rkbench.toolkit.jobs import ConversionJob, run_job
from zoo import NONE, RELU, ROOT, SIGMOID, TARGETS, Net

OUTPUT = ROOT / "host/rkbench/npu/reference/calibration"


def dense(channels: int, size: int, layers: int) -> onnx.ModelProto:
    """Return 3x3 convolutions that fill the MAC array."""
    net = Net(channels, size)
    x = "x"
    for _ in range(layers):
        x = net.conv(x, channels, 3, act=RELU)
    return net.model([x])


def pointwise(channels: int, size: int, layers: int) -> onnx.ModelProto:
    """Return 1x1 convolutions: little to compute for what they move."""
    net = Net(channels, size)
    x = "x"
    for _ in range(layers):
        x = net.conv(x, channels, act=RELU)
    return net.model([x])


def depthwise(channels: int, size: int, layers: int) -> onnx.ModelProto:
    """Return depthwise convolutions: all of it is memory."""
    net = Net(channels, size)
    x = "x"
    for _ in range(layers):
        x = net.conv(x, channels, 3, groups=channels, act=RELU)
    return net.model([x])


def tables(channels: int, size: int, layers: int) -> onnx.ModelProto:
    """Return 1x1 convolutions whose values all go through the activation table."""
    net = Net(channels, size)
    x = "x"
    for _ in range(layers):
        x = net.conv(x, channels, act=SIGMOID)
    return net.model([x])


def tasks(layers: int) -> onnx.ModelProto:
    """Return many layers of next to no work."""
    net = Net(32, 8)
    x = "x"
    for number in range(layers):
        x = net.conv(x, 32, act=RELU if number % 2 else NONE)
    return net.model([x])


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "dense_large": lambda: dense(64, 160, 4),
    "dense_small": lambda: dense(64, 80, 2),
    "pointwise": lambda: pointwise(64, 160, 6),
    "depthwise": lambda: depthwise(64, 160, 4),
    "tables_large": lambda: tables(32, 160, 4),
    "tables_small": lambda: tables(64, 80, 4),
    "tasks_many": lambda: tasks(60),
    "tasks_few": lambda: tasks(20),
}


def main() -> int:
    """Build and convert all of them."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, build in MODELS.items():
        path = OUTPUT / f"{name}.onnx"
        onnx.save(build(), path)
        for target in TARGETS:
            output = path.with_name(f"{name}_{target}.rknn")
            config = {"single_core_mode": True} if target == "rk3588" else {}
            run_job(
                find_environment(),
                ConversionJob(path, target, "int8", output=output, samples=1, config=config),
            )
            print(output.name, output.stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
