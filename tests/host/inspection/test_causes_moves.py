"""Layers and constants that only move data: shuffles in parts, transposes, outputs, tables, copies."""

from __future__ import annotations

import struct

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model, write_tasks

COMMAND = struct.pack("<HIH", 0x4004, 1, 0x1001)
ONE = struct.pack("<e", 1.0)
HALF = struct.pack("<e", 0.5)
ZERO = bytes(2)


def diagnose(spec: FileSpec) -> Attribution:
    with opened(write_model(spec)) as model:
        return find_causes(model)


def found(attribution: Attribution, code: str) -> Cause | None:
    return next((cause for cause in attribution.causes if cause.code == code), None)


def constant(name: str, shape: tuple[int, ...], data: bytes, kind: str = "weight") -> TensorSpec:
    packed = (1, 1, 1, 1, shape[0], shape[1])
    return TensorSpec(name, kind=kind, shape=shape, native_shape=packed, data=data)


def half_of_a_shuffle(first: int, values: tuple[bytes, bytes]) -> bytes:
    """Return a kernel [32, 16] whose rows `first`, `first` + 2, ... read one input each, others nothing."""
    rows = [ZERO * 16] * 32
    for channel in range(16):
        row = [ZERO] * 16
        row[channel] = values[channel % 2]
        rows[first + 2 * channel] = b"".join(row)
    return b"".join(rows)


def fused_shuffle(values: tuple[bytes, bytes]) -> FileSpec:
    """Return a file of two convolutions whose sum is the shuffled Concat of what they read."""
    shape = (1, 16, 4, 4)
    tensors = (
        TensorSpec("a", kind="input", shape=shape),
        TensorSpec("b", kind="input", shape=shape),
        constant("k0", (32, 16, 1, 1), half_of_a_shuffle(0, values)),
        constant("k1", (32, 16, 1, 1), half_of_a_shuffle(1, values)),
        TensorSpec("half", shape=(1, 32, 4, 4)),
        TensorSpec("y", kind="output", shape=(1, 32, 4, 4)),
    )
    nodes = (
        NodeSpec("Conv:a_conv", "Conv", 2, (0, 2), (4,)),
        NodeSpec("Conv:b_conv", "ConvAdd", 2, (1, 3, 4), (5,)),
    )
    return FileSpec((GraphSpec(tensors, nodes, (0, 1), (5,)),))


def test_the_parts_of_a_fused_shuffle_are_no_depthwise_multiplier() -> None:
    attribution = diagnose(fused_shuffle((ONE, ONE)))
    cause = found(attribution, "shuffle_dense")
    assert cause is not None
    assert cause.layers == ("a_conv", "b_conv")
    assert cause.sections["weights"] == 2 * 32 * 16 * 2
    assert found(attribution, "depthwise_multiplier") is None


def test_a_kernel_that_scales_its_channels_is_no_shuffle() -> None:
    assert found(diagnose(fused_shuffle((ONE, HALF))), "shuffle_dense") is None


def swapped(first: str, second: str) -> Attribution:
    """Return what is said of a layer that adds a map to the swapped halves of another, made by these two."""
    rows = [ZERO * row + ONE + ZERO * (31 - row) for row in range(32)]
    shape = (4, 32, 1, 64)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        TensorSpec("sine", shape=shape),
        TensorSpec("cosine", shape=shape),
        constant("k", (32, 32, 1, 1), b"".join(rows[16:] + rows[:16])),
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (
        NodeSpec(f"{first}:sine", first, 2, (0,), (1,)),
        NodeSpec(f"{second}:cosine", second, 2, (0,), (2,)),
        NodeSpec("Conv:rotated", "ConvAdd", 2, (1, 3, 2), (4,)),
    )
    return diagnose(FileSpec((GraphSpec(tensors, nodes, (0,), (4,)),)))


