"""What `.ci/run` says of a step that hangs or fails: it must not end, or wait, without a word."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / ".ci/run").read_text()


@pytest.mark.parametrize(
    ("limit_s", "command", "code", "said"),
    [
        (1, ("sleep", "60"), 1, "CI: the index did not end within 1 s"),
        (60, ("sh", "-c", "exit 7"), 1, "CI: the index failed, exit code 7; the reason stands above"),
        (60, ("true",), 0, ""),
    ],
)
def test_a_step_within_a_limit_says_how_it_ended(
    limit_s: int, command: tuple[str, ...], code: int, said: str
) -> None:
    start = TEXT.index("within() {")
    function = TEXT[start : TEXT.index("\n}\n", start) + 3]
    script = f'set -euo pipefail\n{function}within "$@"\n'
    asked = ["bash", "-c", script, "ci", str(limit_s), "the index", *command]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr.strip()) == (code, said)
