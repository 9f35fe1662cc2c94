"""The cells of the push table: pure text, before any terminal is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.words import COMPUTED, FROM_FILE, MEASURED, MODELLED, PREDICTED, VENDOR_SIMULATOR

from rkbench.results.comparison import Comparison
from rkbench.results.latency_words import interval_text
from rkbench.results.measure_types import Measure, NumberGroup
from rkbench.results.measures import LATENCY_P50, MEASURES
from rkbench.results.model import (
    DDR_CLOCK,
    FAILED,
    NPU_CLOCK,
    STOPPED,
    SUSPECT,
    TEMPERATURE,
    VALID,
    PercentileBounds,
    RunResult,
)
from rkbench.stats.paired import FASTER, NO_DIFFERENCE, SLOWER
from rkbench.units import (
    MARK,
    SECONDS,
    UNKNOWN,
    format_between,
    format_celsius,
    format_hertz,
    format_seconds,
    signed,
)


class Tone(Enum):
    """What a cell tells: better or worse than the baseline, the same, doubtful, or just a value."""

    GOOD = "good"
    BAD = "bad"
    EVEN = "even"
    DOUBT = "doubt"
    PLAIN = ""


@dataclass(frozen=True)
class TableCell:
    """A value as shown, its difference to the baseline beside it, and whether that is good or bad."""

    value: str
    difference: str = ""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True)
class TableRow:
    """One line of the table: a label, and a cell for each run.

    A gap may stand above it; `is_conclusion` sets its label off from those of the measures.
    """

    label: str
    cells: tuple[TableCell, ...]
    gap_above: bool = False
    is_conclusion: bool = False


def ordered_runs(runs: Sequence[RunResult], comparison: Comparison) -> list[RunResult]:
    """Return the baseline first, then the others in their order."""
    return sorted(runs, key=lambda run: run.id != comparison.baseline)


def table_rows(
    runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int]
) -> list[TableRow]:
    """Return the lines of the table for `runs`, in the order given; empty lines are left out."""
    rows = _measured_rows(runs, comparison)
    rows.append(_clocks_row("NPU clock", NPU_CLOCK, runs, gap_above=True))
    rows.append(_clocks_row("DDR clock", DDR_CLOCK, runs))
    rows.append(heat_row(runs))
    rows = [row for row in rows if any(cell.value not in ("", UNKNOWN) for cell in row.cells)]
    rows.append(TableRow("verdict", tuple(_verdict(run) for run in runs), gap_above=True, is_conclusion=True))
    if numbers:
        rows.append(TableRow("caveats", tuple(TableCell(_numbers(run, numbers)) for run in runs)))
    return rows


def _clocks_row(label: str, quantity: str, runs: Sequence[RunResult], *, gap_above: bool = False) -> TableRow:
    """Return the lowest and highest value of a clock while each run was timed."""
    return TableRow(label, tuple(TableCell(_clocks(run, quantity)) for run in runs), gap_above)


def heat_row(runs: Sequence[RunResult]) -> TableRow:
    """Return the highest temperature of any zone while each run was timed."""
    cells = []
    for run in runs:
        heat = [sensor.max for sensor in run.readings.of(TEMPERATURE)] if run.readings else []
        mark = MARK if run.simulated and heat else ""
        cells.append(TableCell(mark + format_celsius(max(heat)) if heat else UNKNOWN))
    return TableRow("hottest", tuple(cells))


def _clocks(run: RunResult, quantity: str) -> str:
    clocks = run.readings.of(quantity) if run.readings else ()
    if not clocks:
        return UNKNOWN
    low, high = format_hertz(clocks[0].min), format_hertz(clocks[0].max)
    return (MARK if run.simulated else "") + (high if low == high else f"{low} … {high}")


def number_caveats(runs: Sequence[RunResult]) -> dict[Caveat, int]:
    """Return every distinct caveat with its number; `simulated` is the legend's and has none."""
    numbers: dict[Caveat, int] = {}
    for run in runs:
        for caveat in run.caveats:
            if caveat.code != "simulated":
                numbers.setdefault(caveat, len(numbers) + 1)
    return numbers


