"""Transposed convolutions that do not fit their registers, as toolkit 2.5.0 logged of 25 conversions."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_networks import Network
from rkbench.onnx import predict_size


@pytest.mark.parametrize(
    ("taps", "stride", "pad", "on_rk3588", "on_rk3568"),
    [
        (16, 8, 0, False, False),
        (17, 8, 0, True, True),  # a rim of 16
        (31, 8, 15, False, False),
        (32, 8, 16, True, True),  # 32 taps
        (18, 9, 2, True, False),  # a stride of 9
        (20, 10, 5, True, False),
        (40, 20, 0, True, False),
    ],
)
def test_what_the_converter_cuts_off_is_said(
    tmp_path: Path, taps: int, stride: int, pad: int, *, on_rk3588: bool, on_rk3568: bool
) -> None:
    network = Network(1, 16, 1, 64).conv(16, 32, (1, 1)).add("Relu")
    shape = {"kernel_shape": [1, taps], "strides": [1, stride], "pads": [0, pad, 0, pad]}
    network.add("ConvTranspose", network.weights("w", 32, 16, 1, taps), name="up", **shape)
    path = network.add("Relu").save(tmp_path / "n.onnx")
    for target, is_cut in (("rk3588", on_rk3588), ("rk3568", on_rk3568), ("rk3576", False)):
        notes = predict_size(path, target, "fp16").notes
        assert any(note.startswith("up: ") and "bit width" in note for note in notes) is is_cut, target


def test_pictures_are_read_in_both_directions(tmp_path: Path) -> None:
    network = Network(1, 16, 32, 32).conv(16, 32, (1, 1)).add("Relu")
    shape = {"kernel_shape": [4, 32], "strides": [2, 2], "pads": [1, 16, 1, 16]}
    network.add("ConvTranspose", network.weights("w", 32, 16, 4, 32), name="up", **shape)
    notes = predict_size(network.save(tmp_path / "n.onnx"), "rk3588", "int8").notes
    assert any("bit width" in note for note in notes)