def test_heads_that_a_rotary_embedding_turns_are_no_shuffle_to_train_without() -> None:
    cause = found(swapped("Mul", "Mul"), "shuffle_dense")
    assert cause is not None
    assert cause.because.startswith("1 half-swap (C = 32) is stored as dense")
    assert [fix.kind for fix in cause.fix] == ["nothing"]
    assert cause.fix[0].action.startswith("a rotary position embedding swaps the halves of every head")
    other = found(swapped("Relu", "Mul"), "shuffle_dense")
    assert other is not None
    assert other.because.startswith("1 channel shuffle (C = 32)")


def test_a_shuffle_of_repeated_channels_is_cured_before_they_are_repeated() -> None:
    cause = found(swapped("Tile", "Tile"), "shuffle_dense")
    assert cause is not None
    assert [str(fix.action).partition(":")[0] for fix in cause.fix] == [
        "where a Tile repeats the channels before the shuffle"
    ]


@pytest.mark.parametrize(("name", "is_shuffle"), [("", False), ("Conv:gather_2conv", True)])
def test_a_nameless_layer_that_lays_out_an_image_is_no_shuffle(name: str, *, is_shuffle: bool) -> None:
    kernel = b"".join(ONE if row == column else ZERO for row in range(3) for column in range(3))
    shape = (1, 3, 8, 8)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        constant("k", (3, 3, 1, 1), kernel),
        TensorSpec("y", kind="output", shape=shape),
    )
    graph = GraphSpec(tensors, (NodeSpec(name, "Conv", 2, (0, 1), (2,)),), (0,), (2,))
    assert (found(diagnose(FileSpec((graph,))), "shuffle_dense") is not None) is is_shuffle


def moving(kind: str, tasks: int, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> FileSpec:
    """Return a file of one layer that only moves data, in this many tasks."""
    commands = COMMAND * 80
    tensors = (
        TensorSpec("x", kind="input", shape=shapes[0]),
        TensorSpec("y", kind="output", shape=shapes[1]),
        TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=commands * tasks),
        TensorSpec(
            "task",
            kind="tasks",
            dtype="OPAQUE",
            shape=(),
            data=write_tasks([(0, index * len(commands)) for index in range(tasks)]),
        ),
    )
    outputs = () if kind == "OutputOperator" else (1,)
    nodes = (NodeSpec(f"{kind}:m", kind, 2, (0,), outputs, (tasks, 0, 0, 0, 0, 0)),)
    return FileSpec((GraphSpec(tensors, nodes, (0,), (1,)),), target="rk3588")


def test_a_transpose_in_many_tasks_is_no_large_map() -> None:
    attribution = diagnose(moving("Transpose", 200, ((1024, 2, 16, 2), (2, 2, 1024, 16))))
    cause = found(attribution, "transpose_commands")
    assert cause is not None
    assert attribution.lead == "transpose_commands"
    assert "m (1024x2x16x2 -> 2x2x1024x16, 200 NPU tasks)" in cause.because
    assert cause.fix[0].action.startswith("a fold of 2x2 written as Reshape, Transpose, Reshape")
    assert found(attribution, "large_maps") is None


def test_a_transpose_in_one_task_costs_what_a_layer_costs() -> None:
    assert found(diagnose(moving("Transpose", 1, ((1, 8, 4, 4), (1, 4, 4, 8)))), "transpose_commands") is None


def test_an_output_that_is_brought_into_order_is_told_by_its_positions() -> None:
    attribution = diagnose(moving("OutputOperator", 100, ((1, 32, 28, 28), (1, 32, 28, 28))))
    cause = found(attribution, "output_layout")
    assert cause is not None
    assert "by 100 NPU tasks" in cause.because
    assert "(1x32x28x28)" in cause.because
    assert found(attribution, "transpose_commands") is None


def with_constants(*constants: TensorSpec) -> FileSpec:
    tensors = (
        TensorSpec("x", kind="input"),
        *constants,
        TensorSpec("y", kind="output"),
    )
    last = len(tensors) - 1
    nodes = (NodeSpec("Conv:c", "Conv", 2, tuple(range(last)), (last,)),)
    return FileSpec((GraphSpec(tensors, nodes, (0,), (last,)),))


