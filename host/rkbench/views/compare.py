"""Stored runs side by side on a terminal: a table for few variants, a row for each of many."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from rkbench_agent.wire.caveats import DOUBT

from rkbench.results.across_runtimes import AcrossRuntimes
from rkbench.results.comparison import ComparedMeasure, ConditionDifference
from rkbench.results.condition_words import in_words
from rkbench.results.latency_tests import OTHER_PUSH
from rkbench.results.measure_types import Measure
from rkbench.results.measures import COSINE, LATENCY_P50, LATENCY_P99, MAX_ERROR, NPU_MEMORY, SIZE, SNR
from rkbench.results.model import SUSPECT, RunResult
from rkbench.results.names import folded_names
from rkbench.results.serialize import to_json
from rkbench.results.side_by_side import ComparedVariant, SideBySide
from rkbench.results.side_words import runtime_word, runtimes_sentence
from rkbench.stats.gates import CANNOT_TELL
from rkbench.units import MARK, UNKNOWN
from rkbench.views.across import across_text, print_across
from rkbench.views.output import show_and_write
from rkbench.views.push.console import describe_board
from rkbench.views.push.console_table import print_table
from rkbench.views.push.grid import plain, print_grid
from rkbench.views.push.notes import latency_notes
from rkbench.views.push.paragraphs import print_paragraph
from rkbench.views.push.table import JUDGEMENT_TONES, TableCell, Tone, difference_text, legend
from rkbench.views.terminal import make_console

if TYPE_CHECKING:
    from rich.console import Console

#: So many variants have a table each; more have a row each.
MOST_TABLES = 2
MOST_ALONE = 6
_ROW_MEASURES = (SIZE, NPU_MEMORY, LATENCY_P50, LATENCY_P99, COSINE)


def show_side_by_side(
    found: SideBySide, runs: Mapping[str, RunResult], json_file: str | None, out: TextIO | None = None
) -> None:
    """Print the sides and what holds between them; write JSON where it is asked for."""
    show_and_write(
        lambda: print_side_by_side(found, runs, make_console(out or sys.stdout)),
        json_file,
        lambda: json.dumps(to_json(found), indent=2, allow_nan=False, ensure_ascii=False) + "\n",
    )


def print_side_by_side(found: SideBySide, runs: Mapping[str, RunResult], console: Console) -> None:
    """Print it: who is compared, the figures, what differs besides, boards and runtimes."""
    if len(found.sides) > 1:
        for place, side in enumerate(found.sides):
            lead = "against  " if place == 0 else "         "
            text = f"{side.label} · {side.started_at[:16].replace('T', ' ')} UTC · {_what(side.runs, runs)}"
            print_paragraph(console, lead, text, style="", space=False)
    if len(found.variants) <= MOST_TABLES:
        for item in found.variants:
            _print_table(item, runs, console, heads=len(found.variants) > 1)
    else:
        _print_rows(found.variants, runs, console)
    shown = [run for item in found.variants for run_id in item.names if (run := runs[run_id])]
    print_paragraph(console, "", legend(shown), style="yellow")
    for text in _notes(found, runs):
        print_paragraph(console, "", text, style="yellow")
    for across in found.boards:
        print_across(across_text(across), console)
    for runtimes in found.runtimes:
        _print_runtimes(runtimes, console)
    if len(found.variants) <= MOST_TABLES:
        for item in found.variants:
            lead = f"{item.variant}: " if len(found.variants) > 1 else ""
            print_paragraph(console, "", f"{lead}{item.comparison.verdict}", style="bold")
    if not (found.variants or found.boards or found.runtimes):
        print_paragraph(
            console, "", "nothing in common: no variant's name or file is in two of them", style=""
        )


def _what(ids: Sequence[str], runs: Mapping[str, RunResult]) -> str:
    """Return the board of a side's runs, or how many, and how many runs."""
    members = [runs[run_id] for run_id in ids]
    boards = list(dict.fromkeys(run.board.name for run in members))
    board = describe_board(members[0].board) if len(boards) == 1 else f"{len(boards)} boards"
    return f"{board} · {len(members)} run{'s' * (len(members) > 1)}"


