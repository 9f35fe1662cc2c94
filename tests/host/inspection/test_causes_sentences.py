"""The first line of `bench inspect`, word for word, for every sample; and every byte has one owner."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.inspection.causes import Attribution, find_causes
from rkbench.rknn import open_model
from rknn_writer import MODELS, SHARED_MODELS

SENTENCES = {
    "dw_dilated_rk3588_fp": "is 1.81 MB because 4 dilated convolutions take 1.67 MB (93 %) of NPU commands, "
    "1.41 MB of it Conv_8 alone (dilation 18, 1,594 NPU tasks); without that, 134 kB.",
    "chshuffle6_rk3588_fp": "is 911 kB because 6 channel shuffles (C = 240) are stored as dense CxC 1x1 "
    "convolutions: 759 kB (83 %); without that, 152 kB.",
    "const_ofshape_concat_rk3588_fp": "is 1.73 MB because 1 constant map (ConstantOfShape_6, 1x64x112x112) "
    "of repeated values is stored whole: 1.61 MB (93 %); without that, 121 kB.",
    "dwm_c64_m2_rk3588_i8": "is 92.9 kB because 1 depthwise convolution with channel multiplier 2 is stored "
    "dense: 72.6 kB (78 %) is filler and its commands; without that, 20.3 kB.",
    "dyn3_rk3588_fp": "is 1.51 MB because 3 input shapes (1x3x224x224, 1x3x192x192 and 1x3x160x160) each "
    "have their own graph and commands: 440 kB (29 %) for the further ones; without that, 1.07 MB.",
    "hybrid_some_rk3588": "is 765 kB because 2 layers (Conv_71 and Conv_75) stay FLOAT16 in an int8 model: "
    "136 kB (18 %); without that, 628 kB.",
    "grouped_c64_g16_rk3588_fp": "is 191 kB because 2 grouped convolutions (4 channels per group) are stored "
    "dense: 138 kB (73 %) is filler and its commands; without that, 52.4 kB.",
    "grouped_c64_g16_rk3568_i8": "is 97.4 kB because 2 grouped convolutions (4 channels per group) are "
    "stored "
    "dense: 69.1 kB (71 %) is filler and its commands; without that, 28.3 kB.",
    "g1_c512_cpg4_rk3568_fp": "is 543 kB because 1 grouped convolution runs as 128 small ones: 394 kB (72 %) "
    "is their NPU commands and structure; without that, 149 kB.",
    "gru_h16_rk3588_fp": "is 257 kB because 1 recurrent layer (GRU_0) is unrolled over 8 steps into 417 NPU "
    "tasks: 233 kB (90 %) of commands and constants; without that, 24.5 kB.",
    "lstm_h64_rk3568_fp": "is 192 kB because 1 recurrent layer (LSTM_0) is unrolled over 2 steps into 51 NPU "
    "tasks: 82.9 kB (43 %) of commands and constants; without that, 109 kB.",
    "resize8_c16_rk3588_i8": "is 117 kB because 1 Resize is cut into 207 NPU tasks: 28.3 kB (24 %) of "
    "commands; without that, 88.8 kB.",
    "windows_rk3568_i8": "is 102 kB because 6 layers over many maps at once take tasks for each of them: "
    "55.9 kB (55 %) of commands, most MatMul_12#1 (16 maps of 8x1x25, 129 tasks on 1 core); 1 constant that "
    "repeats from map to map is stored for each: 12.5 kB (12 %), most w_9 of MatMul_12#1 (16x25x1x25, 2 "
    "distinct in 16 maps); without all of that, 33.7 kB.",
    "mb_gap7_rk3588_i8": "is healthy: of its 630 kB, 447 kB (71 %) are weights, 138 kB NPU commands, 43.8 kB "
    "structure.",
    "erf_rk3588_i8": "is healthy: of its 103 kB, 76.8 kB (74 %) are weights, 15.9 kB NPU commands, 9.42 kB "
    "structure; 1 layer (Erf) on the CPU.",
    "opt_mini_rknn_True_rk3588_fp": "is healthy: of its 900 kB, 845 kB (94 %) are weights, 33.7 kB NPU "
    "commands, 19.6 kB structure.",
    "opt_remove_weight_True_rk3588_fp": "holds no weights (converted with remove_weight=True): its 268 "
    "kB are "
    "commands, structure and pooling constants.",
    "q_compress_weight_True_rk3568": "is healthy: of its 469 kB, 409 kB (87 %) are weights, 27.4 kB NPU "
    "commands, 32.1 kB structure.",
}
SHARED_SENTENCES = {
    "vit_tiny4_rk3588_i8": "is healthy: of its 2.42 MB, 1.83 MB (76 %) are weights, 394 kB NPU commands, "
    "134 kB structure; 4 layers (Erf) on the CPU.",
    "mb_gap7_rk3588_fp": "is healthy: of its 1.05 MB, 845 kB (81 %) are weights, 157 kB NPU commands, "
    "46.0 kB "
    "structure.",
    "mb_gap7_rk3568_i8": "is healthy: of its 502 kB, 443 kB (88 %) are weights, 27.4 kB NPU commands, "
    "31.1 kB "
    "structure.",
    "bloat3M_fixed_regroup16_rk3568_i8": "is 3.12 MB because 13 grouped convolutions run as 416 small ones: "
    "1.33 MB (43 %) is their NPU commands and structure; without that, 1.79 MB.",
    "g1_c512_cpg8_rk3588_fp": "is 1.01 MB because 1 grouped convolution runs as 64 small ones: 797 kB (79 %) "
    "is their NPU commands and structure; without that, 212 kB.",
}
SHARED = SHARED_MODELS / "made"


def diagnose(path: Path) -> Attribution:
    with open_model(path) as model:
        return find_causes(model)


def readable() -> list[Path]:
    """Every sample that the reader reads: ours, and the shared ones where they are."""
    refused = ("git_lfs", "rknn1_")
    shared = sorted(SHARED_MODELS.glob("*/*.rknn")) if SHARED_MODELS.exists() else []
    return [path for path in (*sorted(MODELS.glob("*.rknn")), *shared) if not path.name.startswith(refused)]


@pytest.mark.parametrize("name", SENTENCES)
def test_the_answer_is_one_sentence_with_numbers(name: str) -> None:
    sentence = diagnose(MODELS / f"{name}.rknn").sentence
    head, _, rest = sentence.partition(") ") if ") is" in sentence or ") holds" in sentence else ("", "", "")
    assert head.startswith(f"{name}.rknn (rk")
    assert rest == SENTENCES[name]


@pytest.mark.skipif(not SHARED_MODELS.exists(), reason="../shared/data/models is not here")
@pytest.mark.parametrize("name", SHARED_SENTENCES)
def test_the_shared_samples_get_their_sentence(name: str) -> None:
    assert diagnose(SHARED / f"{name}.rknn").sentence.partition(") ")[2] == SHARED_SENTENCES[name]


@pytest.mark.parametrize("path", readable(), ids=lambda path: path.stem)
def test_every_byte_belongs_to_one_cause_or_is_ordinary(path: Path) -> None:
    attribution = diagnose(path)
    size = path.stat().st_size
    assert attribution.ordinary_bytes + attribution.excess_bytes == size
    assert sum(attribution.ordinary.values()) == attribution.ordinary_bytes
    assert all(sum(cause.sections.values()) == cause.bytes > 0 for cause in attribution.causes)
    assert [cause.bytes for cause in attribution.causes] == sorted(
        (cause.bytes for cause in attribution.causes), reverse=True
    )


@pytest.mark.parametrize("path", readable(), ids=lambda path: path.stem)
def test_a_section_is_never_claimed_beyond_its_size(path: Path) -> None:
    with open_model(path) as model:
        attribution, sections = find_causes(model), vars(model.sections)
    claimed = {name: attribution.ordinary.get(name, 0) for name in sections}
    for cause in attribution.causes:
        for name, size in cause.sections.items():
            claimed[name] += size
    assert claimed == sections
