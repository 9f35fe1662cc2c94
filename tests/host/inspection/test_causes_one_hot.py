"""Kernels of zeros and ones, and paddings: what they are called is told by values and tasks, not by names."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

import pytest
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec
from test_causes_moves import HALF, ONE, ZERO, constant, diagnose, found, moving


def one_layer(
    kind: str, kernel: TensorSpec, *, before: tuple[NodeSpec, ...] = (), name: str = "n"
) -> FileSpec:
    """Return a file of one layer with a kernel, behind others that make tensor 2 of tensor 0."""
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 16, 8, 8)),
        kernel,
        TensorSpec("read", shape=(1, 16, 8, 8)),
        TensorSpec("y", kind="output", shape=(1, 16, 8, 8)),
        TensorSpec("piece", shape=(1, 8, 8, 8)),
        TensorSpec("other", shape=(1, 8, 8, 8)),
    )
    nodes = (*before, NodeSpec(f"{kind}:{name}", kind, 2, (2 if before else 0, 1), (3,)))
    return FileSpec((GraphSpec(tensors, nodes, (0,), (3,)),))


def transposed(values: dict[int, bytes]) -> FileSpec:
    """Return a file of a ConvTranspose of 64 inputs, 16 outputs and 2x2 whose kernel has these values."""
    data = b"".join(values.get(place, ZERO) for place in range(64 * 16 * 4))
    kernel = constant("k", (64, 16, 2, 2), data)
    return one_layer("ConvTranspose", replace(kernel, native_shape=(1, 4, 2, 2, 16, 16)))


ONCE = {64 * each + each % 64: ONE for each in range(64)}


def test_a_transposed_convolution_of_single_ones_is_a_depth_to_space() -> None:
    cause = found(diagnose(transposed(ONCE)), "depth_to_space_dense")
    assert cause is not None
    assert (cause.layers, cause.bytes) == (("n",), 64 * 16 * 4 * 2)
    assert "1 transposed convolution of zeros and ones does" in cause.because
    assert "one ConvTranspose whose kernel and stride" in cause.fix[0].action


@pytest.mark.parametrize("values", [ONCE | {0: HALF}, ONCE | {1: ONE}, {}])
def test_a_transposed_convolution_of_other_weights_is_none(values: dict[int, bytes]) -> None:
    assert found(diagnose(transposed(values)), "depth_to_space_dense") is None


def merging(
    values: dict[int, bytes], *, stride: int = 2, native: tuple[int, ...] = (4, 1, 2, 2, 16, 16)
) -> FileSpec:
    """Return a file of a strided convolution, 16 inputs, 64 outputs, 2x2, whose kernel has these values."""
    data = b"".join(values.get(place, ZERO) for place in range(64 * 16 * 4))
    kernel = replace(constant("k", (64, 16, 2, 2), data), native_shape=native)
    spec = one_layer("Conv", kernel)
    graph = spec.graphs[0]
    node = replace(graph.nodes[0], options_type=1, strides=(stride, stride), groups=1)
    return FileSpec((replace(graph, nodes=(node,)),))


def test_a_strided_convolution_of_single_ones_merges_patches() -> None:
    cause = found(diagnose(merging(ONCE)), "merged_patches_dense")
    assert cause is not None
    assert (cause.layers, cause.bytes) == (("n",), 64 * 16 * 4 * 2)
    assert "1 strided convolution of zeros and ones does what SpaceToDepth does" in cause.because
    assert "Transpose, SpaceToDepth, Transpose" in cause.fix[0].action


@pytest.mark.parametrize(
    ("values", "stride"), [(ONCE | {0: HALF}, 2), (ONCE | {1: ONE}, 2), ({}, 2), (ONCE, 1)]
)
def test_a_strided_convolution_of_other_weights_or_steps_merges_none(
    values: dict[int, bytes], stride: int
) -> None:
    assert found(diagnose(merging(values, stride=stride)), "merged_patches_dense") is None


def test_a_kernel_that_lies_as_another_is_read() -> None:
    """No converter writes it: 16 outputs over 64 inputs, in a kernel of 64 over 16."""
    assert diagnose(merging(ONCE, native=(1, 4, 2, 2, 16, 16))).causes


def rows(reads: list[int | None], inputs: int) -> TensorSpec:
    """Return a 1x1 kernel whose rows read one input each, or nothing."""
    ones = (ONE if column == read else ZERO for read in reads for column in range(inputs))
    return replace(constant("k", (len(reads), inputs, 1, 1), b"".join(ones)), name="weights")


@pytest.mark.parametrize(
    ("reads", "inputs", "code"),
    [
        ([(row + 4) % 16 for row in range(16)], 16, "shuffle_dense"),
        ([*[None] * 8, *range(16), *[None] * 8], 16, "moved_channels"),  # filled up with zeros
        ([row // 4 for row in range(16)], 4, "moved_channels"),  # each four times
        ([*range(16), *range(16)], 16, "moved_channels"),  # all of them twice
        ([2, 1, *range(16), 14, 13], 16, "border_kernels"),  # mirrored
        ([0, 0, *range(16), 15], 16, "border_kernels"),  # the border repeated
    ],
)
def test_only_a_permutation_is_a_shuffle(reads: list[int | None], inputs: int, code: str) -> None:
    attribution = diagnose(one_layer("Conv", rows(reads, inputs), name="gather_2conv"))
    codes = {cause.code for cause in attribution.causes}
    others = {
        "shuffle_dense",
        "moved_channels",
        "permuted_views",
        "depthwise_multiplier",
        "grouped_conv_dense",
    }
    assert codes & {*others, "border_kernels"} == {code}


def test_a_mirrored_border_is_cured_by_another_padding() -> None:
    spec = one_layer("Conv", rows([2, 1, *range(16), 14, 13], 16), name="gather_2conv")
    cause = found(diagnose(spec), "border_kernels")
    assert cause is not None
    assert cause.sections["weights"] == 20 * 16 * 2
    assert [str(fix.action).partition(",")[0] for fix in cause.fix] == ["pad with zeros"]


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        ((), "let the model's input"),
        (("Slice",), "let the model's input"),
        (("Conv",), "let the convolution before it"),
        (("exMatMul",), "no cure known"),
    ],
)
def test_channels_that_are_copied_come_from_a_layer_or_the_input(behind: tuple[str, ...], said: str) -> None:
    before = tuple(NodeSpec(f"{kind}:b", kind, 2, (0,), (2,)) for kind in behind)
    order = rows([row // 4 for row in range(16)], 4)
    cause = found(diagnose(one_layer("Conv", order, before=before, name="gather_2conv")), "moved_channels")
    assert cause is not None
    assert [str(fix.action)[: len(said)] for fix in cause.fix] == [said]


def test_a_permutation_of_pieces_of_one_map_is_an_unfold() -> None:
    pieces = (
        NodeSpec("Split:s", "Split", 2, (0,), (4, 5)),
        NodeSpec("Concat:c", "Concat", 2, (4, 5), (2,)),
    )
    order = rows([(row + 4) % 16 for row in range(16)], 16)
    attribution = diagnose(one_layer("Conv", order, before=pieces))
    cause = found(attribution, "moved_channels")
    assert cause is not None
    assert "SpaceToDepth" in cause.fix[0].action
    assert found(attribution, "shuffle_dense") is None


@pytest.mark.parametrize(("values", "is_spread"), [([ONE] * 64, True), ([ONE] * 63 + [HALF], False)])
def test_one_channel_repeated_by_ones_is_no_padding(values: list[bytes], *, is_spread: bool) -> None:
    data = b"".join(value + ZERO * 7 for value in values)
    kernel = replace(constant("k", (64, 1, 1, 1), data), native_shape=(4, 1, 1, 1, 16, 8))
    attribution = diagnose(one_layer("Conv", kernel))
    cause = found(attribution, "spread_values")
    assert (cause is not None) is is_spread
    assert (found(attribution, "padding") is None) is is_spread
    assert cause is None or cause.sections["weights"] == 64 * 8 * 2


@pytest.mark.parametrize(
    ("kernel", "biases", "is_spread"),
    [
        ([b"\x7f" + b"\x80" * 15] * 32, [7] * 32, True),
        ([b"\x7f" + b"\x80" * 15, b"\x80" + b"\x7f" * 15] * 16, [7] * 32, False),
        ([b"\x7f" + b"\x80" * 15] * 32, range(32), False),
    ],
    ids=["ones", "of both signs", "of other biases"],
)
def test_one_weight_an_output_is_the_largest_number_in_int8(
    kernel: list[bytes], biases: Sequence[int], *, is_spread: bool
) -> None:
    """OSNet's gates, which learned 16 weights of one channel, were called convolutions of ones."""
    tensors = (
        TensorSpec("x", kind="input", dtype="INT8", shape=(1, 1, 8, 8)),
        TensorSpec(
            "k",
            kind="weight",
            dtype="INT8",
            shape=(32, 1, 1, 1),
            native_shape=(1, 1, 1, 1, 32, 16),
            data=b"".join(kernel),
        ),
        TensorSpec(
            "b", kind="weight", dtype="INT32", shape=(32,), data=struct.pack("<64i", *biases, *[127] * 32)
        ),
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, 32, 8, 8)),
    )
    nodes = (NodeSpec("Conv:n", "Conv", 2, (0, 1, 2), (3,)),)
    cause = found(diagnose(FileSpec((GraphSpec(tensors, nodes, (0,), (3,)),))), "spread_values")
    assert (cause is not None) is is_spread


