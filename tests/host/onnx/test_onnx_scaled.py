"""Scales, stacks and windows: layers whose commands were predicted far from what files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import Prediction, open_onnx, predict_size
from rkbench.onnx.values import static_shape


def commands_of(prediction: Prediction, name: str) -> int:
    """Return the predicted commands, tasks and structure of one node."""
    return next(node.command_bytes or 0 for node in prediction.nodes if node.name == name)


@pytest.mark.parametrize(("operator", "most"), [("Mul", 2_000), ("Add", 7_000)])
def test_a_product_with_a_vector_is_one_core_s_task(tmp_path: Path, operator: str, most: int) -> None:
    """Of the rk3588: 760 bytes beside the structure, while a sum is cut for three cores, 5,560 bytes."""
    network = Network(1, 16, 28, 28).conv(16, 32, (3, 3)).add("Relu")
    factors = network.constant("factors", np.linspace(1, 2, 32, dtype="float32").reshape(32, 1, 1))
    network.add(operator, factors, name="scaled").add("MaxPool", kernel_shape=[2, 2])
    found = commands_of(predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16"), "scaled")
    assert most - 1_500 < found < most


def test_a_shift_behind_the_scale_of_each_channel_is_no_layer(tmp_path: Path) -> None:
    network = Network(1, 16, 28, 28).conv(16, 32, (3, 3)).add("Relu")
    factors = network.constant("factors", np.linspace(1, 2, 32, dtype="float32").reshape(32, 1, 1))
    shifts = network.constant("shifts", np.linspace(1, 2, 32, dtype="float32").reshape(32, 1, 1))
    network.add("Mul", factors, name="scaled").add("Add", shifts, name="shifted")
    network.add("MaxPool", kernel_shape=[2, 2])
    assert commands_of(predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16"), "shifted") == 0


@pytest.mark.parametrize(
    ("target", "dtype", "bytes_"),
    [("rk3588", "fp16", 313_288), ("rk3588", "int8", 358_600)],
)
def test_maps_stacked_behind_their_pixels_are_summed_channel_by_channel(
    tmp_path: Path, target: str, dtype: str, bytes_: int
) -> None:
    """Commands and tasks of the file: EfficientDet-Lite0 sums so, 64 channels of 32x32."""
    network = Network(1, 64, 32, 32).conv(64, 64, (1, 1), name="one")
    axis = network.constant("axis", np.array([-1]))
    one = network.add("Unsqueeze", axis, name="first").value
    network.value = "one_out"
    network.add("Relu").add("Unsqueeze", axis, name="second").add("Concat", one, axis=-1)
    network.add("ReduceSum", axis, name="sum", keepdims=0).conv(64, 8, (1, 1))
    prediction = predict_size(network.save(tmp_path / "x.onnx"), target, dtype)
    assert abs(commands_of(prediction, "sum") / bytes_ - 1) < 0.15


def test_a_softmax_over_windows_takes_tasks_for_each(tmp_path: Path) -> None:
    """16 windows of 2 heads took 29,696 bytes and 462 tasks in SepViT, rk3588 in fp16."""
    network = Network(16, 2, 50, 50).add("Sigmoid").add("Softmax", axis=-1, name="soft")
    found = commands_of(predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16"), "soft")
    assert abs(found / (29_696 + 462 * 40) - 1) < 0.15


def test_sizes_are_followed_through_a_clip(tmp_path: Path) -> None:
    """So exporters write the padding of TensorFlow: without it no shape behind it was known."""
    network = Network(1, 8, 28, 28)
    source = network.value
    network.add("Shape").add("Gather", network.constant("second", np.array([2])), axis=0)
    network.add("Clip", network.constant("least", np.array(0)), network.constant("most", np.array(20)))
    size, network.value = network.value, source
    start, axis = network.constant("start", np.array([0])), network.constant("axis", np.array([2]))
    network.add("Slice", start, size, axis).conv(8, 4, (1, 1), name="behind")
    graph = open_onnx(network.save(tmp_path / "x.onnx")).graph
    assert static_shape(graph[-1].outputs[0]) == (1, 4, 20, 28)
