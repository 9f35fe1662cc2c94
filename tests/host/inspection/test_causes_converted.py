"""Real conversions of one cause each (rknn-toolkit2 2.5.0): the first sentence, word for word."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.inspection.causes import find_causes
from rkbench.rknn import open_model
from rknn_writer import MODELS

CONVERTED = MODELS / "causes"
SENTENCES = {
    "concat44_44.rk3568.int8": (
        "(rk3568 int8) is 84.2 kB because the compiler added 1 convolution (1x1) to realign parts of "
        "44 channels in Concat_9: 9.81 kB (12 %); 1 output is brought from blocks of channels into NCHW "
        "by 100 NPU tasks: 17.4 kB (21 %), most for Conv_14 (1x32x28x28); without all of that, 57.1 kB."
    ),
    "conv1x1_conv1x1.rk3576.w4a16": (
        "(rk3576 w4a16) is 24.0 kB because 1 layer could be part of 1 other layer (1x1 convolutions "
        "one after the other without an activation): 6.96 kB (29 %) of their commands, structure and "
        "constants; without that, 17.1 kB."
    ),
    "conv1x1_conv1x1.rk3588.int8": (
        "(rk3588 int8) is 36.0 kB because 1 layer could be part of 1 other layer (1x1 convolutions "
        "one after the other without an activation): 14.2 kB (39 %) of their commands, structure and "
        "constants; without that, 21.8 kB."
    ),
    "dilation24_map20.rk3568.int8": (
        "(rk3568 int8) is 48.6 kB because 1 dilated convolution reaches beyond the map (Conv_6: "
        "dilation 24 on 20x20), so that all taps but the centre read padding only: 21.7 kB (45 %) of "
        "weights and commands; without that, 27.0 kB."
    ),
    "divsqrt.rk3588.int8": (
        "(rk3588 int8) is 60.0 kB, 1.7 times the 35.1 kB that its layers need plainly: commands that "
        "fill the activation table 8.83 kB, tables of activation functions 8.78 kB, command lists for"
        " 2 and 3 cores beside the one for 1 core 7.28 kB."
    ),
    "int_input_onehot.rk3568.fp16": (
        "(rk3568 fp16) is 40.7 kB because 1 layer that only moves data takes 9.81 kB (24 %) of "
        "commands and tasks, most MatMul_10_mm_tp (1x64x1x16 -> 1x16x1x64, 16 NPU tasks); without "
        "that, 30.9 kB."
    ),
    "mini_concat.rv1106.int8": (
        "(rv1106 int8) is healthy: of its 18.3 kB, 5.50 kB (30 %) are weights, 6.66 kB NPU commands, "
        "5.06 kB structure."
    ),
    "mixconv60.rk3568.fp16": (
        "(rk3568 fp16) is 43.1 kB because 4 layers could be part of 1 other layer (depthwise "
        "convolutions between a Split and a Concat): 10.1 kB (23 %) of their commands, structure and "
        "constants; without that, 33.0 kB."
    ),
    "patch16.rk3568.int8": (
        "(rk3568 int8) is 50.6 kB because Conv_2_split has kernel = stride = 16 over 3 channels: 24.3 kB "
        "(48 %) pad its channels to a block and take it in smaller steps; without that, 26.3 kB."
    ),
    "repvgg_branches.rk3568.int8": (
        "(rk3568 int8) is 47.9 kB because 6 layers could be part of 2 other layers (parallel branches"
        " that are summed): 13.3 kB (28 %) of their commands, structure and constants; 1 output is "
        "brought from blocks of channels into NCHW by 100 NPU tasks: 17.3 kB (36 %), most for Relu_24 "
        "(1x16x28x28); without all of that, 17.3 kB."
    ),
    "same_weights_twice.rk3588.int8": (
        "(rk3588 int8) is 48.2 kB because 1 constant is stored again, byte for byte: 9.22 kB (19 %), "
        "the largest w_1 (32x32x3x3), the same as w_2; the command lists for 2 and 3 NPU cores take "
        "12.7 kB (26 %) beside the one that a single core needs, most for Conv_3 (1x32x28x28); without "
        "all of that, 26.3 kB."
    ),
    "shufflenetv2_unit.rk3568.int8": (
        "(rk3568 int8) is 98.1 kB because 1 channel shuffle (C = 140) is stored as 2 dense 1x1 "
        "convolutions: 27.3 kB (28 %); without that, 70.8 kB."
    ),
    "sigmoid_own_conv.rk3588.int8": (
        "(rk3588 int8) is 51.1 kB, 2.4 times the 21.5 kB that its layers need plainly: commands that "
        "fill the activation table 8.83 kB, tables of activation functions 8.78 kB, command lists for"
        " 2 and 3 cores beside the one for 1 core 7.36 kB."
    ),
    "sigmoid_two_readers.rk3588.int8": (
        "(rk3588 int8) is 44.7 kB, 2.3 times the 19.8 kB that its layers need plainly: commands that "
        "fill the activation table 8.83 kB, tables of activation functions 8.78 kB, command lists for"
        " 2 and 3 cores beside the one for 1 core 7.36 kB."
    ),
    "silu16.rk3588.int8": (
        "(rk3588 int8) is 72.7 kB because 4 layers fill the activation table (513 + 513 entries) "
        "before they run: 35.3 kB (49 %) of commands; without that, 37.3 kB."
    ),
    "stft_k256_s128_cured.rk3588.fp16": (
        "(rk3588 fp16) is 51.4 kB because 2 tables of 8.19 kB that only move data (64x8x1x8) are "
        "stored for 1 layer: 16.4 kB (32 %); without that, 35.0 kB."
    ),
    "unfold2x2.rk3568.int8": (
        "(rk3568 int8) is 38.0 kB because 1 layer that only moves data takes 8.07 kB (21 %) of "
        "commands and tasks, most MatMul_14_mm_tp (4x64x1x256 -> 4x256x1x64, 32 NPU tasks); without "
        "that, 30.0 kB."
    ),
    "unused_split.rk3568.fp16": (
        "(rk3568 fp16) is healthy: of its 14.1 kB, 752 B (5.3 %) are weights, 5.66 kB NPU commands, "
        "6.58 kB structure."
    ),
    "unused_topk.rk3568.fp16": (
        "(rk3568 fp16) is healthy: of its 10.2 kB, 632 B (6.2 %) are weights, 1.87 kB NPU commands, "
        "6.58 kB structure; 2 layers (Cast and TopK) on the CPU."
    ),
}


def test_every_converted_sample_has_its_sentence() -> None:
    assert {path.stem for path in CONVERTED.glob("*.rknn")} == set(SENTENCES)


@pytest.mark.parametrize("name", SENTENCES)
def test_the_answer_names_what_owns_the_bytes(name: str) -> None:
    path: Path = CONVERTED / f"{name}.rknn"
    with open_model(path) as model:
        attribution = find_causes(model)
        claimed = sum(cause.bytes for cause in attribution.causes) + attribution.ordinary_bytes
    assert attribution.sentence == f"{path.name} {SENTENCES[name]}"
    assert claimed == path.stat().st_size


def test_a_kernel_as_wide_as_its_steps_is_told_to_be_a_pointwise_one() -> None:
    with open_model(CONVERTED / "patch16.rk3568.int8.rknn") as model:
        cause = next(cause for cause in find_causes(model).causes if cause.code == "patch_kernel")
    assert cause.fix[0].action.startswith("Conv_2_split has kernel = stride = 16: SpaceToDepth(16)")
