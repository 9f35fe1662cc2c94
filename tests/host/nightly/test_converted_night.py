"""Nights that convert: an ONNX and recipes in a suite, and which toolkit broke it is a cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_command import Done, run_bench
from made_toolkit import make_environment
from night_lab import DEMO
from rkbench.toolkit.environment import folder_of
from rkbench.views.nightly.console import SCHEMA_FILE
from strict_schema import strict_validator

OTHER = "2.3.2"
SUITE = f"""
boards = ["shelf"]
gates = ["cosine >= 0.99", "size <= 10MB"]
[plans.default]
iterations = 100
duration = 0
[[models]]
onnx = "{DEMO}/digits.regrouped.onnx"
recipes = ["fp16", "fp16,toolkit={OTHER}"]
golden = "{DEMO}/golden.npz"
"""
BOARD = '[boards.{}]\nhost = "virtual"\nsoc = "{}"\ntags = ["shelf"]\n'
OLD, NEW = (f"digits.regrouped.rk3588.fp16{word}" for word in ("", f"+toolkit={OTHER}"))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a suite, a board, and two versions of the stand-in for the toolkit."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for version in ("2.5.0", OTHER):
        folder_of(version).parent.mkdir(parents=True, exist_ok=True)
        make_environment(folder_of(version), version)
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "bench.toml").write_text(
        '[boards.desk]\nhost = "virtual"\nsoc = "rk3588"\ntags = ["shelf"]\n'
    )
    return tmp_path


def night(lab: Path, *words: object) -> tuple[Done, dict[str, Any]]:
    """Run a night; returns what it said, and its JSON."""
    where = ("--inventory", lab / "bench.toml", "--store", lab / "store.sqlite")
    done = run_bench("nightly", lab / "suite.toml", *where, "--json", lab / "night.json", *words)
    document = json.loads((lab / "night.json").read_text())
    strict_validator(SCHEMA_FILE).validate(document)
    return done, document


def test_a_night_converts_and_each_cell_says_with_which_toolkit(lab: Path) -> None:
    done, document = night(lab)
    assert done.returncode == 0, done.stdout + done.stderr
    made = {cell["variant"]: cell["made_by"] for cell in document["cells"]}
    alike = {"onnx": "digits.regrouped.onnx", "target": "rk3588"}
    assert made == {
        OLD: {**alike, "recipe": "fp16", "toolkit_version": "2.5.0"},
        NEW: {**alike, "recipe": f"fp16,toolkit={OTHER}", "toolkit_version": OTHER},
    }
    told = f"fp16,toolkit={OTHER}: converting for rk3588 with rknn-toolkit2 {OTHER}"
    assert f"digits.regrouped.onnx for rk3588: {told}" in done.stderr
    again, second = night(lab)
    assert again.returncode == 0
    assert "converting for" not in again.stderr
    assert "fp16: 2.01 MB, converted before" in again.stderr
    assert [cell["file"] for cell in second["cells"]] == [cell["file"] for cell in document["cells"]]


def test_the_toolkit_that_breaks_a_model_is_a_red_cell_with_its_cause(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "refuse")
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT_OF", OTHER)
    done, document = night(lab, "--junit", lab / "night.xml", "--markdown", lab / "night.md")
    assert done.returncode == 3, done.stdout + done.stderr
    good, broken = document["cells"]
    assert (good["state"], broken["state"]) == ("pass", "fail")
    assert [(gate["gate"], gate["state"]) for gate in broken["gates"]] == [
        ("converts", "fail"),
        ("cosine >= 0.99", "not measured"),
        ("size <= 10MB", "not measured"),
    ]
    assert broken["made_by"]["toolkit_version"] == OTHER
    assert broken["fault"]["message"].startswith(f"not converted with rknn-toolkit2 {OTHER}: ")
    assert "opset" in broken["fault"]["message"] + broken["fault"]["hint"]
    said = " ".join(done.stdout.split())
    assert f"failed: {NEW} on desk: not converted with rknn-toolkit2 {OTHER}" in said
    assert "RED: suite, 1 crossed, 2 not measured of 5 gates" in said
    assert "converts" in (lab / "night.xml").read_text()
    assert f"rknn-toolkit2 {OTHER}" in (lab / "night.md").read_text()
    monkeypatch.delenv("RKBENCH_FAKE_TOOLKIT")
    assert night(lab)[0].returncode == 0


def test_a_toolkit_that_is_not_there_is_said_before_any_board_is_touched(lab: Path) -> None:
    (lab / "suite.toml").write_text(SUITE.replace(OTHER, "2.3.0"))
    done = run_bench("nightly", lab / "suite.toml", "--inventory", lab / "bench.toml", "--store", lab / "s")
    assert done.returncode == 2
    assert "rknn-toolkit2 2.3.0 is not installed" in " ".join(done.stderr.split())
    assert "bench toolkit install 2.3.0" in done.stderr
    assert not (lab / "s").exists()


def test_a_dry_run_says_what_would_be_converted_and_converts_nothing(lab: Path) -> None:
    words = (
        "nightly",
        lab / "suite.toml",
        "--inventory",
        lab / "bench.toml",
        "--store",
        lab / "s",
        "--dry-run",
    )
    done = run_bench(*words)
    assert done.returncode == 0, done.stderr
    assert (
        f"  {NEW} (default): never measured; digits.regrouped.onnx by fp16,toolkit={OTHER}"
        f" with rknn-toolkit2 {OTHER}: to be converted\n"
    ) in done.stdout
    assert "gates of all: cosine >= 0.99, size <= 10MB\n" in done.stdout
    assert list((lab / "cache").rglob("*.rknn")) == []
    night(lab)
    assert run_bench(*words).stdout.count(": converted before") == 2


def test_boards_of_two_socs_have_a_conversion_each(lab: Path) -> None:
    with (lab / "bench.toml").open("a") as inventory:
        inventory.write(BOARD.format("old", "rk3568"))
    (lab / "suite.toml").write_text(SUITE.replace(f', "fp16,toolkit={OTHER}"', ', "single-core,fp16"'))
    done = run_bench(
        "nightly", lab / "suite.toml", "--inventory", lab / "bench.toml", "--store", lab / "s", "--dry-run"
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split(" (")[0].strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert rows == [
        "digits.regrouped.rk3588.fp16",
        "digits.regrouped.rk3588.single-core+fp16",
        "digits.regrouped.rk3568.fp16",
    ]
