"""Stored runs as a list, the newest first."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.campaign.past import SHOWN, Past
from rkbench.errors import UsageError
from rkbench.results.history import HistoryRow
from rkbench.results.ids import short_ids
from rkbench.results.measures import LATENCY_P50, SIZE
from rkbench.results.model import FAILED, STOPPED
from rkbench.results.names import folded_names
from rkbench.results.trend import trends
from rkbench.units import MARK, UNKNOWN
from rkbench.views.history_files import tags_by_run, write_history_csv, write_history_json
from rkbench.views.output import STDOUT, all_of, check_outputs, typed, write_bytes
from rkbench.views.push.console_table import split_name
from rkbench.views.report.files import PICTURES
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table


def show_past(
    past: Past, *, json_file: str | None = None, csv_file: str | None = None, picture: Path | None = None
) -> None:
    """Show rows of the past as a list or a plot, and write the files that are asked for.

    Raises UsageError for a picture of nothing, or of no known kind.
    """
    check_outputs({"-o": typed(picture), "--json": json_file, "--csv": csv_file})
    tags = tags_by_run(past.tags)
    steps = []
    if picture is not None:
        check_picture(picture, past)
        steps.append(lambda: write_picture(picture, past))
    elif past.measure is not None:
        steps.append(lambda: _plot(past))
    elif STDOUT not in (json_file, csv_file) and (json_file is None or csv_file is None):
        steps.append(lambda: _list(past, tags, csv_file if json_file is None else json_file))
    if json_file is not None:
        steps.append(lambda: write_history_json(past.rows, tags, json_file))
    if csv_file is not None:
        steps.append(lambda: write_history_csv(past.rows, tags, csv_file))
    all_of(*steps)


def _list(past: Past, tags: Mapping[str, tuple[str, ...]], file: str | None) -> None:
    """Print the runs; beside a file that has all, as many as without it."""
    shown = past.rows if past.asked.limit is not None else past.rows[:SHOWN]
    show_history(shown, asked=past.asked.words, tags=tags)
    if len(shown) < len(past.rows):
        print(f"the newest {len(shown)} of {len(past.rows):,}: {file} has them all")


def _plot(past: Past) -> None:
    from rkbench.views.trend import show_trends

    assert past.measure is not None
    show_trends(trends(past.rows, past.measure, past.baselines), past.measure)


def check_picture(picture: Path, past: Past) -> None:
    """Raise UsageError now where no measure is asked for, or a picture of no known kind."""
    if past.measure is None:
        raise UsageError(f"-o {picture}: a picture of what?", hint="name a measure: --plot p50")
    if picture.suffix.lower() not in PICTURES:
        raise UsageError(f"{picture}: no kind of picture", hint=f"its name says which: {', '.join(PICTURES)}")


def write_picture(picture: Path, past: Past) -> None:
    """Write a measure over time as a picture."""
    from rkbench.views.report.charts.trend import trend_charts
    from rkbench.views.report.pictures import render_picture

    assert past.measure is not None
    charts = trend_charts(trends(past.rows, past.measure, past.baselines), past.measure)
    if not charts:
        raise UsageError(f"nothing to draw: no stored run has {past.measure.gate}")
    write_bytes(str(picture), render_picture(charts, picture.suffix.lower().lstrip(".")))


def show_history(
    rows: Sequence[HistoryRow],
    out: TextIO | None = None,
    *,
    asked: str = "",
    tags: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Print one line a run: the end of its id, time, board, variant, size, p50 and verdict.

    A scenario has a column where any run has another than one call after the other, and tags stand below the
    variant. `asked` are the options that chose the runs, for where they chose none.
    """
    from rich.text import Text

    console = make_console(out or sys.stdout)
    if not rows and asked:
        console.print(Text(f"no stored run fits {asked}; all of them: bench history"))
        return
    if not rows:
        console.print("no runs stored yet: bench push MODEL.rknn --board virtual")
        return
    extras = _extras(rows)
    columns = (*_COLUMNS, *((title, False) for title in extras))
    shown = short_ids(row.run for row in rows)
    lines = [
        (shown[row.run], *_cells(row), *(cells[place] for cells in extras.values()))
        for place, row in enumerate(rows)
    ]
    titles = [title for title, _ in columns]
    lines, told = _folded(lines, titles, console.width)
    hidden = {_BOARD} if told.board else set()
    if told.names:
        console.print(Text(f"variants {told.names}", "dim"))
    console.print(_table(rows, lines, columns, hidden, tags or {}, console.width))
    if told.board:
        console.print(Text(f"all on board {told.board}", "dim"))
    if any(row.night for row in rows):
        console.print(Text(f"{OF_NIGHT} measured by a night, {BESIDE} as the baseline beside another", "dim"))
    if any(row.simulated for row in rows):
        console.print(Text(f"{MARK} simulated by a virtual board", style="yellow"))


