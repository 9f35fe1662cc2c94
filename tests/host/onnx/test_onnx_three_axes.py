"""3-D convolutions: the compiler lays the depth among the channels, and the size is that of the 2-D ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_networks import Network
from rkbench.onnx import fix, predict_size
from rkbench.onnx.prediction import LAID_FLAT


def plain() -> Network:
    network = Network(1, 3, 8, 32, 32).conv(3, 16, (3, 3, 3)).add("Relu")
    network.conv(16, 32, (3, 3, 3), strides=[2, 2, 2], name="halved").add("Relu")
    return network.conv(32, 32, (3, 3, 3))


def depthwise() -> Network:
    network = Network(1, 3, 8, 32, 32).conv(3, 32, (1, 3, 3)).add("Relu")
    return network.conv(32, 32, (3, 3, 3), 32).add("Relu").conv(32, 16, (1, 1, 1))


def transposed() -> Network:
    network = Network(1, 3, 8, 32, 32).conv(3, 32, (3, 3, 3), strides=[2, 2, 2]).add("Relu")
    kernel, bias = network.weights("kernel", 32, 16, 2, 2, 2), network.weights("bias", 16)
    return network.add("ConvTranspose", kernel, bias, kernel_shape=[2, 2, 2], strides=[2, 2, 2])


@pytest.mark.parametrize(
    ("network", "dtype", "file_bytes"),
    [
        (plain(), "fp16", 702_005),
        (plain(), "int8", 375_887),
        (depthwise(), "fp16", 1_447_413),
        (transposed(), "fp16", 229_106),
    ],
)
def test_it_is_predicted_within_3_percent_of_conversions_for_rk3588(
    tmp_path: Path, network: Network, dtype: str, file_bytes: int
) -> None:
    prediction = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", dtype)  # type: ignore[arg-type]
    assert abs(prediction.file_bytes - file_bytes) < 0.03 * file_bytes


def test_it_is_said_what_the_kernel_is_stored_as_and_what_it_needs(tmp_path: Path) -> None:
    prediction = predict_size(plain().save(tmp_path / "x.onnx"), "rk3588", "fp16")
    node = next(node for node in prediction.nodes if node.name == "halved")
    assert node.becomes == LAID_FLAT
    assert node.note.startswith("a 3-D kernel (32x16x3x3x3 in the ONNX)")
    assert node.excess_bytes == 2 * 9 * (128 * 128 - 3 * 16 * 32) + 4 * 128  # and a bias for each channel


@pytest.mark.parametrize(("patch", "found"), [((2, 16, 16), ["patchify"]), ((8, 8, 8), [])])
def test_patches_of_a_video_are_laid_below_each_other(
    tmp_path: Path, patch: tuple[int, ...], found: list[str]
) -> None:
    """VideoMAE's embedding. Deep patches grow: of 8x8x8 108,341 -> 108,405 bytes (rk3568 fp16)."""
    network = Network(1, 3, 8, 64, 64)
    weights = network.weights("patches", 32, 3, *patch)
    network.add("Conv", weights, kernel_shape=list(patch), strides=list(patch))
    path = network.save(tmp_path / "m.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == found
    assert not found or report.after.file_bytes < report.before.file_bytes / 2
