"""One push on several boards: a table each, one document, and a board that fails takes no other with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_command import BENCH, run_bench
from rkbench.views.push.json import SCHEMA_FILE
from strict_schema import strict_validator

DATA = Path("host/rkbench/demo/data").resolve()
FP16, INT8 = DATA / "digits.fp16.rknn", DATA / "digits.int8.rknn"
GOLDEN = ("--golden", DATA / "golden.npz")
#: Two boards of one kind, one of another, and one that refuses the connection.
BOARDS = """
[boards.desk]
host = "virtual"
soc = "rk3588"
tags = ["lab"]
[boards.shelf]
host = "virtual"
soc = "rk3588"
tags = ["lab"]
[boards.old]
host = "virtual"
soc = "rk3568"
tags = ["lab"]
[boards.gone]
host = "127.0.0.1"
port = 9
soc = "rk3588"
"""


@pytest.fixture
def places(tmp_path: Path) -> tuple[object, ...]:
    """Where these boards stand, and a store."""
    (tmp_path / "bench.toml").write_text(BOARDS)
    return "--inventory", tmp_path / "bench.toml", "--store", tmp_path / "s"


def test_boards_are_compared_and_one_that_fails_costs_no_other(
    places: tuple[object, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    push = ("push", FP16, INT8, "--board", "lab,gone", "--quick", *GOLDEN, *places)
    done = run_bench(*push, "--json", out, "--csv", tmp_path / "out.csv", "--html", tmp_path / "out.html")
    assert done.returncode == 1
    document = json.loads(out.read_text())
    strict_validator(SCHEMA_FILE).validate(document)
    desk, shelf, old, gone = document["boards"]
    assert [board["board"] for board in document["boards"]] == ["desk", "shelf", "old", "gone"]
    assert [run["board"]["name"] for run in document["runs"]] == ["desk", "desk", "shelf", "shelf"]
    assert desk["runs"] + shelf["runs"] == [run["id"] for run in document["runs"]]
    assert desk["comparison"]["verdict"].startswith("Against digits.fp16: digits.int8 is the smallest")
    assert (old["runs"], old["error"]) == ([], "no model is for its SoC, rk3568")
    assert gone["error"] == "board 'gone': 127.0.0.1:9 refuses the connection"
    across = [(item["variant"], [b["board"] for b in item["boards"]]) for item in document["across_boards"]]
    assert across == [("digits.fp16", ["desk", "shelf"]), ("digits.int8", ["desk", "shelf"])]
    assert done.stdout.count("latency p50") == 2
    assert "digits.int8 on 2 boards (rk3588, virtual, cores auto)" in done.stdout
    assert "nothing of gone: board 'gone': 127.0.0.1:9 refuses the connection" in done.stdout
    assert "gone: note: board 'gone': 127.0.0.1:9 refuses the connection" in done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 1 + 4
    assert "shelf" in (tmp_path / "out.html").read_text()
    history = run_bench("history", *places[2:], "--json", "-").document["runs"]
    assert sorted(row["row"]["board"] for row in history) == ["desk", "desk", "shelf", "shelf"]


def test_any_takes_the_first_board_that_is_free(places: tuple[object, ...]) -> None:
    done = run_bench("push", INT8, "--board", "gone,shelf,desk", "--any", "--quick", *places, "--json", "-")
    assert done.returncode == 0
    assert [run["board"]["name"] for run in done.document["runs"]] == ["shelf"]
    assert done.document["boards"] == []
    assert "refuses the connection; trying the next board" in done.stderr


@pytest.mark.parametrize("word", ["RK3588", "Rk3588"])
def test_a_soc_means_every_board_of_it_in_any_case(
    places: tuple[object, ...], tmp_path: Path, word: str
) -> None:
    inventory = tmp_path / "bench.toml"
    inventory.write_text(BOARDS.partition("[boards.gone]")[0])
    done = run_bench("push", INT8, "--board", word, "--quick", *places, "--json", "-", "--quiet")
    assert done.returncode == 0
    assert [board["board"] for board in done.document["boards"]] == ["desk", "shelf"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--board", "desk,gone", "--require", "size <= 1MB"), 3),
        (("--board", "gone,gone2"), 1),
        (("--board", "desk,shelf", "--npu-clock", "123MHz"), 2),
        (("--board", "desk,nowhere"), 2),
    ],
    ids=["a gate was crossed", "no board answers", "no board can have that", "no such board"],
)
def test_the_exit_code_of_all_boards(
    places: tuple[object, ...], tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    other = BOARDS[BOARDS.index("[boards.gone]") :].replace("gone", "gone2")
    (tmp_path / "bench.toml").write_text(BOARDS + other)
    done = run_bench("push", INT8, *words, "--quick", *places)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


def test_a_line_of_the_stream_has_its_board(places: tuple[object, ...]) -> None:
    push = ("push", INT8, "--board", "desk,gone", "--quick", *places, "--jsonl", "-", "--quiet")
    told = [json.loads(line) for line in run_bench(*push).stdout.splitlines()]
    assert {line.get("board") for line in told if line["event"] == "step"} == {"desk", "gone"}
    for event in ("reading", "block", "caveat", "verdict", "run"):
        assert {line.get("board") for line in told if line["event"] == event} == {"desk"}, event
    assert [board["board"] for board in told[-1]["boards"]] == ["desk", "gone"]


def test_ctrl_c_ends_all_boards_and_keeps_what_was_measured(places: tuple[object, ...], ctrl_c: None) -> None:
    command = ["push", INT8, "--board", "desk,shelf", "--duration", "600", "--jsonl", "/dev/stderr", *places]
    running = subprocess.Popen(
        [sys.executable, "-c", BENCH, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    measured: set[Any] = set()
    for line in running.stderr:
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("event") == "measuring" and told["stage"] == "inference" and told["done"]:
            measured.add(told["board"])
        if len(measured) == 2:
            break
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out.count("STOPPED") == 2
    runs = run_bench("history", *places[2:], "--json", "-").document["runs"]
    assert sorted((row["row"]["board"], row["row"]["verdict"]) for row in runs) == [
        ("desk", "STOPPED"),
        ("shelf", "STOPPED"),
    ]