def difference_text(percent: float | None) -> str:
    """Return a difference as `+12.3 %`; from ten times up as `12×`; nothing where unknown."""
    if percent is None:
        return ""
    if percent >= 900:
        return f"{percent / 100 + 1:.0f}×"
    return f"{signed(percent, 0 if percent >= 99.95 else 1)} %"


def legend(runs: Sequence[RunResult], groups: Collection[NumberGroup] = frozenset(NumberGroup)) -> str:
    """Return what the mark means for these runs, with the source of each number; "" if none is marked.

    `groups` are those that are shown.
    """
    simulated = [run for run in runs if run.simulated]
    if not simulated:
        return ""
    sources: dict[str, list[str]] = {}
    for group, words in (item for item in _GROUPS if item[0] in groups):
        for source in sorted({found for run in simulated if (found := group.source(run.provenance))}):
            sources.setdefault(_SOURCES.get(source, source), []).append(words)
    told = "; ".join(f"{', '.join(words)}: {source}" for source, words in sources.items())
    boards = ", ".join(sorted({f"{run.board.name} ({run.board.soc or 'unknown SoC'})" for run in simulated}))
    return f"{MARK} simulated on board {boards}, no NPU involved{f': {told}' if told else ''}"


_GROUPS = (
    (NumberGroup.NPU_MEMORY, "NPU memory"),
    (NumberGroup.PROCESS_MEMORY, "process memory"),
    (NumberGroup.LOAD_DURATION, "load time"),
    (NumberGroup.LATENCY, "latency"),
    (NumberGroup.OUTPUTS, "outputs"),
    (NumberGroup.READINGS, "sensors"),
)
_SOURCES = {
    MEASURED: "measured on this computer, not on a board",
    VENDOR_SIMULATOR: "the vendor's simulator",
    COMPUTED: "computed by rkbench's model of the NPU",
    MODELLED: "a documented model",
    FROM_FILE: "read from files",
    PREDICTED: "predicted from the file's NPU tasks, copies by a documented model",
}


def _measured_rows(runs: Sequence[RunResult], comparison: Comparison) -> list[TableRow]:
    """Return a row for each measure that has a label, group by group; latency ends with its judgement."""
    rows: list[TableRow] = []
    labelled = (measure for measure in MEASURES if measure.is_shown(runs))
    for group, measures in groupby(labelled, lambda measure: measure.group):
        for index, measure in enumerate(measures):
            gap_above = index == 0 and group in (NumberGroup.LATENCY, NumberGroup.OUTPUTS)
            rows.append(_row(measure, runs, comparison, gap_above=gap_above))
            if measure.percent is not None:
                rows.append(_bounds_row(measure.percent, runs))
            if measure.load_figure:
                rows.append(_range_row(measure, runs))
            if measure is LATENCY_P50:
                rows.append(_intervals(runs, comparison))
        if group is NumberGroup.LATENCY:
            rows.append(_judgements(runs, comparison))
    return rows


def _row(measure: Measure, runs: Sequence[RunResult], comparison: Comparison, *, gap_above: bool) -> TableRow:
    told = measure.compared and measure.unit.in_percent
    differences = comparison.of(measure).differences if told else {}
    cells = []
    for run in runs:
        value, percent = measure.text(run), differences.get(run.id)
        mark = MARK if run.simulated and measure.group is not NumberGroup.FILE else ""
        shown = difference_text(percent)
        cells.append(
            TableCell(
                value if value.startswith(UNKNOWN) else f"{mark}{value}",
                f"{mark}{shown}" if shown else "",
                _tone(measure, run, comparison, percent),
            )
        )
    return TableRow(measure.label, tuple(cells), gap_above)


