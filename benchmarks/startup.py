"""Help pages against `python -c pass`: a page imports typer, and no command that it does not show."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.ratio import Ratio, interleaved_seconds

#: 6.0 to 6.6 as a rule, 7.1 on a machine with eight busy processes; `import typer` alone is 5.5 to 6 of it.
HELP_LIMIT = 7.5
#: One command's page builds its options too.
PUSH_HELP_LIMIT = 9.0


def run() -> list[Ratio]:
    """Return the ratios of process times."""
    page, nothing = interleaved_seconds(lambda: _bench("--help"), _nothing, 31)
    push, again = interleaved_seconds(lambda: _bench("push", "--help"), _nothing, 31)
    return [
        Ratio("bench --help vs python -c pass", page * 1e3, nothing * 1e3, "ms", HELP_LIMIT),
        Ratio("bench push --help vs python -c pass", push * 1e3, again * 1e3, "ms", PUSH_HELP_LIMIT),
    ]


def _bench(*arguments: str) -> None:
    command = [sys.executable, "-c", "from rkbench.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _nothing() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
