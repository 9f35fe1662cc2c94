"""Many variants at a glance: a row each, the best of each column marked. Pure text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rkbench.errors import UsageError, choice_hint
from rkbench.results.caveats import is_wrong
from rkbench.results.comparison import Comparison
from rkbench.results.measure_types import Measure, NumberGroup
from rkbench.results.measures import COSINE, GATED, LATENCY_P50, LATENCY_P99, NPU_MEMORY, SIZE
from rkbench.results.model import FAILED, STOPPED, SUSPECT, RunResult
from rkbench.results.names import run_names
from rkbench.units import MARK, UNKNOWN
from rkbench.views.push.many import FEWEST_ROWS
from rkbench.views.push.table import JUDGEMENT_TONES, TableCell, Tone, difference_text

BEST = "*"
_GAP = 2
_COLUMNS = (SIZE, NPU_MEMORY, LATENCY_P50, LATENCY_P99, COSINE)
#: What the figures of rows are of.
GROUPS = frozenset(measure.group for measure in _COLUMNS)


@dataclass(frozen=True)
class Overview:
    """The rows with their titles; a row begins with the name of its run. `told` is how to read it."""

    titles: tuple[str, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    told: str


def check_sort(word: str) -> None:
    """Raise UsageError for what variants cannot be sorted by."""
    if word and word not in GATED:
        raise UsageError(f"--sort {word}: no measure", hint=choice_hint(word, list(GATED)))


def overview(
    runs: Sequence[RunResult], comparison: Comparison, sort: str = "", width: int | None = None
) -> Overview | None:
    """Return a row for each of many runs, in their order or sorted by a measure's word; None of few.

    The best of a column is marked, with all that read as it does, where it is not shared by all; runs that
    failed, or whose outputs are wrong, are the best of nothing.
    A column that is equal in all rows is told below. The slowest calls and the memory have none where rows
    would be wider than `width`.
    """
    if len(runs) < FEWEST_ROWS:
        return None
    ordered = sorted(runs, key=lambda run: _rank(GATED[sort], run)) if sort else list(runs)
    names, columns, alike = run_names(runs), {}, []
    for measure in _measures(sort):
        cells = [_cell(measure, run, comparison, _best(measure, runs)) for run in ordered]
        if len({cell.value for cell in cells}) > 1:
            columns[measure.gate] = cells
        elif cells[0].value != UNKNOWN:
            alike.append(f"{measure.gate} {cells[0].value}")
    columns["verdict"] = [_verdict(run) for run in ordered]
    first = [TableCell(names[run.id]) for run in ordered]
    hidden = [] if width is None else _narrowed(columns, first, width, {sort})
    base = names.get(comparison.baseline or "", "")
    marked = any(cell.value.startswith(BEST) for cells in columns.values() for cell in cells)
    told = [
        *([f"{BEST} the best of its column"] if marked else []),
        *([f"p50 against {base}, coloured where it is proven"] if comparison.latency_tests else []),
        *([f"the same in all: {', '.join(alike)}"] if alike else []),
        *([f"on a wider terminal: {', '.join(hidden)}"] if hidden else []),
    ]
    rows = tuple(zip(first, *columns.values(), strict=True))
    return Overview(("variant", *columns), rows, "; ".join(told))


def _narrowed(
    columns: dict[str, list[TableCell]], first: Sequence[TableCell], width: int, kept: Collection[str]
) -> list[str]:
    """Take columns that can be missed until a row fits, and return which."""
    hidden = []
    for word in (LATENCY_P99.gate, NPU_MEMORY.gate):
        needed = sum(_GAP + max(len(title), *map(_width, cells)) for title, cells in columns.items())
        if needed + max(map(_width, first)) > width and word in columns and word not in kept:
            del columns[word]
            hidden.append(word)
    return hidden


def _width(cell: TableCell) -> int:
    return len(cell.value) + (len(cell.difference) + 1 if cell.difference else 0)


def _measures(sort: str) -> list[Measure]:
    shown = list(_COLUMNS)
    if sort and GATED[sort] not in shown:
        shown.insert(0, GATED[sort])
    return shown


def _rank(measure: Measure, run: RunResult) -> tuple[bool, float]:
    """Return what sorts runs: the best first, those without the measure last."""
    value = measure.value(run)
    return value is None, 0.0 if value is None else -value if measure.higher_is_better else value


def _best(measure: Measure, runs: Sequence[RunResult]) -> str | None:
    """Return how the best of a column reads; None where all that are known read alike."""
    known = {run.id: value for run in runs if _counts(run) and (value := measure.value(run)) is not None}
    if len({measure.unit.text(value) for value in known.values()}) < 2:
        return None
    return measure.unit.text((max if measure.higher_is_better else min)(known.values()))


def _counts(run: RunResult) -> bool:
    """Return whether a run may be the best of anything: who yields wrong outputs wins nothing."""
    return run.failure is None and not any(map(is_wrong, run.outputs))


def _cell(measure: Measure, run: RunResult, comparison: Comparison, best: str | None) -> TableCell:
    value, text = measure.value(run), measure.text(run)
    if value is None:
        return TableCell(UNKNOWN)
    mark = MARK if run.simulated and measure.group is not NumberGroup.FILE else ""
    sign = BEST if _counts(run) and measure.unit.text(value) == best else ""
    if measure is not LATENCY_P50:
        return TableCell(f"{sign}{mark}{text}")
    test = comparison.test_of(run.id)
    tone = JUDGEMENT_TONES.get(test.judgement, Tone.PLAIN) if test else Tone.PLAIN
    difference = difference_text(comparison.of(measure).differences.get(run.id))
    return TableCell(f"{sign}{mark}{text}", f"{mark}{difference}" if difference else "", tone)


def _verdict(run: RunResult) -> TableCell:
    word = FAILED if run.failure is not None and run.verdict != STOPPED else run.verdict
    tone = Tone.BAD if word == FAILED else Tone.DOUBT if word == SUSPECT else Tone.PLAIN
    return TableCell(f"{MARK}{word}" if run.simulated and word != FAILED else word, tone=tone)
