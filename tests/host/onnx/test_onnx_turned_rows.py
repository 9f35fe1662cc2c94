"""Rows of features at a network's border become channels by tables (read from files of toolkit 2.5.0)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size
from rkbench.onnx.prediction import REORDERED


def rows(count: int, features: int, made: int = 64) -> Network:
    """Return rows through one product by weights and a Relu."""
    network = Network(1, count, features)
    return network.add("MatMul", network.weights("w", features, made)).add("Relu")


@pytest.mark.parametrize(
    ("shape", "target", "dtype", "constants"),
    [
        ((16, 128), "rk3588", "int8", 272_896),  # at the input and at the output
        ((24, 128), "rk3588", "int8", 10_752),  # 24 rows are no whole blocks of 16
        ((24, 128), "rk3588", "fp16", 51_200),
        ((50, 128), "rk3588", "fp16", 18_432),
        ((64, 100), "rk3588", "int8", 140_800),  # at the output alone
        ((64, 100), "rk3588", "fp16", 31_744),
        ((64, 128, 100), "rk3588", "int8", 146_944),  # at the input alone
    ],
)
def test_rows_become_channels_by_a_table_where_both_are_whole_blocks(
    tmp_path: Path, shape: tuple[int, ...], target: str, dtype: str, constants: int
) -> None:
    assert predict_size(rows(*shape).save(tmp_path / "x.onnx"), target, dtype).weight_bytes == constants


def test_tables_that_are_most_of_a_layer_are_named(tmp_path: Path) -> None:
    found = predict_size(rows(16, 128).save(tmp_path / "x.onnx"), "rk3588", "int8")
    assert [node.becomes for node in found.bloated] == [REORDERED]


def test_arithmetic_before_the_product_and_behind_it_changes_nothing(tmp_path: Path) -> None:
    network = Network(1, 16, 128)
    network.add("Add", network.weights("p", 1, 16, 128)).add("MatMul", network.weights("w", 128, 128))
    network.add("Add", "x")
    plain = predict_size(rows(24, 128, 128).save(tmp_path / "y.onnx"), "rk3588", "int8").weight_bytes
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "int8").weight_bytes
    assert found - plain == pytest.approx(2 * 131_072 + 16 * 128, abs=10)


@pytest.mark.parametrize("first", ["Transpose", "Unsqueeze"])
def test_a_signal_that_becomes_a_map_otherwise_takes_none(tmp_path: Path, first: str) -> None:
    network = Network(1, 16, 128)
    axes = [network.constant("axes", np.array([1]))] if first == "Unsqueeze" else []
    network.add(first, *axes, **({} if axes else {"perm": [0, 2, 1]}))
    channels = 1 if axes else 128
    network.conv(channels, 8, (3,) if not axes else (3, 3))
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "int8")
    assert REORDERED not in [node.becomes for node in found.nodes]
