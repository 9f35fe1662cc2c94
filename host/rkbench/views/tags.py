"""Tags of stored runs on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from rkbench.results.ids import short_ids
from rkbench.store.base import RunTag
from rkbench.units import format_moment
from rkbench.views.terminal import make_console


def show_tagged(runs: Sequence[str], tag: str, *, remove: bool, out: TextIO | None = None) -> None:
    """Print which runs were given a tag, or lost it."""
    from rich.text import Text

    console = make_console(out or sys.stdout)
    which = ", ".join(short_ids(runs).values()) if len(runs) <= 4 else f"{len(runs)} runs"
    console.print(Text(f"{tag} {'taken from' if remove else 'given to'} {which}"))


def show_tags(tags: Sequence[RunTag], out: TextIO | None = None, *, name: str | None = None) -> None:
    """Print a line for each tag and note: its runs, when it was given last, why.

    `name` is what names the runs whose tags these are (None: of all), for where there are none.
    """
    from rich.table import Table
    from rich.text import Text

    console = make_console(out or sys.stdout)
    if not tags:
        none = "no tags yet" if name is None else f"no tag of {name}"
        console.print(Text(f"{none}: bench tag {name or 'last'} before-the-update --note 'driver 0.9.8'"))
        return
    groups: dict[tuple[str, str], list[RunTag]] = {}
    for item in tags:
        groups.setdefault((item.tag, item.note), []).append(item)
    shown = short_ids(item.run for item in tags)
    table = Table("tag", "given (UTC)", "runs", "note", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in table.columns:  # in lines where a terminal is too narrow; a day in one
        column.overflow, column.header_style, column.min_width = "fold", "dim", 6
    table.columns[0].min_width = min(24, max(len(item.tag) for item in tags))
    table.columns[1].no_wrap = True
    for (tag, note), items in groups.items():
        day = format_moment(max(item.tagged_unix_s for item in items), "%Y-%m-%d")
        which = ", ".join(shown[item.run] for item in items[:3])
        more = f" and {len(items) - 3} more" if len(items) > 3 else ""
        table.add_row(*(Text(cell) for cell in (tag, day, which + more, note)))
    console.print(table)
