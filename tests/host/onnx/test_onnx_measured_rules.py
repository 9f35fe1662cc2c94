"""Rules that were measured on small networks of their own: from which size on a rewrite pays, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import fix


def rewrites(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> list[str]:
    """Return the rewrites that were applied; each result was verified with onnxruntime."""
    report = fix(network.save(folder / "x.onnx"), target, dtype, folder / "fixed.onnx")
    return [change.rewrite for change in report.changes]


@pytest.mark.parametrize(("window", "found"), [(8, ["pool_in_steps"]), (4, [])])
def test_wide_averages_are_taken_in_steps_from_8_pixels_on(
    tmp_path: Path, window: int, found: list[str]
) -> None:
    network = Network(1, 16, 64, 64)
    network.add("AveragePool", kernel_shape=[window] * 2, strides=[window] * 2)
    assert rewrites(network, tmp_path) == found


@pytest.mark.parametrize(("patch", "found"), [(8, ["patchify"]), (4, [])])
def test_patches_become_channels_from_8_pixels_on(tmp_path: Path, patch: int, found: list[str]) -> None:
    network = Network(1, 3, 64, 64)
    weights = network.weights("w", 32, 3, patch, patch)
    network.add("Conv", weights, kernel_shape=[patch] * 2, strides=[patch] * 2)
    assert rewrites(network, tmp_path) == found


@pytest.mark.parametrize(("target", "found"), [("rk3568", ["two_means"]), ("rk3588", [])])
def test_a_global_average_is_two_means_on_one_core_only(
    tmp_path: Path, target: str, found: list[str]
) -> None:
    network = Network(1, 16, 14, 14).conv(16, 64, (1, 1)).add("GlobalAveragePool")
    assert rewrites(network, tmp_path, target) == found


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_bilinear_enlargement_by_a_whole_factor_is_a_transposed_convolution(
    tmp_path: Path, factor: int
) -> None:
    network = Network(1, 8, 7, 9).conv(8, 8)
    scales = network.constant("scales", np.array([1, 1, factor, factor], "float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="half_pixel").conv(8, 8)
    assert rewrites(network, tmp_path) == ["bilinear"]


@pytest.mark.parametrize(
    ("target", "dtype", "before", "after"),
    [
        ("rk3588", "fp16", 204_916, 193_844),
        ("rk3588", "int8", 135_182, 114_510),
        ("rk3568", "fp16", 262_196, 246_324),
        ("rk3568", "int8", 205_134, 183_950),
    ],
)
def test_prediction_sees_what_an_enlargement_gains(
    tmp_path: Path, target: str, dtype: str, before: int, after: int
) -> None:
    """Sizes of conversions: 64 channels of 14x14 by 4, between two 3x3."""
    network = Network(1, 64, 14, 14).conv(64, 64)
    scales = network.constant("scales", np.array([1, 1, 4, 4], "float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="half_pixel").conv(64, 64)
    report = fix(network.save(tmp_path / "x.onnx"), target, dtype, tmp_path / "out.onnx")
    assert [change.rewrite for change in report.changes] == ["bilinear"]
    assert abs(report.before.file_bytes / before - 1) < 0.13
    assert abs(report.after.file_bytes / after - 1) < 0.06


def test_align_corners_is_another_interpolation(tmp_path: Path) -> None:
    network = Network(1, 8, 7, 9)
    scales = network.constant("scales", np.array([1, 1, 2, 2], "float32"))
    network.add("Resize", "", scales, mode="linear", coordinate_transformation_mode="align_corners")
    assert rewrites(network, tmp_path) == []
