"""A push on several boards, to where the user wants it: a table a board, and how the boards lie apart."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rkbench.campaign.many_boards import ManyOutcome
from rkbench.views.output import STDOUT, all_of, write_text
from rkbench.views.push.show import write_csv

if TYPE_CHECKING:
    from rich.console import Console


def show_boards_push(
    outcome: ManyOutcome,
    *,
    json_file: str | None = None,
    csv_file: str | None = None,
    sort: str = "",
    quiet: bool = False,
) -> None:
    """Show what came of all boards; with a file `-` stdout holds that format and nothing else."""
    from rkbench.views.push.json import render_json
    from rkbench.views.terminal import make_console

    steps = []
    if not quiet and STDOUT not in (json_file, csv_file):
        steps.append(lambda: print_boards_push(outcome, make_console(sys.stdout), sort=sort))
    if json_file is not None:
        text = render_json(outcome.runs, outcome.comparison, outcome.boards, outcome.across)
        steps.append(lambda: write_text(json_file, text))
    if csv_file is not None:
        steps.append(lambda: write_csv(csv_file, outcome.runs))
    all_of(*steps)


def print_boards_push(outcome: ManyOutcome, console: Console, *, sort: str = "") -> None:
    """Print one table for each board, then each variant over all boards, and which boards have no runs."""
    from rkbench.views.across import across_text, print_across
    from rkbench.views.push.console import print_push
    from rkbench.views.push.paragraphs import print_paragraph

    for board in outcome.boards:
        if board.comparison is not None:
            runs = [run for run in outcome.runs if run.id in board.runs]
            print_push(runs, board.comparison, console, sort=sort, fits_screen=True)
            console.print()
    for across in outcome.across:
        print_across(across_text(across), console)
    for (text, advice), who in _lacking(outcome).items():
        failed = any(error.message == text for error in outcome.errors)
        style = "bold red" if failed else "yellow"
        print_paragraph(console, "", f"nothing of {who}: {text}", style=style)
        for line in advice.splitlines():
            print_paragraph(console, "  → ", line, style="", space=False)


def _lacking(outcome: ManyOutcome) -> dict[tuple[str, str], str]:
    """Return why boards have no runs, and what helps: each with the boards that it is of."""
    told: dict[tuple[str, str], list[str]] = {}
    for board in outcome.boards:
        if board.error is not None:
            told.setdefault((board.error, board.advice), []).append(board.board)
    return {reason: ", ".join(boards) for reason, boards in told.items()}
