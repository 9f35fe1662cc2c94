"""Patches that Slices and a Concat along the last axis merge: predicted with their kernel, and rewritten."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from onnx_units import SWIN, merged, reduced
from rkbench.onnx import FixReport, predict_size
from rkbench.onnx import fix as fix_file

CLOSE = 1e-5


def normed(network: Network, channels: int, *, flat: int = 0) -> Network:
    """Append a norm in pieces, perhaps of positions in one axis, and a product."""
    if flat:
        network.add("Reshape", network.constant("flat", np.array([1, flat, channels])))
    value = network.value
    mean = network.add("ReduceMean", axes=[-1], keepdims=1).value
    network.value = value
    difference = network.add("Sub", mean).value
    network.add("Mul", difference).add("ReduceMean", axes=[-1], keepdims=1)
    root = network.add("Add", network.constant("epsilon", np.float32(1e-5))).add("Sqrt").value
    network.value = difference
    network.add("Div", root).add("Mul", network.weights("scale", channels))
    return reduced(network.add("Add", network.weights("offset", channels)), channels)


def fix(network: Network, folder: Path, target: str = "rk3588", dtype: str = "fp16") -> FixReport:
    return fix_file(network.save(folder / "model.onnx"), target, dtype, folder / "fixed.onnx")


def rewritten(report: FixReport) -> list[str]:
    """Return the rewrites that were made, of a network that onnxruntime found equal."""
    if report.changes:
        assert report.verification is not None
        assert report.verification.relative_difference < CLOSE
    return [change.rewrite for change in report.changes]


@pytest.mark.parametrize("order", [SWIN, ((0, 0), (0, 1), (1, 0), (1, 1)), SWIN[::-1]])
@pytest.mark.parametrize("flat", [0, 64])
def test_merged_patches_become_one_node(
    tmp_path: Path, order: tuple[tuple[int, int], ...], flat: int
) -> None:
    network = normed(merged(8, 16, order), 32, flat=flat)
    assert rewritten(fix(network, tmp_path)) == ["merged_patches"]
    kinds = [node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node]
    assert kinds[1:5] == ["Transpose", "Transpose", "SpaceToDepth", "Transpose"]
    assert not {"Slice", "Concat"} & set(kinds)


@pytest.mark.parametrize(("target", "dtype"), [("rk3588", "int8"), ("rk3568", "fp16"), ("rk3568", "int8")])
def test_a_product_alone_takes_the_order(tmp_path: Path, target: str, dtype: str) -> None:
    assert rewritten(fix(reduced(merged(16, 16), 64), tmp_path, target, dtype)) == ["merged_patches"]


@pytest.mark.parametrize(
    "network",
    [
        merged(8, 16),
        reduced(merged(8, 16, quarters=True), 32),
        reduced(merged(8, 16, (SWIN[0], SWIN[0], *SWIN[2:])), 32),
        reduced(merged(8, 16).add("Softmax", axis=-1), 32),
        reduced(merged(8, 16).add("ReduceMax", axes=[1], keepdims=1), 32),
    ],
    ids=["an output", "quarters", "one piece twice", "a softmax", "another reduction"],
)
def test_other_pieces_and_readers_are_left(tmp_path: Path, network: Network) -> None:
    assert "merged_patches" not in rewritten(fix(network, tmp_path))


@pytest.mark.parametrize("scales", [32, 1])
def test_a_norm_takes_the_order_where_it_has_a_scale_for_each_channel(tmp_path: Path, scales: int) -> None:
    network = merged(8, 16)
    network.add("LayerNormalization", network.weights("scale", scales), network.weights("offset", 32))
    path = reduced(network, 32).save(tmp_path / "model.onnx", opset=17)
    report = fix_file(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert rewritten(report) == ["merged_patches"] * (scales > 1)


@pytest.mark.parametrize(("target", "dtype"), [("rk3588", "fp16"), ("rk3568", "fp16"), ("rk3568", "int8")])
def test_the_kernel_of_merged_patches_is_predicted(tmp_path: Path, target: str, dtype: str) -> None:
    whole = predict_size(reduced(merged(128, 8), 512).save(tmp_path / "x.onnx"), target, dtype)
    (node,) = [each for each in whole.nodes if each.name == "merge"]
    kernel = 512 * 128 * 4 * (2 if dtype == "fp16" else 1)
    assert kernel <= node.weight_bytes < kernel * 1.02
    assert "patches merged to channels, made a dense convolution" in {each.becomes for each in whole.bloated}
    quarters = predict_size(
        reduced(merged(128, 8, quarters=True), 512).save(tmp_path / "y.onnx"), target, dtype
    )
    assert quarters.file_bytes < whole.file_bytes - kernel / 2
