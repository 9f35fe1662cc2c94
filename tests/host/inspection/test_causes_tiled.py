"""Constants that the file holds anew for every map of a batch, and those that differ from map to map."""

from __future__ import annotations

import pytest
from rkbench.inspection.causes import Cause
from rknn_writer import NodeSpec, TensorSpec
from test_causes_detours import BLOCKS, diagnose, found, tasks

MAP = bytes(range(256)) * 4
OTHER = bytes(reversed(MAP))
WEIGHTS = 65


def bias(data: bytes, positions: int = 64, layout: int = BLOCKS, kind: str = "exMatMul") -> Cause | None:
    """Return the cause of 8 maps of 8 x 1 x `positions` that read this constant, in blocks of 8."""
    shape = (8, 8, 1, positions)
    tensors = (
        TensorSpec("x", kind="input", shape=shape),
        TensorSpec(
            "bias",
            kind="weight",
            shape=shape,
            native_shape=(8, 1, 1, positions, 8),
            layout=layout,
            data=data,
        ),
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (NodeSpec(f"{kind}:scores", kind, 2, (0, 1), (2,), tasks(1)),)
    return found(diagnose(tensors, nodes), "tiled_constants")


@pytest.mark.parametrize(
    ("data", "again", "times"),
    [
        (MAP * 8, 7, "1 distinct in 8 maps"),
        ((MAP + OTHER) * 4, 6, "2 distinct in 8 maps"),
        (MAP * 6 + OTHER + MAP[:-1] + b"!", 5, "3 distinct in 8 maps"),
    ],
)
def test_maps_that_repeat_are_owned_but_for_the_first_of_each_kind(
    data: bytes, again: int, times: str
) -> None:
    cause = bias(data)
    assert cause is not None
    assert cause.layers == ("scores",)
    assert cause.sections["weights"] == again * len(MAP)
    assert times in cause.because


def test_a_row_that_is_filled_up_and_a_rest_at_the_end_count_as_they_are_stored() -> None:
    cause = bias(MAP * 8 + MAP[:64], positions=61)
    assert cause is not None
    assert cause.sections["weights"] == 7 * len(MAP)


@pytest.mark.parametrize(
    ("data", "positions", "layout"),
    [
        (MAP * 8 + OTHER[:1], 32, BLOCKS),
        (b"".join(bytes([place]) + MAP[1:] for place in range(4)) + MAP + OTHER + MAP * 2, 64, BLOCKS),
        (bytes(len(MAP) * 8), 64, BLOCKS),
        (MAP * 8, 64, WEIGHTS),
        (MAP * 8, 128, BLOCKS),
    ],
    ids=[
        "bytes that do not add up",
        "fewer than half are again",
        "a table of zeros",
        "weights",
        "fewer bytes than maps",
    ],
)
def test_what_differs_or_is_no_map_is_none(data: bytes, positions: int, layout: int) -> None:
    assert bias(data, positions, layout) is None


def test_what_is_not_combined_with_the_maps_is_none() -> None:
    assert bias(MAP * 8, kind="exSDPAttention") is not None
    assert bias(MAP * 8, kind="Gather") is None
