"""The rules of the compilers, as literals from conversions; tests/toolkit converts them again."""

from __future__ import annotations

import pytest
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype
from rkbench.versions import parse_version

ALL = {3, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48}
KEPT: dict[tuple[str, Dtype], set[int]] = {
    ("rk3588", "fp16"): {8, 16, 24, 32, 40, 48},
    ("rk3588", "int8"): {16, 32, 48},
    ("rk3568", "fp16"): {8, 12, 16, 20, 24, 32, 40, 48},
    ("rk3568", "int8"): {8, 16, 24, 32, 40, 48},
}


@pytest.mark.parametrize(("target", "dtype"), KEPT)
def test_the_channels_per_group_decide_what_stays_grouped(target: str, dtype: Dtype) -> None:
    assert {cpg for cpg in ALL if not targets.becomes_dense(cpg, target, dtype)} == KEPT[target, dtype]


@pytest.mark.parametrize(
    ("toolkit", "dense"), [("2.2.0", True), ("2.3.0", True), ("2.3.2", False), (None, False)]
)
def test_four_channels_stay_grouped_on_rk3568_since_toolkit_2_3_2(toolkit: str | None, dense: bool) -> None:
    assert targets.becomes_dense(4, "rk3568", "fp16", toolkit) is dense


def test_nobody_knows_what_the_rv1106_keeps() -> None:
    assert targets.becomes_dense(4, "rv1106", "int8") is None


@pytest.mark.parametrize(
    ("target", "dtype", "square_1x1", "first_3x3"),
    [
        ("rk3588", "fp16", 9360, 2304),
        ("rk3588", "int8", 5280, 2304),
        ("rk3568", "fp16", 8840, 1152),
        ("rk3568", "int8", 4680, 1152),
    ],
)
def test_weights_are_padded_to_the_blocks_of_the_npu(
    target: str, dtype: Dtype, square_1x1: int, first_3x3: int
) -> None:
    layout = targets.weight_layout(target, dtype)
    assert layout is not None
    assert targets.convolution_weight_bytes(65, 65, 1, layout, dtype) == square_1x1
    assert targets.convolution_weight_bytes(16, 3, 9, layout, dtype) == first_3x3


def test_a_rest_of_channels_is_padded_to_a_power_of_two_part_of_the_block() -> None:
    assert [targets.padded_channels(count, 32, 8) for count in (8, 9, 17, 24, 40, 100)] == [
        8,
        16,
        32,
        32,
        40,
        104,
    ]


def test_the_bias_is_padded_too() -> None:
    rk3588, rk3568 = targets.weight_layout("rk3588", "int8"), targets.weight_layout("rk3568", "fp16")
    assert rk3588 is not None and rk3568 is not None
    assert targets.bias_bytes(65, rk3588) == 768
    assert targets.bias_bytes(100, rk3588, depthwise=True) == 1024
    assert targets.bias_bytes(65, rk3568) == 288


@pytest.mark.parametrize(("text", "numbers"), [("2.3.0", (2, 3, 0)), ("2.5.0+8b1f", (2, 5, 0)), ("", None)])
def test_toolkit_versions_are_read(text: str, numbers: tuple[int, ...] | None) -> None:
    assert parse_version(text) == numbers
