"""A cure fits what stands in the file: it asks for nothing that is so already, or that nobody can choose."""

from __future__ import annotations

import pytest
from rkbench.inspection.causes import Attribution, Cause
from rknn_writer import CONVOLUTION, NodeSpec, TensorSpec
from test_causes_detours import diagnose, found, tasks
from test_causes_moves import ONE, constant


def actions(attribution: Attribution, code: str) -> list[str]:
    cause = found(attribution, code)
    assert cause is not None
    return [str(fix.action) for fix in cause.fix]


def map_of(name: str, *shape: int, kind: str = "activation") -> TensorSpec:
    return TensorSpec(name, kind=kind, shape=shape)


def norm(
    before: str, maps: int = 1, number: int = 40, *, further: bool = False, name: str = "n"
) -> Attribution:
    """Return what is said of a norm behind a layer of this kind; behind the input where it is "".

    A `further` layer reads the same map as the norm.
    """
    shape = (maps, 16, 8, 8)
    tensors = (
        map_of("x", *shape, kind="input"),
        constant("k", (16, 16, 1, 1), ONE * 256),
        map_of("m", *shape),
        map_of("y", *shape, kind="output"),
    )
    first = (NodeSpec(f"{before}:c", before, 2, (0, 1), (2,), tasks(1)),) if before else ()
    last = (NodeSpec("Relu:r", "Relu", 2, (2,), (), tasks(1)),) if further else ()
    return diagnose(
        tensors,
        (*first, NodeSpec(f"exNorm:{name}", "exNorm", 2, (2 if before else 0,), (3,), tasks(number)), *last),
    )


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("Conv", "train with BatchNormalization instead: 1 of 1 stand behind a convolution"),
        ("", "n normalizes an input: do that before the model"),
    ],
)
def test_a_norm_is_folded_only_behind_a_convolution(before: str, said: str) -> None:
    first, second = actions(norm(before), "normalization_unrolled")[:2]
    assert first.startswith("an InstanceNormalization written as GlobalAveragePool")
    assert second.startswith(said)


def test_a_convolution_that_others_read_too_takes_no_norm() -> None:
    told = actions(norm("Conv", further=True), "normalization_unrolled")
    assert not any("BatchNormalization" in action for action in told)


def test_a_length_has_no_mean_that_a_batch_normalization_would_take() -> None:
    told = actions(norm("Conv", name="ReduceL2_2lpnorm2"), "normalization_unrolled")
    assert not any("BatchNormalization" in action for action in told)


def test_a_norm_behind_anything_else_is_not_folded() -> None:
    told = actions(norm("AveragePool"), "normalization_unrolled")
    assert not any("BatchNormalization" in action or "input" in action for action in told)


def test_a_norm_of_many_maps_has_its_tasks_and_its_constants_told_together() -> None:
    attribution = norm("", maps=32, number=64)
    assert found(attribution, "batched_layers") is None
    cause = found(attribution, "normalization_unrolled")
    assert cause is not None
    assert cause.layers == ("n",)
    assert (
        actions(attribution, "normalization_unrolled")[1] == "fewer groups in a norm, where they are its maps"
    )


@pytest.mark.parametrize(("factor", "asks"), [(2, False), (4, True)])
def test_factors_of_two_are_asked_for_where_they_are_larger(factor: int, *, asks: bool) -> None:
    tensors = (
        map_of("x", 1, 16, 8, 8, kind="input"),
        map_of("y", 1, 16, 8 * factor, 8 * factor, kind="output"),
    )
    told = actions(
        diagnose(tensors, (NodeSpec("Resize:r", "Resize", 2, (0,), (1,), tasks(40)),)), "resize_commands"
    )
    assert any("factors of 2" in action for action in told) is asks


@pytest.mark.parametrize(("number", "is_copied"), [(2, False), (9, True)])
def test_a_concat_has_a_task_for_each_part(number: int, *, is_copied: bool) -> None:
    tensors = (
        map_of("x", 1, 64, 32, 32, kind="input"),
        map_of("a", 1, 64, 32, 32),
        map_of("y", 1, 128, 32, 32, kind="output"),
    )
    nodes = (
        NodeSpec("Relu:a", "Relu", 2, (0,), (1,), tasks(1)),
        NodeSpec("Concat:c", "Concat", 2, (0, 1), (2,), tasks(number)),
    )
    attribution = diagnose(tensors, nodes)
    assert found(attribution, "large_maps") is None
    assert (found(attribution, "copied_maps") is not None) is is_copied


