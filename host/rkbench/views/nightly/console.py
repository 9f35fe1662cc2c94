"""A night to where the user wants it: terminal, JSON, JUnit, Markdown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rkbench.results.ids import short_ids
from rkbench.results.night import GREEN, RED, SCHEMA, Night
from rkbench.results.serialize import to_json
from rkbench.schema import SCHEMAS
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS, State
from rkbench.store.base import Baseline
from rkbench.units import MARK, UNKNOWN, printable
from rkbench.views.nightly.figures import CHANGE, FIGURES, figures_of
from rkbench.views.nightly.progress import gate_words
from rkbench.views.nightly.sentences import (
    NOT_GREEN,
    SIMULATED,
    by_history,
    doubted,
    environment_changes,
    epoch_lines,
    faults,
    gate_line,
    gates_in,
    has_too_few,
    headline,
    pooled_in,
    pooled_line,
    retries,
    scatter_lines,
    too_few_nights,
)
from rkbench.views.output import STDOUT, all_of, write_text
from rkbench.views.push.console_table import split_name
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA_FILE = SCHEMAS / "rkbench-nightly-1.schema.json"
STYLES = {PASS: "green", FAIL: "bold red", CANNOT_TELL: "yellow", NOT_MEASURED: "red"}


_MODEL, _GATES = "model", "gates"
_GAP = 2
#: A name of a model is broken into no shorter parts.
_NARROWEST = 12


def night_document(night: Night) -> dict[str, Any]:
    """Return `night` as one JSON value of schema `rkbench-nightly/1`; unknown is null."""
    states = [{**to_json(cell), "state": cell.state} for cell in night.cells]
    document: dict[str, Any] = to_json(night)
    return {
        "schema": SCHEMA,
        "exit_code": night.exit_code,
        "headline": headline(night),
        **document,
        "cells": states,
    }


def show_night(
    night: Night, *, junit_file: str | None, markdown_file: str | None, json_file: str | None
) -> None:
    """Write the files, and the summary on stdout unless a format has it."""
    from rkbench.views.nightly.junit import render_junit
    from rkbench.views.nightly.markdown import render_markdown

    steps = []
    if STDOUT not in (junit_file, markdown_file, json_file):
        steps.append(lambda: print_night(night, sys.stdout))
    if junit_file is not None:
        steps.append(lambda: write_text(junit_file, render_junit(night)))
    if markdown_file is not None:
        steps.append(lambda: write_text(markdown_file, render_markdown(night)))
    if json_file is not None:
        steps.append(lambda: write_text(json_file, _night_json(night)))
    all_of(*steps)


def _night_json(night: Night) -> str:
    return json.dumps(night_document(night), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def print_night(night: Night, out: TextIO) -> None:
    """Print the night: a table, then one line for everything that is not green."""
    from rich.text import Text

    console = make_console(out)
    columns, told = _narrowed(_columns(night), console.width)
    console.print(_table(night, columns))
    if told:
        console.print(Text(told, "dim"))
    if night.simulated:
        console.print(Text(f"{MARK} {SIMULATED}", "yellow"))
    console.print()
    for line, style in [*_lines(night), (headline(night), STYLES[_worst(night)])]:
        if console.is_terminal:
            print_paragraph(console, "", printable(line), style=style, space=False)
        else:
            console.print(Text(printable(line), style), soft_wrap=True)


def _table(night: Night, columns: Mapping[str, Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False)
    for title in columns:
        table.add_column(title, justify="right" if title in FIGURES else "left", no_wrap=title in FIGURES)
    for cell, values in zip(night.cells, zip(*columns.values(), strict=True), strict=True):
        named = zip(columns, values, strict=True)
        table.add_row(*(Text(value, STYLES[cell.state] if title == _GATES else "") for title, value in named))
    return table


def _columns(night: Night) -> dict[str, list[str]]:
    """Return the columns of the table by their titles."""
    words = [
        (cell.variant, cell.board, cell.plan, gate_words(cell), *figures_of(cell)) for cell in night.cells
    ]
    titles = (_MODEL, "board", "plan", _GATES, *FIGURES)
    return {title: [row[place] for row in words] for place, title in enumerate(titles)}


def _narrowed(columns: dict[str, list[str]], width: int) -> tuple[dict[str, list[str]], str]:
    """Return columns that fit a width, and in words what all cells share and lost its column for it.

    A column that says the same everywhere, or nothing, goes first; then names of models are broken where
    their words end.
    """
    told = []
    for title in (CHANGE, "plan", "board"):
        shared = {*columns[title]}
        if _width(columns) > width and len(shared) == 1:
            (value,) = shared
            columns = {name: column for name, column in columns.items() if name != title}
            told += [f"{title} {value}"] if value != UNKNOWN else []
    room = max(_NARROWEST, width - _width({**columns, _MODEL: []}) + len(_MODEL))
    names = ["\n".join(split_name(name, room)) for name in columns[_MODEL]]
    return {**columns, _MODEL: names}, f"all cells: {', '.join(reversed(told))}" if told else ""


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    """Return how wide a table is that breaks nothing."""
    return sum(max(len(title), *map(len, column), 0) + _GAP for title, column in columns.items()) - _GAP


def _lines(night: Night) -> Iterator[tuple[str, str]]:
    """Yield a line with its style for everything that is not green; one line each, for those who grep."""
    for state, title in NOT_GREEN:
        for cell, gate in gates_in(night, state):
            if not cell.fault and not has_too_few(gate):
                yield f"{title}: {gate_line(cell, gate)}", STYLES[state]
        for item in pooled_in(night, state):
            yield f"{title}: {pooled_line(item)}", STYLES[state]
    for line in too_few_nights(night):
        yield f"undecided: {line}", STYLES[CANNOT_TELL]
    for line in faults(night):
        yield f"failed: {line}", STYLES[NOT_MEASURED]
    for line in retries(night):
        yield f"begun anew: {line}", "yellow"
    for line in doubted(night):
        yield f"doubted: {line}", "yellow"
    for line in by_history(night):
        yield f"judged by history: {line}", ""
    for line in epoch_lines(night):
        yield f"a new epoch on {line}", "yellow"
    for line in scatter_lines(night):
        yield f"scatter: {line}", ""
    for board, words in environment_changes(night):
        yield f"environment changed on {board}: {words}", "yellow"
    if night.interrupted:
        yield "interrupted: the same command goes on where it was; --fresh begins anew", "yellow"


def _worst(night: Night) -> State:
    states: dict[int, State] = {GREEN: PASS, RED: FAIL}
    return states.get(night.exit_code, NOT_MEASURED)


def print_baselines(baselines: Sequence[Baseline], out: TextIO) -> None:
    """Print the baselines in force, one line each."""
    from rich.table import Table
    from rich.text import Text

    from rkbench.views.nightly.markdown import utc

    console = make_console(out)
    if not baselines:
        console.print("no baselines yet: bench nightly SUITE.toml, then bench baseline accept last")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("suite", "model", "board", "plan", "run", "accepted (UTC)", "note"):
        table.add_column(title, overflow="fold", no_wrap=title not in ("model", "note"))
    shown = short_ids(item.run for item in baselines)
    for item in baselines:
        cells = (
            item.suite,
            item.variant,
            item.board,
            item.plan,
            shown[item.run] + (f" {MARK}" if item.simulated else ""),
            utc(item.accepted_unix_s).removesuffix(" UTC"),
            item.note,
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    if any(item.simulated for item in baselines):
        console.print(Text(f"{MARK} {SIMULATED}", "yellow"))
