"""Who reads a command's output may leave (`| head`): all else is done, and the exit code is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench_command import BENCH, run_bench
from made_runs import collected, make_run
from rkbench.store import open_store

DATA = Path("host/rkbench/demo/data").resolve()
INT8 = DATA / "digits.int8.rknn"


def unread(*words: object, both: bool = False) -> subprocess.CompletedProcess[str]:
    """Run `bench` with an output, and if asked for its progress, that nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        return subprocess.run(
            [sys.executable, "-c", BENCH, *map(str, words)],
            stdout=theirs,
            stderr=theirs if both else subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(theirs)


@pytest.fixture
def push(tmp_path: Path) -> tuple[object, ...]:
    """What is typed for a push that writes three files."""
    files = ("--json", tmp_path / "p.json", "--csv", tmp_path / "p.csv", "--html", tmp_path / "p.html")
    return ("push", INT8, "--board", "virtual", "--quick", "--store", tmp_path / "s", *files)


@pytest.mark.parametrize("both", [False, True], ids=["output", "output and progress"])
def test_a_push_goes_on_and_writes_its_files(push: tuple[object, ...], tmp_path: Path, both: bool) -> None:
    done = unread(*push, both=both)
    assert done.returncode == 0, done.stderr
    assert both or not {"Traceback", "Exception ignored"} & {*done.stderr.split(":")}
    (run,) = json.loads((tmp_path / "p.json").read_text())["runs"]
    assert run["id"] in (tmp_path / "p.csv").read_text()
    assert run["id"] in (tmp_path / "p.html").read_text()
    with open_store(tmp_path / "s") as store:
        assert store.run(run["id"]) is not None


def test_a_gate_that_is_crossed_is_still_told(push: tuple[object, ...], tmp_path: Path) -> None:
    done = unread(*push, "--require", "size <= 1kB", both=True)
    assert done.returncode == 3
    assert (tmp_path / "p.html").exists()


def test_a_stream_that_nobody_reads_any_more_costs_no_file(push: tuple[object, ...], tmp_path: Path) -> None:
    done = unread(*push, "--jsonl", "-")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert (tmp_path / "p.csv").exists()


def test_a_stream_that_cannot_be_written_costs_no_file(push: tuple[object, ...], tmp_path: Path) -> None:
    done = run_bench(*push, "--jsonl", "/dev/full")
    assert done.returncode == 1
    assert "--jsonl /dev/full: No space left on device" in done.stderr
    assert "INT8" in done.stdout.upper()
    assert (tmp_path / "p.json").exists() and (tmp_path / "p.csv").exists() and (tmp_path / "p.html").exists()


def test_a_full_disk_beneath_the_output_costs_no_file(push: tuple[object, ...], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", BENCH, *map(str, push)]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "bench: cannot write: No space left on device\n  → make room, or write to a place that has some\n"
    )
    assert (tmp_path / "p.json").exists() and (tmp_path / "p.csv").exists() and (tmp_path / "p.html").exists()


def test_a_full_disk_beneath_the_progress_ends_no_push(push: tuple[object, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", BENCH, *map(str, push)]
        done = subprocess.run(words, stderr=full, stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "verdict" in done.stdout) == (0, True)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of two runs."""
    path = tmp_path / "s.sqlite"
    with open_store(path) as opened:
        opened.save_all([collected(make_run(number, f"net{number}")) for number in (1, 2)])
    return path


WRITING: dict[str, tuple[str, ...]] = {
    "history": ("history", "--json", "FILE"),
    "history of all": ("history", "--json", "FILE", "--csv", "-"),
    "compare": ("compare", "last", "--json", "FILE"),
    "show": ("show", "last", "--json", "FILE"),
    "report": ("report", "last", "-o", "FILE.html"),
    "export": ("export", "--csv", "FILE"),
}


@pytest.mark.parametrize("words", WRITING.values(), ids=WRITING)
@pytest.mark.parametrize("both", [False, True], ids=["output", "output and progress"])
def test_every_command_writes_what_it_was_asked_for(
    store: Path, tmp_path: Path, words: tuple[str, ...], both: bool
) -> None:
    typed = [word.replace("FILE", str(tmp_path / "out")) for word in words]
    done = unread(*typed, "--store", store, both=both)
    assert done.returncode == 0, done.stderr
    assert both or "Traceback" not in done.stderr
    (file,) = tmp_path.glob("out*")
    assert "net1" in file.read_text()


def test_a_night_is_told_red_and_written(tmp_path: Path) -> None:
    suite, night = tmp_path / "suite.toml", tmp_path / "night.xml"
    suite.write_text(f'boards = ["virtual"]\ngates = ["size <= 1kB"]\n[[models]]\nfiles = ["{INT8}"]\n')
    done = unread("nightly", suite, "--store", tmp_path / "s", "--junit", night, both=True)
    assert done.returncode == 3
    assert "failure" in night.read_text()


def test_what_only_prints_ends_early_and_without_a_word(store: Path) -> None:
    for words in (("export", "--csv", "-"), ("export", "--raw"), ("history", "--csv", "-"), ("history",)):
        done = unread(*words, "--store", store)
        assert (done.returncode, done.stderr) == (0, ""), words
