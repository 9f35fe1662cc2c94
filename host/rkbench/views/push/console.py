"""A push on a terminal: one table, what to doubt, and the verdict. Rich is imported when it is needed."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from rkbench_agent.wire.caveats import Caveat

from rkbench.runs.comparison import Comparison
from rkbench.runs.conditions import CORE_MASK, is_of_other_conditions
from rkbench.runs.extras import held_text
from rkbench.runs.model import Failure, RunResult
from rkbench.runs.records import BoardRecord
from rkbench.units import MARK, UNKNOWN, format_bytes, format_hertz, format_seconds
from rkbench.views.push.extras import aligned_sweep, cycles_text, is_sweep, profile_lines
from rkbench.views.push.table import (
    TableCell,
    TableRow,
    Tone,
    legend,
    number_caveats,
    ordered_runs,
    table_rows,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {Tone.GOOD: "green", Tone.BAD: "red", Tone.EVEN: "dim", Tone.PLAIN: ""}
#: The width where no terminal tells one.
PLAIN_WIDTH = 100
LOG_LINES = 5
MINIMUM_WIDTH = 9
GAP = 2


def make_console(out: TextIO, width: int | None = None) -> Console:
    """Return a console on `out`. It honours NO_COLOR, COLUMNS and TERM, and shows no markup of others."""
    from rich.console import Console

    if width is None and not out.isatty() and "COLUMNS" not in os.environ:
        width = PLAIN_WIDTH
    return Console(file=out, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_push(runs: Sequence[RunResult], comparison: Comparison, console: Console) -> None:
    """Print the whole view of a push."""
    runs = ordered_runs(runs, comparison)
    if not runs:
        return
    numbers = number_caveats(runs)
    if console.is_terminal:
        console.print()
    _print_head(runs, console)
    if is_sweep(runs):
        _lines(console, aligned_sweep(runs, MARK))
    else:
        _print_table(runs, comparison, numbers, console)
    _print_extras(runs, console)
    _print_notes(runs, comparison, numbers, console)
    for run in runs:
        if run.failure is not None:
            _print_failure(run.variant.name, run.failure, console)
    _paragraph(console, "", comparison.verdict, style="bold")


def describe_board(board: BoardRecord) -> str:
    """Return the board in one line: name, SoC, versions, clock and governor, as far as known."""
    npu = board.npu_clock_hz and f"NPU {format_hertz(board.npu_clock_hz)}"
    governor = board.npu_governor and f"({board.npu_governor})"
    parts = (
        board.name,
        board.soc,
        board.runtime and f"runtime {board.runtime} {board.runtime_version or ''}".strip(),
        board.driver_version and f"driver {board.driver_version}",
        " ".join(part for part in (npu, governor) if part),
    )
    return " · ".join(part for part in parts if part)


def _print_head(runs: Sequence[RunResult], console: Console) -> None:
    first = runs[0]
    plan = first.plan
    turns = " in turns" if plan.interleave and len(runs) > 1 else ""
    how = (
        f"{first.push} · {len(runs)} variant{'s' * (len(runs) > 1)}{turns} · at least {plan.min_iterations}"
        f" iterations and {format_seconds(plan.min_duration_s)} each · cores "
        + ", ".join(dict.fromkeys(run.plan.core_mask for run in runs))
    )
    _paragraph(console, "board  ", describe_board(first.board), style="", space=False)
    _paragraph(console, "push   ", how, style="", space=False)
    if first.conditions is not None and first.conditions.pinned:
        cpus = ", ".join(str(cpu) for cpu in first.conditions.big_cpus)
        told = f"clocks held still by {held_text(first.conditions.clocks)}"
        refused = any(caveat.code == "not_on_big_cores" for run in runs for caveat in run.caveats)
        worker = f" · worker on CPU {cpus}" if cpus and not refused else ""
        _paragraph(console, "pinned ", told + worker, style="", space=False)
    sent = list({run.variant.name: run.transfer for run in runs if run.transfer}.values())
    if sent:
        total, over = sum(item.model_bytes for item in sent), sum(item.sent_bytes for item in sent)
        how = f"{format_bytes(over)} on the line" if over else "all of them on the board before"
        text = f"{format_bytes(total)} of models, {how}"
        _paragraph(console, "sent   ", text, style="", space=False)


def _print_table(
    runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int], console: Console
) -> None:
    rows = table_rows(runs, comparison, numbers)
    for part in _parts(runs, rows, console.width):
        console.print()
        console.print(_table([runs[index] for index in part], _only(rows, part), comparison, console.width))


def _print_extras(runs: Sequence[RunResult], console: Console) -> None:
    for run in runs:
        if run.load is not None and run.load.cycles is not None:
            _paragraph(console, "", cycles_text(run.variant.name, run.load.cycles), style="")
    for run in runs:
        if run.profile is not None:
            _lines(console, profile_lines(run.variant.name, run.profile))


def _lines(console: Console, lines: Sequence[str]) -> None:
    """Print lines of a table as they are, the first as its head."""
    from rich.text import Text

    console.print()
    for index, line in enumerate(lines):
        console.print(Text(line, style="" if index else "bold"), soft_wrap=True)


def _parts(runs: Sequence[RunResult], rows: Sequence[TableRow], width: int) -> list[list[int]]:
    """Return the columns of each table: all in one where they fit, else the baseline in each."""
    label = max(len(row.label) for row in rows)
    room = (width - label) // (_narrow(rows) + GAP)
    if room >= len(runs) or len(runs) <= 2:
        return [list(range(len(runs)))]
    others, step = list(range(1, len(runs))), max(1, room - 1)
    return [[0, *others[start : start + step]] for start in range(0, len(others), step)]


def _narrow(rows: Sequence[TableRow]) -> int:
    """Return the width of a column whose differences stand under the values."""
    return max(max(len(cell.value), len(cell.difference)) for row in rows for cell in row.cells)


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
        value + (difference + 1 if difference else 0) if beside else max(value, difference)
        for value, difference in wide
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
    if run.id == comparison.baseline:
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


def _with_advice(caveat: Caveat) -> str:
    return f"{caveat.message} → {caveat.advice}" if caveat.advice else caveat.message


def _print_notes(
    runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int], console: Console
) -> None:
    by_id = {run.id: run for run in runs}
    names = {run.id: run.variant.name for run in runs}
    if legend(runs):
        _paragraph(console, "", legend(runs), style="yellow")
    for index, (caveat, number) in enumerate(numbers.items()):
        _paragraph(console, f"{number:>2}  ", _with_advice(caveat), style="", space=index == 0)
    for refusal in comparison.refused:
        base = by_id[comparison.baseline or refusal.run]
        if is_of_other_conditions(base, by_id[refusal.run]):
            text = f"{names[refusal.run]} is not compared: {'; '.join(refusal.reasons)}"
            _paragraph(console, "", text, style="yellow")
    for condition in comparison.conditions:
        if condition.name == CORE_MASK.name and is_sweep(runs):
            continue  # the table is about nothing else
        text = (
            f"{names[condition.run]}: {condition.name} is {condition.value or UNKNOWN}, "
            f"the baseline's {condition.baseline or UNKNOWN}"
        )
        _paragraph(console, "", text, style="yellow")


def _print_failure(name: str, failure: Failure, console: Console) -> None:
    how = ", ".join(part for part in (failure.reason.replace("_", " "), failure.signal) if part)
    _paragraph(console, "✗  ", f"{name} failed in {failure.stage.replace('_', ' ')} ({how})", style="red")
    _paragraph(console, "   ", failure.message, style="", space=False)
    for line in failure.log_tail[-LOG_LINES:]:
        _paragraph(console, "   │ ", line, style="dim", space=False)
    for diagnosis in failure.diagnoses:
        row = f" (catalogue {diagnosis.number})" if diagnosis.number else ""
        _paragraph(console, "   = ", f"{diagnosis.cause}{row}", style="bold", space=False)
        _paragraph(console, "   → ", diagnosis.advice, style="", space=False)
    if failure.advice and not failure.diagnoses:
        _paragraph(console, "   → ", failure.advice, style="", space=False)


def _paragraph(console: Console, lead: str, text: str, *, style: str, space: bool = True) -> None:
    """Print `text` wrapped behind `lead`, its further lines indented as far."""
    from rich.text import Text

    if not text:
        return
    if space:
        console.print()
    lines = textwrap.wrap(
        text.replace(" %", "\N{NO-BREAK SPACE}%"), max(20, console.width - len(lead)), break_on_hyphens=False
    )
    for index, line in enumerate(lines):
        margin = lead if index == 0 else " " * len(lead)
        shown = line.replace("\N{NO-BREAK SPACE}", " ")
        console.print(Text(margin, style="dim") + Text(shown, style=style), soft_wrap=True)