@pytest.mark.parametrize(
    ("block", "kind", "is_table"),
    [
        (8, "compiler_constant", True),
        (16, "compiler_constant", True),
        (8, "weight", False),
        (4, "compiler_constant", False),
    ],
)
def test_tables_that_move_blocks_are_told_from_weights(block: int, kind: str, is_table: bool) -> None:
    shape = (block * block, block, 1, block)
    data = bytes(range(256)) * (2 * block**4 // 256)
    spec = with_constants(*(TensorSpec(f"c_{i}", kind=kind, shape=shape, data=data) for i in range(2)))
    cause = found(diagnose(spec), "relayout_tables")
    assert (cause is not None) is is_table
    if cause:
        assert cause.bytes == 2 * len(data)


@pytest.mark.parametrize("kind", ["weight", "cpu_constant"])
def test_the_same_constant_twice_is_one_too_many(kind: str) -> None:
    same, other = bytes(range(256)) * 32, bytes(reversed(range(256))) * 32
    first = TensorSpec("w_1", kind=kind, shape=(64, 64, 1, 1), data=same)
    cause = found(
        diagnose(with_constants(first, TensorSpec("w_2", kind=kind, shape=(64, 64, 1, 1), data=same))),
        "repeated_constants",
    )
    assert cause is not None
    assert cause.bytes == len(same)
    assert cause.evidence == ("w_1 = w_2: 2 x 8.19 kB, identical",)
    assert cause.fix[0].rewrites == ("shared_weights",)
    late = same[:-1] + b"!"
    for unlike in (other, late):
        spec = with_constants(first, TensorSpec("w_2", kind=kind, shape=(64, 64, 1, 1), data=unlike))
        assert found(diagnose(spec), "repeated_constants") is None


@pytest.mark.parametrize(("name", "rewrite"), [("_tile0", "shared_parts"), ("_tiles", "shared_weights")])
def test_weights_that_the_compiler_cut_again_are_not_merged_but_cut_in_the_onnx(
    name: str, rewrite: str
) -> None:
    same = bytes(range(256)) * 32
    kernels = [TensorSpec(f"w_{i}", kind="weight", shape=(64, 64, 1, 1), data=same) for i in range(2)]
    maps = [TensorSpec(name) for name in "yz"]
    tensors = (TensorSpec("x", kind="input"), *kernels, *maps)
    nodes = tuple(NodeSpec(f"Conv:c_{i}{name}", "Conv", 2, (0, 1 + i), (3 + i,)) for i in range(2))
    cause = found(diagnose(FileSpec((GraphSpec(tensors, nodes, (0,), (3, 4)),))), "repeated_constants")
    assert cause is not None
    assert cause.bytes == len(same)
    assert [fix.rewrites for fix in cause.fix] == [(rewrite,)]
    is_cut = cause.fix[0].action.startswith("cut the convolution in the ONNX")
    assert is_cut is (rewrite == "shared_parts")


def test_weights_that_realign_channels_are_no_generated_map() -> None:
    apart = b"".join(
        ONE if column == row + 8 * (row > 11) else ZERO for row in range(64) for column in range(72)
    )
    tensors = (
        TensorSpec("a", kind="input", shape=(1, 12, 32, 32)),
        TensorSpec("b", kind="input", shape=(1, 52, 32, 32)),
        constant("k", (64, 72, 1, 1), apart, "compiler_constant"),
        TensorSpec("joined", shape=(1, 64, 32, 32)),
        TensorSpec("half", kind="weight", shape=(1, 64, 32, 32), data=HALF * (64 * 32 * 32)),
        TensorSpec("y", kind="output", shape=(1, 64, 32, 32)),
    )
    nodes = (NodeSpec("Concat:c", "Concat", 2, (0, 1, 2), (3,)), NodeSpec("Add:s", "Add", 2, (3, 4), (5,)))
    attribution = diagnose(FileSpec((GraphSpec(tensors, nodes, (0, 1), (5,)),)))
    moved, generated = found(attribution, "concat_realigned"), found(attribution, "folded_constant")
    assert moved is not None
    assert generated is not None
    assert (moved.layers, generated.layers) == (("c",), ("s",))
    assert generated.because.startswith("1 constant map (half, 1x64x32x32)")
