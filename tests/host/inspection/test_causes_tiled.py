"""Constants that the file holds anew for every map of a batch, and those that differ from map to map."""

from __future__ import annotations

import pytest
from rkbench.inspection.causes import Attribution, Cause
from rkbench.inspection.causes.plain import plain_bytes
from rknn_writer import NodeSpec, TensorSpec
from test_causes_detours import BLOCKS, diagnose, found, tasks
from test_causes_statistics import noise

MAP = bytes(range(256)) * 4
OTHER = bytes(reversed(MAP))
WEIGHTS = 65


def added(
    data: bytes, positions: int = 64, layout: int = BLOCKS, kind: str = "exMatMul", maps: int = 2
) -> Attribution:
    """Return what is said of 8 maps of 8 x 1 x `positions` that read this constant, in blocks of 8."""
    shape = (8, 8, 1, positions)
    read = tuple(TensorSpec(f"x{place}", kind="input", shape=shape) for place in range(maps))
    stored = TensorSpec(
        "bias", kind="weight", shape=shape, native_shape=(8, 1, 1, positions, 8), layout=layout, data=data
    )
    tensors = (*read, stored, TensorSpec("y", kind="output", shape=shape))
    reads = tuple(range(maps + 1))
    return diagnose(tensors, (NodeSpec(f"{kind}:scores", kind, 2, reads, (maps + 1,), tasks(1)),))


def bias(data: bytes, positions: int = 64, layout: int = BLOCKS, kind: str = "exMatMul") -> Cause | None:
    """Return the cause of a constant that repeats."""
    return found(added(data, positions, layout, kind), "tiled_constants")


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


OWN = b"".join(bytes([head]) + MAP[1:] for head in range(8))


@pytest.mark.parametrize(("kind", "maps"), [("exMatMul", 2), ("exSDPAttention", 3)])
def test_a_bias_that_is_of_each_head_its_own_has_a_name(kind: str, maps: int) -> None:
    attribution = added(OWN, kind=kind, maps=maps)
    cause = found(attribution, "attention_bias")
    assert cause is not None
    assert cause.sections["weights"] == len(OWN)
    assert "most bias of scores (8x8x1x64)" in cause.because


def test_what_a_product_multiplies_by_is_no_bias() -> None:
    assert found(added(OWN, maps=1), "attention_bias") is None
    assert found(added(OWN, kind="exSDPAttention"), "attention_bias") is None


def test_a_bias_that_repeats_is_told_once() -> None:
    attribution = added(MAP * 8)
    assert found(attribution, "tiled_constants") is not None
    assert found(attribution, "attention_bias") is None


@pytest.mark.parametrize(("data", "maps", "told"), [(MAP * 8, 1, True), (bytes(8192), 1, False)])
def test_a_constant_that_a_product_of_maps_multiplies_by_was_folded(
    data: bytes, maps: int, *, told: bool
) -> None:
    """An attention over learned positions has constant scores where these are zero."""
    assert (found(added(data, maps=maps), "folded_constant") is not None) is told


def test_an_own_bias_is_what_the_network_needs() -> None:
    """Half as large as the weights beside it: without it the file would be called twice too large."""
    shape, image = (1, 8, 1, 24_576), (1, 512, 1, 64)
    tensors = (
        *(TensorSpec(f"x{place}", kind="input", shape=shape) for place in range(2)),
        TensorSpec("k", kind="weight", shape=(512, 512, 1, 1), data=noise("k", 524_288)),
        TensorSpec("bias", kind="weight", shape=shape, layout=BLOCKS, data=noise("bias", 393_216)),
        TensorSpec("m", shape=image),
        TensorSpec("n", shape=image),
        TensorSpec("y", kind="output", shape=shape),
    )
    nodes = (
        NodeSpec("Conv:c", "Conv", 2, (4, 2), (5,), tasks(1)),
        NodeSpec("exMatMul:scores", "exMatMul", 2, (0, 1, 3), (6,), tasks(1)),
    )
    attribution = diagnose(tensors, nodes)
    assert plain_bytes(10**6, attribution.ordinary, attribution.causes) > 524_288 + 393_216