def _extras(rows: Sequence[HistoryRow]) -> dict[str, list[str]]:
    """Return the columns that some of the rows have something for, by title."""
    scenarios = ["" if row.scenario in (None, SINGLE_STREAM) else str(row.scenario) for row in rows]
    return {"scenario": scenarios} if any(scenarios) else {}


def _table(
    rows: Sequence[HistoryRow],
    lines: list[tuple[str, ...]],
    columns: Sequence[tuple[str, bool]],
    hidden: Collection[int],
    tags: Mapping[str, Sequence[str]],
    width: int,
) -> Table:
    """Return the table without what is hidden, tags below the variants."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for place, (title, right) in enumerate(columns):
        justify: Literal["left", "right"] = "right" if right else "left"
        if place not in hidden:
            table.add_column(title, justify=justify, overflow="fold", no_wrap=title != "variant")
    for row, cells in zip(rows, _broken(lines, [title for title, _ in columns], width, hidden), strict=True):
        variant = Text(cells[_VARIANT])
        variant.append("".join(f"\n#{tag}" for tag in tags.get(row.run, ())), style="cyan")
        words = (variant if place == _VARIANT else Text(cell) for place, cell in enumerate(cells))
        table.add_row(*(text for place, text in enumerate(words) if place not in hidden))
    return table


@dataclass(frozen=True)
class _Shared:
    """What all lines share and is told once: their board, and parts of the variants' names ("": nothing)."""

    board: str = ""
    names: str = ""


def _folded(
    lines: list[tuple[str, ...]], titles: Sequence[str], width: int
) -> tuple[list[tuple[str, ...]], _Shared]:
    """Return lines, and what all of them share, told once where names would be broken for it."""
    if _room(lines, titles, width) >= max(len(line[_VARIANT]) for line in lines):
        return lines, _Shared()
    boards = {line[_BOARD] for line in lines}
    names = folded_names([line[_VARIANT] for line in lines])
    told = _Shared(boards.pop() if len(boards) == 1 < len(lines) else "", names.told)
    return [(*line[:_VARIANT], names.short[line[_VARIANT]], *line[_VARIANT + 1 :]) for line in lines], told


def _room(
    lines: Sequence[Sequence[str]], titles: Sequence[str], width: int, hidden: Collection[int] = ()
) -> int:
    """Return how many columns of a terminal are left for a variant."""
    columns = enumerate(zip(titles, *lines, strict=True))
    widths = {place: max(map(len, column)) for place, column in columns if place not in hidden}
    return max(8, width - sum(widths.values()) - 2 * (len(widths) - 1) + widths[_VARIANT])


def _broken(
    rows: Sequence[tuple[str, ...]], titles: Sequence[str], width: int, hidden: Collection[int]
) -> list[list[str]]:
    """Return the rows with variants broken where their words end, where a line has no room for them."""
    room = _room(rows, titles, width, hidden)
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
_BOARD, _VARIANT = 2, 3
#: What stands behind the verdict of a run that a night measured.
OF_NIGHT, BESIDE = "○", "◌"


def _cells(row: HistoryRow) -> tuple[str, ...]:
    p50_s = row.measures[LATENCY_P50.name]
    p50 = LATENCY_P50.unit.text(p50_s)
    return (
        row.started_at[:16].replace("T", " "),
        row.board,
        row.variant,
        SIZE.unit.text(row.measures[SIZE.name]),
        f"{MARK}{p50}" if row.simulated and p50_s is not None else p50,
        _verdict(row) + ("" if row.night is None else f" {BESIDE if row.beside else OF_NIGHT}"),
    )


def _verdict(row: HistoryRow) -> str:
    if row.failed and row.verdict != STOPPED:
        return f"{FAILED} {row.failed_stage}"
    if row.verdict is None:
        return UNKNOWN
    return f"{MARK}{row.verdict}" if row.simulated else row.verdict
