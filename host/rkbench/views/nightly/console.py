"""A night to where the user wants it: terminal, JSON, JUnit, Markdown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

from rkbench.results.ids import short_ids
from rkbench.results.night import GREEN, RED, SCHEMA, Night
from rkbench.results.serialize import to_json
from rkbench.schema import SCHEMAS
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS, State
from rkbench.store.base import Baseline
from rkbench.units import MARK, printable
from rkbench.views.nightly.figures import FIGURES, figures_of
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
from rkbench.views.terminal import make_console

SCHEMA_FILE = SCHEMAS / "rkbench-nightly-1.schema.json"
STYLES = {PASS: "green", FAIL: "bold red", CANNOT_TELL: "yellow", NOT_MEASURED: "red"}


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
    from rich.table import Table
    from rich.text import Text

    console = make_console(out)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("model", "board", "plan", "gates"):
        table.add_column(title, overflow="fold")
    for title in FIGURES:
        table.add_column(title, justify="right", no_wrap=True)
    for cell in night.cells:
        style = STYLES[cell.state]
        figures = map(Text, figures_of(cell))
        words = (Text(cell.variant), Text(cell.board), Text(cell.plan), Text(gate_words(cell), style))
        table.add_row(*words, *figures)
    console.print(table)
    if night.simulated:
        console.print(Text(f"{MARK} {SIMULATED}", "yellow"))
    console.print()
    for line, style in [*_lines(night), (headline(night), STYLES[_worst(night)])]:
        console.print(Text(printable(line), style), soft_wrap=not console.is_terminal)


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
