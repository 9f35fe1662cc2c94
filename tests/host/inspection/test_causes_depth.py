"""Convolutions along an axis that lies among the channels: told by rows that are the one before, moved on."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rkbench.inspection.causes.depth_rows import DepthRows, find_depth_rows
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model

SIDE = 32
Weight = Callable[[int, int, int], int]
"""Of the kernel of the network, by output channel, input channel and tap."""


def written_out(weight: Weight, positions: int, depth: int, step: int, taps: int, side: int = SIDE) -> bytes:
    """Return a 1x1 kernel of `side` to `side` channels that moves `taps` along a depth, in one block."""
    rows = []
    for row in range(side):
        output, position = divmod(row, positions)
        for column in range(side):
            channel, place = divmod(column, depth)
            tap = place - position * step + taps // 2
            rows.append(weight(output, channel, tap) if 0 <= tap < taps else 0)
    return struct.pack(f"<{len(rows)}H", *rows)


def learned(output: int, channel: int, tap: int) -> int:
    return 0x3001 + output * 97 + channel * 13 + tap * 5


def model_with(
    kernel: bytes, sides: tuple[int, int] = (1, 1), name: str = "moved", side: int = SIDE
) -> bytes:
    tensors = (
        TensorSpec("x", kind="input", shape=(1, side, 4, 4)),
        TensorSpec(
            "w",
            kind="weight",
            shape=(side, side, *sides),
            native_shape=(1, 1, 1, 1, side, side),
            data=kernel,
        ),
        TensorSpec("y", kind="output", shape=(1, side, 4, 4)),
    )
    nodes = (NodeSpec(f"Conv:{name}", "Conv", 2, (0, 1), (2,), (1, 0, 0, 0, 0, 0)),)
    return write_model(FileSpec((GraphSpec(tensors, nodes, (0,), (2,)),)))


def rows_of(kernel: bytes, side: int = SIDE) -> DepthRows | None:
    with opened(model_with(kernel, side=side)) as model:
        return find_depth_rows(model, [tensor for tensor in model.tensors if tensor.kind == "weight"])


def diagnose(kernel: bytes, name: str = "moved") -> Attribution:
    with opened(model_with(kernel, name=name)) as model:
        return find_causes(model)


def cause(attribution: Attribution, code: str) -> Cause | None:
    return next((cause for cause in attribution.causes if cause.code == code), None)


@pytest.mark.parametrize(
    ("positions", "depth", "step", "taps", "needed"),
    [
        (8, 8, 1, 3, 4 * 4 * 3),
        (8, 8, 1, 5, 4 * 4 * 5),
        (8, 8, 1, 1, 4 * 4),
        (4, 8, 2, 3, 8 * 4 * 3),
        (16, 16, 1, 3, 2 * 2 * 3),
        (32, 32, 1, 7, 7),
    ],
)
def test_rows_that_move_on_are_those_of_a_kernel_along_a_third_axis(
    positions: int, depth: int, step: int, taps: int, needed: int
) -> None:
    kernel = written_out(learned, positions, depth, step, taps)
    assert rows_of(kernel) == DepthRows(positions, taps, needed)


def test_of_several_numbers_of_positions_the_one_that_needs_the_least_is_the_networks() -> None:
    """A row of four positions more would move on as well: where one output ends and the next begins."""
    kernel = written_out(learned, 3, 3, 1, 1, side=24)
    assert rows_of(kernel, side=24) == DepthRows(3, 1, 8 * 8)


@pytest.mark.parametrize(
    "kernel",
    [
        struct.pack("<1024H", *(0x3001 + index for index in range(1024))),
        struct.pack(
            "<1024H", *((0x3001 + index) * (index // 32 // 8 == index % 32 // 8) for index in range(1024))
        ),
        struct.pack("<1024H", *(0x3C00 * (index // 32 == index % 32) for index in range(1024))),
        struct.pack("<1024H", *(0x3C00 * (abs(index // 32 - index % 32) < 2) for index in range(1024))),
        struct.pack(
            "<1024H", *((0x3001 + index) * (abs(index // 32 - index % 32) < 2) for index in range(1024))
        ),
        bytes(2048),
    ],
    ids=["dense", "grouped", "one in every row", "sums of neighbours", "a band of its own weights", "zeros"],
)
def test_what_differs_from_row_to_row_or_was_never_learned_is_none(kernel: bytes) -> None:
    assert rows_of(kernel) is None


def test_it_owns_what_is_stored_beyond_the_networks_weights_and_is_no_grouped_convolution() -> None:
    attribution = diagnose(written_out(learned, 32, 32, 1, 7))
    found = cause(attribution, "kernels_along_channels")
    assert found is not None
    assert attribution.lead == "kernels_along_channels"
    assert found.sections["weights"] == 2 * (32 * 32 - 7)
    assert "most moved (2.05 kB where 7x1x1 needs 14 B)" in found.because
    assert [name for fix in found.fix for name in fix.rewrites] == ["channel_rows"]
    assert cause(attribution, "grouped_conv_dense") is None


def diagonal(row: int, column: int) -> int:
    return 0x3C00 * (row == column)


def pairs(row: int, column: int) -> int:
    return 0x3001 + 97 * row + column if row // 2 == column // 2 else 0


def two_positions(row: int, column: int) -> int:
    """Three taps along two positions: one of them lies beyond the border at each."""
    tap = column % 2 - row % 2 + 1
    return 0x3001 + 97 * (row // 2) + 5 * tap if row // 2 == column // 2 else 0


@pytest.mark.parametrize(
    ("weight", "told", "needed"),
    [
        (diagonal, "1x1x1 at 1 position along the third axis", 32),
        (pairs, "2x1x1 at 2 positions along the third axis", 32),
        (two_positions, "3x1x1 at 2 positions along the third axis", 3 * 16),
    ],
)
def test_what_the_compiler_calls_laid_flat_is_no_grouped_convolution(
    weight: Callable[[int, int], int], told: str, needed: int
) -> None:
    kernel = struct.pack("<1024H", *(weight(*divmod(index, 32)) for index in range(1024)))
    attribution = diagnose(kernel, "pool_2d_tile0")
    found = cause(attribution, "kernels_along_channels")
    assert found is not None
    assert found.evidence[0].startswith(f"pool_2d: {told}")
    assert found.sections["weights"] == 2 * (32 * 32 - needed)
    assert cause(attribution, "grouped_conv_dense") is None
    assert cause(diagnose(kernel), "kernels_along_channels") is None


def test_parts_in_int8_have_fillers_of_their_own() -> None:
    """A part that is zeros only, beside one whose zeros are stored as 21."""
    moved = written_out(lambda output, channel, tap: 40 + output * 9 + channel * 3 + tap, 8, 8, 1, 3)
    first = bytes(21 if value == 0 else value for value in struct.unpack("<1024H", moved))
    tensors = (
        TensorSpec("x", kind="input", shape=(1, SIDE, 4, 4)),
        *(
            TensorSpec(
                f"w{part}",
                dtype="INT8",
                kind="weight",
                shape=(SIDE, SIDE, 1, 1),
                native_shape=(1, 1, 1, 1, SIDE, SIDE),
                data=data,
            )
            for part, data in enumerate((first, bytes(1024)))
        ),
    )
    with opened(write_model(FileSpec((GraphSpec(tensors, (), (0,), ()),)))) as model:
        kernels = [tensor for tensor in model.tensors if tensor.kind == "weight"]
        assert find_depth_rows(model, kernels) == DepthRows(8, 3, 4 * 4 * 3)


@pytest.mark.parametrize("sides", [(0, 1), (207, 1)])
def test_a_kernel_that_claims_other_taps_than_are_stored_moves_nowhere(sides: tuple[int, int]) -> None:
    """Fuzzing found both: a row of nothing has no most frequent element, and of 207 places few are there."""
    model = model_with(written_out(learned, 4, 8, 1, 3), sides=sides)
    with opened(model) as damaged:
        assert cause(find_causes(damaged), "kernels_along_channels") is None