def padded(channels: int, stride: int) -> Attribution:
    """Return what is said of a 7x7 convolution of few channels that are filled up to 32."""
    kernel = TensorSpec(
        "k", kind="weight", shape=(16, channels, 7, 7), native_shape=(1, 1, 7, 7, 16, 32), data=ONE * 25_088
    )
    tensors = (
        map_of("x", 1, channels, 32, 32, kind="input"),
        kernel,
        map_of("y", 1, 16, 32, 32, kind="output"),
    )
    strides = (stride, stride)
    node = NodeSpec(
        "Conv:c", "Conv", 2, (0, 1), (2,), tasks(1), options_type=CONVOLUTION, strides=strides, groups=1
    )
    return diagnose(tensors, (node,))


@pytest.mark.parametrize(
    ("channels", "stride", "said"),
    [
        (1, 2, "a strided kernel over one channel: SpaceToDepth(2)"),
        (1, 1, "the network's input has 1 to 4 channels, not yours to choose"),
        (3, 2, "the network's input has 1 to 4 channels, not yours to choose"),
        (24, 1, "channels that are a multiple of 16"),
    ],
)
def test_nobody_chooses_the_channels_of_an_image(channels: int, stride: int, said: str) -> None:
    attribution = padded(channels, stride)
    (told,) = actions(attribution, "padding")
    assert said in told
    cause = found(attribution, "padding")
    assert cause is not None
    assert f"most for c (16x{channels}x7x7)" in cause.because


@pytest.mark.parametrize(
    ("between", "said"),
    [("Transpose", "the network's input has 1 to 4"), ("Sigmoid", "channels that are a multiple of")],
)
def test_few_channels_are_the_inputs_where_it_was_only_moved_before_them(between: str, said: str) -> None:
    """A mean that is spread over positions has one channel too, and nobody gave it."""
    tensors = (
        map_of("x", 1, 1, 32, 32, kind="input"),
        TensorSpec(
            "k", kind="weight", shape=(16, 1, 7, 7), native_shape=(1, 1, 7, 7, 16, 32), data=ONE * 25_088
        ),
        map_of("a", 1, 1, 32, 32),
        map_of("y", 1, 16, 32, 32, kind="output"),
    )
    nodes = (
        NodeSpec(f"{between}:b", between, 2, (0,), (2,), tasks(1)),
        NodeSpec("Conv:c", "Conv", 2, (2, 1), (3,), tasks(1), options_type=1, strides=(1, 1), groups=1),
    )
    (told,) = actions(diagnose(tensors, nodes), "padding")
    assert said in told


def test_channels_are_to_be_chosen_where_they_are_a_designers() -> None:
    """Of the image nobody chooses any, and those of attention are positions."""
    tensors = (
        map_of("x", 1, 3, 32, 32, kind="input"),
        constant("k", (16, 3, 7, 7), ONE * 25_088),
        map_of("a", 1, 24, 1, 64),
        TensorSpec("bias", kind="weight", shape=(8, 49, 1, 49), data=ONE * 25_088),
        map_of("y", 1, 24, 1, 64, kind="output"),
    )  # fmt: skip
    nodes = (
        NodeSpec("Conv:image", "Conv", 2, (0, 1), (2,), tasks(1), options_type=1, strides=(2, 2), groups=1),
        NodeSpec("exSDPAttention:s", "exSDPAttention", 2, (2, 3), (4,), tasks(1)),
    )
    assert actions(diagnose(tensors, nodes), "padding") == [
        "45.5 kB in 1 layer: the network's input has 1 to 4 channels, not yours to choose",
        (
            "11.8 kB in 1 layer: rows of stored operands of products; a multiple of 16 of them (positions "
            "of a window, where it is attention) fills the blocks"
        ),
    ]


def stored_map(kind: str, *, flat: bool) -> list[str]:
    """Return the cures of a stored map of 16 channels in two blocks, read by a layer of this kind."""
    channels = [bytes(range(start, start + 16)) for start in (0, 16)]
    last = channels[1] if flat else bytes(16)
    data = channels[0] * 1024 + channels[1] * 1023 + last
    stored = TensorSpec(
        "mask", kind="weight", shape=(1, 16, 32, 32), native_shape=(1, 2, 32, 32, 8), data=data
    )
    tensors = (
        map_of("x", 1, 16, 32, 32, kind="input"),
        stored,
        map_of("y", 1, 32 if kind == "Concat" else 16, 32, 32, kind="output"),
    )
    return actions(
        diagnose(tensors, (NodeSpec(f"{kind}:m", kind, 2, (0, 1), (2,), tasks(1)),)), "folded_constant"
    )