def _bounds_row(percent: float, runs: Sequence[RunResult]) -> TableRow:
    """Return between what the percentile of each run lies, with 95 %."""
    found = [run.latency.within(percent) if run.latency else PercentileBounds(percent) for run in runs]
    marks = [MARK if run.simulated else "" for run in runs]
    cells = (TableCell(_between(item, mark), "", Tone.EVEN) for item, mark in zip(found, marks, strict=True))
    return TableRow("… 95 %", tuple(cells))


def _range_row(measure: Measure, runs: Sequence[RunResult]) -> TableRow:
    """Return between what a figure of each run lay over its loads; nothing where all loads agree."""
    found = [measure.range_of(run) for run in runs]
    counts = {item.count for item in found if item}
    cells = []
    for run, item in zip(runs, found, strict=True):
        mark = MARK if run.simulated else ""
        differs = item is not None and measure.unit.text(item.low) != measure.unit.text(item.high)
        between = mark + format_between(measure.unit, item.low, item.high) if item and differs else ""
        cells.append(TableCell(between, "", Tone.EVEN))
    loads = f"{counts.pop()} loads" if len(counts) == 1 else "loads"
    return TableRow(f"… over {loads}", tuple(cells))


def _between(bounds: PercentileBounds, mark: str) -> str:
    if bounds.low_s is None:
        return UNKNOWN
    if bounds.high_s is None:
        return f"from {mark}{format_seconds(bounds.low_s)}"
    return mark + format_between(SECONDS, bounds.low_s, bounds.high_s)


def _tone(measure: Measure, run: RunResult, comparison: Comparison, percent: float | None) -> Tone:
    """Return whether a difference is good or bad: of what is exact (the file), and of what is judged."""
    if measure is LATENCY_P50:
        return _judged_tone(run, comparison)
    if percent is None or measure.group is not NumberGroup.FILE:
        return Tone.PLAIN
    if abs(percent) < 1:
        return Tone.EVEN
    return Tone.GOOD if (percent > 0) == measure.higher_is_better else Tone.BAD


def _judged_tone(run: RunResult, comparison: Comparison) -> Tone:
    test = comparison.test_of(run.id)
    return JUDGEMENT_TONES.get(test.judgement, Tone.PLAIN) if test else Tone.PLAIN


def _intervals(runs: Sequence[RunResult], comparison: Comparison) -> TableRow:
    """Return what bounds the difference of p50, under it."""
    cells = []
    for run in runs:
        test = comparison.test_of(run.id)
        text = interval_text(test) if test else ""
        mark = MARK if run.simulated else ""
        cells.append(TableCell(f"{mark}{text} %" if text else "", "", _judged_tone(run, comparison)))
    return TableRow("… difference", tuple(cells))


def _judgements(runs: Sequence[RunResult], comparison: Comparison) -> TableRow:
    cells = []
    for run in runs:
        test = comparison.test_of(run.id)
        cells.append(TableCell(test.judgement if test else "", "", _judged_tone(run, comparison)))
    return TableRow("latency is", tuple(cells))


JUDGEMENT_TONES: Mapping[str, Tone] = {FASTER: Tone.GOOD, SLOWER: Tone.BAD, NO_DIFFERENCE: Tone.EVEN}


def _verdict(run: RunResult) -> TableCell:
    if run.failure is not None and run.verdict != STOPPED:
        return TableCell(FAILED, run.failure.stage.replace("_", " "), Tone.BAD)
    word = f"{MARK}{run.verdict}" if run.simulated else run.verdict
    tone = Tone.GOOD if run.verdict == VALID else Tone.DOUBT if run.verdict == SUSPECT else Tone.EVEN
    return TableCell(word, "", tone)


def _numbers(run: RunResult, numbers: Mapping[Caveat, int]) -> str:
    return " ".join(map(str, sorted(numbers[caveat] for caveat in run.caveats if caveat in numbers)))
