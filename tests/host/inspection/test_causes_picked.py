"""Values picked at stored places: told by a single one among the values of each position."""

from __future__ import annotations

import struct

import pytest
from rkbench.inspection.causes import Attribution, find_causes
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model
from test_causes_moves import found
from test_causes_tiled import BLOCKS

ROWS, VALUES, PLACES = 6, 16, 32


def matrices(more: int = 0) -> bytes:
    """Return blocks of 8 channels that hold a one for each row and place, and so many ones `more`."""
    elements = [0.0] * (ROWS * VALUES * PLACES)
    for row in range(ROWS):
        for place in range(PLACES):
            block, lane = divmod((row + place) % VALUES, 8)
            elements[((row * VALUES // 8 + block) * PLACES + place) * 8 + lane] = 1.0
    for index in range(more):
        elements[elements.index(0.0, index * 100)] = 1.0
    return struct.pack(f"<{len(elements)}e", *elements)


def product(data: bytes, kind: str = "exMatMul") -> Attribution:
    """Return what is said of a product of a map and a stored one of this content."""
    tensors = (
        TensorSpec("x", kind="input", shape=(ROWS, VALUES, 1, 1)),
        TensorSpec(
            "picks",
            kind="weight",
            shape=(ROWS, VALUES, 1, PLACES),
            native_shape=(ROWS, VALUES // 8, 1, PLACES, 8),
            data=data,
            layout=BLOCKS,
        ),
        TensorSpec("y", kind="output", shape=(ROWS, 1, 1, PLACES)),
    )
    nodes = (NodeSpec(f"{kind}:p", kind, 2, (0, 1), (2,), (1, 0, 0, 0, 0, 0)),)
    with opened(write_model(FileSpec((GraphSpec(tensors, nodes, (0,), (2,)),)))) as model:
        return find_causes(model)


def test_a_matrix_of_single_ones_for_each_row_picks_values() -> None:
    attribution = product(matrices())
    cause = found(attribution, "picked_values")
    assert cause is not None
    assert cause.sections == {"weights": ROWS * VALUES * PLACES * 2}
    assert cause.evidence == ("picks 6x16x1x32, 6.14 kB: a single one among every 16",)
    assert found(attribution, "folded_constant") is None
    assert attribution.lead == "picked_values"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(matrices(more=1), "exMatMul"), (matrices(), "Add"), (bytes(ROWS * VALUES * PLACES * 2), "exMatMul")],
    ids=["two ones at a place", "added", "zeros"],
)
def test_another_map_or_use_picks_none(data: bytes, kind: str) -> None:
    assert found(product(data, kind), "picked_values") is None


def test_a_damaged_file_with_half_an_element_more_ends_in_an_answer() -> None:
    """It ended in a ValueError: "bytes length not a multiple of item size"."""
    assert found(product(matrices() + b"\0"), "picked_values") is not None
