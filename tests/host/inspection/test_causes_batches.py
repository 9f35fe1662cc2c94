"""Layers over many maps, whole patches, wide windows, and weights that began all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rkbench.inspection.causes import Attribution, Cause
from rknn_writer import NodeSpec, TensorSpec
from test_causes_detours import diagnose, found, tasks
from test_causes_moves import HALF, ONE, constant


def layer(kind: str, shape: tuple[int, ...], number: int) -> Attribution:
    """Return what is said of one layer whose map has this shape, in this many tasks."""
    tensors = (TensorSpec("x", kind="input", shape=shape), TensorSpec("y", kind="output", shape=shape))
    return diagnose(tensors, (NodeSpec(f"{kind}:m", kind, 2, (0,), (1,), tasks(number)),))


def test_a_task_for_every_map_of_many_is_no_large_map() -> None:
    attribution = layer("exMatMul", (128, 32, 16, 49), 130)
    cause = found(attribution, "batched_layers")
    assert cause is not None
    assert attribution.lead == "batched_layers"
    assert "most m (128 maps of 32x16x49, 130 tasks on 1 core)" in cause.because
    assert found(attribution, "large_maps") is None


def test_the_largest_cause_leads_though_every_file_has_some_of_it() -> None:
    shape = (128, 32, 16, 49)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        TensorSpec("n", shape=shape),
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (
        NodeSpec("exNorm:n", "exNorm", 2, (0,), (1,), tasks(30)),
        NodeSpec("exMatMul:m", "exMatMul", 2, (1,), (2,), tasks(130)),
    )
    attribution = diagnose(tensors, nodes)
    assert [cause.code for cause in attribution.causes] == ["batched_layers", "normalization_unrolled"]
    assert attribution.lead == "batched_layers"
    assert " because 1 layer over many maps at once takes" in attribution.sentence
    assert "; 1 normalization over a map takes" in attribution.sentence


@pytest.mark.parametrize(("shape", "number"), [((128, 32, 16, 49), 100), ((1, 128, 64, 49), 130)])
def test_fewer_tasks_than_maps_are_strips_of_a_product(shape: tuple[int, ...], number: int) -> None:
    attribution = layer("exMatMul", shape, number)
    assert found(attribution, "batched_layers") is None
    assert found(attribution, "large_maps") is None
    assert found(attribution, "map_products") is not None


def patches(step: int, channels: int) -> Cause | None:
    """Return the cause of a convolution of whole patches of 16, in steps of 4, padded to 8 channels."""
    kernel = TensorSpec(
        "k", kind="weight", shape=(4, channels, 16, 16), native_shape=(1, 1, 16, 16, 4, 8), data=ONE * 8192
    )
    tensors = (
        TensorSpec("x", kind="input", shape=(1, channels, 64, 64)),
        kernel,
        TensorSpec("a", shape=(1, 4, 13, 13)),
        constant("select", (1, 4, 1, 1), ONE * 4),
        TensorSpec("y", kind="output", shape=(1, 4, 4, 4)),
    )
    nodes = (
        NodeSpec("Conv:c_split", "Conv", 2, (0, 1), (2,), tasks(3), options_type=1, strides=(4, 4), groups=1),
        NodeSpec(
            "Conv:c_select", "Conv", 2, (2, 3), (4,), tasks(1), options_type=1, strides=(step, step), groups=4
        ),
    )
    return found(diagnose(tensors, nodes), "patch_kernel")


def test_a_kernel_of_whole_patches_owns_its_padding_and_what_thins_its_map() -> None:
    cause = patches(4, 3)
    assert cause is not None
    assert cause.layers == ("c_split", "c_select")
    assert cause.sections["weights"] == (8 - 3) * 4 * 16 * 16 * 2
    assert cause.fix[0].rewrites == ("patchify",)


@pytest.mark.parametrize(("step", "channels"), [(2, 3), (4, 8)])
def test_a_kernel_that_is_wider_than_its_steps_or_has_channels_enough_is_none(
    step: int, channels: int
) -> None:
    assert patches(step, channels) is None


@pytest.mark.parametrize(
    ("side", "step", "out", "averages"),
    [(3, 1, 8, False), (3, 3, 3, True), (3, 1, 1, True), (9, 1, 8, True)],
)
def test_a_small_window_that_slides_is_the_networks_own(
    side: int, step: int, out: int, *, averages: bool
) -> None:
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 64, 8, 8)),
        TensorSpec(
            "k",
            kind="weight",
            shape=(1, 64, side, side),
            native_shape=(1, 8, side, side, 1, 8),
            data=HALF * 64 * side * side,
        ),
        TensorSpec("y", kind="output", shape=(1, 64, out, out)),
    )
    nodes = (
        NodeSpec(
            "Conv:d", "Conv", 2, (0, 1), (2,), tasks(1), options_type=1, strides=(step, step), groups=64
        ),
    )
    assert (found(diagnose(tensors, nodes), "pooling_convolution") is not None) is averages


@pytest.mark.parametrize(
    ("weight", "dead", "averages"),
    [(HALF, 0, True), (HALF, 1, True), (HALF, 16, False), (ONE, 0, False)],
    ids=["all alike", "a channel of zeros", "a quarter of the channels", "ones are a sum"],
)
def test_an_average_may_have_a_channel_that_nothing_reads_and_a_sum_is_none(
    weight: bytes, dead: int, *, averages: bool
) -> None:
    weights = b"".join((bytes(2) if channel < dead else weight) for _ in range(9) for channel in range(64))
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 64, 3, 3)),
        TensorSpec("k", kind="weight", shape=(1, 64, 3, 3), native_shape=(1, 8, 3, 3, 1, 8), data=weights),
        TensorSpec("y", kind="output", shape=(1, 64, 1, 1)),
    )
    nodes = (
        NodeSpec("Conv:d", "Conv", 2, (0, 1), (2,), tasks(1), options_type=1, strides=(1, 1), groups=64),
    )
    assert (found(diagnose(tensors, nodes), "pooling_convolution") is not None) is averages


@pytest.mark.parametrize("maps", [1, 16])
def test_of_a_concat_over_many_maps_the_tasks_of_its_parts_are_no_convolution(maps: int) -> None:
    rows = [ONE if column == row + 8 * (row > 7) else bytes(2) for row in range(16) for column in range(24)]
    tensors = (
        TensorSpec("x", kind="input", shape=(maps, 8, 8, 8)),
        TensorSpec("a", shape=(maps, 8, 8, 8)),
        constant("k", (16, 24, 1, 1), b"".join(rows), kind="compiler_constant"),
        TensorSpec("y", kind="output", shape=(maps, 16, 8, 8)),
    )
    nodes = (
        NodeSpec("Relu:r", "Relu", 2, (0,), (1,), tasks(1)),
        NodeSpec("Concat:c", "Concat", 2, (0, 1, 2), (3,), tasks(3 * maps)),
    )
    cause = found(diagnose(tensors, nodes), "concat_realigned")
    assert cause is not None
    assert cause.sections["register_commands"] == 640 * maps


def test_a_stored_map_that_a_concat_joins_is_not_its_kernel() -> None:
    """SOLO's positions: constant maps stand before the kernel that realigns them, and are another cause's."""
    rows = [ONE if column == row + 8 * (row > 7) else bytes(2) for row in range(16) for column in range(24)]
    stored = TensorSpec("positions", "weight", shape=(1, 1, 64, 64), data=bytes(range(256)) * 32, layout=64)
    kernel = constant("k", (16, 24, 1, 1), b"".join(rows), kind="compiler_constant")
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 8, 64, 64)),
        stored,
        replace(kernel, layout=65),
        TensorSpec("y", kind="output", shape=(1, 16, 64, 64)),
    )
    nodes = (NodeSpec("Concat:c", "Concat", 2, (0, 1, 2), (3,), tasks(3)),)
    cause = found(diagnose(tensors, nodes), "concat_realigned")
    assert cause is not None
    assert cause.sections["compiler_constants"] == 2 * 16 * 24
    assert "weights" not in cause.sections


def test_a_layer_without_a_name_is_told_by_what_it_makes_and_an_output_is_no_map_cut_in_tasks() -> None:
    shape = (1, 16, 128, 128)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        TensorSpec("made", shape=shape),
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (
        NodeSpec("", "Conv", 2, (0,), (1,), tasks(9)),
        NodeSpec("Relu:r", "Relu", 2, (1,), (2,), tasks(2)),
        NodeSpec("OutputOperator:y", "OutputOperator", 2, (2,), (), tasks(12)),
    )
    attribution = diagnose(tensors, nodes)
    cause = found(attribution, "large_maps")
    assert cause is not None
    assert cause.layers == ("made", "r")
    assert "most for made (1x16x128x128, 9 tasks on 1 core)" in cause.because
    assert found(attribution, "output_layout") is not None


def lists(maps: int, number: int, before: str = "exNorm") -> Cause:
    """Return the cause of what a product over rows and the norm before it have in the lists for 3 cores."""
    shape, counts = (maps, 16, 1, maps), (number, number, number, number, number, number)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        TensorSpec("normed", shape=shape),
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (
        NodeSpec(f"{before}:n", before, 2, (0,), (1,), counts),
        NodeSpec("Conv:product", "Conv", 2, (1,), (2,), counts),
    )
    cause = found(diagnose(tensors, nodes), "core_lists")
    assert cause is not None
    return cause


def test_further_lists_of_rows_taken_for_a_batch_are_those_of_the_number_of_maps() -> None:
    cause = lists(maps=14, number=14)
    assert cause.evidence[1].endswith(
        "over many maps at once, most product (14 maps of 16x1x14, 84 tasks in all lists)"
    )
    assert cause.fix[0].action.startswith("rows of a channels-last picture")


def test_maps_that_no_norm_takes_so_are_heads_and_no_rows_of_a_picture() -> None:
    """Of Nystromformer's heads it was said: four of them, over as many landmarks."""
    told = [str(fix.action) for fix in lists(maps=14, number=14, before="Transpose").fix]
    assert not any(action.startswith("rows of a channels-last picture") for action in told)


def test_further_lists_of_one_map_are_not_told_of_many_and_of_a_norm_a_plain_task_is_among_them() -> None:
    cause = lists(maps=1, number=14)
    assert not any("many maps" in line for line in cause.evidence)
    assert cause.layers == ("product", "n")
    assert not any("rows" in fix.action for fix in cause.fix)
