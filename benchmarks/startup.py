"""`bench --help` against `python -c pass`: imports must stay lazy."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.ratio import Ratio, interleaved_seconds


def run() -> list[Ratio]:
    """Return the ratio of process times."""

    def help_page() -> None:
        command = [sys.executable, "-c", "from rkbench.cli import main; main()", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def nothing() -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True)

    ours, theirs = interleaved_seconds(help_page, nothing, 31)
    return [Ratio("bench --help vs python -c pass", ours * 1e3, theirs * 1e3, "ms", 8.0)]
