"""Wrapped text and ready lines on a Rich console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rkbench.results.model import RunResult
from rkbench.units import MARK
from rkbench.views.columns import folded, kept_together

if TYPE_CHECKING:
    from rich.console import Console


def print_paragraph(console: Console, lead: str, text: str, *, style: str, space: bool = True) -> None:
    """Print `text` wrapped behind `lead`, its further lines indented as far."""
    from rich.text import Text

    if not text:
        return
    if space:
        console.print()
    lines = folded(kept_together(text), max(20, console.width - len(lead)))
    for index, line in enumerate(lines):
        margin = lead if index == 0 else " " * len(lead)
        shown = line.replace("\N{NO-BREAK SPACE}", " ")
        # Assembled, not added: a sum has the style of its first part throughout, and all of it would be dim.
        console.print(Text.assemble((margin, "dim"), (shown, style)), soft_wrap=True)


def mark_of(run: RunResult) -> str:
    """Return what stands before each number of a run that no board yielded."""
    return MARK if run.simulated else ""


def print_lines(console: Console, lines: Sequence[str]) -> None:
    """Print lines of a table as they are, the first as its head."""
    from rich.text import Text

    console.print()
    for index, line in enumerate(lines):
        console.print(Text(line, style="" if index else "bold"), soft_wrap=True)
