"""Rules for what crosses channels or positions: commands and weights read from files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import open_onnx, predict_size
from rkbench.onnx.constants import constant_values
from rkbench.onnx.fusion import Fuser
from rkbench.onnx.fusion.effort import efforts
from rkbench.rknn.targets import Dtype


def register_bytes(network: Network, folder: Path, target: str, dtype: Dtype, node: str) -> int:
    """Return the predicted register commands of the layer that bears a node's name."""
    graph = open_onnx(network.save(folder / "x.onnx")).graph
    layers = Fuser(graph, constant_values(graph)).run().layers
    found = zip(layers, efforts(layers, target, dtype), strict=True)
    return sum(effort.register_bytes for layer, effort in found if layer.node.name == node)


def weighted(network: Network, folder: Path, target: str, dtype: str, node: str) -> int:
    """Return the predicted constants of a node."""
    predicted = predict_size(network.save(folder / "x.onnx"), target, dtype)
    return sum(each.weight_bytes for each in predicted.nodes if each.name == node)


def gated(kernel: int, channels: int, height: int, width: int) -> Network:
    """Return a map times one of a single channel: the mean of the channels through a small convolution."""
    network = Network(1, 8, height, width).conv(8, channels, (1, 1))
    start = network.value
    network.add("ReduceMean", axes=[1], keepdims=1).conv(1, 1, (kernel, kernel)).add("Sigmoid")
    gate, network.value = network.value, start
    return network.add("Mul", gate, name="gate").conv(channels, 8, (1, 1))


@pytest.mark.parametrize(
    ("kernel", "size", "target", "dtype", "measured"),
    [
        (1, (16, 20, 20), "rk3588", "fp16", 7_680),
        (1, (16, 20, 20), "rk3568", "fp16", 7_424),
        (1, (16, 64, 64), "rk3588", "fp16", 66_816),
        (1, (16, 64, 64), "rk3568", "fp16", 66_560),
        (3, (64, 32, 32), "rk3588", "fp16", 1_536),
        (3, (64, 32, 32), "rk3568", "fp16", 1_600),
        (1, (16, 64, 64), "rk3588", "int8", 1_728),
    ],
)
def test_a_gate_of_one_channel_takes_a_task_for_eight_pixels_where_it_was_reduced_pixel_by_pixel(
    tmp_path: Path, kernel: int, size: tuple[int, int, int], target: str, dtype: Dtype, measured: int
) -> None:
    found = register_bytes(gated(kernel, *size), tmp_path, target, dtype, "gate")
    assert found == pytest.approx(measured, rel=0.27 if measured < 2_000 else 0.05)


def stacked(count: int, channels: int, side: int) -> Network:
    """Return the sum of several maps that a Concat stacks on a new axis."""
    network = Network(1, 8, side, side)
    start, maps = network.value, []
    axis = network.constant("axis", np.array([1]))
    for _ in range(count):
        network.value = start
        network.conv(8, channels).add("Unsqueeze", axis)
        maps.append(network.value)
    network.value = maps[0]
    network.add("Concat", *maps[1:], axis=1).add("ReduceSum", axis, keepdims=0, name="sum")
    return network.conv(channels, 8, (1, 1))


@pytest.mark.parametrize(
    ("count", "channels", "side", "target", "dtype", "measured"),
    [
        (2, 16, 20, "rk3588", "fp16", 2_112),
        (3, 32, 40, "rk3588", "fp16", 4_928),
        (3, 32, 40, "rk3588", "int8", 6_848),
        (2, 16, 20, "rk3568", "fp16", 3_072),
        (3, 32, 40, "rk3568", "fp16", 15_744),
        (3, 32, 40, "rk3568", "int8", 8_512),
    ],
)
def test_a_sum_of_stacked_maps_is_a_convolution_over_one_long_row(
    tmp_path: Path, count: int, channels: int, side: int, target: str, dtype: Dtype, measured: int
) -> None:
    found = register_bytes(stacked(count, channels, side), tmp_path, target, dtype, "sum")
    assert found == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(
    ("parts", "target", "measured"),
    [  # height and width of 64 x 128
        ((40, 60), "rk3588", 21_376),
        ((40, 100), "rk3588", 39_616),
        ((40, 140), "rk3588", 60_672),
        ((40, 180), "rk3588", 56_768),
        ((40, 60), "rk3568", 1_280),
    ],
)
def test_the_1x1_that_joins_parts_is_cut_like_any_convolution(
    tmp_path: Path, parts: tuple[int, int], target: str, measured: int
) -> None:
    network = Network(1, 16, 64, 128)
    start, maps = network.value, []
    for channels in parts:
        network.value = start
        maps.append(network.conv(16, channels).value)
    network.value = maps[0]
    network.add("Concat", *maps[1:], axis=1, name="join").add("MaxPool", kernel_shape=[2, 2])
    assert register_bytes(network, tmp_path, target, "fp16", "join") == pytest.approx(measured, rel=0.03)


