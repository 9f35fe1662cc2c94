"""What is said of normalizations and of moved data: of which dtype and SoC it holds, and in which order."""

from __future__ import annotations

import pytest
from rkbench.inspection.causes import Attribution
from rknn_writer import NodeSpec, TensorSpec
from test_causes_detours import diagnose, found, tasks
from test_causes_fitting import actions, map_of
from test_causes_moves import ONE, constant


def behind_a_sum(parts: tuple[str, str]) -> Attribution:
    """Return what is said of a norm behind two convolutions of these names, the second of which adds."""
    tensors = (
        map_of("x", 1, 16, 8, 8, kind="input"),
        constant("k", (16, 16, 1, 1), ONE * 256),
        constant("l", (16, 16, 1, 1), ONE * 256),
        map_of("part", 1, 16, 8, 8),
        map_of("m", 1, 16, 8, 8),
        map_of("y", 1, 16, 8, 8, kind="output"),
    )
    nodes = (
        NodeSpec(f"Conv:{parts[0]}", "Conv", 2, (0, 1), (3,), tasks(1)),
        NodeSpec(f"Conv:{parts[1]}_ConvAdd", "ConvAdd", 2, (0, 2, 3), (4,), tasks(1)),
        NodeSpec("exNorm:n", "exNorm", 2, (4,), (5,), tasks(40)),
    )
    return diagnose(tensors, nodes)


@pytest.mark.parametrize(
    ("parts", "is_folded"),
    [(("c_tile1", "c_tile0"), True), (("shortcut", "c_tile0"), False), (("shortcut", "c"), False)],
)
def test_a_convolution_cut_into_parts_takes_a_norm_but_a_residual_sum_does_not(
    parts: tuple[str, str], *, is_folded: bool
) -> None:
    told = actions(behind_a_sum(parts), "normalization_unrolled")
    assert any("1 of 1 stand behind a convolution" in action for action in told) is is_folded


def test_the_largest_norms_are_the_evidence() -> None:
    shapes = [map_of(f"t{index}", 1, 16, 8, 8) for index in range(1, 6)]
    tensors = (map_of("t0", 1, 16, 8, 8, kind="input"), *shapes, map_of("y", 1, 16, 8, 8, kind="output"))
    nodes = tuple(
        NodeSpec(f"exNorm:n{number}", "exNorm", 2, (index,), (index + 1,), tasks(number))
        for index, number in enumerate((10, 20, 30, 60, 50, 40))
    )
    cause = found(diagnose(tensors, nodes), "normalization_unrolled")
    assert cause is not None
    assert [line.split(" ")[0] for line in cause.evidence] == ["n60", "n50", "n40", "n30"]


@pytest.mark.parametrize(
    ("target", "dtype", "is_advised"),
    [("rk3568", "FLOAT16", True), ("rk3588", "FLOAT16", False), ("rk3568", "INT8", False)],
)
def test_int8_is_advised_for_moved_data_where_it_was_measured_to_help(
    target: str, dtype: str, *, is_advised: bool
) -> None:
    stored = {"dtype": dtype, "scale": (0.5,) if dtype == "INT8" else (), "zero_point": (3,)}
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 900, 1, 320), **stored),
        TensorSpec("y", kind="output", shape=(1, 320, 1, 900), **stored),
    )
    node = NodeSpec("Transpose:t", "Transpose", 2, (0,), (1,), tasks(225))
    attribution = diagnose(tensors, (node,), target=target)
    told = actions(attribution, "transpose_commands")
    assert any(action.startswith("int8: it takes 0 to 68 % of these bytes") for action in told) is is_advised
    cause = found(attribution, "transpose_commands")
    assert cause is not None
    assert not any(line.startswith("int8") for line in cause.not_helping)
