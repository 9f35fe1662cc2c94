"""Masks that a Where chooses by: sizes of the constants in files of toolkit 2.5.0, in bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size
from rkbench.onnx.prediction import MASKED

EIGHT, FORTY, ODD = (1, 8, 16, 16), (1, 40, 16, 16), (1, 33, 7, 7)


def masked(shape: tuple[int, ...], mask: tuple[int, ...], least: float = 0.5) -> Network:
    """Return a product or a 1x1 whose map a stored mask chooses, or else a number."""
    network = Network(*shape)
    if len(shape) == 4:
        network.conv(shape[1], shape[1], (1, 1), bias=False)
    else:
        network.add("MatMul", network.weights("w", shape[-1], shape[-1]))
    chosen, network.value = network.value, network.constant("mask", network.random.random(mask) > least)
    network.add("Where", chosen, network.constant("else", np.float32(-100)), name="choose")
    return network.add("Relu")


@pytest.mark.parametrize(
    ("shape", "mask", "target", "dtype", "measured"),
    [
        (EIGHT, EIGHT, "rk3588", "fp16", 16_388),
        (EIGHT, EIGHT, "rk3588", "int8", 8_196),
        (EIGHT, EIGHT, "rk3568", "fp16", 8_196),
        (EIGHT, EIGHT, "rk3568", "int8", 8_196),
        (FORTY, FORTY, "rk3588", "fp16", 32_772),
        (FORTY, FORTY, "rk3588", "int8", 16_388),
        (FORTY, FORTY, "rk3568", "fp16", 24_580),
        (FORTY, FORTY, "rk3568", "int8", 16_388),
        (ODD, ODD[1:], "rk3588", "fp16", 6_660),
        (ODD, ODD[1:], "rk3588", "int8", 3_332),
        (ODD, ODD[1:], "rk3568", "fp16", 4_996),
        (ODD, ODD[1:], "rk3568", "int8", 3_332),
        (EIGHT, (1, 1, 16, 16), "rk3588", "fp16", 16_516),
        (EIGHT, (16, 16), "rk3588", "fp16", 16_516),
        ((1, 64, 32), (1, 64, 32), "rk3588", "fp16", 4_100),
    ],
)
def test_a_mask_is_stored_as_a_map_of_whole_blocks(
    tmp_path: Path, shape: tuple[int, ...], mask: tuple[int, ...], target: str, dtype: str, measured: int
) -> None:
    found = predict_size(masked(shape, mask).save(tmp_path / "x.onnx"), target, dtype)
    masks = [node for node in found.nodes if node.name == "choose"]
    assert [node.weight_bytes for node in masks] == [pytest.approx(measured, rel=0.01)]
    assert [node.becomes for node in masks] == [MASKED]


@pytest.mark.parametrize("mask", [(1, 8, 1, 1), (1, 1, 1, 16)])
def test_a_mask_that_is_repeated_over_positions_is_none(tmp_path: Path, mask: tuple[int, ...]) -> None:
    """84 bytes in the file, of one number a channel."""
    found = predict_size(masked(EIGHT, mask).save(tmp_path / "x.onnx"), "rk3588", "fp16")
    assert MASKED not in [node.becomes for node in found.nodes]


def test_a_mask_that_takes_everything_is_left_out(tmp_path: Path) -> None:
    found = predict_size(masked(EIGHT, EIGHT, -1).save(tmp_path / "x.onnx"), "rk3588", "fp16")
    assert MASKED not in [node.becomes for node in found.nodes]


def test_a_mask_that_several_choose_by_is_stored_once(tmp_path: Path) -> None:
    network = masked(EIGHT, EIGHT).conv(8, 8)
    chosen, network.value = network.value, "mask"
    network.add("Where", chosen, "else", name="again")
    found = predict_size(network.save(tmp_path / "x.onnx"), "rk3588", "fp16")
    sizes = {node.name: node.weight_bytes for node in found.nodes if node.type == "Where"}
    assert (sizes["choose"], sizes.get("again", 0)) == (
        pytest.approx(16_388, rel=0.01),
        pytest.approx(0, abs=4),
    )
