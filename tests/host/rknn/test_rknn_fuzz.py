"""Mutated model files are read exactly or refused with offset and field; never a crash, hang or flood."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("rknn_fuzz.py")
SHORT_RUN, LONG_RUN, LONG_PARTS = 1000, 100_000, 4


def fuzz(folder: Path, first: int, count: int) -> str:
    """Run mutations in a child, whose memory is limited; return what it printed."""
    command = [sys.executable, str(CHILD), str(folder), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("first", [0, SHORT_RUN])
def test_mutated_files_are_read_exactly_or_refused(first: int, tmp_path: Path) -> None:
    assert fuzz(tmp_path, first, SHORT_RUN).startswith("1000 mutations: ")


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(LONG_PARTS))
def test_a_hundred_thousand_mutated_files_are_read_exactly_or_refused(part: int, tmp_path: Path) -> None:
    count = LONG_RUN // LONG_PARTS
    out = fuzz(tmp_path, 1_000_000 + part * count, count)
    print(out)
    assert out.startswith(f"{count} mutations: ")
