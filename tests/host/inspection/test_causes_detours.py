"""Maps that leave their blocks for an operator, and permutations of what is no map."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model, write_tasks
from test_causes_moves import ONE, ZERO, constant

COMMAND = struct.pack("<HIH", 0x4004, 1, 0x1001)
BLOCKS = 64


def diagnose(
    tensors: tuple[TensorSpec, ...], nodes: tuple[NodeSpec, ...], target: str = "rk3588"
) -> Attribution:
    """Return what is said of a file of these nodes, 80 commands a task."""
    commands, records = COMMAND * 80, []
    for index, node in enumerate(nodes):
        records += [index] * sum(node.task_counts)
    places = [(node, place * len(commands)) for place, node in enumerate(records)]
    kept = (
        TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=commands * len(places)),
        TensorSpec("task", kind="tasks", dtype="OPAQUE", shape=(), data=write_tasks(places)),
    )
    last = len(tensors) - 1
    graph = GraphSpec((*tensors, *kept), nodes, (0,), (last,))
    with opened(write_model(FileSpec((graph,), target=target))) as model:
        return find_causes(model)


def found(attribution: Attribution, code: str) -> Cause | None:
    return next((cause for cause in attribution.causes if cause.code == code), None)


def tasks(number: int) -> tuple[int, ...]:
    return (number, 0, 0, 0, 0, 0)


def gated(layout: int, number: int) -> Attribution:
    """Return what is said of a map times a map of one channel, in blocks or not."""
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 16, 32, 64), layout=BLOCKS),
        TensorSpec("gate", shape=(1, 1, 32, 64), layout=layout),
        TensorSpec("y", kind="output", shape=(1, 16, 32, 64), layout=BLOCKS),
    )
    nodes = (
        NodeSpec("Resize:up", "Resize", 0, (0,), (1,)),
        NodeSpec("Mul:gated", "Mul", 2, (0, 1), (2,), tasks(number)),
    )
    return diagnose(tensors, nodes)


def test_a_product_with_a_plain_map_of_one_channel_is_no_large_map() -> None:
    attribution = gated(0, 256)
    cause = found(attribution, "plain_operands")
    assert cause is not None
    assert attribution.lead == "plain_operands"
    assert "most gated (1x16x32x64 with 1x1x32x64, 256 tasks on 1 core)" in cause.because
    assert found(attribution, "large_maps") is None


def test_a_product_with_such_a_map_in_blocks_is_a_large_map() -> None:
    attribution = gated(BLOCKS, 256)
    assert found(attribution, "plain_operands") is None
    assert found(attribution, "large_maps") is not None


def test_a_product_with_a_plain_map_in_few_tasks_is_none() -> None:
    assert found(gated(0, 3), "plain_operands") is None


def stacked(count: int, row: int) -> Attribution:
    """Return what is said of `count` maps in one stack, of which a row of `row` positions is summed."""
    ones = constant("ones", (1, count, 1, 1), ONE * count)
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 16, 8, 8)),
        TensorSpec("stack", shape=(count, 16, 8, 8)),
        TensorSpec("rows", shape=(1, count, 1, row)),
        ones,
        TensorSpec("sums", shape=(1, 1, 1, row)),
        TensorSpec("y", kind="output", shape=(1, 16, 8, 8)),
    )
    nodes = (
        NodeSpec("Concat:stack", "Concat", 2, (0,) * count, (1,), tasks(2)),
        NodeSpec("Reshape:rows", "Reshape", 0, (1,), (2,)),
        NodeSpec("Conv:rows_mm#1", "Conv", 2, (2, 3), (4,), tasks(130)),
        NodeSpec("Reshape:back", "Reshape", 2, (4,), (5,), tasks(9)),
    )
    return diagnose(tensors, nodes)


def test_a_sum_over_stacked_maps_is_neither_a_pooling_nor_a_large_map() -> None:
    attribution = stacked(3, 16 * 8 * 8)
    cause = found(attribution, "stacked_sums")
    assert cause is not None
    assert attribution.lead == "stacked_sums"
    assert cause.evidence == ("rows_mm#1: 3x16x8x8 in 4 layers, 141 NPU tasks",)
    assert cause.fix[0].rewrites == ("stacked_sum",)
    assert [other.code for other in attribution.causes if other.code != "stacked_sums"] == []


def test_a_sum_over_a_stack_that_is_weighed_before_is_one_too() -> None:
    """So SK-ResNet sums its paths: the product is needed anyway, the rows and the sum are not."""
    tensors = (
        TensorSpec("x", kind="input", shape=(2, 16, 8, 8)),
        TensorSpec("gates", kind="input", shape=(2, 16, 1, 1)),
        TensorSpec("weighed", shape=(2, 16, 8, 8)),
        TensorSpec("rows", shape=(1, 2, 1, 1_024)),
        constant("ones", (1, 2, 1, 1), ONE * 2),
        TensorSpec("sums", shape=(1, 1, 1, 1_024)),
        TensorSpec("y", kind="output", shape=(1, 16, 8, 8)),
    )
    nodes = (
        NodeSpec("Mul:weighed", "Mul", 2, (0, 1), (2,), tasks(4)),
        NodeSpec("Reshape:rows", "Reshape", 0, (2,), (3,)),
        NodeSpec("Conv:rows_mm#1", "Conv", 2, (3, 4), (5,), tasks(130)),
        NodeSpec("Reshape:back", "Reshape", 2, (5,), (6,), tasks(9)),
    )
    attribution = diagnose(tensors, nodes)
    cause = found(attribution, "stacked_sums")
    assert cause is not None
    assert cause.layers == ("rows_mm#1",)
    assert attribution.owners.get(0) != "stacked_sums"


def test_a_product_over_something_else_than_the_stack_is_no_stacked_sum() -> None:
    assert found(stacked(3, 96), "stacked_sums") is None


def moved(step: int, before: str) -> Attribution:
    """Return what is said of a 1x1 convolution that reads its input `step` channels on, behind a layer."""
    rows = [ONE if column == (row + step) % 16 else ZERO for row in range(16) for column in range(16)]
    kernel = replace(constant("k", (16, 16, 1, 1), b"".join(rows)), name="weights")
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 16, 8, 8)),
        TensorSpec("view", shape=(1, 16, 8, 8)),
        kernel,
        TensorSpec("y", kind="output", shape=(1, 16, 8, 8)),
    )
    nodes = (
        NodeSpec(f"{before}:before", before, 2, (0,), (1,)),
        NodeSpec("Conv:moved", "Conv", 2, (1, 2), (3,), tasks(1)),
    )
    return diagnose(tensors, nodes)


@pytest.mark.parametrize(
    ("step", "before", "code"),
    [(4, "Relu", "shuffle_dense"), (4, "Reshape", "permuted_views"), (0, "Relu", None), (0, "Reshape", None)],
)
def test_what_a_permutation_is_called_is_told_by_what_it_orders(
    step: int, before: str, code: str | None
) -> None:
    codes = {cause.code for cause in moved(step, before).causes}
    assert codes & {"shuffle_dense", "permuted_views", "depthwise_multiplier"} == ({code} - {None})


def rolled_tiles() -> Attribution:
    """Return what is said of a view whose order two tiles of a kernel change, each in two branches."""
    rows = [ONE if column == (row + 4) % 16 else ZERO for row in range(16) for column in range(16)]
    kernels = [replace(constant("k", (16, 16, 1, 1), b"".join(rows)), name=f"w{index}") for index in range(2)]
    shape = (1, 16, 8, 8)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        *(TensorSpec(name, shape=shape) for name in ("view", "tile", "part", "other")),
        *kernels,
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (
        NodeSpec("Reshape:view", "Reshape", 2, (0,), (1,)),
        NodeSpec("Split:view_split", "Split", 2, (1,), (2,)),
        NodeSpec("Split:roll_tile0", "Split", 2, (2,), (3,)),
        NodeSpec("Conv:roll_tile0_branch1", "Conv", 2, (3, 5), (4,), tasks(1)),
        NodeSpec("Conv:roll_tile1_branch1", "Conv", 2, (2, 6), (7,), tasks(1)),
    )
    return diagnose(tensors, nodes)


def test_the_tiles_of_a_roll_are_one_view_and_no_shuffles() -> None:
    attribution = rolled_tiles()
    cause = found(attribution, "permuted_views")
    assert cause is not None
    assert "1 reshaped tensor (N = 16) is brought into another order by 2 convolutions" in cause.because
    assert cause.layers == ("roll_tile0_branch1", "roll_tile1_branch1")
    assert found(attribution, "shuffle_dense") is None


def test_a_kernel_that_makes_a_vector_of_a_map_orders_no_channels() -> None:
    rows = [ONE if column == (row * 5) % 32 else ZERO for row in range(32) for column in range(32)]
    kernel = replace(constant("k", (32, 8, 2, 2), b"".join(rows)), name="weights")
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 8, 2, 2)),
        TensorSpec("made", shape=(1, 8, 2, 2)),
        kernel,
        TensorSpec("y", kind="output", shape=(1, 32, 1, 1)),
    )
    nodes = (
        NodeSpec("Relu:before", "Relu", 2, (0,), (1,)),
        NodeSpec("Conv:/flat_output_0_tp_rs-gather_2conv", "Conv", 2, (1, 2), (3,), tasks(1)),
    )
    attribution = diagnose(tensors, nodes)
    cause = found(attribution, "permuted_views")
    assert cause is not None
    assert cause.fix[0].rewrites == ("flattened_order",)
    assert found(attribution, "shuffle_dense") is None


def test_a_cause_that_owns_more_than_the_answer_is_told_with_it() -> None:
    kernel = constant("w", (8, 8, 1, 1), bytes(range(128)))
    rows = [ONE if column == (row + 4) % 16 else ZERO for row in range(16) for column in range(16)]
    shuffle = constant("k", (16, 16, 1, 1), b"".join(rows))
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 16, 64, 64)),
        shuffle,
        TensorSpec("a", shape=(1, 16, 64, 64)),
        kernel,
        TensorSpec("y", kind="output", shape=(1, 16, 64, 64)),
    )
    nodes = (
        NodeSpec("Conv:moved", "Conv", 2, (0, 1), (2,), tasks(2)),
        NodeSpec("Relu:large", "Relu", 2, (2,), (4,), tasks(9)),
    )
    attribution = diagnose(tensors, nodes)
    shares = {cause.code: cause.bytes for cause in attribution.causes}
    assert attribution.lead == "shuffle_dense"
    assert shares["large_maps"] > shares["shuffle_dense"]
    left = (
        attribution.ordinary_bytes + attribution.excess_bytes - shares["large_maps"] - shares["shuffle_dense"]
    )
    assert "; 1 layer with large maps is cut into several tasks: " in attribution.sentence
    assert attribution.sentence.endswith(f"; without all of that, {left / 1000:.2f} kB.")
