"""Global averages by pools of at most seven pixels: which windows, where, and that nothing changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from rkbench.onnx import fix
from rkbench.onnx.rewrites import chosen
from rkbench.onnx.rewrites.averaging import windows_of

SINGLE = "pooled_average"


@pytest.mark.parametrize(
    ("size", "pools", "left"),
    [
        ((7, 7), ((7, 1),), (1, 7)),
        ((14, 14), ((7, 7),), (2, 2)),
        ((56, 56), ((7, 7), (4, 4)), (2, 2)),
        ((7, 20), ((1, 5), (7, 1)), (1, 4)),
        ((3, 3), (), (3, 3)),
        ((13, 13), (), (13, 13)),
        ((22, 22), ((2, 2),), (11, 11)),
    ],
)
def test_the_largest_windows_that_tile_a_map_come_first(
    size: tuple[int, int], pools: tuple[tuple[int, int], ...], left: tuple[int, int]
) -> None:
    assert windows_of(*size) == (pools, left)


def averaged(channels: int, height: int, width: int) -> Network:
    """Return a network that ends in the average of a map."""
    network = Network(1, 16, height, width).conv(16, channels, (1, 1))
    return network.add("GlobalAveragePool").conv(channels, 10, (1, 1))


@pytest.mark.parametrize(
    ("operator", "attributes"), [("GlobalAveragePool", {}), ("AveragePool", {"kernel_shape": [100]})]
)
@pytest.mark.parametrize(("target", "dtype"), [("rk3588", "fp16"), ("rk3588", "int8"), ("rk3568", "int8")])
def test_the_average_of_a_signal_is_taken_by_pools_too(
    operator: str, attributes: dict[str, list[int]], target: str, dtype: str, tmp_path: Path
) -> None:
    """Three averages of 128 channels, 100 long, became 22,784, 20,864 and 20,736 bytes smaller."""
    network = Network(1, 16, 100).conv(16, 128, (1,)).add(operator, **attributes).conv(128, 10, (1,))
    path, target_path = network.save(tmp_path / "x.onnx"), tmp_path / "y.onnx"
    report = fix(path, target, dtype, target_path, rewrites=chosen([SINGLE]), judges_whole=False)
    assert [str(change.description) for change in report.changes] == [
        "average over 1x100 -> 1x5 1x5, then the rest"
    ]
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    kernels = [
        list(attribute.ints)
        for node in onnx.load(target_path).graph.node
        if node.op_type == "AveragePool"
        for attribute in node.attribute
        if attribute.name == "kernel_shape"
    ]
    assert kernels == [[5], [5]]


def test_the_means_of_a_norm_over_features_are_no_signals(tmp_path: Path) -> None:
    network = Network(1, 100, 64)
    network.add("ReduceMean", axes=[2]).add("Relu")
    path = network.save(tmp_path / "x.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx", rewrites=chosen([SINGLE]), judges_whole=False)
    assert report.changes == ()


@pytest.mark.parametrize(
    ("shape", "target", "dtype", "pools"),
    [
        ((1280, 7, 7), "rk3588", "fp16", 1),  # 225,768 -> 119,462 bytes
        ((64, 14, 14), "rk3588", "int8", 1),  # 35,780 -> 28,164
        ((64, 56, 56), "rk3588", "int8", 2),  # 47,812 -> 29,380
        ((64, 14, 14), "rk3568", "fp16", 1),  # 27,114 -> 18,922
        ((1280, 7, 7), "rk3568", "fp16", 0),  # 216,936 -> 109,288, and 88,168 in two means
        ((16, 3, 3), "rk3588", "fp16", 0),
        ((64, 13, 13), "rk3588", "fp16", 0),
    ],
)
def test_a_global_average_is_taken_by_pools_where_that_was_smaller(
    shape: tuple[int, int, int], target: str, dtype: str, pools: int, tmp_path: Path
) -> None:
    path = averaged(*shape).save(tmp_path / "x.onnx")
    report = fix(path, target, dtype, tmp_path / "y.onnx", rewrites=chosen([SINGLE]), judges_whole=False)
    assert len(report.changes) == bool(pools)
    if report.verification is not None:
        assert report.verification.relative_difference < 1e-5
        nodes = onnx.load(tmp_path / "y.onnx").graph.node
        assert [node.op_type for node in nodes].count("AveragePool") == pools


@pytest.mark.parametrize("pads", [[1, 1, 0, 0], [0, 0, 1, 1]])
def test_a_window_that_reads_padding_averages_no_whole_map(pads: list[int], tmp_path: Path) -> None:
    network = Network(1, 16, 14, 14).conv(16, 64, (1, 1))
    network.add("AveragePool", kernel_shape=[14, 14], strides=[14, 14], pads=pads)
    path = network.conv(64, 10, (1, 1)).save(tmp_path / "x.onnx")
    averages = chosen([SINGLE, "two_means"])
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx", rewrites=averages, judges_whole=False)
    assert report.changes == ()


def test_the_pads_of_a_pad_are_written_as_numbers_that_the_converter_may_set(tmp_path: Path) -> None:
    """PhiNet: `bench fix` folded its pads, and rknn-toolkit2 2.5.0 refused what was written (read-only)."""
    network = Network(1, 16, 14, 14)
    network.add("Pad", network.constant("pads", np.array([0, 0, 1, 1, 0, 0, 1, 1])))
    network.conv(16, 64, (1, 1)).add("GlobalAveragePool").conv(64, 10, (1, 1))
    path = network.save(tmp_path / "x.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "y.onnx", rewrites=chosen([SINGLE]), judges_whole=False)
    assert report.written is not None
    (pads,) = [held for held in onnx.load(report.written).graph.initializer if held.name == "pads"]
    assert (list(pads.int64_data), pads.raw_data) == ([0, 0, 1, 1, 0, 0, 1, 1], b"")
