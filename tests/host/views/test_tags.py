"""Tags: listed at every width with all their values, and never in the place of another run's id."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench_command import Done, run_bench
from made_runs import collected, make_run
from rkbench.store import open_store

FIRST, SECOND = "01kazk000000000000000010ab", "01kazk000000000000000011cd"
NOTE = "the driver was changed from 0.9.6 to 0.9.8 and back; " * 15


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "s.sqlite"
    with open_store(path) as opened:
        for push in (FIRST, SECOND):
            opened.save(collected(make_run(1, "net.fp16", push=push)))
    return path


def bench(store: Path, *words: object, columns: int = 80) -> Done:
    return run_bench(*words, "--store", store, environment={"COLUMNS": str(columns), "TZ": "UTC"})


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_a_long_note_takes_lines_and_no_other_column(store: Path, columns: int) -> None:
    assert bench(store, "tag", FIRST, "before-the-update", "--note", NOTE).returncode == 0
    lines = bench(store, "tag", columns=columns).stdout.splitlines()
    assert lines[0].split() == ["tag", "given", "(UTC)", "runs", "note"]
    assert lines[1].split()[0] == "before-the-update"
    assert "0010ab-01" in lines[1]
    assert " ".join("\n".join(line[32:] for line in lines[1:]).split()).count("changed") == 15
    assert all(len(line) <= columns for line in lines)


@pytest.mark.parametrize("word", [FIRST, f"{FIRST}-01", FIRST[-6:], f"{FIRST[-6:]}-01", FIRST[-6:].upper()])
def test_a_tag_does_not_hide_the_run_whose_id_it_is(store: Path, word: str) -> None:
    done = bench(store, "tag", SECOND, word)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{word!r} means the run {FIRST}-01" in done.stderr
    assert bench(store, "tag", FIRST, word).returncode == 0  # its own id hides nothing


def test_a_short_word_may_end_an_id(store: Path) -> None:
    assert bench(store, "tag", SECOND, "ab").returncode == 0