SIDES = ((1, 16, 64, 64), (1, 16, 82, 82))


@pytest.mark.parametrize(("tasks", "is_copied"), [(37, True), (5, False)])
def test_a_pad_with_a_task_for_each_row_it_adds_is_told(tasks: int, *, is_copied: bool) -> None:
    cause = found(diagnose(moving("Pad", tasks, SIDES)), "pad_copies")
    assert (cause is not None) is is_copied
    assert cause is None or "m (1x16x64x64 -> 1x16x82x82, 37 tasks on 1 core)" in cause.because


@pytest.mark.parametrize(("mode", "is_copied"), [("reflect", True), ("edge", True), ("constant", False)])
def test_a_pad_that_copies_its_border_owns_its_whole_layer(mode: str, *, is_copied: bool) -> None:
    spec = moving("Pad", 3, ((1, 16, 64, 64), (1, 16, 66, 66)))
    (graph,) = spec.graphs
    (pad,) = graph.nodes
    nodes = (replace(pad, padding_mode=mode),)
    attribution = diagnose(replace(spec, graphs=(replace(graph, nodes=nodes),)))
    cause = found(attribution, "pad_copies")
    assert (cause is not None) is is_copied
    if cause:
        assert cause.sections["register_commands"] == 3 * 80 * 8
        assert cause.sections["tasks"] == 3 * 40
        assert cause.not_helping == ()  # in int8 .58 to 1.03 of it


