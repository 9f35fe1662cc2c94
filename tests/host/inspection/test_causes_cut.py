"""Why a layer has several tasks, as these fetch its map and its weights."""

from __future__ import annotations

import struct

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rkbench.rknn.tiles import Tile, Tiles
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model
from test_causes_moves import ONE

FETCHES, COMPUTES = 0x1D, 0x18
RECORD = struct.Struct("<8IQ")
FILLER = struct.pack("<HIH", 0x4004, 1, 0x1001) * 150
SHAPE = (1, 64, 64, 64)


def command(register: int, value: int) -> bytes:
    return struct.pack("<HIH", register, value, 0x0201)


def fetching(height: int, width: int, channels: int, kernels: int) -> bytes:
    """Return the commands of a task that fetches this much."""
    sizes = command(0x1020, width << 16 | height) + command(0x1024, channels) + command(0x1038, kernels)
    return sizes + FILLER


def spec(
    kind: str, tasks: list[bytes], *, enable: int = FETCHES, read: tuple[int, ...] = SHAPE, groups: int = 1,
    reader: str = "Relu", made: tuple[int, ...] = SHAPE,
) -> FileSpec:  # fmt: skip
    """Return a file of one layer of 64 kernels, in these tasks, and what reads it."""
    kernel = (1, 64, 1, 1) if groups > 1 else (64, 64, 1, 1)
    commands = b"".join((*tasks, FILLER))
    starts = [sum(map(len, tasks[:number])) for number in range(len(tasks) + 1)]
    nodes = [0] * len(tasks) + [1]
    records = b"".join(
        RECORD.pack(0, node, enable, 0, 0, 0, (len((*tasks, FILLER)[number])) // 8, 0, starts[number])
        for number, node in enumerate(nodes)
    )
    tensors = (
        TensorSpec("x", kind="input", shape=read),
        TensorSpec("k", kind="weight", shape=kernel, data=ONE * (64 * kernel[0])),
        TensorSpec("a", shape=made),
        TensorSpec("y", kind="output", shape=made),
        TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=commands),
        TensorSpec("task", kind="tasks", dtype="OPAQUE", shape=(), data=records),
    )  # fmt: skip
    is_conv = kind.startswith("Conv")
    layer = NodeSpec(
        f"{kind}:c", kind, 2, (0, 1) if is_conv else (0,), (2,), (len(tasks), 0, 0, 0, 0, 0),
        options_type=int(is_conv), strides=(1, 1) * is_conv, groups=groups * is_conv,
    )  # fmt: skip
    then = NodeSpec(f"{reader}:r", reader, 2, (2,), (3,), (1, 0, 0, 0, 0, 0))
    return FileSpec((GraphSpec(tensors, (layer, then), (0,), (3,)),), target="rk3588")


def diagnose(kind: str, tasks: list[bytes], **other: object) -> Attribution:
    with opened(write_model(spec(kind, tasks, **other))) as model:  # type: ignore[arg-type] # as spec has them
        return find_causes(model)


def codes(attribution: Attribution) -> set[str]:
    reasons = {"large_maps", "cut_weights", "map_products", "copied_maps", "expanded_maps"}
    return {cause.code for cause in attribution.causes} & reasons


def cause(attribution: Attribution, code: str) -> Cause:
    return next(cause for cause in attribution.causes if cause.code == code)


WHOLE, HALF, FEW = fetching(64, 64, 64, 64), fetching(34, 64, 64, 64), fetching(64, 64, 64, 16)


@pytest.mark.parametrize(
    ("kind", "tasks", "reason"),
    [
        ("Conv", [HALF, HALF], {"large_maps"}),
        ("ConvRelu", [fetching(1, 1000, 64, 64)] * 5, {"large_maps"}),
        ("Conv", [FEW] * 4, {"cut_weights"}),
        ("Conv", [fetching(34, 64, 64, 16)] * 8, {"large_maps"}),
        ("ConvExSwish", [WHOLE, WHOLE], set()),
        ("Conv", [fetching(1, 2047, 64, 64), fetching(1, 2047, 64, 64)], set()),
        ("exSDPAttention", [WHOLE] * 20, {"map_products"}),
        ("Gather", [FILLER] * 20, {"copied_maps"}),
        ("Concat", [HALF] * 4, {"copied_maps"}),
        ("Mul", [fetching(1, 1, 16, 1)] * 9, set()),
    ],
)
def test_a_layer_is_cut_for_what_its_tasks_fetch(kind: str, tasks: list[bytes], reason: set[str]) -> None:
    assert codes(diagnose(kind, tasks)) == reason


def test_a_depthwise_convolution_may_take_some_channels_at_a_time() -> None:
    assert codes(diagnose("Conv", [fetching(64, 64, 32, 1)] * 2, groups=64)) == {"large_maps"}
    assert codes(diagnose("Conv", [fetching(64, 64, 64, 1)] * 2, groups=64)) == set()


