"""Constant maps that a Concat joins to others (CoordConv), averages over depth: sizes of files of 2.5.0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import fix, predict_size
from rkbench.onnx.prediction import LAID_FLAT, PLACED

HEIGHT, WIDTH = 32, 24


def coordinates(*channels: int, inputs: int = 3, kernel: int = 3) -> Network:
    """Return a convolution over a map of 32x24 and constant maps of so many channels beside it."""
    network = Network(1, inputs, HEIGHT, WIDTH)
    maps = [network.weights(f"map{place}", 1, count, HEIGHT, WIDTH) for place, count in enumerate(channels)]
    network.add("Concat", *maps, axis=1)
    return network.conv(inputs + sum(channels), 16, (kernel, kernel))


@pytest.mark.parametrize(
    ("target", "dtype", "one", "nine", "forty"),
    [
        ("rk3588", "fp16", 64, 64, 128),
        ("rk3588", "int8", 32, 32, 64),
        ("rk3568", "fp16", 32, 32, 96),
        ("rk3568", "int8", 32, 32, 64),
    ],
)
def test_a_constant_map_is_stored_with_whole_blocks_of_channels(
    tmp_path: Path, target: str, dtype: str, one: int, nine: int, forty: int
) -> None:
    for channels, bytes_each in (((1,), one), ((9,), nine), ((40,), forty), ((1, 1, 1), 3 * one)):
        found = predict_size(coordinates(*channels).save(tmp_path / "x.onnx"), target, dtype)
        (joined,) = (node for node in found.nodes if node.type == "Concat")
        left = joined.weight_bytes - bytes_each * HEIGHT * WIDTH
        assert 0 <= left < 4_200  # the 1x1 that joins what are no whole blocks
        assert joined.becomes == PLACED


@pytest.mark.parametrize(
    ("target", "dtype", "apart", "joined"),
    [
        ("rk3588", "fp16", 202_682, 96_058),
        ("rk3588", "int8", 134_100, 76_500),
        ("rk3568", "fp16", 109_050, 58_682),
        ("rk3568", "int8", 120_084, 69_716),
    ],
)
def test_constant_maps_beside_each_other_are_joined_to_one(
    tmp_path: Path, target: str, dtype: str, apart: int, joined: int
) -> None:
    path = coordinates(1, 1, 1).save(tmp_path / "x.onnx")
    report = fix(path, target, dtype, tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["joined_constants"]
    assert report.verification is not None
    assert report.verification.relative_difference == 0
    for name, size in (("x.onnx", apart), ("fixed.onnx", joined)):
        assert predict_size(tmp_path / name, target, dtype).file_bytes == pytest.approx(size, rel=0.07)


def test_one_constant_map_and_those_that_another_map_divides_stay(tmp_path: Path) -> None:
    assert not fix(coordinates(1).save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "y.onnx").changes
    network = Network(1, 3, HEIGHT, WIDTH)
    first, second = (network.weights(name, 1, 1, HEIGHT, WIDTH) for name in ("first", "second"))
    network.add("Relu")
    value = network.value
    network.value = first
    network.add("Concat", value, second, axis=1).conv(5, 16)
    assert not fix(network.save(tmp_path / "x.onnx"), "rk3588", "fp16", tmp_path / "y.onnx").changes


def test_a_concat_with_a_constant_map_is_not_taken_apart(tmp_path: Path) -> None:
    found = predict_size(coordinates(40).save(tmp_path / "x.onnx"), "rk3588", "fp16")
    assert found.file_bytes == pytest.approx(160_698, rel=0.03)


@pytest.mark.parametrize("window", [(1, 4, 4), (2, 8, 8)])
def test_an_average_over_depth_is_a_dense_kernel(tmp_path: Path, window: tuple[int, ...]) -> None:
    network = Network(1, 16, 2, 8, 8)
    network.add("AveragePool", kernel_shape=list(window), strides=[1, 1, 1])
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    (average,) = found.nodes
    assert average.becomes == LAID_FLAT
    depths = 2 - window[0] + 1
    assert average.weight_bytes == pytest.approx(2 * 16 * 2 * 16 * depths * np.prod(window[1:]), rel=0.01)


def test_an_average_along_the_channels_of_a_map_is_no_kernel(tmp_path: Path) -> None:
    network = Network(1, 1, 16, 8, 8).add("AveragePool", kernel_shape=[5, 1, 1], strides=[1, 1, 1])
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    assert [node.becomes for node in found.nodes if node.becomes == LAID_FLAT] == []
