"""The outcome of a push, to where the user wants it: terminal, JSON, CSV."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult
from rkbench.views.output import STDOUT, all_of, open_output, write_text


def show_push(
    runs: Sequence[RunResult],
    comparison: Comparison,
    *,
    json_file: str | None = None,
    csv_file: str | None = None,
    sort: str = "",
    quiet: bool = False,
    fits_screen: bool = False,
) -> None:
    """Show runs side by side; with a file `-` stdout holds that format and nothing else.

    Nothing is on the terminal where it is `quiet`: another format has stdout. Many variants are sorted by
    the measure `sort`, where one is named, and folded where they are to fit a screen.
    """
    from rkbench.views.push.console import print_push
    from rkbench.views.push.json import render_json
    from rkbench.views.terminal import make_console

    steps = []
    if not quiet and STDOUT not in (json_file, csv_file):
        steps.append(
            lambda: print_push(runs, comparison, make_console(sys.stdout), sort=sort, fits_screen=fits_screen)
        )
    if json_file is not None:
        steps.append(lambda: write_text(json_file, render_json(runs, comparison)))
    if csv_file is not None:
        steps.append(lambda: write_csv(csv_file, runs))
    all_of(*steps)


def write_csv(target: str, runs: Sequence[RunResult]) -> None:
    """Write a row a run."""
    from rkbench.views.push.csv import write_runs

    with open_output(target) as out:
        write_runs(runs, out)