@pytest.mark.parametrize(
    ("target", "dtype", "measured"),
    [("rk3588", "fp16", 1_664), ("rk3568", "fp16", 1_248), ("rk3588", "int8", 1_024)],
)
def test_a_convolution_along_the_channels_is_a_dense_1x1(
    tmp_path: Path, target: str, dtype: str, measured: int
) -> None:
    network = Network(1, 8, 20, 20).conv(8, 24)
    axis = network.constant("axis", np.array([1]))
    network.add("Unsqueeze", axis)
    network.add("Conv", network.weights("along", 1, 1, 5, 1, 1), pads=[2, 0, 0, 2, 0, 0], name="along")
    network.add("Squeeze", axis).conv(24, 8, (1, 1))
    assert weighted(network, tmp_path, target, dtype, "along") == pytest.approx(measured, rel=0.13)


@pytest.mark.parametrize(
    ("equation", "elements"),
    [
        ("byhwc,hkc->byhwk", 64 * 64),
        ("hbwyc,hkc->hbwyk", 0),
        ("byhwc,zkc->byhwzk", 0),
        ("yhwc,hkc->yhwk", 0),  # of four dimensions it is a Transpose
    ],
)
def test_positions_that_a_product_moved_are_put_in_order_by_a_dense_1x1(
    tmp_path: Path, equation: str, elements: int
) -> None:
    sizes = {"b": 1, "y": 2, "h": 4, "w": 8, "c": 16, "k": 4, "z": 3}
    left, right = (tuple(sizes[label] for label in side) for side in equation.split("->")[0].split(","))
    network = Network(*left)
    network.add("Einsum", network.weights("table", *right), equation=equation, name="product")
    found = weighted(network, tmp_path, "rk3588", "fp16", "product")
    assert found == pytest.approx(elements * 2, abs=700)  # beside the stored table itself


def test_a_sum_over_every_few_channels_is_a_convolution_for_each_of_them(tmp_path: Path) -> None:
    network = Network(1, 8, 28, 28).conv(8, 512, (1, 1))
    network.add("Reshape", network.constant("apart", np.array([1, 256, 2, 28, 28])))
    network.add("ReduceSum", network.constant("axis", np.array([2])), keepdims=0, name="sum")
    network.conv(256, 8, (1, 1))
    found = register_bytes(network, tmp_path, "rk3588", "fp16", "sum")
    assert found == pytest.approx(1_182_464, rel=0.04)


def test_a_concat_copies_every_map_of_a_batch(tmp_path: Path) -> None:
    network = Network(16, 8, 8, 8)
    start, maps = network.value, []
    for _ in range(8):
        network.value = start
        maps.append(network.conv(8, 8).value)
    network.value = maps[0]
    network.add("Concat", *maps[1:], axis=2, name="join").add("Relu")
    assert register_bytes(network, tmp_path, "rk3588", "fp16", "join") == 428_288


def test_the_scale_of_a_norm_is_no_product_with_zeros(tmp_path: Path) -> None:
    network = Network(1, 8, 8, 8).conv(8, 64)
    start = network.value
    network.add("ReduceMean", axes=[1], keepdims=1)
    mean, network.value = network.value, start
    network.add("Sub", mean)
    centred = network.value
    network.add("Mul", centred).add("ReduceMean", axes=[1], keepdims=1).add("Sqrt")
    deviation, network.value = network.value, centred
    network.add("Div", deviation).add("Mul", network.constant("scale", np.zeros((1, 64, 1, 1), "float32")))
    network.add("Add", network.constant("shift", np.ones((1, 64, 1, 1), "float32"))).conv(64, 8, name="last")
    predicted = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    assert [node.type for node in predicted.nodes].count("Conv") == 2


def test_a_convolution_along_time_too_lies_within_its_bounds(tmp_path: Path) -> None:
    network = Network(1, 3, 8, 28, 28)
    network.add("Conv", network.weights("w", 16, 3, 3, 3, 3), pads=[1] * 6)
    predicted = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    converted_bytes = 94_775  # by rknn-toolkit2 2.5.0
    assert predicted.file_bytes_high is not None
    assert predicted.file_bytes_low <= converted_bytes <= predicted.file_bytes_high
    assert predicted.weight_bytes > 16 * 3 * 27 * 2
