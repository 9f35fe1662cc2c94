"""A push of twelve variants at 80 columns, from its first word to its last: it fits on one screen."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench_command import BENCH
from terminal_screen import shown_lines

#: Twelve processes start and load three times each, on however busy a computer.
pytestmark = pytest.mark.timeout(400)
ROW = re.compile(r"recipe-\d+ .*VALID$")
NET = Path("tests/data/npu/classifier_rk3588_int8.rknn").resolve()


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """What is typed: twelve files that differ in their names alone, on a virtual board."""
    models = [tmp_path / f"classifier.rk3588.recipe-{number}.rknn" for number in range(1, 13)]
    for model in models:
        shutil.copy(NET, model)
    options = ("--board", "virtual", "--store", str(tmp_path / "s"), "--quick")
    return [sys.executable, "-c", BENCH, "push", *map(str, models), *options]


def environment(tmp_path: Path) -> dict[str, str]:
    named = {"COLUMNS": "80", "TERM": "xterm-256color", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return {**{key: value for key, value in os.environ.items() if key != "NO_COLOR"}, **named}


def test_a_terminal_shows_all_of_it_in_at_most_40_lines(words: list[str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment(tmp_path)) as running:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
        os.close(ours)
    lines = shown_lines(written.decode())
    assert running.returncode == 0, lines
    assert len([line for line in lines if ROW.match(line)]) == 12
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 40, lines


def test_piped_it_has_at_most_40_lines_and_progress_a_line_a_step(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, env=environment(tmp_path), check=True)
    results, progress = done.stdout.splitlines(), done.stderr.splitlines()
    assert len([line for line in results if ROW.match(line)]) == 12
    assert len(results) <= 40, results
    assert len(progress) <= 8, progress