def test_a_stored_map_in_plain_order_is_in_no_layout_of_activations() -> None:
    """Of the indices of ViG's graph, INT64 on the CPU, it was said."""
    indices = TensorSpec(
        "i", kind="cpu_constant", dtype="INT64", shape=(1, 1, 64, 64), data=bytes(range(64)) * 512
    )
    tensors = (
        TensorSpec("x", kind="input", dtype="INT64", shape=(1, 1, 64, 64)),
        indices,
        TensorSpec("y", kind="output", dtype="INT64", shape=(1, 2, 64, 64)),
    )
    cause = found(diagnose(tensors, (NodeSpec("Concat:c", "Concat", 0, (0, 1), (2,)),)), "folded_constant")
    assert cause is not None
    assert "whole map: a ConstantOfShape" in cause.explanation


@pytest.mark.parametrize(("kind", "flat"), [("Add", True), ("Where", True), ("Where", False), ("Add", False)])
def test_a_map_is_kept_small_where_every_position_of_it_is_the_same(kind: str, *, flat: bool) -> None:
    told = stored_map(kind, flat=flat)
    assert any("[1, C, 1, 1]" in action for action in told) is flat
    assert not any("concatenated" in action for action in told)


def test_a_map_that_is_concatenated_is_a_bias() -> None:
    told = stored_map("Concat", flat=True)
    assert told[0].startswith("a constant map that is concatenated")
    assert not any("[1, C, 1, 1]" in action for action in told)


@pytest.mark.parametrize(("kind", "is_told"), [("Mul", True), ("Add", False), ("Where", False)])
def test_a_map_that_scales_another_may_be_the_outcome_of_an_if(kind: str, *, is_told: bool) -> None:
    """As torch writes LocalResponseNorm: the converter divides by what it found on a map of its own."""
    assert any("If over sizes" in action for action in stored_map(kind, flat=True)) is is_told


def turned(beside: str) -> Attribution:
    """Return what is said of a Transpose in many tasks behind a layer of this kind."""
    tensors = (
        map_of("x", 1, 16, 64, 64, kind="input"),
        map_of("m", 1, 4096, 1, 16),
        map_of("y", 1, 16, 1, 4096, kind="output"),
    )
    nodes = (
        NodeSpec(f"{beside}:n", beside, 2, (0,), (1,), tasks(1)),
        NodeSpec("Transpose:t", "Transpose", 2, (1,), (2,), tasks(512)),
    )
    return diagnose(tensors, nodes)


@pytest.mark.parametrize(("beside", "rewrites"), [("exNorm", ("pooled_norm",)), ("Relu", ())])
def test_a_transpose_that_a_norm_wants_is_cured_with_the_norm(beside: str, rewrites: tuple[str, ...]) -> None:
    cause = found(turned(beside), "transpose_commands")
    assert cause is not None
    assert [fix.rewrites for fix in cause.fix] == [rewrites]


def test_what_only_shapes_an_output_is_left_to_the_program() -> None:
    tensors = (map_of("x", 1, 16, 64, 64, kind="input"), map_of("y", 1, 64, 64, 16, kind="output"))
    last = NodeSpec("OutputOperator:y", "OutputOperator", 0, (1,), ())
    turn = NodeSpec("Transpose:t", "Transpose", 2, (0,), (1,), tasks(512))
    first, *others = actions(diagnose(tensors, (turn, last)), "transpose_commands")
    assert first.startswith("end the model before t, and let the program give the output its shape")
    more = NodeSpec("Relu:r", "Relu", 2, (1,), (), tasks(1))
    assert actions(diagnose(tensors, (turn, more)), "transpose_commands") == others


