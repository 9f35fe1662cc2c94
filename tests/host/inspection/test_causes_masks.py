"""Constants by which a Where chooses between two maps: of shifted windows, or of what comes later."""

from __future__ import annotations

from rkbench.inspection.causes import Attribution
from rknn_writer import NodeSpec, TensorSpec
from test_causes_detours import BLOCKS, diagnose, found, tasks

SHAPE = (1, 4, 64, 64)
MASK = (b"\0\0" * 4 + b"\0\x3c" * 4) * 4096


def chosen(condition: int, then: int, shape: tuple[int, ...] = SHAPE, data: bytes = MASK) -> Attribution:
    """Return what is said of a Where of a map (0), a mask (1) and another map (2)."""
    tensors = (
        TensorSpec("x", kind="input", shape=SHAPE, layout=BLOCKS),
        TensorSpec("mask", kind="weight", shape=shape, layout=BLOCKS, data=data),
        TensorSpec("z", kind="input", shape=SHAPE, layout=BLOCKS),
        TensorSpec("y", kind="output", shape=SHAPE, layout=BLOCKS),
    )
    return diagnose(tensors, (NodeSpec("Where:w", "Where", 2, (condition, then, 2), (3,), tasks(1)),))


def test_a_condition_that_is_a_constant_is_a_mask_with_its_filler() -> None:
    attribution = chosen(1, 0)
    cause = found(attribution, "stored_masks")
    assert cause is not None
    assert attribution.lead == "stored_masks"
    assert cause.bytes == len(MASK)
    assert "most mask of w (1x4x64x64)" in cause.because
    assert found(attribution, "folded_constant") is None


def test_a_map_that_is_chosen_is_none() -> None:
    attribution = chosen(0, 1)
    assert found(attribution, "stored_masks") is None
    assert found(attribution, "folded_constant") is not None


def test_a_small_condition_is_none() -> None:
    assert found(chosen(1, 0, (1, 4, 1, 128), MASK[:2048]), "stored_masks") is None
