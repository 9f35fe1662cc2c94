"""Stores with damage of every kind: what is read names the run that is damaged, and hides no other.

`make stores` tries 3,000 more, on the store of real nights.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tracemalloc
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from bench_command import run_bench
from damaged_stores import HELD, try_damage
from made_runs import collected, make_run
from prometheus_client import CollectorRegistry, generate_latest
from rkbench.cli import main
from rkbench.errors import DocumentError
from rkbench.metrics.results import StoreCollector
from rkbench.results.night import Night
from rkbench.results.noise_floor import floor_conditions
from rkbench.store import open_store

BAD, GOOD = "1qmv0w0v1-01", "1qmv0w0v1-02"
DOCUMENTS: dict[str, object] = {
    "cut": "{",
    "empty": "",
    "a list": "[]",
    "a number": 3,
    "a huge number": "1e999",
    "a blob": b"\0\xff",
    "deep": "[" * 100_000,
    "a table without anything": "{}",
    "another type": '{"id": 3, "push": [], "caveats": 5}',
    "half a surrogate": '{"id": "\\ud800"}',
}
CHANGED = {
    "a number that is a text": ('"count":1000', '"count":"x"'),
    "deep caveats": ('"caveats":[', '"caveats":[' + "[" * 5000 + "]" * 5000 + ","),
    "a time that is none": ('"started_at":"', '"started_at":"9999999-'),
}
#: What stands in a column of figures, and whether a scrape needs it.
COLUMNS: dict[str, object] = {
    "text": "t",
    "number": 5,
    "no zlib": b"no zlib",
    "cut": zlib.compress(bytes(8000))[:12],
    "short": zlib.compress(bytes(80)),
    "odd": zlib.compress(b"abc"),
    "a bomb": lambda: zlib.compress(bytes(130_000_000), 1),
    "nothing": None,
}
READINGS: dict[str, object] = {
    "text": "t",
    "number": 3,
    "cut": zlib.compress(b"[]")[:5],
    "no JSON": zlib.compress(b"{"),
    "no UTF-8": zlib.compress(b'[{"a": "\xff"}]'),
    "deep": zlib.compress(b"[" * 100_000),
}
ROWS: dict[str, object] = {"a text": "x", "a blob": b"\xff", "a number": 7, "no end": float("inf")}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with open_store(tmp_path / "store") as store:
        for number in (1, 2):
            store.save(collected(make_run(number)))
    return tmp_path / "store"


def damage(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(sql, values)
        db.commit()


def bench(path: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bench", *words, "--store", str(path)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def check(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], exports: int
) -> None:
    """Try every command on the damaged store: each ends in words, and the other run is always there."""
    assert bench(path, monkeypatch, "history") == 0
    assert bench(path, monkeypatch, "export", GOOD) == 0
    capsys.readouterr()
    assert bench(path, monkeypatch, "export") == exports
    out, errors = capsys.readouterr()
    assert GOOD in out
    assert (BAD in errors) == bool(exports)
    bench(path, monkeypatch, "export", "--raw")
    assert GOOD in capsys.readouterr().out
    shown = bench(path, monkeypatch, "show", BAD)
    assert (BAD in capsys.readouterr().err) == bool(shown)
    collector = StoreCollector(path, simulated=True)
    assert collector.problem() is None
    assert list(collector.collect())


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_damaged_document(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    damage(path, "UPDATE runs SET document = ? WHERE id = ?", DOCUMENTS[kind], BAD)
    check(path, monkeypatch, capsys, 1)


@pytest.mark.parametrize("kind", CHANGED)
def test_a_document_with_a_damaged_field(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    damage(path, "UPDATE runs SET document = replace(document, ?, ?) WHERE id = ?", *CHANGED[kind], BAD)
    check(path, monkeypatch, capsys, 0 if kind == "a time that is none" else 1)


def test_a_document_that_is_no_utf8(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(path, "UPDATE runs SET document = CAST(x'7bff' AS TEXT) WHERE id = ?", BAD)
    check(path, monkeypatch, capsys, 1)


@pytest.mark.parametrize("column", ["duration_ns", "warmup"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_damaged_latencies(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, column: str
) -> None:
    value = COLUMNS[kind]
    value = value() if callable(value) else value
    damage(path, f"UPDATE latencies SET {column} = ? WHERE run = ?", value, BAD)
    check(path, monkeypatch, capsys, 0)


def test_a_column_that_claims_any_length_is_not_unpacked_further_than_the_others(path: Path) -> None:
    bomb = zlib.compress(bytes(100_000_000), 1)
    damage(path, "UPDATE latencies SET set_inputs_ns = ? WHERE run = ?", bomb, BAD)
    with open_store(path) as store:
        tracemalloc.start()
        with pytest.raises(DocumentError, match=r"different lengths|larger than"):
            store.latencies(BAD)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize("kind", READINGS)
def test_damaged_readings(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    damage(path, "UPDATE readings SET document = ? WHERE run = ?", READINGS[kind], BAD)
    check(path, monkeypatch, capsys, 0)


@pytest.mark.parametrize(
    "column", ["size_bytes", "latency_p50_s", "variant", "board", "started_at", "started_unix_s", "verdict"]
)
@pytest.mark.parametrize("kind", ROWS)
def test_a_damaged_row_of_the_history(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str, column: str
) -> None:
    damage(path, f"UPDATE history SET {column} = ? WHERE run = ?", ROWS[kind], BAD)
    check(path, monkeypatch, capsys, 0)


@pytest.mark.parametrize("kind", ROWS)
def test_a_damaged_gate_or_baseline_is_shown_with_what_can_be_read(path: Path, kind: str) -> None:
    wrong = ROWS[kind]
    columns = "night, suite, model, variant, board, plan, gate, state, simulated, measured_unix_s"
    damage(path, "INSERT INTO nights VALUES (?, 's', 'f', 1.0, 2.0, '{}')", BAD)
    damage(
        path,
        f"INSERT INTO gates ({columns}) VALUES (?, 's', 'm', ?, 'b', 'p', 'g', 'pass', 1, ?)",
        BAD,
        wrong,
        wrong,
    )
    damage(path, "INSERT INTO baselines VALUES (1, 's', 'v', ?, 'p', 1, ?, 'n', ?, ?)", *[wrong] * 4)
    (latency,) = exposition(path, "rkbench_gate_measured_timestamp_seconds") or [0.0]
    assert latency in (0.0, 7.0)
    done = run_bench("baseline", "list", "--store", path)
    assert (done.returncode, done.stdout.count("1970-01-01")) == (0, 1)


def test_a_name_of_a_megabyte_does_not_stand_in_every_series(path: Path) -> None:
    damage(path, "UPDATE history SET variant = ?, board = ?", "x" * 1_000_000, "y" * 1_000_000)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(path, simulated=True))
    assert len(generate_latest(registry)) < 2_000_000


def test_a_baseline_accepted_when_no_calendar_has_a_day_is_listed(path: Path) -> None:
    values = "1, 's', 'v', 'b', 'p', 1, 'r', 'n', ?, ''"
    damage(path, f"INSERT INTO baselines VALUES ({values})", 2**63 - 1)
    done = run_bench("baseline", "list", "--store", path)
    assert (done.returncode, "1970-01-01" in done.stdout) == (0, True)


@pytest.mark.parametrize("when", [1e308, -1e308, 2.0**63])
@pytest.mark.parametrize("words", [("nights",), ("show", "night-1"), ("nights", "--suite", "lab")])
def test_a_night_that_began_when_no_calendar_has_a_day_is_shown(
    path: Path, when: float, words: tuple[str, ...]
) -> None:
    with open_store(path) as store:
        store.save_night(Night("night-1", "lab", "f", when, ended_unix_s=when))
    done = run_bench(*words, "--store", path)
    assert done.returncode in (0, 1)
    assert (done.stderr, "lab" in done.stdout) == ("", True)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_damaged_noise_floor_hides_no_run(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    sql = "INSERT INTO noise_floors (board, conditions, document) VALUES ('desk', ?, ?)"
    for unit in ("load", "quad"):
        conditions = json.dumps(floor_conditions(make_run(), unit), sort_keys=True, ensure_ascii=False)
        damage(path, sql, conditions, DOCUMENTS[kind])
    done = run_bench("show", "1qmv0w0v1", "--store", path)
    assert (done.returncode, done.stdout.count("fp16") > 1) == (0, True)
    assert "the noise floor of desk" in done.stdout + done.stderr


@pytest.mark.parametrize("seed", range(10))
def test_damage_that_nobody_thought_of_ends_in_words(path: Path, tmp_path: Path, seed: int) -> None:
    tried = try_damage(path, seed, tmp_path)
    assert tried.outcome == HELD, tried


def exposition(path: Path, name: str) -> list[float]:
    """Return the values of a family that a scrape of the store gets."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StoreCollector(path, simulated=True))
    lines = generate_latest(registry).decode().splitlines()
    return [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{")]
