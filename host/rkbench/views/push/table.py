"""The cells of the push table: pure text, before any terminal is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.caveats import Caveat

from rkbench.runs.comparison import Comparison, device_p50_s, highest_error, lowest_cosine, lowest_top1
from rkbench.runs.model import DDR_CLOCK, NPU_CLOCK, TEMPERATURE, RunResult
from rkbench.units import (
    MARK,
    UNKNOWN,
    format_bytes,
    format_celsius,
    format_hertz,
    format_rate,
    format_ratio,
    format_seconds,
)

GOOD, BAD, EVEN, PLAIN = "good", "bad", "even", ""


@dataclass(frozen=True)
class Cell:
    """A value as shown, its difference to the baseline beside it, and whether that is good or bad."""

    value: str
    difference: str = ""
    tone: str = PLAIN


@dataclass(frozen=True)
class Row:
    """One line of the table: a label, and a cell for each run; a gap may stand above it."""

    label: str
    cells: tuple[Cell, ...]
    gap_above: bool = False


@dataclass(frozen=True)
class _Line:
    label: str
    metric: str
    group: str
    text: Callable[[RunResult], str]
    with_difference: bool = True
    gap_above: bool = False


def ordered_runs(runs: Sequence[RunResult], comparison: Comparison) -> list[RunResult]:
    """Return the baseline first, then the others in their order."""
    return sorted(runs, key=lambda run: run.id != comparison.baseline)


def table_rows(runs: Sequence[RunResult], comparison: Comparison, numbers: Mapping[Caveat, int]) -> list[Row]:
    """Return the lines of the table for `runs`, in the order given; empty lines are left out."""
    rows = [_row(line, runs, comparison) for line in _LINES]
    rows.insert(_JUDGEMENT_AT, _judgements(runs, comparison))
    rows += [clocks_row("NPU clock", NPU_CLOCK, runs), clocks_row("DDR clock", DDR_CLOCK, runs)]
    rows.append(heat_row(runs))
    rows = [row for row in rows if any(cell.value not in ("", UNKNOWN) for cell in row.cells)]
    rows.append(Row("verdict", tuple(_verdict(run) for run in runs), gap_above=True))
    if numbers:
        rows.append(Row("caveats", tuple(Cell(_numbers(run, numbers)) for run in runs)))
    return rows


def clocks_row(label: str, quantity: str, runs: Sequence[RunResult]) -> Row:
    """Return the lowest and highest value of a clock while each run was timed."""
    return Row(label, tuple(Cell(_clocks(run, quantity)) for run in runs), gap_above=label == "NPU clock")


def heat_row(runs: Sequence[RunResult]) -> Row:
    """Return the highest temperature of any zone while each run was timed."""
    cells = []
    for run in runs:
        heat = [sensor.max for sensor in run.readings.of(TEMPERATURE)] if run.readings else []
        mark = MARK if run.simulated and heat else ""
        cells.append(Cell(mark + format_celsius(max(heat)) if heat else UNKNOWN))
    return Row("hottest", tuple(cells))


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
    return f"{percent:+.0f} %" if percent >= 99.95 else f"{percent:+.1f} %"


def legend(runs: Sequence[RunResult]) -> str:
    """Return what the mark means for these runs, with the source of each number; "" if none is marked."""
    simulated = [run for run in runs if run.simulated]
    if not simulated:
        return ""
    sources: dict[str, list[str]] = {}
    for group, words in _GROUPS:
        found = {getattr(run.provenance, group) for run in simulated} - {None}
        for source in sorted(found):
            sources.setdefault(_SOURCES.get(source, source), []).append(words)
    told = "; ".join(f"{', '.join(words)}: {source}" for source, words in sources.items())
    boards = ", ".join(sorted({f"{run.board.name} ({run.board.soc or 'unknown SoC'})" for run in simulated}))
    return f"{MARK} simulated on board {boards}, no NPU involved{f': {told}' if told else ''}"


_GROUPS = (
    ("load", "NPU memory"),
    ("process_memory", "process memory"),
    ("load_duration", "load time"),
    ("latency", "latency"),
    ("outputs", "outputs"),
    ("readings", "sensors"),
)
_SOURCES = {
    "measured": "measured on this computer, not on a board",
    "vendor_simulator": "the vendor's simulator",
    "modelled": "a documented model",
    "from_file": "read from files",
    "predicted": "predicted",
}

_LINES = (
    _Line("file size", "size_bytes", "", lambda run: format_bytes(run.variant.size_bytes)),
    _Line(
        "load time", "load_duration_s", "load_duration", lambda run: _load(run, "duration_s", format_seconds)
    ),
    _Line(
        "NPU memory", "load_npu_total_bytes", "load", lambda run: _load(run, "npu_total_bytes", format_bytes)
    ),
    _Line(
        "process memory",
        "load_rss_delta_bytes",
        "process_memory",
        lambda run: _load(run, "rss_delta_bytes", format_bytes),
    ),
    _Line(
        "… of it the file",
        "load_rss_delta_bytes",
        "process_memory",
        lambda run: _load(run, "file_copy_bytes", format_bytes),
        False,
    ),
    _Line("latency p50", "latency_p50_s", "latency", lambda run: _latency(run, "p50_s"), gap_above=True),
    _Line("latency p90", "latency_p90_s", "latency", lambda run: _latency(run, "p90_s")),
    _Line("latency p99", "latency_p99_s", "latency", lambda run: _latency(run, "p99_s")),
    _Line("NPU's own p50", "latency_device_p50_s", "latency", lambda run: format_seconds(device_p50_s(run))),
    _Line("throughput", "throughput_per_s", "latency", lambda run: format_rate(run.throughput_per_s)),
    _Line("Rockchip's rate", "throughput_per_s", "latency", lambda run: _reference(run), False),
    _Line(
        "lowest cosine", "cosine", "outputs", lambda run: _number(lowest_cosine(run), "{:.5f}"), False, True
    ),
    _Line("max. error", "max_abs_error", "outputs", lambda run: _number(highest_error(run), "{:.3g}")),
    _Line("top-1 agrees", "top1_agreement", "outputs", lambda run: _percent(lowest_top1(run)), False),
)
_JUDGEMENT_AT = 11


def _row(line: _Line, runs: Sequence[RunResult], comparison: Comparison) -> Row:
    metric = next(item for item in comparison.metrics if item.name == line.metric)
    cells = []
    for run in runs:
        value = line.text(run)
        marked = run.simulated and line.group and value != UNKNOWN
        percent = metric.differences.get(run.id) if line.with_difference else None
        tone = _tone(percent, metric.higher_is_better)
        cells.append(Cell(f"{MARK}{value}" if marked else value, difference_text(percent), tone))
    return Row(line.label, tuple(cells), line.gap_above)


def _tone(percent: float | None, higher_is_better: bool) -> str:
    if percent is None:
        return PLAIN
    if abs(percent) < 1:
        return EVEN
    return GOOD if (percent > 0) == higher_is_better else BAD


def _judgements(runs: Sequence[RunResult], comparison: Comparison) -> Row:
    words = {test.run: test.judgement for test in comparison.latency_tests}
    tones = {"faster": GOOD, "slower": BAD}
    cells = (Cell(words.get(run.id, ""), "", tones.get(words.get(run.id, ""), EVEN)) for run in runs)
    return Row("latency is", tuple(cells))


def _verdict(run: RunResult) -> Cell:
    if run.failure is not None:
        return Cell("FAILED", run.failure.stage.replace("_", " "), BAD)
    return Cell(run.verdict, "", GOOD if run.verdict == "VALID" else EVEN)


def _numbers(run: RunResult, numbers: Mapping[Caveat, int]) -> str:
    return " ".join(str(numbers[caveat]) for caveat in run.caveats if caveat in numbers)


def _load(run: RunResult, name: str, text: Callable[[float | None], str]) -> str:
    return text(getattr(run.load, name) if run.load else None)


def _latency(run: RunResult, name: str) -> str:
    return format_seconds(getattr(run.latency, name) if run.latency else None)


def _reference(run: RunResult) -> str:
    """Return the share of Rockchip's own figure, with what of the call it means."""
    if run.reference is None:
        return UNKNOWN
    return f"{format_ratio(run.reference.ratio)} of {format_rate(run.reference.rate_per_s)}"


def _number(value: float | None, pattern: str) -> str:
    return UNKNOWN if value is None else pattern.format(value)


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value * 100:.1f} %"
