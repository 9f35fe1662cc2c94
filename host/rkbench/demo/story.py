"""What the demo tells, as plain text and cells: pure functions of the files' facts and the runs.

No figure of the story is written here: sizes come from the files, errors and provenance from the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rkbench_agent.wire.words import COMPUTED, FROM_FILE, MEASURED, MODELLED, PREDICTED, VENDOR_SIMULATOR

from rkbench.results.measure_types import Measure, NumberGroup
from rkbench.results.measures import COSINE, LATENCY_P50, MAX_ERROR, NPU_MEMORY, SIZE, TOP1
from rkbench.results.model import RunResult
from rkbench.units import MARK, UNKNOWN, format_bytes, format_difference

#: Where a number comes from, in words, by the run's provenance.
SOURCES = {
    MEASURED: "measured",
    VENDOR_SIMULATOR: "the vendor's simulator",
    COMPUTED: "rkbench's model of the NPU",
    MODELLED: f"{MARK} simulated: a model, no NPU",
    PREDICTED: f"{MARK} predicted, no NPU",
    FROM_FILE: "the file's own figures",
}
_NOT_MEASURED = {MODELLED: "modelled", PREDICTED: "predicted"}


@dataclass(frozen=True)
class Facts:
    """What is known before anything runs: sizes in bytes, and inspect's answer about the first file."""

    onnx_name: str
    onnx_bytes: int
    first_name: str
    first_bytes: int
    target: str
    because: str
    case_count: int


@dataclass(frozen=True)
class StoryLine:
    """One line of the demo's table: a label, a cell for each variant, where the numbers come from."""

    label: str
    cells: tuple[str, ...]
    source: str


def opening(facts: Facts) -> tuple[str, ...]:
    """Return the story's first paragraphs."""
    times = ratio(facts.first_bytes, facts.onnx_bytes)
    return (
        (
            f"A classifier of digits, {facts.onnx_name}, is {format_bytes(facts.onnx_bytes)}."
            f" Converted for {facts.target} it became {format_bytes(facts.first_bytes)}: {times} as much."
        ),
        f"Why? {facts.because}",
        (
            "The cure merges neighbouring groups before the conversion: exact, and bench fix does it."
            " Which variant to ship? All four go to a virtual board, with "
            f"{facts.case_count} held-out digits:"
        ),
    )


def table(runs: Sequence[RunResult], onnx_bytes: int) -> tuple[StoryLine, ...]:
    """Return the one table of the demo; a run that failed has unknown cells."""

    def line(label: str, measure: Measure, text: Callable[[RunResult], str] | None = None) -> StoryLine:
        source = source_of(runs, measure.group) if measure.group is not NumberGroup.FILE else "the file"
        return StoryLine(label, tuple(map(text or measure.text, runs)), source)

    against = tuple(ratio(run.variant.size_bytes, onnx_bytes) for run in runs)
    return (
        line("file size", SIZE),
        StoryLine("against the ONNX", against, "the files"),
        line("NPU memory to load", NPU_MEMORY),
        line("lowest cosine", COSINE),
        line("max. logit error", MAX_ERROR),
        line("top-1 as the ONNX", TOP1, _top1),
        line("latency p50", LATENCY_P50, _latency),
    )


def width(lines: Sequence[StoryLine], headings: Sequence[Sequence[str]]) -> int:
    """Return how many characters wide the table is with its sources, two between columns."""
    labels = max(len(line.label) for line in lines)
    columns = [
        max(len(text) for text in (*heading, *(line.cells[index] for line in lines)))
        for index, heading in enumerate(headings)
    ]
    return labels + sum(column + 2 for column in columns) + 2 + max(len(line.source) for line in lines)


def sources(lines: Sequence[StoryLine]) -> str:
    """Return in one sentence where the lines' numbers come from."""
    labels: dict[str, list[str]] = {}
    for line in lines:
        labels.setdefault(line.source, []).append(line.label)
    return "; ".join(f"{', '.join(found)}: {source}" for source, found in labels.items()) + "."


def source_of(runs: Sequence[RunResult], group: NumberGroup) -> str:
    """Return in words where numbers come from, all sources if the runs differ."""
    found = {source for run in runs if (source := group.source(run.provenance))}
    return ", ".join(sorted(SOURCES.get(source, source) for source in found)) or UNKNOWN


def choose(runs: Sequence[RunResult]) -> RunResult | None:
    """Return the variant to ship: of those that agree with the ONNX most often, the smallest file.

    None where no run has told its top-1 agreement. Latency has no say: nothing measured it here.
    """
    known = [(run, top1) for run in runs if run.failure is None and (top1 := TOP1.value(run)) is not None]
    if not known:
        return None
    best = max(top1 for _, top1 in known)
    return min((run for run, top1 in known if top1 == best), key=lambda run: run.variant.size_bytes)


def verdict(runs: Sequence[RunResult]) -> str:
    """Return which variant to ship, and why, in one sentence."""
    chosen = choose(runs)
    if chosen is None:
        return "No variant can be named: no run was completed with its outputs compared."
    first = runs[0]
    size, before = chosen.variant.size_bytes, first.variant.size_bytes
    parts = [
        f"{format_bytes(size)} instead of {format_bytes(before)} ({format_difference(size / before - 1)})"
    ]
    if NPU_MEMORY.value(chosen) is not None and NPU_MEMORY.value(first) is not None:
        parts.append(f"{NPU_MEMORY.text(chosen)} of NPU memory instead of {NPU_MEMORY.text(first)}")
    parts.append(f"the same class as the ONNX on {_top1(chosen)} digits")
    return f"Ship {chosen.variant.name}: {', '.join(parts)}{_doubt(chosen, first)}."


def ratio(size: int, reference: int) -> str:
    """Return how many times `reference` the size is, as `22.4×`."""
    return f"{size / reference:.1f}×"


def _doubt(chosen: RunResult, first: RunResult) -> str:
    known = _NOT_MEASURED.get(chosen.provenance.latency or "")
    if known is None or chosen.latency is None or first.latency is None:
        return ""
    return (
        f"; but its latency is only {known} here ({_latency(chosen)} against {_latency(first)}),"
        " so let your own board decide that"
    )


def _top1(run: RunResult) -> str:
    value = TOP1.value(run)
    if value is None:
        return UNKNOWN
    count = run.outputs[0].case_count
    return f"{round(value * count)} of {count}"


def _latency(run: RunResult) -> str:
    return f"{MARK if run.simulated and run.latency else ''}{LATENCY_P50.text(run)}"
