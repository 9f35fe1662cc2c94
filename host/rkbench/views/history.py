"""Stored runs as a list, the newest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, TextIO

from rkbench.runs.measures import LATENCY_P50, SIZE
from rkbench.runs.model import RunResult
from rkbench.units import MARK
from rkbench.views.push.console import make_console


def show_history(runs: Sequence[RunResult], out: TextIO | None = None) -> None:
    """Print one line a run: id, time, board, variant, size, p50 and verdict."""
    from rich.table import Table
    from rich.text import Text

    console = make_console(out or sys.stdout)
    if not runs:
        console.print("no runs stored yet: bench push MODEL.rknn --board virtual")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title, right in _COLUMNS:
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title != "variant")
    for run in runs:
        table.add_row(*(Text(cell) for cell in _cells(run)))
    console.print(table)
    if any(run.simulated for run in runs):
        console.print(Text(f"{MARK} simulated by a virtual board", style="yellow"))


_COLUMNS = (
    ("run", False),
    ("started (UTC)", False),
    ("board", False),
    ("variant", False),
    *((measure.gate, True) for measure in (SIZE, LATENCY_P50)),
    ("verdict", False),
)


def _cells(run: RunResult) -> tuple[str, ...]:
    p50 = LATENCY_P50.text(run)
    return (
        run.id,
        run.started_at[:16].replace("T", " "),
        run.board.name,
        run.variant.name,
        SIZE.text(run),
        f"{MARK}{p50}" if run.simulated and run.latency else p50,
        f"FAILED {run.failure.stage}" if run.failure else run.verdict,
    )