def _print_table(
    item: ComparedVariant, runs: Mapping[str, RunResult], console: Console, *, heads: bool
) -> None:
    """Print all measures of one variant, a column a side."""
    called = [replace(run, variant=replace(run.variant, name=item.names[run.id])) for run in _of(item, runs)]
    if heads:
        print_paragraph(console, "", item.variant, style="bold")
    print_table(called, item.comparison, {}, console)


def _of(item: ComparedVariant, runs: Mapping[str, RunResult]) -> list[RunResult]:
    return [runs[run_id] for run_id in item.names]


def _print_rows(variants: Sequence[ComparedVariant], runs: Mapping[str, RunResult], console: Console) -> None:
    """Print a row for each variant and side but the first: the figures, and their difference to the first.

    A figure that is equal everywhere is told below, and has no column.
    """
    boards = len({run.board.name for item in variants for run in _of(item, runs)}) > 1
    sides = max(len(item.names) for item in variants) > 2
    heads = ["variant", *(["board"] if boards else []), *(["run"] if sides else [])]
    names = folded_names([item.variant for item in variants])
    members = [(item, run) for item in variants for run in _of(item, runs)[1:]]
    columns = {
        measure.name: [_cell(item, run, measure) for item, run in members] for measure in _ROW_MEASURES
    }
    judged = [_judgement(item, run) for item, run in members]
    moved = [
        m for m in _ROW_MEASURES if m is LATENCY_P50 or any(_moves(item, run, m) for item, run in members)
    ]
    is_judged = len(set(judged)) > 1
    rows = [
        [
            plain(names.short[item.variant]),
            *([plain(run.board.name)] if boards else []),
            *([plain(item.names[run.id])] if sides else []),
            *(columns[measure.name][place] for measure in moved),
            *([judged[place]] if is_judged else []),
        ]
        for place, (item, run) in enumerate(members)
    ]
    if names.told:
        print_paragraph(console, "", f"variants {names.told}", style="dim")
    console.print()
    titles = [*heads, *(measure.gate for measure in moved), *(["latency is"] if is_judged else [])]
    print_grid(console, titles, rows, left=len(heads))
    alike = [measure.gate for measure in _ROW_MEASURES if measure not in moved]
    print_paragraph(console, "", f"the same in all: {', '.join(alike)}" if alike else "", style="")


def _moves(item: ComparedVariant, run: RunResult, measure: Measure) -> bool:
    """Return whether a figure reads otherwise than the baseline's, or is told to differ from it."""
    found = item.comparison.of(measure)
    told = difference_text(found.differences.get(run.id)) if measure.unit.in_percent else ""
    return told not in _EVEN if told else _before(item, measure) != measure.text(run)


_EVEN = ("+0.0 %", "-0.0 %")


def _before(item: ComparedVariant, measure: Measure) -> str:
    """Return how the baseline's figure reads."""
    return measure.unit.text(item.comparison.of(measure).values.get(item.comparison.baseline or ""))


def _cell(item: ComparedVariant, run: RunResult, measure: Measure) -> TableCell:
    value, before = measure.text(run), _before(item, measure)
    mark = MARK if run.simulated and measure is not SIZE else ""
    found = item.comparison.of(measure)
    shown = difference_text(found.differences.get(run.id)) if measure.unit.in_percent else ""
    if shown:
        shown = f"{mark}{shown}"
    elif before != value and not any(refusal.run == run.id for refusal in item.comparison.refused):
        shown = f"from {before if before.startswith(UNKNOWN) else mark + before}"
    return TableCell(value if value.startswith(UNKNOWN) else mark + value, shown, _tone(measure, run, found))


def _tone(measure: Measure, run: RunResult, found: ComparedMeasure) -> Tone:
    """Return whether the size of a file, which is exact, is better or worse; the rest proves nothing."""
    percent = found.differences.get(run.id)
    if measure is not SIZE or percent is None or abs(percent) < 1:
        return Tone.PLAIN
    return Tone.BAD if percent > 0 else Tone.GOOD


def _judgement(item: ComparedVariant, run: RunResult) -> TableCell:
    if any(refusal.run == run.id for refusal in item.comparison.refused):
        return TableCell("refused", tone=Tone.EVEN)
    test = item.comparison.test_of(run.id)
    return (
        TableCell(test.judgement, tone=JUDGEMENT_TONES.get(test.judgement, Tone.PLAIN)) if test else plain("")
    )


