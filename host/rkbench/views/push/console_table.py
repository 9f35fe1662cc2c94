"""The table of a push on a terminal: as many columns side by side as its width allows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import Caveat

from rkbench.results.comparison import Comparison
from rkbench.results.model import RunResult
from rkbench.views.push.table import TableCell, TableRow, Tone, table_rows

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {Tone.GOOD: "green", Tone.BAD: "red", Tone.EVEN: "dim", Tone.DOUBT: "bold yellow", Tone.PLAIN: ""}
MINIMUM_WIDTH = 9
GAP = 2


def print_table(
    runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int], console: Console
) -> None:
    """Print the table, in parts where the console is too narrow for one."""
    rows = table_rows(runs, comparison, numbers)
    for part in _parts(runs, rows, console.width):
        console.print()
        console.print(_table([runs[index] for index in part], _only(rows, part), comparison, console.width))


def _parts(runs: Sequence[RunResult], rows: Sequence[TableRow], width: int) -> list[list[int]]:
    """Return the columns of each table: all in one where they fit, else the baseline in each."""
    label = max(len(row.label) for row in rows)
    room = (width - label) // (_narrow([cell for row in rows for cell in row.cells]) + GAP)
    if room >= len(runs) or len(runs) <= 2:
        return [list(range(len(runs)))]
    others, step = list(range(1, len(runs))), max(1, room - 1)
    return [[0, *others[start : start + step]] for start in range(0, len(others), step)]


def _narrow(cells: Sequence[TableCell]) -> int:
    """Return the width of a column whose differences stand under the values."""
    return max(max(len(cell.value), len(cell.difference)) for cell in cells)


def _only(rows: Sequence[TableRow], part: Sequence[int]) -> list[TableRow]:
    return [replace(row, cells=tuple(row.cells[index] for index in part)) for row in rows]


def _table(runs: Sequence[RunResult], rows: Sequence[TableRow], comparison: Comparison, width: int) -> Table:
    from rich.table import Table
    from rich.text import Text

    columns = [[row.cells[index] for row in rows] for index in range(len(runs))]
    label = max(len(row.label) for row in rows)
    wide = [_widths(cells) for cells in columns]
    beside = label + sum(value + difference + GAP + 1 for value, difference in wide) <= width
    table = Table(box=None, padding=(0, 0, 0, GAP), pad_edge=False, collapse_padding=True)
    table.add_column("", no_wrap=True)
    sizes = [
        value + (difference + 1 if difference else 0) if beside else _narrow(cells)
        for cells, (value, difference) in zip(columns, wide, strict=True)
    ]
    for run, size in zip(runs, _grown(runs, sizes, width - label), strict=True):
        table.add_column(_header(run, comparison, size), justify="right", no_wrap=not beside, min_width=size)
    for row in rows:
        if row.gap_above:
            table.add_row()
        cells = [_cell(cell, *size, beside=beside) for cell, size in zip(row.cells, wide, strict=True)]
        table.add_row(Text(row.label, style="bold" if row.is_conclusion else ""), *cells)
    return table


def _header(run: RunResult, comparison: Comparison, width: int) -> Text:
    from rich.text import Text

    header = Text("\n".join(split_name(run.variant.name, width)), style="bold", justify="right")
    if run.id == comparison.baseline and comparison.has_candidates:
        header.append("\nbaseline", style="dim")
    return header


def _grown(runs: Sequence[RunResult], sizes: Sequence[int], room: int) -> list[int]:
    """Return the columns' widths, grown towards their names as far as the room allows."""
    grown = [max(size, MINIMUM_WIDTH) for size in sizes]
    spare = room - sum(size + GAP for size in grown)
    for index, run in enumerate(runs):
        more = max(0, min(spare, len(run.variant.name) - grown[index]))
        grown[index] += more
        spare -= more
    return grown


def split_name(name: str, width: int) -> list[str]:
    """Return `name` in lines of at most `width`, broken after `.`, `_`, `-` or `/` where it can be."""
    lines = [""]
    for part in re.findall(r"[^._/-]*[._/-]|[^._/-]+", name):
        pieces = [part[start : start + width] for start in range(0, len(part), width)]
        if len(lines[-1]) + len(pieces[0]) <= width:
            lines[-1] += pieces.pop(0)
        lines += pieces
    return [line for line in lines if line]


def _widths(cells: Sequence[TableCell]) -> tuple[int, int]:
    """Return the widths of the values that have a difference beside them, and of the differences."""
    difference = max(len(cell.difference) for cell in cells)
    value = max(len(cell.value) for cell in cells if cell.difference or not difference)
    alone = max((len(cell.value) for cell in cells if not cell.difference), default=0)
    return max(value, alone - difference - 1), difference


def _cell(cell: TableCell, value: int, difference: int, *, beside: bool) -> Text:
    from rich.text import Text

    style = STYLES[cell.tone]
    if not difference:
        return Text(cell.value, style=style if not cell.difference else "")
    if not beside:
        text = Text(cell.value, style="" if cell.difference else style)
        return text.append(f"\n{cell.difference}", style=style) if cell.difference else text
    if not cell.difference:
        if cell.tone is not Tone.PLAIN or len(cell.value) > value:
            return Text(cell.value, style=style)
        return Text(cell.value + " " * (difference + 1), style=style)
    text = Text(cell.value.rjust(value) + " ")
    return text.append(cell.difference.rjust(difference), style=style)
