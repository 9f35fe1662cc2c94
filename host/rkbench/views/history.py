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
from rkbench.views.push.console_table import split_name


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
    for cells in _broken([(shown[row.run], *_cells(row)) for row in rows], console.width):
        table.add_row(*map(Text, cells))
    console.print(table)
    if any(row.simulated for row in rows):
        console.print(Text(f"{MARK} simulated by a virtual board", style="yellow"))


def _broken(rows: Sequence[tuple[str, ...]], width: int) -> list[list[str]]:
    """Return the rows with variants broken where their words end, where a line has no room for them."""
    titles = [title for title, _ in _COLUMNS]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    room = max(8, width - sum(widths) - 2 * (len(widths) - 1) + widths[_VARIANT])
    return [
        ["\n".join(split_name(cell, room)) if place == _VARIANT else cell for place, cell in enumerate(row)]
        for row in rows
    ]


_COLUMNS = (
    ("run", False),
    ("started (UTC)", False),
    ("board", False),
    ("variant", False),
    *((measure.gate, True) for measure in (SIZE, LATENCY_P50)),
    ("verdict", False),
)
_VARIANT = 3


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
    return f"{MARK}{row.verdict}" if row.simulated else row.verdict