def test_layers_that_fetch_nothing_are_no_large_maps() -> None:
    assert codes(diagnose("Add", [FILLER] * 9, enable=COMPUTES)) == set()


def test_what_a_task_does_not_set_it_keeps_of_the_last_but_one() -> None:
    tasks = [fetching(34, 64, 64, 64), fetching(30, 64, 64, 64), FILLER, FILLER]
    with opened(write_model(spec("Conv", tasks))) as model:
        tiles = Tiles(model.contents)
        first, second = Tile(34, 64, 64, 64), Tile(30, 64, 64, 64)
        assert tiles.of(model.nodes[0]) == (first, second, first, second)
        assert tiles.of(model.nodes[1]) is None


def test_an_expand_before_what_broadcasts_is_to_be_dropped() -> None:
    one = fetching(1, 1, 16, 1)
    found = diagnose("Expand", [one] * 4, read=(1, 64, 1, 1), reader="Mul")
    assert codes(found) == {"expanded_maps"}
    told = cause(found, "expanded_maps")
    assert told.evidence[0] == "c: 1x64x1x1 -> 1x64x64x64, 4 tasks on 1 core, read by r"
    assert [fix.action for fix in told.fix] == [
        "drop the Expand: x * y instead of x * y.expand_as(x), the same values"
    ]
    kept = diagnose("Expand", [one] * 4, read=(1, 64, 1, 1), reader="Concat")
    assert codes(kept) == {"copied_maps"}


def test_an_expand_before_a_div_is_the_compilers_need() -> None:
    found = diagnose("Expand", [fetching(1, 1, 16, 1)] * 4, read=(1, 64, 1, 1), reader="Div")
    told = cause(found, "expanded_maps")
    assert [fix.kind for fix in told.fix] == ["nothing"]
    assert told.fix[0].action.startswith("before a Div the compiler needs it")


@pytest.mark.parametrize(("blocks", "number", "told"), [(4, 4, "repeats pixels"), (4, 9, "interpolates")])
def test_a_resize_repeats_pixels_where_it_has_a_task_for_each_block(
    blocks: int, number: int, told: str
) -> None:
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 64, 8, 8), native_shape=(1, blocks, 8, 8, 16), layout=64),
        TensorSpec("y", kind="output", shape=(1, 64, 16, 16)),
        TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=FILLER * number),
        TensorSpec("task", kind="tasks", dtype="OPAQUE", shape=(), data=b"".join(
            RECORD.pack(0, 0, COMPUTES, 0, 0, 0, 150, 0, place * len(FILLER)) for place in range(number))),
    )  # fmt: skip
    node = NodeSpec("Resize:r", "Resize", 2, (0,), (1,), (number, 0, 0, 0, 0, 0))
    with opened(write_model(FileSpec((GraphSpec(tensors, (node,), (0,), (1,)),), target="rk3568"))) as model:
        found = cause(find_causes(model), "resize_commands")
    assert told in found.explanation
    assert "core mode" not in found.explanation
    nearest = any("mode='nearest'" in fix.action for fix in found.fix)
    assert nearest is (told == "interpolates")


@pytest.mark.parametrize(("steps", "reason"), [((3, 1), {"tap_copies"}), ((1, 1), {"copied_maps"})])
def test_rows_that_are_copied_for_a_kernel_that_moves_by_its_size_were_its_dilation(
    steps: tuple[int, int], reason: set[str]
) -> None:
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 64, 28, 28)),
        TensorSpec("a", shape=(1, 64, 84, 28)),
        TensorSpec("k", kind="weight", shape=(64, 64, 3, 3), data=ONE * 36_864),
        TensorSpec("y", kind="output", shape=(1, 64, 28, 28)),
        TensorSpec("regcmd", kind="register_commands", dtype="OPAQUE", shape=(), data=FILLER * 84),
        TensorSpec("task", kind="tasks", dtype="OPAQUE", shape=(), data=b"".join(
            RECORD.pack(0, int(at == 83), COMPUTES, 0, 0, 0, 150, 0, at * len(FILLER)) for at in range(84))),
    )  # fmt: skip
    nodes = (
        NodeSpec("Gather:g", "Gather", 2, (0,), (1,), (83, 0, 0, 0, 0, 0)),
        NodeSpec(
            "Conv:c", "Conv", 2, (1, 2), (3,), (1, 0, 0, 0, 0, 0),
            options_type=1, strides=steps, dilations=(1, 4), groups=1,
        ),
    )  # fmt: skip
    with opened(write_model(FileSpec((GraphSpec(tensors, nodes, (0,), (3,)),), target="rk3588"))) as model:
        found = {cause.code for cause in find_causes(model).causes}
    assert found & {"tap_copies", "copied_maps"} == reason
