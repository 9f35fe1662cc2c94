"""Norms of small maps and many channels: to write them as averages made files larger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import fix


def rewritten(folder: Path, channels: int, size: int, target: str, dtype: str) -> set[str]:
    """Return the rewrites that are made of one norm of a map between convolutions."""
    network = Network(1, channels, size, size).conv(channels, channels, (3, 3)).add("Relu")
    scale = network.constant("scale", np.ones(channels, "float32"))
    bias = network.constant("bias", np.zeros(channels, "float32"))
    network.add("InstanceNormalization", scale, bias).add("Relu").conv(channels, channels, (3, 3))
    report = fix(network.save(folder / "model.onnx"), target, dtype, folder / "fixed.onnx")
    return {change.rewrite for change in report.changes}


@pytest.mark.parametrize(
    ("channels", "size", "target", "dtype", "made"),
    [
        (64, 16, "rk3568", "fp16", set()),  # 181,300 -> 207,476 bytes
        (64, 16, "rk3588", "fp16", set()),  # 208,244 -> 235,700
        (64, 16, "rk3588", "int8", set()),  # 141,966 -> 144,974
        (64, 16, "rk3568", "int8", set()),  # 123,022 -> 134,222
        (64, 8, "rk3588", "int8", {"pooled_norm"}),  # 265,162 -> 136,714
        (16, 64, "rk3568", "fp16", {"pooled_norm"}),  # 209,076 -> 152,052, and 334,260 in two means
        (32, 64, "rk3568", "fp16", {"pooled_norm", "two_means"}),  # 240,756 -> 193,268 -> 175,348
    ],
)
def test_a_norm_is_written_as_averages_where_that_was_smaller(
    tmp_path: Path, channels: int, size: int, target: str, dtype: str, made: set[str]
) -> None:
    assert rewritten(tmp_path, channels, size, target, dtype) == made


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize(("scaled", "made"), [(False, {"pooled_norm"}), (True, {"pooled_norm", "two_means"})])
def test_averages_of_a_norm_that_a_prelu_reads_stay_whole(
    tmp_path: Path, target: str, scaled: bool, made: set[str]
) -> None:
    """In two means they took 516,276 bytes instead of 176,308 (rk3568), with a scale 161,332 for 179,380."""
    network = Network(1, 16, 64, 64).conv(16, 32, (3, 3))
    scale = network.constant("scale", np.full(32, 2.0 if scaled else 1.0, "float32"))
    network.add("InstanceNormalization", scale, network.constant("zeros", np.zeros(32, "float32")))
    network.add("PRelu", network.constant("slope", np.full((1, 1, 1), 0.2, "float32"))).conv(32, 16, (3, 3))
    path = network.save(tmp_path / "x.onnx")
    report = fix(path, target, "fp16", tmp_path / "fixed.onnx", judges_whole=False)
    assert {change.rewrite for change in report.changes} == made