def _doubts(item: ComparedVariant, runs: Mapping[str, RunResult]) -> Iterator[str]:
    """Yield which runs of a variant are SUSPECT, and by which caveats."""
    for run in _of(item, runs):
        if run.verdict == SUSPECT:
            codes = [caveat.code.replace("_", " ") for caveat in run.caveats if caveat.weight == DOUBT]
            yield f"{item.names[run.id]} is {MARK * run.simulated}{SUSPECT}: {', '.join(codes) or UNKNOWN}"


def _notes(found: SideBySide, runs: Mapping[str, RunResult]) -> list[str]:
    """Return what can't be told, is refused or differs: equal sentences once, with whom they are of."""
    told: dict[str, list[str]] = {}
    for item in found.variants:
        for text in _told(item, runs):
            told.setdefault(text, []).append(item.variant)
    every = len(found.variants)
    notes = [_folded(who, text, every) for text, who in told.items()]
    for side, alone in _alone(found, runs):
        rest = len(alone) - MOST_ALONE
        more = f" and {rest} more" if rest > 0 else ""
        notes.append(f"in {side} alone: {', '.join(alone[:MOST_ALONE])}{more}")
    return notes


def _alone(found: SideBySide, runs: Mapping[str, RunResult]) -> Iterator[tuple[str, list[str]]]:
    """Yield the sides that have variants which are held against none, and what these are called."""
    if not found.variants:
        return
    base, *others = found.sides
    if found.alone:
        yield base.label, [runs[run_id].variant.name for run_id in found.alone]
    compared = {runs[run_id].variant.name for item in found.variants for run_id in item.names}
    for side in others:
        names = list(dict.fromkeys(runs[run_id].variant.name for run_id in side.runs))
        if alone := [name for name in names if name not in compared]:
            yield side.label, alone


_NOT_BESIDE = (
    "of latency nothing is judged: they are of different pushes, no block of one was measured beside one of"
    " the other, and a day has a level of its own; "
)
_JUDGED_BY = "to judge it: bench push OLD.rknn NEW.rknn"
_SAME_FILE = "the file is the same; how it went between: bench history --plot p50"


def _folded(who: Sequence[str], text: str, every: int) -> str:
    if every == 1:
        return text
    return f"all {every}: {text}" if len(who) >= every else f"{', '.join(who)}: {text}"


def _told(item: ComparedVariant, runs: Mapping[str, RunResult]) -> Iterator[str]:
    if len(item.names) == 1:
        yield "one run of it is meant by every name, and held against none; others: bench history"
    for test in item.comparison.latency_tests:
        if test.reason == OTHER_PUSH:
            files = {run.variant.sha256 for run in _of(item, runs)}
            yield _NOT_BESIDE + (_SAME_FILE if len(files) == 1 else _JUDGED_BY)
        elif test.judgement == CANNOT_TELL:
            yield from latency_notes(_of(item, runs), item.comparison, item.names)
    for refusal in item.comparison.refused:
        yield f"{item.names[refusal.run]} is not compared: {'; '.join(refusal.reasons)}"
    for condition in (*item.differing_files, *item.conditions):
        yield _condition_text(item, condition)
    yield from _doubts(item, runs)


def _condition_text(item: ComparedVariant, condition: ConditionDifference) -> str:
    word, before, after = in_words(condition)
    who = f"{item.names[condition.run]}: " if len(item.names) > 2 else ""
    return f"{who}{word} differs: {before} → {after}"


def _print_runtimes(found: AcrossRuntimes, console: Console) -> None:
    """Print the outputs of one variant by runtime, and the first that differs."""
    print_paragraph(console, "", f"{found.variant}: outputs by runtime, on the same golden", style="bold")
    first = found.first.runtime if found.first else None
    rows = [
        [
            TableCell(runtime_word(item), tone=Tone.BAD if item.runtime == first else Tone.PLAIN),
            *(
                plain(f"{MARK * item.simulated * (value is not None)}{measure.unit.text(value)}")
                for measure, value in (
                    (COSINE, item.cosine),
                    (SNR, item.snr_db),
                    (MAX_ERROR, item.max_abs_error),
                )
            ),
        ]
        for item in found.runtimes
    ]
    print_grid(console, ("runtime", "lowest cosine", "lowest SNR", "max. error"), rows)
    print_paragraph(console, "", runtimes_sentence(found), style="bold", space=False)
