"""What the compiler makes of kernels that are maps, of stored operands, and of windows that are normed.

Bytes of constants and sizes of files of toolkit 2.5.0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import Prediction, predict_size
from rkbench.onnx.prediction import BY_POSITIONS, MULTIPLIED, ROLLED, PredictedNode


def saved(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> Prediction:
    return predict_size(network.save(folder / "n.onnx"), target, dtype)


def node(prediction: Prediction, name: str) -> PredictedNode:
    return next(each for each in prediction.nodes if each.name == name)


def test_a_convolution_by_a_map_is_a_convolution_without_weights(tmp_path: Path) -> None:
    """GFPGAN, 128 channels of 8x8: 8,472 bytes of commands, tasks and structure, and no constants."""
    network = Network(1, 128, 8, 8)
    kernel = network.weights("kernel", 128, 128, 3, 3)
    source = network.value
    style = network.add("ReduceMean", axes=[2, 3], keepdims=1).value
    network.value = kernel
    network.add("Mul", style)
    modulated, network.value = network.value, source
    network.add("Conv", modulated, name="modulated", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    found = node(saved(network, tmp_path), "modulated")
    assert found.becomes != MULTIPLIED
    assert found.weight_bytes == 0
    assert found.command_bytes == pytest.approx(8_472, rel=0.15)


@pytest.mark.parametrize(
    ("shape", "target", "dtype", "stored"),
    [
        ((1, 128, 128, 3, 3), "rk3588", "fp16", 393_216),  # GFPGAN's kernels: 9 pixels are 12
        ((1, 128, 128, 3, 3), "rk3568", "int8", 196_608),
        ((1, 1, 128, 32), "rk3588", "int8", 65_536),  # Beat This: one channel is 16
        ((1, 1, 128, 32), "rk3568", "fp16", 32_768),
        ((4, 49, 49), "rk3588", "int8", 13_312),  # WavLM's positions ...
        ((1, 129, 384), "rk3588", "fp16", 101_376),  # ... and ViTSTR's: channels stand last
        ((1, 4, 50, 50), "rk3588", "fp16", 40_000),
    ],
)
def test_a_stored_operand_is_filled_up_as_a_map_is(
    tmp_path: Path, shape: tuple[int, ...], target: str, dtype: str, stored: int
) -> None:
    network = Network(*shape)
    network.add("Mul", network.weights("operand", *shape), name="scaled")
    assert node(saved(network, tmp_path, target, dtype), "scaled").weight_bytes == stored


def windows(behind: str, *, shift: int = 4, joined: bool = False) -> Network:
    """Return four windows of 8x8 of which a map is made, rolled back, and its positions read."""
    channels = 8
    network = Network(4, 64, channels)
    network.add("MatMul", network.weights("projection", channels, channels))
    if joined:
        network.add("Reshape", network.constant("heads", np.array([4, 64, 2, channels // 2])))
        network.add("Transpose", perm=[0, 2, 1, 3]).add("Transpose", perm=[0, 2, 1, 3])
    network.add("Reshape", network.constant("maps", np.array([4, 8, 8, channels])))
    network.add("Reshape", network.constant("parts", np.array([1, 2, 2, 8, 8, channels])))
    network.add("Transpose", perm=[0, 1, 3, 2, 4, 5])
    network.add("Reshape", network.constant("whole", np.array([1, 16, 16, channels])))
    for axis in (1, 2) if shift else ():
        value, pieces = network.value, []
        for start, end in ((16 - shift, 2**62), (0, 16 - shift)):
            ends = [
                network.constant(f"at{axis}{start}{each}", np.array([each])) for each in (start, end, axis)
            ]
            network.value = value
            pieces.append(network.add("Slice", *ends).value)
        network.value = pieces[0]
        network.add("Concat", pieces[1], axis=axis)
    network.add("Reshape", network.constant("positions", np.array([1, 256, channels])))
    if behind == "norm":
        normed(network, channels)
    return network.add("MatMul", network.weights("last", channels, channels))


def normed(network: Network, channels: int) -> None:
    value = network.value
    mean = network.add("ReduceMean", name="mean", axes=[-1], keepdims=1).value
    network.value = value
    difference = network.add("Sub", mean).value
    network.add("Mul", difference).add("ReduceMean", axes=[-1], keepdims=1)
    root = network.add("Add", network.constant("epsilon", np.float32(1e-5))).add("Sqrt").value
    network.value = difference
    network.add("Div", root).add("Mul", network.weights("scale", channels))
    network.add("Add", network.weights("offset", channels))


@pytest.mark.parametrize(("shift", "size"), [(0, 4_741_040), (4, 4_753_968)])
def test_positions_of_windows_that_are_normed_are_a_map_each(tmp_path: Path, shift: int, size: int) -> None:
    prediction = saved(windows("norm", shift=shift), tmp_path)
    assert prediction.file_bytes == pytest.approx(size, rel=0.15)
    assert node(prediction, "mean").becomes == BY_POSITIONS
    assert all(each.becomes != ROLLED for each in prediction.nodes)


def test_a_roll_of_windows_whose_heads_were_just_joined_has_no_kernel(tmp_path: Path) -> None:
    """GRL: 67 MB of kernels were said of two rolls, and there are none."""
    assert all(each.becomes != ROLLED for each in saved(windows("", joined=True), tmp_path).nodes)
    assert any(each.becomes == ROLLED for each in saved(windows(""), tmp_path).nodes)


MASKED_CONSTANTS = 427_680
"""Of the attention of 64 windows in Swin: the bias for each of 128 maps, and its softmax; no mask (int8)."""


def test_a_mask_of_shifted_windows_goes_into_the_bias(tmp_path: Path) -> None:
    count, heads, positions = 64, 2, 49
    network = Network(count, heads, positions, 32)
    query = network.value
    keys = network.add("Relu").add("Transpose", perm=[0, 1, 3, 2]).value
    network.value = query
    network.add("MatMul", keys, name="scores")
    network.add("Add", network.weights("bias", 1, heads, positions, positions))
    network.add("Reshape", network.constant("apart", np.array([1, count, heads, positions, positions])))
    network.add("Add", network.weights("mask", 1, count, 1, positions, positions))
    network.add("Reshape", network.constant("together", np.array([count, heads, positions, positions])))
    network.add("Softmax", axis=-1).add("MatMul", query)
    prediction = saved(network, tmp_path, "rk3588", "int8")
    assert prediction.weight_bytes == pytest.approx(MASKED_CONSTANTS, rel=0.01)
    assert sum(each.becomes == MULTIPLIED for each in prediction.nodes) == 1


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
def test_several_cores_read_turned_values_as_they_lie(tmp_path: Path, target: str) -> None:
    """Transposes of values before a product by a softmax: 0 bytes of 400 kB each in FDAT, on the rk3588."""
    network = Network(1, 3, 32, 32)
    scores = network.add("Softmax", axis=-1).value
    network.value = "x"
    network.add("MatMul", network.weights("wide", 32, 32)).add("Relu")
    values = network.add("Transpose", name="turn", perm=[0, 1, 3, 2]).value
    network.value = scores
    network.add("MatMul", values)
    size = node(saved(network, tmp_path, target), "turn").command_bytes or 0
    assert size < 1_500 if target == "rk3588" else size > 5_000
