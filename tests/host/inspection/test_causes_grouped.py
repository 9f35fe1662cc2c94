"""Grouped convolutions: told by the zeros in their weights, whatever the names say."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes, read_facts
from rkbench.inspection.causes.kernel_groups import Groups, find_groups, moves_channels
from rkbench.rknn import open_model
from rknn_writer import (
    MODELS,
    SHARED_MODELS,
    FileSpec,
    GraphSpec,
    NodeSpec,
    TensorSpec,
    opened,
    write_model,
)

CHANNELS = 32


def packed(weight: Callable[[int, int], int], blocks: int = 2) -> bytes:
    """Return a 32x32 1x1 kernel in fp16 as stored: one block for each 16 outputs, [2, 1, 1, 1, 16, 32]."""
    inner = CHANNELS // blocks
    order = [
        (block * inner + row, column)
        for block in range(blocks)
        for row in range(inner)
        for column in range(32)
    ]
    return b"".join(struct.pack("<H", weight(output, column)) for output, column in order)


def model_with(kernel: bytes, name: str = "Conv:plain", version: str = "2.5.0") -> bytes:
    """Return a file with one convolution."""
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 32, 4, 4)),
        TensorSpec("w", kind="weight", shape=(32, 32, 1, 1), native_shape=(2, 1, 1, 1, 16, 32), data=kernel),
        TensorSpec("y", kind="output", shape=(1, 32, 4, 4)),
    )
    nodes = (NodeSpec(name, "Conv", 2, (0, 1), (2,), (1, 0, 0, 0, 0, 0)),)
    document = {"version": version, "target_platform": ["rk3588"]}
    return write_model(FileSpec((GraphSpec(tensors, nodes, (0,), (2,)),), document=document))


def groups_of(kernel: bytes) -> Groups | None:
    with opened(model_with(kernel)) as model:
        return find_groups(model, [tensor for tensor in model.tensors if tensor.kind == "weight"])


def cause(attribution: Attribution, code: str) -> Cause:
    return next(cause for cause in attribution.causes if cause.code == code)


def diagnose(path: Path) -> Attribution:
    with open_model(path) as model:
        return find_causes(model)


@pytest.mark.parametrize(("channels", "count"), [(1, 32), (2, 16), (4, 8), (8, 4), (16, 2)])
def test_a_block_diagonal_kernel_was_grouped(channels: int, count: int) -> None:
    same = channels
    kernel = packed(lambda output, column: 0x3C00 + column if output // same == column // same else 0)
    assert groups_of(kernel) == Groups(count, channels, channels, 8)


def test_a_dense_kernel_was_not_grouped() -> None:
    assert groups_of(packed(lambda output, column: 0x3C00 + output + column)) is None


def test_a_pruned_kernel_is_not_taken_for_a_grouped_one() -> None:
    assert groups_of(packed(lambda output, column: 0x3C00 if column == output * 7 % 32 else 0)) is None


def test_a_kernel_of_zeros_says_nothing() -> None:
    assert groups_of(bytes(2048)) is None


def test_a_kernel_whose_blocks_do_not_fit_its_bytes_is_left_alone() -> None:
    assert groups_of(packed(lambda output, column: 0)[:-2]) is None


def test_channels_that_the_buffer_cannot_hold_are_not_counted_out() -> None:
    with opened(model_with(packed(lambda output, column: 0x3C00 + column))) as model:
        (kernel,) = (tensor for tensor in model.tensors if tensor.kind == "weight")
        assert find_groups(model, [replace(kernel, shape=(32, 2**40, 1, 1))]) is None


def test_filler_in_int8_is_the_zero_point_of_the_channel_not_zero() -> None:
    attribution = diagnose(MODELS / "grouped_c64_g16_rk3568_i8.rknn")
    assert cause(attribution, "grouped_conv_dense").layers == ("Conv_0", "Conv_2")


def test_the_layer_needs_no_telling_name_to_be_found() -> None:
    kernel = packed(lambda output, column: 0x3C00 if output // 4 == column // 4 else 0)
    with opened(model_with(kernel, "Conv:my_conv")) as model:
        found = cause(find_causes(model), "grouped_conv_dense")
    assert found.layers == ("my_conv",)
    assert found.sections == {"weights": 2048 - 256}


def test_the_evidence_states_bytes_groups_and_the_rule() -> None:
    found = cause(diagnose(MODELS / "grouped_c64_g16_rk3588_fp.rknn"), "grouped_conv_dense")
    assert found.bytes == 138_240 == 2 * (64 * 64 * 9 - 64 * 4 * 9) * 2
    assert found.evidence == (
        "kernels of 147 kB where the groups need 9.22 kB (16x): 93.8 % is filler",
        (
            "Conv_0: [64, 64, 3, 3] stored; 8 of 8 sampled output channels read only their own group of 4 "
            "(16 groups)"
        ),
        (
            "Conv_2: [64, 64, 3, 3] stored; 8 of 8 sampled output channels read only their own group of 4 "
            "(16 groups)"
        ),
        "rk3588 fp16 keeps groups whose channels are a multiple of 8: 4 % 8 = 4",
    )
    assert found.fix[0].snippet == "bench fix MODEL.onnx --target rk3588 --dtype fp16 -o FIXED.onnx"
    assert found.neighbours == ("x → Conv_0#1 → Conv_2#1", "Conv_0#1 → Conv_2#1 → Conv_4")


def test_what_does_not_help_is_said() -> None:
    found = cause(diagnose(MODELS / "grouped_c64_g16_rk3588_fp.rknn"), "grouped_conv_dense")
    assert any("asymmetric_quantized-u8" in line and "rejected" in line for line in found.not_helping)
    assert any("quantize_input_nodes" in line and "rejected" in line for line in found.not_helping)
    assert any("hybrid quantization" in line and "62.2 MB" in line for line in found.not_helping)


def test_float16_is_offered_where_it_keeps_the_groups_and_only_for_the_whole_model() -> None:
    found = cause(diagnose(MODELS / "grouped_c64_g16_rk3568_i8.rknn"), "grouped_conv_dense")
    assert [fix.snippet for fix in found.fix if fix.kind == "config"] == ["rknn.build(do_quantization=False)"]
    assert any("compress_weight" in line for line in found.not_helping)


def test_a_toolkit_that_cures_it_is_named_where_there_is_one() -> None:
    kernel = packed(lambda output, column: 0x3C00 if output // 4 == column // 4 else 0)
    data = model_with(kernel, version="2.3.0").replace(b"rk3588", b"rk3568")
    with opened(data) as model:
        fixes = cause(find_causes(model), "grouped_conv_dense").fix
    assert [fix.snippet for fix in fixes if fix.kind == "toolkit"] == ["pip install 'rknn-toolkit2>=2.3.2'"]


def test_groups_that_are_kept_are_not_called_dense() -> None:
    attribution = diagnose(MODELS / "g1_c512_cpg4_rk3568_fp.rknn")
    assert "grouped_conv_dense" not in [cause.code for cause in attribution.causes]
    kept = cause(attribution, "groups_kept_apart")
    assert kept.layers == ("Conv_7",)
    assert set(kept.sections) == {"register_commands", "tasks", "structure"}


def test_a_multiplier_is_told_from_a_grouped_convolution() -> None:
    attribution = diagnose(MODELS / "dwm_c64_m2_rk3588_i8.rknn")
    codes = [cause.code for cause in attribution.causes]
    assert codes[0] == "depthwise_multiplier"
    assert "grouped_conv_dense" not in codes
    assert attribution.causes[0].bytes == 128 * 64 * 9 - 128 * 9


def test_no_other_sample_has_a_dense_grouped_convolution() -> None:
    grouped = ("dwm_", "grouped_")
    paths = [path for path in sorted(MODELS.glob("*.rknn")) if not path.name.startswith(grouped)]
    if SHARED_MODELS.exists():
        paths += sorted((SHARED_MODELS / "made").glob("*.rknn"))
    found = {}
    for path in paths:
        with open_model(path) as model:
            found[path.stem] = len(read_facts(model).dense_groups)
    assert len(found) >= 9
    assert set(found.values()) == {0}


def test_a_shuffle_copies_one_channel_per_output() -> None:
    with open_model(MODELS / "chshuffle6_rk3588_fp.rknn") as model:
        kernels = [tensor for tensor in model.tensors if tensor.name.endswith("-gather_i1")]
        assert [moves_channels(model, kernel) for kernel in kernels] == [True] * 6


def test_names_of_a_file_are_never_formatted() -> None:
    kernel = packed(lambda output, column: 0x3C00 if output // 4 == column // 4 else 0)
    spec = model_with(kernel, "Conv:{0.__class__}{bytes}{nope}")
    with opened(spec) as model:
        found = find_causes(model)
    assert replace(found.causes[0]).layers == ("{0.__class__}{bytes}{nope}",)


@pytest.mark.parametrize(
    ("count", "rewrites"),
    [(11, [("regroup", "padded_groups"), ("padded_groups",), ()]), (12, [("regroup", "padded_groups"), ()])],
)
def test_whether_kept_groups_are_merged_is_for_the_onnx_to_tell(
    count: int, rewrites: list[tuple[str, ...]]
) -> None:
    part = (1, 8, 4, 4)
    tensors = [TensorSpec("x", kind="input", shape=part)]
    nodes = []
    for index in range(count):
        tensors += [
            TensorSpec(f"w{index}", kind="weight", shape=(8, 8, 1, 1), data=bytes([index]) * 128),
            TensorSpec(f"y{index}", shape=part),
        ]
        nodes.append(NodeSpec(f"Conv:c_group_{index}", "Conv", 2, (0, 1 + 2 * index), (2 + 2 * index,)))
    with opened(write_model(FileSpec((GraphSpec(tuple(tensors), tuple(nodes), (0,), ()),)))) as model:
        cause = next(c for c in find_causes(model).causes if c.code == "groups_kept_apart")
    assert [fix.rewrites for fix in cause.fix] == rewrites
    assert not [fix.snippet for fix in cause.fix if fix.snippet.startswith("bench fix")]
