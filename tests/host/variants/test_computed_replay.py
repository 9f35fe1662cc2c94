"""What a computed replay is kept under: whatever decides its outputs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from rkbench.variants.computed_replay import ROOMS, replay_key


@pytest.mark.parametrize(
    "changed",
    [
        "npu/execute/core.py",
        "npu/registers.tsv",
        "rknn/payload.py",
        "variants/computation.py",
        "variants/normalisation.py",
    ],
)
def test_another_version_of_what_computes_a_replay_makes_it_again(tmp_path: Path, changed: str) -> None:
    for room in ("npu", "rknn", "variants"):
        shutil.copytree(ROOMS / room, tmp_path / room, ignore=shutil.ignore_patterns("reference", "*.pyc"))
    before = replay_key("model", "golden", tmp_path)
    assert before == replay_key("model", "golden", tmp_path)
    with (tmp_path / changed).open("a", encoding="utf-8") as file:
        file.write("#\n")
    assert replay_key("model", "golden", tmp_path) != before
