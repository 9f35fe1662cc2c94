"""Convolutions whose weights are all zero, as blocks begin that are identities before they are trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import fix, predict_size


def block(folder: Path, *, group: int = 1, bias: bool = True) -> Path:
    """Save a map, and what two convolutions make of it, added, and one more; the second weighs nothing."""
    network = Network(1, 64, 32, 32)
    network.conv(64, 64, bias=False, name="dead").add("Relu")
    weights = network.constant("zeros", np.zeros((64, 64 // group, 3, 3), "float32"))
    network.conv(64, 64, group=group, bias=bias, weights=weights, name="nothing")
    return network.add("Add", "x").add("Relu").conv(64, 64, bias=False).save(folder / "x.onnx")


@pytest.mark.parametrize(
    ("target", "dtype", "dense_bytes", "depthwise_bytes"),
    [
        ("rk3588", "fp16", 96_235, 95_531),
        ("rk3588", "int8", 61_381, 60_677),
        ("rk3568", "fp16", 106_347, 105_707),
        ("rk3568", "int8", 84_933, 84_293),
    ],
)
def test_it_and_what_it_alone_reads_are_predicted_away(
    tmp_path: Path, target: str, dtype: str, dense_bytes: int, depthwise_bytes: int
) -> None:
    """Converted with rknn-toolkit2 2.5.0: the sizes above; 261,611 with other weights (rk3588 fp16)."""
    dense = predict_size(block(tmp_path), target, dtype)
    assert dense.file_bytes == pytest.approx(dense_bytes, rel=0.025)
    depthwise = predict_size(block(tmp_path, group=64, bias=False), target, dtype)
    assert depthwise.file_bytes == pytest.approx(depthwise_bytes, rel=0.025)


def test_zeros_that_are_alike_are_not_shared(tmp_path: Path) -> None:
    network = Network(1, 64, 16, 16)
    for _ in range(2):
        source = network.value
        zeros = network.constant(f"zeros_{source}", np.zeros((64, 64, 3, 3), "float32"))
        network.conv(64, 64, weights=zeros).add("Add", source).add("Relu")
    path = network.conv(64, 64).save(tmp_path / "x.onnx")
    assert fix(path, "rk3588", "fp16", tmp_path / "y.onnx").changes == ()
