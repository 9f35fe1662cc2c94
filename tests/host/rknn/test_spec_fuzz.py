"""Files that say what no converter would are shown whole or refused: no traceback, no flood, no raw sign."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("spec_fuzz.py")
SHORT_RUN, LONG_RUN, LONG_PARTS = 600, 30_000, 2


def fuzz(folder: Path, first: int, count: int) -> str:
    """Run mutations in a child; return what it printed."""
    command = [sys.executable, str(CHILD), str(folder), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hostile_fields_are_shown_or_refused(tmp_path: Path) -> None:
    assert fuzz(tmp_path, 0, SHORT_RUN).startswith("600 mutations: ")


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(LONG_PARTS))
def test_thirty_thousand_hostile_files_are_shown_or_refused(part: int, tmp_path: Path) -> None:
    count = LONG_RUN // LONG_PARTS
    out = fuzz(tmp_path, part * count, count)
    print(out)
    assert out.startswith(f"{count} mutations: ")