def test_rows_that_are_taken_for_a_batch_are_no_groups() -> None:
    shape = (14, 192, 1, 14)
    tensors = (map_of("x", *shape, kind="input"), map_of("y", *shape, kind="output"))
    norm = NodeSpec("exNorm:n", "exNorm", 2, (0,), (1,), tasks(28))
    told = actions(diagnose(tensors, (norm,)), "normalization_unrolled")
    assert any(action.startswith("rows of a channels-last picture") for action in told)
    assert not any("groups" in action for action in told)
    on_rk3568 = actions(diagnose(tensors, (norm,), target="rk3568"), "normalization_unrolled")
    assert not any(action.startswith("rows") for action in on_rk3568)  # it grows there, in fp16


def test_windows_are_only_moved() -> None:
    tensors = (map_of("x", 1, 48, 56, 56, kind="input"), map_of("y", 1, 48, 64, 49, kind="output"))
    attribution = diagnose(tensors, (NodeSpec("exWindow:w", "exWindow", 2, (0,), (1,), tasks(96)),))
    assert found(attribution, "large_maps") is None
    assert found(attribution, "transpose_commands") is not None


def dilated(commands: int) -> Cause | None:
    """Return the cause of a dilated convolution in 60 tasks, beside its like in so many without dilation."""
    tensors = (
        map_of("x", 1, 16, 8, 8, kind="input"),
        constant("k", (16, 16, 1, 1), ONE * 256),
        constant("l", (16, 16, 1, 1), ONE * 256),
        map_of("m", 1, 16, 8, 8),
        map_of("y", 1, 16, 8, 8, kind="output"),
    )
    options = {"options_type": CONVOLUTION, "groups": 1}
    nodes = (
        NodeSpec("Conv:plain", "Conv", 2, (0, 1), (3,), tasks(commands), **options),
        NodeSpec("Conv:wide", "Conv", 2, (3, 2), (4,), tasks(60), dilations=(4, 4), **options),
    )
    return found(diagnose(tensors, nodes), "dilation_commands")


def test_what_the_like_without_dilation_takes_too_is_not_dilation() -> None:
    assert dilated(60) is None
    alone, half = dilated(1), dilated(30)
    assert alone is not None
    assert half is not None
    assert 0.45 < half.bytes / alone.bytes < 0.55


def joined(kind: str, reader: str = "") -> Attribution:
    """Return what is said of a Concat that moves 12 and 20 rows, made by layers of this kind.

    A `reader` stands behind an activation, with a kernel where it is a convolution.
    """
    rows = b"".join(ONE if row == column else b"\0\0" for row in range(32) for column in range(32))
    tensors = (
        map_of("x", 1, 12, 1, 16, kind="input"),
        map_of("z", 1, 20, 1, 16, kind="input"),
        map_of("a", 1, 12, 1, 16),
        map_of("b", 1, 20, 1, 16),
        constant("k", (32, 32, 1, 1), rows, "compiler_constant"),
        map_of("y", 1, 32, 1, 16, kind="output"),
    )
    nodes = (
        NodeSpec(f"{kind}:a", kind, 2, (0,), (2,), tasks(1)),
        NodeSpec(f"{kind}:b", kind, 2, (1,), (3,), tasks(1)),
        NodeSpec("Concat:c", "Concat", 2, (2, 3, 4), (5,), tasks(3)),
    )
    if not reader:
        return diagnose(tensors, nodes)
    behind = (
        map_of("r", 1, 32, 1, 16),
        constant("w", (16, 32, 1, 1), bytes(range(256)) * 4),
        map_of("z", 1, 16, 1, 32, kind="output"),
    )
    last = NodeSpec(f"{reader}:l", reader, 2, (6, 7) if reader == "Conv" else (6,), (8,), tasks(1))
    return diagnose((*tensors, *behind), (*nodes, NodeSpec("Relu:r", "Relu", 2, (5,), (6,), tasks(1)), last))


@pytest.mark.parametrize(
    ("kind", "said"), [("Reshape", "the parts are reshaped maps"), ("Relu", "give every input of the Concat")]
)
def test_positions_are_no_channels_that_anybody_chose(kind: str, said: str) -> None:
    (told,) = actions(joined(kind), "concat_realigned")
    assert told.startswith(said)


@pytest.mark.parametrize(
    ("reader", "said"),
    [("Transpose", "no cure known: what is joined is turned"), ("Conv", "give every input")],
)
def test_what_is_turned_before_it_is_mixed_are_positions(reader: str, said: str) -> None:
    (told,) = actions(joined("Relu", reader), "concat_realigned")
    assert told.startswith(said)