@pytest.mark.parametrize(("tasks", "kind"), [(2048, "network"), (8, "nothing")])
def test_fewer_positions_are_advised_where_tasks_go_by_them(tasks: int, kind: str) -> None:
    shape = (1, 2, 128, 128)
    cause = found(diagnose(moving("OutputOperator", tasks, (shape, shape))), "output_layout")
    assert cause is not None
    assert cause.fix[0].kind == kind


@pytest.mark.parametrize(("target", "owned"), [(2, True), (0, False)])
def test_tables_of_an_output_are_those_of_who_puts_it_in_order(target: int, *, owned: bool) -> None:
    """In int8 for the rk3568: 4,096 and 1,024 bytes an output; where the CPU does it there are none."""
    shape = (1, 2, 128, 128)
    (graph,) = moving("OutputOperator", 2048, (shape, shape)).graphs
    table = TensorSpec(
        "x_weight_0", kind="compiler_constant", dtype="INT8", shape=(64, 8, 1, 8), data=b"\1" * 4096
    )
    given = TensorSpec("given", kind="input", shape=shape)
    made = NodeSpec("Relu:r", "Relu", 0, (5,), (0,))
    nodes = (replace(graph.nodes[0], target=target), made)
    attribution = diagnose(FileSpec((replace(graph, tensors=(*graph.tensors, table, given), nodes=nodes),)))
    cause = found(attribution, "output_layout")
    assert cause is not None
    assert cause.sections.get("compiler_constants", 0) == 4096 * owned
