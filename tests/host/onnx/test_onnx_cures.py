"""The small networks of one cause each: a rewrite is proposed exactly where the cured twin converts smaller.

`tests/data/cases/leads.tsv` has the sizes of both, converted with rknn-toolkit2 2.5.0 for each SoC and dtype.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rkbench.onnx import fix_file, predict_file
from rkbench.onnx.fix import proposed

CASES = Path(__file__).parents[2] / "data/cases"
SIZES = {
    (row["name"], row["target"], row["dtype"]): int(row["size_bytes"])
    for row in csv.DictReader((CASES / "leads.tsv").read_text().splitlines(), delimiter="\t")
}
TARGETS = [(target, dtype) for target in ("rk3588", "rk3568") for dtype in ("fp16", "int8")]

CURES = {
    "depthwise_dilation18": "dilated_rows",
    "instancenorm": "pooled_norm",
    "patch16": "patchify",
    "repvgg_branches": "parallel_branches",
    "resize8_bilinear": "bilinear",
    "avgpool16": "pool_in_steps",
    "channel_shuffle60": "channel_shuffle",
    "concat44_44": "padded_concat",
    "concat_constant": "constant_part",
    "conv1x1_conv1x1": "pointwise_pair",
    "dilation24_map20": "dead_taps",
    "grouped88_g11_cpg8": "padded_groups",
    "mixconv60": "mixed_depthwise",
    "same_weights_twice": "shared_weights",
    "stft_k256_s128": "strided_signal",
}


def rewrites_for(name: str, target: str, dtype: str) -> tuple[str, ...]:
    """Return what `bench fix` would begin with."""
    path = CASES / f"{name}.onnx"
    return proposed(path, predict_file(path, target, dtype))


@pytest.mark.parametrize(("target", "dtype"), TARGETS)
@pytest.mark.parametrize("name", CURES)
def test_a_cure_is_proposed_exactly_where_it_makes_the_file_smaller(
    name: str, target: str, dtype: str
) -> None:
    is_smaller = SIZES[f"{name}_cured", target, dtype] < SIZES[name, target, dtype]
    assert rewrites_for(name, target, dtype) == ((CURES[name],) if is_smaller else ())


OTHERS = sorted({name for name, _, _ in SIZES} - set(CURES))


STILL_SMALLER = {("instancenorm_cured", "rk3568"): ("two_means",)}
"""Converted again, that is 132,081 bytes (fp16) and 129,291 (int8) instead of 161,649 and 144,267."""


@pytest.mark.parametrize("name", OTHERS)
def test_where_no_cure_was_measured_nothing_is_proposed(name: str) -> None:
    expected = [STILL_SMALLER.get((name, target), ()) for target, _ in TARGETS]
    assert [rewrites_for(name, *each) for each in TARGETS] == expected


@pytest.mark.parametrize("name", CURES)
def test_a_cured_network_computes_the_same(name: str, tmp_path: Path) -> None:
    report = fix_file(CASES / f"{name}.onnx", "rk3588", "fp16", tmp_path / "cured.onnx")
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-5
