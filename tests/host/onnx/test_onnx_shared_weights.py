"""Weights that several layers share: stored once, but for what is cut along the inputs (toolkit 2.5.0)."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_networks import Network
from onnx_units import headed, pyramid
from rkbench.onnx import fix, predict_size
from rkbench.onnx.prediction import CUT_AGAIN, HEADS_AGAIN


@pytest.mark.parametrize(
    ("channels", "target", "dtype", "first", "again"),
    [
        (256, "rk3588", "fp16", 295_168, 295_168),  # 4,608 bytes an output channel, of 3,072
        (256, "rk3588", "int8", 147_968, 512),
        (256, "rk3568", "fp16", 295_168, 256),  # of 6,144
        (512, "rk3588", "fp16", 590_080, 590_080),
        (512, "rk3588", "int8", 295_424, 295_424),
        (512, "rk3568", "fp16", 590_080, 590_080),
    ],
)
def test_shared_weights_that_are_cut_along_their_inputs_are_stored_for_each_layer(
    tmp_path: Path, channels: int, target: str, dtype: str, first: int, again: int
) -> None:
    found = predict_size(pyramid(channels, tmp_path), target, dtype)
    levels = [node for node in found.nodes if node.type == "Conv"]
    assert [level.weight_bytes for level in levels] == [first, again, again]
    assert [level.becomes == CUT_AGAIN for level in levels] == [False, *[again == first] * 2]
    assert [level.name for level in found.bloated] == ["level_1", "level_2"] * (again == first)


@pytest.mark.parametrize(("inputs", "again"), [(2048, 262_144), (1024, 0)])
def test_so_are_those_of_products(tmp_path: Path, inputs: int, again: int) -> None:
    network = Network(1, 15, inputs)
    there, back = network.weights("w", inputs, 64), network.weights("v", 64, inputs)
    for _ in range(2):
        network.add("MatMul", there).add("Relu").add("MatMul", back).add("Relu")
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    products = [node.weight_bytes for node in found.nodes if node.type == "MatMul"]
    assert products == [inputs * 64 * 2, inputs * 64 * 2, again, 0]


@pytest.mark.parametrize(
    ("channels", "target", "dtype", "cut"),
    [
        (256, "rk3588", "fp16", True),
        (256, "rk3588", "int8", False),
        (256, "rk3568", "fp16", False),
        (512, "rk3588", "int8", True),
        (512, "rk3568", "fp16", True),
    ],
)
def test_shared_weights_are_cut_once_for_all_layers(
    tmp_path: Path, channels: int, target: str, dtype: str, *, cut: bool
) -> None:
    report = fix(pyramid(channels, tmp_path), target, dtype, tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["shared_parts"] * cut
    if not cut:
        return
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    after = predict_size(tmp_path / "fixed.onnx", target, dtype)
    levels = [
        node.weight_bytes for node in after.nodes if node.type == "Conv" and node.name.startswith("level")
    ]
    element = 2 if dtype == "fp16" else 1
    assert channels * 64 * 9 * element <= sum(levels) < channels * 64 * 9 * element * 1.02


@pytest.mark.parametrize("others", ["read_again", "in_groups"])
def test_weights_that_others_read_too_are_left(tmp_path: Path, others: str) -> None:
    path = pyramid(256, tmp_path, **{others: True})
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert "shared_parts" not in [change.rewrite for change in report.changes]


@pytest.mark.parametrize("twins", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_of_products_that_are_cut_into_heads_are_cut_with_them(
    tmp_path: Path, *, twins: bool, bias: bool
) -> None:
    path = headed(tmp_path, twins=twins, bias=bias)
    before = predict_size(path, "rk3588", "fp16")
    products = [node for node in before.nodes if node.type == "MatMul"]
    assert [product.weight_bytes >= 64 * 128 * 2 for product in products] == [True, True]
    assert [product.becomes == HEADS_AGAIN for product in products] == [False, not twins]
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["shared_products"]
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
    assert report.after.weight_bytes <= before.weight_bytes - 64 * 128 * 2


def test_pieces_that_are_no_heads_share_their_weights_as_they_are(tmp_path: Path) -> None:
    report = fix(headed(tmp_path, heads=False), "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["shared_weights"]
