"""Two versions of the toolkit in one sweep: what a newer one learned to keep grouped on the RK3568."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.toolkit.environment import installed_versions

BLOATED = Path(__file__).parents[1] / "data/models/bloat3M_groupconv_cpg4.onnx"
VERSIONS = ("2.3.0", "2.5.0")


@pytest.mark.timeout(900)
def test_one_sweep_compares_toolkits_and_the_newer_one_is_a_ninth_as_big(tmp_path: Path) -> None:
    if missing := [version for version in VERSIONS if version not in installed_versions()]:
        pytest.skip(f"no rknn-toolkit2 {missing[0]}: bench toolkit install {missing[0]}")
    path = Path(shutil.copy(BLOATED, tmp_path))  # its golden is written beside it
    done = run_bench(
        "sweep", path, "--board", "virtual:rk3568", "--recipe", "toolkit=2.3.0,fp16", "--recipe", "fp16",
        "--require", "cosine >= 0.9995", "--minimize", "size", "--duration", "0.1", "--json", "-",
        "--store", tmp_path / "store.sqlite", "-o", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = done.document
    size = {each["recipe"]: each["size_bytes"] for each in document["variants"]}
    assert size["toolkit=2.3.0,fp16"] == pytest.approx(62.7e6, rel=0.01)
    assert size["fp16"] == pytest.approx(7.03e6, rel=0.01)
    assert document["winner"] == "fp16"
