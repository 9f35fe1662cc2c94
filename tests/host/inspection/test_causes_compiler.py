"""What the compiler adds of its own: table fills, a realigned Concat, the constants of every file."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rknn_writer import (
    FileSpec,
    GraphSpec,
    NodeSpec,
    TensorSpec,
    opened,
    write_model,
    write_tasks,
)

WORK = struct.pack("<HIH", 0x4004, 1, 0x1001) * 96
ENTRY = struct.pack("<HIH", 0x4104, 7, 0x1001)
FILL = ENTRY * 1026 + WORK


def diagnose(spec: FileSpec) -> Attribution:
    with opened(write_model(spec)) as model:
        return find_causes(model)


def cause(attribution: Attribution, code: str) -> Cause:
    return next(cause for cause in attribution.causes if cause.code == code)


def activation(tasks: list[bytes], own_counts: tuple[int, ...]) -> FileSpec:
    """Return a file of one Sigmoid on a small map, whose tasks run these commands one after another."""
    addresses = [sum(map(len, tasks[:index])) for index in range(len(tasks))]
    tensors = (
        TensorSpec("x", kind="input", dtype="INT8", shape=(1, 32, 16, 16)),
        TensorSpec("Sigmoid", kind="lookup_table", dtype="OPAQUE", shape=(), data=b"t" * 1000),
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, 32, 16, 16)),
        TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=b"".join(tasks)),
        TensorSpec(
            "task",
            kind="tasks",
            dtype="OPAQUE",
            shape=(),
            data=write_tasks([(0, address) for address in addresses]),
        ),
    )
    nodes = (NodeSpec("Sigmoid:y", "Sigmoid", 2, (0,), (2,), own_counts),)
    return FileSpec((GraphSpec(tensors, nodes, (0,), (2,)),), target="rk3576")


@pytest.mark.parametrize(
    ("tasks", "own_counts", "filled"),
    [
        ([FILL, WORK, FILL, WORK], (1, 1, 0, 0, 0, 0), 2 * len(FILL)),
        ([ENTRY * 513, ENTRY * 513, WORK, WORK], (4, 0, 0, 0, 0, 0), 2 * 513 * 8),
    ],
    ids=["one task a table", "one task a half"],
)
def test_a_small_map_with_an_activation_table_is_not_a_large_one(
    tasks: list[bytes], own_counts: tuple[int, ...], filled: int
) -> None:
    attribution = diagnose(activation(tasks, own_counts))
    assert "large_maps" not in [cause.code for cause in attribution.causes]
    found = cause(attribution, "table_commands")
    assert (attribution.lead, found.bytes) == ("table_commands", filled)
    assert "fills the activation table (513 + 513 entries)" in attribution.sentence
    assert [fix.kind for fix in found.fix] == ["nothing", "network"]
    assert "smaller input" not in " ".join(fix.action for fix in found.fix)


def test_commands_that_write_half_a_table_less_one_fill_none() -> None:
    attribution = diagnose(activation([ENTRY * 512 + WORK], (1, 0, 0, 0, 0, 0)))
    assert "table_commands" not in [cause.code for cause in attribution.causes]


def identity(outputs: int, inputs: int, gap_after: int, gap: int, filler: int) -> bytes:
    """Return an int8 kernel that copies channel o, or o + gap from `gap_after` on, as one stored block."""
    rows = bytearray([filler]) * (outputs * inputs)
    for output in range(outputs):
        source = output + (gap if output >= gap_after else 0)
        if source < inputs:
            rows[output * inputs + source] = 127
    return bytes(rows)


def realigned(kernel: bytes, outputs: int, inputs: int) -> FileSpec:
    """Return a file with a Concat of 32 + 20 channels, the second filled up to 32, and the kernel behind."""
    tensors = (
        TensorSpec("a", kind="input", dtype="INT8", shape=(1, 32, 4, 4)),
        TensorSpec("b", kind="input", dtype="INT8", shape=(1, 20, 4, 4)),
        TensorSpec("joined", dtype="INT8", shape=(1, inputs, 4, 4)),
        TensorSpec(
            "k",
            kind="weight",
            dtype="INT8",
            shape=(outputs, inputs, 1, 1),
            native_shape=(1, 1, 1, 1, outputs, inputs),
            data=kernel,
        ),
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, outputs, 4, 4)),
    )
    nodes = (
        NodeSpec("Concat:Concat_64", "Concat", 2, (0, 1), (2,), (1, 0, 0, 0, 0, 0)),
        NodeSpec("Conv:133_conv", "Conv", 2, (2, 3), (4,), (1, 0, 0, 0, 0, 0)),
    )
    return FileSpec((GraphSpec(tensors, nodes, (0, 1), (4,)),))


def test_an_identity_behind_a_concat_is_no_grouped_convolution() -> None:
    attribution = diagnose(realigned(identity(64, 64, 64, 0, 130), 64, 64))
    found = cause(attribution, "concat_realigned")
    assert found.sections["weights"] == 64 * 64
    assert "parts of 20 channels in Concat_64" in attribution.sentence
    assert "multiple of 16 channels (20 -> 32)" in found.fix[0].action
    assert not any(fix.snippet.startswith("bench fix") for each in attribution.causes for fix in each.fix)
    assert "grouped_conv_dense" not in [each.code for each in attribution.causes]


def test_channels_that_are_moved_apart_are_realigned_too() -> None:
    attribution = diagnose(realigned(identity(52, 64, 20, 12, 0), 52, 64))
    assert cause(attribution, "concat_realigned").layers == ("133_conv",)


def test_a_grouped_kernel_behind_a_concat_stays_a_grouped_one() -> None:
    blocks = bytes(100 if output // 8 == channel // 8 else 0 for output in range(64) for channel in range(64))
    codes = [each.code for each in diagnose(realigned(blocks, 64, 64)).causes]
    assert "grouped_conv_dense" in codes
    assert "concat_realigned" not in codes


FIXED = {
    "tempMC11_weight": 8192,
    "tempMC11_output": 4096,
    "tempMC11_input": 4096,
    "fenceConv_weight": 256,
    "fenceConv_output": 512,
    "fenceConv_input": 512,
    "fenceConv_output_BScfgTensor": 1024,
    "y_BScfgTensor": 512,
}


def test_what_stands_in_every_rk3576_file_is_named_so() -> None:
    tensors = (
        TensorSpec("x", kind="input", dtype="INT8", shape=(1, 32, 4, 4)),
        TensorSpec("w", kind="weight", dtype="INT8", shape=(32, 32, 1, 1), data=bytes(range(256)) * 4),
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, 32, 4, 4)),
        *(
            TensorSpec(name, kind="weight", dtype="INT8", shape=(1, size, 1, 1), data=b"f" * size)
            for name, size in FIXED.items()
        ),
    )
    nodes = (NodeSpec("Conv:Conv_0", "Conv", 2, (0, 1), (2,), (1, 0, 0, 0, 0, 0)),)
    spec = FileSpec((GraphSpec(tensors, nodes, (0,), (2,)),), target="rk3576")
    attribution = diagnose(spec)
    found = cause(attribution, "compiler_fixed")
    assert (found.bytes, attribution.verdict) == (19_200, "healthy")
    assert "1.02 kB" in attribution.sentence
    assert "19.2 kB what the compiler adds to every rk3576 file" in attribution.sentence
    assert found.evidence == (
        "tempMC11: 8,192 + 4,096 + 4,096 B",
        "fenceConv: 256 + 512 + 512 B",
        "BScfgTensor: 1,024 + 512 B",
    )
    assert "512 B or more for each" in found.explanation


def test_one_core_is_no_cure_where_only_the_rk3588_has_it() -> None:
    spec = activation([WORK * 4, WORK * 8], (1, 1, 0, 0, 0, 0))
    lists = cause(diagnose(spec), "core_lists")
    assert [(fix.kind, fix.snippet) for fix in lists.fix] == [("nothing", "")]
    document: dict[str, object] = {"version": "2.5.0", "target_platform": ["rk3588"]}
    on_rk3588 = cause(diagnose(replace(spec, target="rk3588", document=document)), "core_lists")
    assert "single_core_mode=True" in on_rk3588.fix[0].snippet
