"""Nights in which every model has a second one beside it (`interfere_with` of a plan), end to end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from night_lab import DEMO, MODELS, NightLab

OTHERS = ("digits.int8.rknn", "digits.fp16.rknn")
SUITE = f"""
boards = ["shelf"]
[plans.crowded]
interfere_with = "other.rknn"
placement = ["spread", "0"]
duration = 0.1
iterations = 24
[[models]]
files = ["{DEMO}/{MODELS[0]}.rknn"]
golden = "{DEMO}/golden.npz"
gates = ["interference loss <= 90%", "p50 within 50%", "cosine >= 0.99"]
"""


@pytest.fixture
def lab(tmp_path: Path) -> NightLab:
    found = NightLab(tmp_path)
    found.suite.write_text(SUITE)
    shutil.copy(DEMO / OTHERS[0], tmp_path / "other.rknn")
    return found


def test_the_second_model_is_in_the_run_and_another_one_is_held_against_no_baseline(lab: NightLab) -> None:
    told = lab.run("nightly", lab.suite, "--dry-run").stdout
    assert "(crowded: interference, beside other.rknn, placement spread,0)" in told

    done, night = lab.night()
    assert done.returncode == 1, done.stderr  # no baseline yet
    states = {gate["gate"]: gate["state"] for cell in night["cells"] for gate in cell["gates"]}
    assert states == {
        "interference loss <= 90%": "pass",
        "p50 within 50%": "not measured",
        "cosine >= 0.99": "pass",
    }
    lab.run("baseline", "accept", "last")
    done, night = lab.night()
    assert done.returncode == 0, done.stdout

    shutil.copy(DEMO / OTHERS[1], lab.folder / "other.rknn")
    done, night = lab.night()
    assert done.returncode == 1
    (detail,) = {gate["detail"] for cell in night["cells"] for gate in cell["gates"][1:2]}
    assert detail.startswith("not to be held against the baseline: other model ")
