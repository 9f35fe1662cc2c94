"""`bench fix`, judged by the compiler: the fixed network converted."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.onnx import fix
from toolkit_jobs import Convert


@pytest.mark.parametrize(
    ("name", "target", "dtype", "at_most_bytes"),
    [
        ("bloat3M_groupconv_cpg4.onnx", "rk3588", "fp16", 9_000_000),
        ("bloat3M_groupconv_cpg4.onnx", "rk3588", "int8", 6_500_000),
        ("bloat3M_groupconv_cpg4.onnx", "rk3568", "int8", 3_300_000),
        ("bloat3M_groupconv_cpg4.onnx", "rk3568", "fp16", 5_000_000),
        ("dwm_c512_m2.onnx", "rk3588", "fp16", 400_000),
        ("dwm_c512_m2.onnx", "rk3568", "int8", 200_000),
    ],
)
def test_the_fixed_network_converts_to_a_small_file(
    data: Path, tmp_path: Path, convert: Convert, name: str, target: str, dtype: str, at_most_bytes: int
) -> None:
    fixed = tmp_path / "fixed.onnx"
    report = fix(data / "models" / name, target, dtype, fixed)
    size = convert(fixed, target, dtype)["size_bytes"]
    assert size <= at_most_bytes
    assert abs(report.after.file_bytes - size) <= 0.15 * size
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-3
