"""A table of one row a thing on a terminal, in parts where it is too wide: no value is ever cut.

Names in the first column give way: what all of them share is told once, and the rest is broken where its
words end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from rkbench.views.push.console_table import STYLES, split_name
from rkbench.views.push.table import TableCell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

GAP = 2
NARROWEST = 8


def print_grid(
    console: Console, titles: Sequence[str], rows: Sequence[Sequence[TableCell]], *, left: int = 1
) -> None:
    """Print rows under their titles: the first `left` columns begin at the left, the others end at the right.

    A difference stands behind its value. Each part of a table that is too wide has the left columns.
    """
    from rich.text import Text

    widths = [max(len(title), *(_width(row[place]) for row in rows)) for place, title in enumerate(titles)]
    for number, part in enumerate(_parts(widths, left, console.width)):
        if number:
            console.print()
        room = max(NARROWEST, console.width - sum(widths[place] + GAP for place in part[1:]))
        table = _table(part, titles, left, _broken(part, widths, left, console.width))
        for row in rows:
            first = Text("\n".join(split_name(row[0].value, room)), style=STYLES[row[0].tone])
            table.add_row(first, *(_cell(row[place]) for place in part[1:]))
        console.print(table)


def _parts(widths: Sequence[int], left: int, width: int) -> list[list[int]]:
    """Return the columns of each part: those at the left in each, as many others as fit beside them."""
    heads = list(range(left))
    room = width - max(NARROWEST, widths[0]) - sum(widths[place] + GAP for place in heads[1:])
    if room < max(widths[left:], default=0) + GAP:
        room = width - NARROWEST - sum(widths[place] + GAP for place in heads[1:])
    parts: list[list[int]] = [[]]
    used = 0
    for place in range(left, len(widths)):
        used += widths[place] + GAP
        if used > room and parts[-1]:
            parts.append([])
            used = widths[place] + GAP
        parts[-1].append(place)
    return [[*heads, *part] for part in parts]


def _broken(part: Sequence[int], widths: Sequence[int], left: int, width: int) -> int | None:
    """Return the column that is broken into lines, because the left columns leave no room for it."""
    widest = max(part[left:], key=lambda place: widths[place], default=None)
    return (
        widest
        if sum(min(widths[0], NARROWEST) if not place else widths[place] + GAP for place in part) > width
        else None
    )


def _table(part: Sequence[int], titles: Sequence[str], left: int, broken: int | None) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 0, 0, GAP), pad_edge=False, collapse_padding=True, header_style="dim")
    for place in part:
        justify: Literal["left", "right"] = "left" if place < left else "right"
        table.add_column(titles[place], justify=justify, no_wrap=place not in (0, broken))
    return table


def _width(cell: TableCell) -> int:
    return len(cell.value) + (len(cell.difference) + 1 if cell.difference else 0)


def _cell(cell: TableCell) -> Text:
    from rich.text import Text

    if not cell.difference:
        return Text(cell.value, style=STYLES[cell.tone])
    return Text(f"{cell.value} ").append(cell.difference, style=STYLES[cell.tone])


def plain(value: str) -> TableCell:
    """Return a cell that is neither good nor bad."""
    return TableCell(value)
