"""`bench demo` from the shell: the story is true, every number says where it comes from, the runs stay."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from bench_command import Done, run_bench
from rkbench.cli.app import COMMANDS
from rkbench.schema import SCHEMAS
from strict_schema import strict_validator

VARIANTS = ["digits.fp16", "digits.int8", "digits.regrouped.fp16", "digits.regrouped.int8"]
pytestmark = pytest.mark.xdist_group("demo")  # one demo run serves most tests


def bench(home: Path, *arguments: str) -> Done:
    """Run `bench` with a home and a folder for temporary files of its own."""
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "RKBENCH_"))
    }
    environment |= {"HOME": str(home), "TMPDIR": str(temporary), "COLUMNS": "100", "NO_COLOR": "1"}
    return run_bench(*arguments, environment=environment, folder=home)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, Any]:
    """The demo's JSON."""
    result = bench(home, "demo", "--json", "-")
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_the_first_variant_is_more_than_15_times_its_onnx(told: dict[str, Any]) -> None:
    assert list(told["demo"]["size_ratios"]) == VARIANTS
    assert told["demo"]["size_ratios"]["digits.fp16"] > 15
    assert told["demo"]["size_ratios"]["digits.regrouped.fp16"] < 4


def test_its_json_is_valid_against_the_schema_of_a_push(told: dict[str, Any]) -> None:
    strict_validator(SCHEMAS / "rkbench-1.schema.json").validate(told)
    assert told["demo"]["because"]


def test_inspect_names_the_cause(told: dict[str, Any]) -> None:
    assert "3 grouped convolutions (4 channels per group) are stored dense" in told["demo"]["because"]


def test_every_run_is_simulated_and_says_where_its_numbers_come_from(told: dict[str, Any]) -> None:
    assert [run["variant"]["name"] for run in told["runs"]] == VARIANTS
    for run in told["runs"]:
        assert run["failure"] is None
        assert run["simulated"] is True
        assert run["provenance"]["load"] == "from_file"
        assert run["provenance"]["latency"] == "predicted"
        assert run["provenance"]["outputs"] == "vendor_simulator"
        assert run["latency"]["count"] >= 100


def test_output_errors_are_the_vendor_simulators(told: dict[str, Any]) -> None:
    cosines = {run["variant"]["name"]: run["outputs"][0]["cosine"] for run in told["runs"]}
    assert all(run["outputs"][0]["top1_agreement"] == 1.0 for run in told["runs"])
    assert all(len(run["outputs"][0]["per_case"]) == 64 for run in told["runs"])
    assert cosines["digits.fp16"] == pytest.approx(0.999999, abs=1e-6)
    assert cosines["digits.int8"] == pytest.approx(0.999647, abs=1e-6)


def test_load_memory_falls_with_the_filler(told: dict[str, Any]) -> None:
    memory = [run["load"]["npu_total_bytes"] for run in told["runs"]]
    assert memory == [14_584_128, 7_329_280, 860_288, 476_480]


def test_the_smallest_that_agrees_is_named(told: dict[str, Any]) -> None:
    assert told["demo"]["ship"] == "digits.regrouped.int8"
    assert told["demo"]["verdict"].startswith(
        "Ship digits.regrouped.int8: 1.71 MB instead of 14.6 MB (-88.2 %)"
    )
    assert "its latency is only predicted here" in told["demo"]["verdict"]


def test_nothing_is_left_behind_but_the_runs_in_the_store(told: dict[str, Any], home: Path) -> None:
    assert told["schema"] == "rkbench/1"
    left = [path for path in home.rglob("*") if path.is_file()]
    assert {path.relative_to(home).as_posix() for path in left} == {".local/share/rkbench/results.sqlite"}
    assert list((home / "tmp").iterdir()) == []


def test_the_story_is_told_on_stdout_and_kept_in_a_store_that_is_named(tmp_path: Path) -> None:
    result = bench(tmp_path, "demo", "--store", str(tmp_path / "kept.sqlite"))
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    row = next(line for line in lines if line.startswith("latency p50"))
    assert row.count("≈") == 5
    assert next(line for line in lines if line.startswith("against the ONNX")).split()[3] == "22.4×"
    assert max(len(line) for line in lines if not line.startswith("    bench")) <= 100
    shown = bench(tmp_path, "history", "--store", str(tmp_path / "kept.sqlite"))
    assert shown.stdout.count("digits.") == 4


def test_what_it_says_to_try_next_exists() -> None:
    from rkbench.views.demo import next_commands

    data = Path(str(files("rkbench.demo") / "data"))
    for command, _ in next_commands(data, None):
        words = command.split()
        assert words[1] in COMMANDS
        named = [Path(word) for word in words if word.endswith((".rknn", ".onnx", ".npz"))]
        assert all(list(path.parent.glob(path.name)) for path in named)
