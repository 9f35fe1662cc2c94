"""What a report says, before it is a page or Markdown: names, the table, notes, facts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rkbench_agent.wire.caveats import Caveat

from rkbench.language.language import ENGLISH, Language
from rkbench.results.across_boards import across_boards
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.extras import LayerTime
from rkbench.results.model import RunResult
from rkbench.units import MARK, UNKNOWN, format_bytes, format_ratio, format_seconds
from rkbench.views.across import AcrossText, across_text
from rkbench.views.push.console import describe_board
from rkbench.views.push.console_rows import shortened
from rkbench.views.push.notes import noise_note, told_caveat, warnings_of
from rkbench.views.push.overview import Overview, overview
from rkbench.views.push.requirements import requirement_lines
from rkbench.views.push.table import TableRow, legend, number_caveats, ordered_runs, table_rows
from rkbench.views.report.names import Named, named, shared_name

_SHOWN_LAYERS = 24


@dataclass(frozen=True)
class LayerTable:
    """The layers of a run that take longest, as the runtime's table has them, or as they are predicted."""

    name: str
    head: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    more: str


@dataclass(frozen=True)
class ReportContent:
    """A report of some runs, in the words that its readers see; the baseline stands first."""

    title: str
    facts: tuple[str, ...]
    runs: tuple[Named, ...]
    baseline: str | None
    rows: tuple[TableRow, ...]
    legend: str
    overview: Overview | None
    caveats: tuple[tuple[int, Caveat], ...]
    notes: tuple[str, ...]
    requirements: tuple[str, ...]
    layers: tuple[LayerTable, ...]
    identities: tuple[tuple[tuple[str, str], ...], ...]
    lang: str = ENGLISH.tag
    """Of the caveats: all else is English."""
    concerned: Mapping[int, str] = field(default_factory=dict)
    """Whom a caveat, by its number, is of; nothing where there is one run."""
    across: tuple[AcrossText, ...] = ()


def content_of(
    collected: Sequence[Collected], comparison: Comparison, language: Language = ENGLISH
) -> ReportContent:
    """Return what a report of these runs says, its caveats with their advice in `language`."""
    by_id = {item.run.id: item for item in collected}
    order = [by_id[run.id] for run in ordered_runs([item.run for item in collected], comparison)]
    runs = [item.run for item in order]
    numbers = number_caveats(runs)
    note = noise_note(runs, comparison)
    members = tuple(named(order))
    folded = shared_name(order)
    called = [_called(item) for item in members]
    latencies = {item.run.id: item.latencies for item in order}
    return ReportContent(
        title=shortened(comparison.verdict, folded),
        facts=(*_facts(runs), *([f"variants {folded.told}"] if folded.told else [])),
        runs=members,
        baseline=comparison.baseline if comparison.has_candidates else None,
        rows=tuple(table_rows(runs, comparison, numbers)),
        legend=legend(runs),
        overview=overview(called, comparison),
        caveats=tuple((number, told_caveat(caveat, language)) for caveat, number in numbers.items()),
        notes=(*([note] if note else []), *warnings_of(called, comparison)),
        requirements=tuple(f"{line.lead.strip()} {line.text}" for line in requirement_lines(runs)),
        layers=tuple(_layers(members)),
        identities=tuple(tuple(_identity(item)) for item in members),
        across=tuple(map(across_text, across_boards(runs, latencies))),
        lang=language.tag,
        concerned=_concerned(called, numbers),
    )


def _concerned(runs: Sequence[RunResult], numbers: Mapping[Caveat, int]) -> dict[int, str]:
    """Return whom each caveat is of, in words, where there are several."""
    if len(runs) < 2:
        return {}
    who = {
        number: [run.variant.name for run in runs if caveat in run.caveats]
        for caveat, number in numbers.items()
    }
    return {
        number: f"all {len(runs)}" if len(names) == len(runs) else ", ".join(dict.fromkeys(names))
        for number, names in who.items()
    }


def _called(item: Named) -> RunResult:
    """Return a run whose variant is called as the report calls it."""
    run = item.collected.run
    return replace(run, variant=replace(run.variant, name=item.name))


def _facts(runs: Sequence[RunResult]) -> Iterator[str]:
    yield from dict.fromkeys(describe_board(run.board) for run in runs)
    pushes = list(dict.fromkeys(run.push for run in runs))
    yield f"push {', '.join(pushes)}" if len(pushes) < 4 else f"{len(pushes)} pushes"
    begun = sorted(run.started_at for run in runs)
    first, last = (begun[place][:16].replace("T", " ") for place in (0, -1))
    yield f"measured {first} UTC" if len(set(pushes)) == 1 else f"measured {first} to {last} UTC"
    yield f"rkbench {', '.join(dict.fromkeys(run.rkbench_version for run in runs))}"


def _layers(runs: Sequence[Named]) -> Iterator[LayerTable]:
    for item in runs:
        profile = item.collected.run.profile
        if profile is None or not profile.layers:
            continue
        slowest = sorted(profile.layers, key=lambda layer: -layer.duration_s)[:_SHOWN_LAYERS]
        mark = MARK if item.collected.run.simulated else ""
        rest = len(profile.layers) - len(slowest)
        yield LayerTable(
            item.name,
            f"{len(profile.layers)} layers, {mark}{format_seconds(profile.total_s)}",
            tuple(_layer(layer, mark) for layer in slowest),
            f"{rest} more layers stand in the data below" if rest else "",
        )


def _layer(layer: LayerTime, mark: str) -> tuple[str, str, str, str, str]:
    took = f"{mark}{format_seconds(layer.duration_s)}"
    return (took, format_ratio(layer.share), layer.unit, layer.op, layer.onnx_node or layer.name)


def _identity(item: Named) -> Iterator[tuple[str, str]]:
    """Yield what was measured, and under what, so that it can be measured again."""
    run = item.collected.run
    yield "run", run.id
    yield "file", f"{run.variant.name}, {format_bytes(run.variant.size_bytes)}"
    yield "SHA-256", run.variant.sha256
    yield "golden", run.plan.golden_sha256 or UNKNOWN
    yield "board", describe_board(run.board)
    yield "cores", run.plan.core_mask
    if run.conditions is not None:
        yield "clocks", "held" if run.conditions.pinned else f"not held: {run.conditions.message}"
