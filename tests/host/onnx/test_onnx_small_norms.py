"""Norms of small maps and many channels: to write them as averages made files larger."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import fix
from rkbench.onnx.rewrites import chosen

POOLED = "pooled_norm"


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
        (64, 16, "rk3568", "fp16", set()),  # 181,300 -> 207,476 bytes with whole averages
        (64, 16, "rk3588", "fp16", set()),  # 208,948 -> 208,948
        (64, 16, "rk3588", "int8", {"pooled_norm"}),  # 142,734 -> 124,750
        (64, 16, "rk3568", "int8", set()),  # 123,726 -> 126,606
        (64, 8, "rk3588", "int8", {"pooled_norm"}),  # 265,930 -> 122,122
        (16, 64, "rk3568", "fp16", {"pooled_norm"}),  # 209,716 -> 142,516
        (32, 64, "rk3568", "fp16", {"pooled_norm"}),  # 241,396 -> 174,708
        (64, 10, "rk3568", "fp16", {"pooled_norm"}),  # rows of no whole blocks: 64,236 -> 52,460
    ],
)
def test_a_norm_is_written_as_averages_where_that_was_smaller(
    tmp_path: Path, channels: int, size: int, target: str, dtype: str, made: set[str]
) -> None:
    assert rewritten(tmp_path, channels, size, target, dtype) == made


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize("scaled", [False, True])
def test_averages_of_a_norm_that_a_prelu_reads_are_pools_too(
    tmp_path: Path, target: str, scaled: bool
) -> None:
    """In two means they took 516,276 bytes; with pools 221,812 -> 156,148 (rk3568), 219,956 -> 87,348."""
    network = Network(1, 16, 64, 64).conv(16, 32, (3, 3))
    scale = network.constant("scale", np.full(32, 2.0 if scaled else 1.0, "float32"))
    network.add("InstanceNormalization", scale, network.constant("zeros", np.zeros(32, "float32")))
    network.add("PRelu", network.constant("slope", np.full((1, 1, 1), 0.2, "float32"))).conv(32, 16, (3, 3))
    path = network.save(tmp_path / "x.onnx")
    report = fix(path, target, "fp16", tmp_path / "fixed.onnx", judges_whole=False)
    assert {change.rewrite for change in report.changes} == {"pooled_norm"}


def in_groups(channels: int, size: int, groups: int) -> Network:
    """Return a norm over groups of channels as exporters write it: rows, and a scale behind them."""
    network = Network(1, 16, size, size).conv(16, channels, (1, 1))
    network.add("Reshape", network.constant("rows", np.array([1, groups, -1])))
    ones = network.constant("ones", np.ones(groups, "float32"))
    network.add("InstanceNormalization", ones, network.constant("zeros", np.zeros(groups, "float32")))
    network.add("Reshape", network.constant("map", np.array([1, channels, size, size])))
    network.add("Mul", network.constant("scale", np.linspace(1, 2, channels, dtype="float32")[:, None, None]))
    return network.conv(channels, 8, (1, 1))


@pytest.mark.parametrize(
    ("channels", "size", "groups", "target", "dtype", "pays"),
    [
        (128, 28, 32, "rk3588", "fp16", True),  # two norms: 1,462,573 -> 270,125 bytes
        (128, 28, 32, "rk3568", "int8", True),  # 549,959 -> 169,415
        (64, 56, 1, "rk3568", "fp16", True),  # 232,428 -> 213,228
        (128, 7, 32, "rk3588", "fp16", False),  # 169,641 -> 268,457
        (32, 8, 4, "rk3568", "fp16", False),  # 81,192 -> 107,816
        (512, 7, 1, "rk3568", "int8", False),  # 688,003 -> 712,323
        (64, 32, 1, "rk3588", "fp16", True),  # as 4x256: 127,028 -> 116,724
        (64, 32, 1, "rk3568", "fp16", False),  # 99,572 -> 105,844
        (128, 8, 1, "rk3588", "int8", False),  # as 4x16: 111,694 -> 123,534
        (128, 12, 128, "rk3568", "fp16", True),  # MedNeXt's, each channel a row of its own
        (128, 6, 128, "rk3568", "fp16", True),
        (128, 6, 128, "rk3588", "fp16", False),
        (128, 6, 128, "rk3568", "int8", False),
    ],
)
def test_a_norm_over_groups_averages_the_averages_of_its_channels(
    channels: int, size: int, groups: int, target: str, dtype: str, pays: bool, tmp_path: Path
) -> None:
    path = in_groups(channels, size, groups).save(tmp_path / "x.onnx")
    report = fix(path, target, dtype, tmp_path / "y.onnx", judges_whole=False, rewrites=chosen([POOLED]))
    of_the_cpu = "that and its root" if dtype == "int8" else "that"
    norm = f"normalization of {channels} channels in {groups} groups"
    said = f"{norm} -> averages and a quotient; the CPU computes {of_the_cpu}"
    assert [str(change.description) for change in report.changes] == [said] * pays
    assert report.verification is None or report.verification.relative_difference < 1e-5


def test_rows_of_two_halves_of_a_map_are_no_groups_of_it(tmp_path: Path) -> None:
    network = Network(1, 16, 28, 28).conv(16, 64, (1, 1))
    network.add("Reshape", network.constant("rows", np.array([2, 8, -1])))
    ones, zeros = (network.constant(f"all{number}", np.full(8, number, "float32")) for number in (1, 0))
    network.add("InstanceNormalization", ones, zeros)
    network.add("Reshape", network.constant("map", np.array([1, 64, 28, 28]))).conv(64, 8, (1, 1))
    path = network.save(tmp_path / "x.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx", rewrites=chosen([POOLED]), judges_whole=False)
    assert report.changes == ()


def test_short_constants_in_another_file_are_read_and_written(tmp_path: Path) -> None:
    network = Network(1, 8, 56, 56).conv(8, 8, (1, 1))
    network.add("InstanceNormalization", network.weights("scale", 8), network.weights("bias", 8))
    network.add("Conv", network.weights("w", 8, 8, 1, 1), "scale")
    model = onnx.load(network.save(tmp_path / "plain.onnx"))
    path = tmp_path / "x.onnx"
    onnx.save(model, path, save_as_external_data=True, location="x.data", size_threshold=0)
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx", rewrites=chosen([POOLED]), judges_whole=False)
    assert [change.rewrite for change in report.changes] == [POOLED]
