"""Make the small samples of the cause rules: networks of one idea each, converted by rknn-toolkit2 2.5.0.

    .venv/bin/python tests/data/models/make_small_samples.py

`bench toolkit install` first. Weights come from a fixed seed; two builds
differ in 1-2 kB of uninitialised bytes, never in size.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rkbench.toolkit.environment import find_environment
from rkbench.toolkit.jobs import ConversionJob, run_job

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


class Network:
    """A chain of operators with random weights; `current` is the last tensor."""

    def __init__(self, shape: list[int]) -> None:
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.current = "x"
        self.rng = np.random.default_rng(7)

    def weight(self, *shape: int) -> str:
        """Add a weight of standard normal values."""
        return self.constant(self.rng.standard_normal(shape).astype("float32"))

    def constant(self, values: np.ndarray) -> str:
        """Add a constant."""
        name = f"w_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object) -> None:
        """Add an operator that reads the current tensor first."""
        names = [f"{kind}_{len(self.nodes)}", *(f"{kind}_{len(self.nodes)}_{i}" for i in range(1, outputs))]
        node = helper.make_node(kind, [self.current, *inputs], names, name=names[0], **attributes)
        self.nodes.append(node)
        self.current = names[0]

    def convolve(self, inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> None:
        """Add a convolution with bias and ReLU that keeps the size of the map."""
        weights = self.weight(outputs, inputs // groups, kernel, kernel)
        pads = [kernel // 2] * 4
        self.add("Conv", weights, self.weight(outputs), pads=pads, kernel_shape=[kernel] * 2, group=groups)
        self.add("Relu")

    def save(self, path: Path) -> None:
        """Write the ONNX."""
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(self.current, TensorProto.FLOAT, None)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


def multiplier() -> Network:
    """A depthwise convolution with two filters per channel."""
    network = Network([1, 64, 14, 14])
    network.convolve(64, 128, groups=64)
    return network


def grouped() -> Network:
    """Two grouped convolutions of 4 channels per group, and a dense one."""
    network = Network([1, 64, 14, 14])
    network.convolve(64, 64, groups=16)
    network.convolve(64, 64, groups=16)
    network.convolve(64, 64, 1)
    return network


def recurrent() -> Network:
    """A GRU of 16 states over 8 steps."""
    network = Network([8, 1, 16])
    network.add(
        "GRU", network.weight(1, 48, 16), network.weight(1, 48, 16), network.weight(1, 96),
        outputs=2, hidden_size=16, linear_before_reset=1,
    )  # fmt: skip
    network.add("Squeeze", network.constant(np.array([1])))
    return network


def gated() -> Network:
    """An LSTM of 64 states over 2 steps."""
    network = Network([2, 1, 64])
    network.add(
        "LSTM", network.weight(1, 256, 64), network.weight(1, 256, 64), network.weight(1, 512),
        outputs=3, hidden_size=64,
    )  # fmt: skip
    network.add("Squeeze", network.constant(np.array([1])))
    return network


def resized() -> Network:
    """A bilinear resize by 8."""
    network = Network([1, 16, 16, 16])
    network.convolve(16, 16, 1)
    scales = network.constant(np.array([1, 1, 8, 8], dtype="float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    network.convolve(16, 4, 1)
    return network


def on_cpu() -> Network:
    """An Erf, which the NPU does not have, between two convolutions."""
    network = Network([1, 64, 14, 14])
    network.convolve(64, 64)
    network.add("Erf")
    network.convolve(64, 64)
    return network


def windows() -> Network:
    """Attention of 2 heads in 8 windows of 25 positions, with one bias for all windows."""
    network = Network([1, 16, 10, 20])
    network.convolve(16, 16, 1)
    network.add("Reshape", network.constant(np.array([8, 25, 16])))
    positions, heads = network.current, {}
    for name, order in (("query", (0, 2, 1, 3)), ("key", (0, 2, 3, 1)), ("value", (0, 2, 1, 3))):
        network.current = positions
        network.add("MatMul", network.weight(16, 16))
        network.add("Reshape", network.constant(np.array([8, 25, 2, 8])))
        network.add("Transpose", perm=order)
        heads[name] = network.current
    network.current = heads["query"]
    network.add("MatMul", heads["key"])
    network.add("Add", network.weight(1, 2, 25, 25))
    network.add("Softmax", axis=-1)
    network.add("MatMul", heads["value"])
    network.add("Transpose", perm=(0, 2, 1, 3))
    network.add("Reshape", network.constant(np.array([8, 25, 16])))
    network.add("MatMul", network.weight(16, 16))
    return network


SAMPLES = (
    (multiplier, "rk3588", "int8", "dwm_c64_m2_rk3588_i8"),
    (grouped, "rk3588", "fp16", "grouped_c64_g16_rk3588_fp"),
    (grouped, "rk3568", "int8", "grouped_c64_g16_rk3568_i8"),
    (recurrent, "rk3588", "fp16", "gru_h16_rk3588_fp"),
    (gated, "rk3568", "fp16", "lstm_h64_rk3568_fp"),
    (resized, "rk3588", "int8", "resize8_c16_rk3588_i8"),
    (on_cpu, "rk3588", "int8", "erf_rk3588_i8"),
    (windows, "rk3568", "int8", "windows_rk3568_i8"),
)


def main() -> None:
    """Convert all samples into the folder of this script."""
    with tempfile.TemporaryDirectory() as folder:
        for network, target, dtype, name in SAMPLES:
            source = Path(folder) / f"{network.__name__}.onnx"
            network().save(source)
            answer = run_job(
                find_environment(), ConversionJob(source, target, dtype, output=HERE / f"{name}.rknn")
            )
            print(name, answer.size_bytes)


if __name__ == "__main__":
    main()
