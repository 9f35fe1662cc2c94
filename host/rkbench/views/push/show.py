"""The outcome of a push, to where the user wants it: terminal, JSON, CSV."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rkbench.runs.comparison import Comparison
from rkbench.runs.model import RunResult
from rkbench.views.output import STDOUT, open_output, write_text


def show_push(
    runs: Sequence[RunResult],
    comparison: Comparison,
    *,
    json_file: str | None = None,
    csv_file: str | None = None,
) -> None:
    """Show runs side by side; with a file `-` stdout holds that format and nothing else."""
    from rkbench.views.push.console import make_console, print_push
    from rkbench.views.push.csv import write_runs
    from rkbench.views.push.json import render_json

    if json_file is not None:
        write_text(json_file, render_json(runs, comparison))
    if csv_file is not None:
        with open_output(csv_file) as out:
            write_runs(runs, out)
    if STDOUT not in (json_file, csv_file):
        print_push(runs, comparison, make_console(sys.stdout))
