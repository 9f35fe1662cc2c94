"""Stored runs as a list, the newest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, TextIO

from rkbench.runs.history import HistoryRow
from rkbench.runs.ids import short_ids
from rkbench.runs.measures import LATENCY_P50, SIZE
from rkbench.runs.model import FAILED, STOPPED
from rkbench.units import MARK, UNKNOWN
from rkbench.views.push.console import make_console


def show_history(rows: Sequence[HistoryRow], out: TextIO | None = None, *, asked: str = "") -> None:
    """Print one line a run: the end of its id, time, board, variant, size, p50 and verdict.

    `asked` are the options that chose the runs, for where they chose none.
    """
    from rich.table import Table
    from rich.text import Text

    console = make_console(out or sys.stdout)
    if not rows and asked:
        console.print(Text(f"no stored run fits {asked}; all of them: bench history"))
        return
    if not rows:
        console.print("no runs stored yet: bench push MODEL.rknn --board virtual")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title, right in _COLUMNS:
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=title != "variant")
    shown = short_ids(row.run for row in rows)
    for row in rows:
        table.add_row(*(Text(cell) for cell in (shown[row.run], *_cells(row))))
    console.print(table)
    if any(row.simulated for row in rows):
        console.print(Text(f"{MARK} simulated by a virtual board", style="yellow"))


_COLUMNS = (
    ("run", False),
    ("started (UTC)", False),
    ("board", False),
    ("variant", False),
    *((measure.gate, True) for measure in (SIZE, LATENCY_P50)),
    ("verdict", False),
)


def _cells(row: HistoryRow) -> tuple[str, ...]:
    p50_s = row.measures[LATENCY_P50.name]
    p50 = LATENCY_P50.unit.text(p50_s)
    return (
        row.started_at[:16].replace("T", " "),
        row.board,
        row.variant,
        SIZE.unit.text(row.measures[SIZE.name]),
        f"{MARK}{p50}" if row.simulated and p50_s is not None else p50,
        _verdict(row),
    )


def _verdict(row: HistoryRow) -> str:
    if row.failed and row.verdict != STOPPED:
        return f"{FAILED} {row.failed_stage}"
    if row.verdict is None:
        return UNKNOWN
    # That a run was stopped is so on any board; how far it is to be believed is not.
    return f"{MARK}{row.verdict}" if row.simulated and row.verdict != STOPPED else row.verdict
