"""Stored runs under several names, held against each other: today's against last week's, say.

Each variant of the first name is held against that of the others, by the rules of a push; what else the runs
tell together (several boards, several runtimes) is told besides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rkbench.results.across_boards import AcrossBoards, across_boards
from rkbench.results.across_runtimes import AcrossRuntimes, across_runtimes
from rkbench.results.comparison import Comparison, ConditionDifference, compare_runs
from rkbench.results.condition_words import as_it_is
from rkbench.results.conditions import differing_apart
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult

SCHEMA: Final = "rkbench-compare/1"
Verdict = Callable[[Sequence[RunResult], Comparison], str]


@dataclass(frozen=True)
class Side:
    """What one name on the command line means: its runs, when the first began, and what it is called."""

    name: str
    label: str
    started_at: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class ComparedVariant:
    """One variant on several sides: the runs in the order of the sides, by their ids, and their comparison.

    `names` are what the runs are called: the side, with the variant where that differs. `conditions` are
    all that differ, `differing_files` those that are of the model's file alone, which may be what is asked.
    """

    variant: str
    board: str
    names: Mapping[str, str]
    comparison: Comparison
    conditions: tuple[ConditionDifference, ...] = ()
    differing_files: tuple[ConditionDifference, ...] = ()


@dataclass(frozen=True)
class SideBySide:
    """Stored runs side by side (schema `rkbench-compare/1`).

    `alone` are the runs of the first side that no other has, by their ids.
    """

    schema: Literal["rkbench-compare/1"]
    sides: tuple[Side, ...]
    variants: tuple[ComparedVariant, ...]
    boards: tuple[AcrossBoards, ...]
    runtimes: tuple[AcrossRuntimes, ...]
    alone: tuple[str, ...] = ()

    @property
    def differing(self) -> list[str]:
        """Return every condition that differs and every refusal, in words: what `--strict` refuses."""
        told = [
            f"{item.names[condition.run]}: {as_it_is(condition)}"
            for item in self.variants
            for condition in item.conditions
        ]
        told += [
            f"{item.names[refusal.run]}: {'; '.join(refusal.reasons)}"
            for item in self.variants
            for refusal in item.comparison.refused
        ]
        told += [
            f"{found.variant}: {condition.name} differs between boards"
            for found in self.boards
            for condition in found.conditions
        ]
        return list(dict.fromkeys(told))


def side_by_side(
    sides: Sequence[tuple[Side, Sequence[RunResult]]],
    latencies: Mapping[str, RawLatencies],
    verdict: Verdict,
) -> SideBySide:
    """Return `sides` with their runs, the first of them held against the others."""
    runs = list({run.id: run for _, members in sides for run in members}.values())
    matched, alone = _matched([members for _, members in sides])
    labels = [side.label for side, _ in sides]
    return SideBySide(
        SCHEMA,
        tuple(side for side, _ in sides),
        tuple(_compared(found, labels, latencies, verdict) for found in matched),
        across_boards(runs, latencies),
        across_runtimes(runs),
        tuple(run.id for run in alone),
    )


def _matched(
    sides: Sequence[Sequence[RunResult]],
) -> tuple[list[list[RunResult | None]], list[RunResult]]:
    """Return the runs that belong together, one of each side or None; and those of the first alone."""
    base, *others = sides
    if not others:
        return [], []
    if all(len(side) == 1 for side in sides):
        return [[side[0] for side in sides]], []
    matched: list[list[RunResult | None]] = []
    alone: list[RunResult] = []
    for run in _latest(base):
        found = [_partner(run, side) for side in others]
        if any(found):
            matched.append([run, *found])
        else:
            alone.append(run)
    return matched, alone


def _latest(side: Sequence[RunResult]) -> list[RunResult]:
    """Return the last run of each variant under the same words."""
    latest: dict[tuple[object, ...], RunResult] = {}
    for run in sorted(side, key=lambda run: run.started_at):
        latest[run.variant.name, _words(run)] = run
    return [run for run in side if run in latest.values()]


def _partner(run: RunResult, side: Sequence[RunResult]) -> RunResult | None:
    """Return the run of a side most like `run`: of the same name or file, then in its words."""
    same = [item for item in side if item.variant.name == run.variant.name]
    same = same or [item for item in side if item.variant.sha256 == run.variant.sha256]
    if not same:
        return None
    return max(same, key=lambda item: (_alike(run, item), item.failure is None, item.started_at))


def _alike(one: RunResult, other: RunResult) -> int:
    return sum(a == b for a, b in zip(_words(one), _words(other), strict=True))


def _words(run: RunResult) -> tuple[object, ...]:
    return run.board.name, run.plan.scenario, run.plan.core_mask, run.plan.runtime


def _compared(
    found: Sequence[RunResult | None],
    labels: Sequence[str],
    latencies: Mapping[str, RawLatencies],
    verdict: Verdict,
) -> ComparedVariant:
    told = [(run, label) for run, label in zip(found, labels, strict=True) if run is not None]
    runs = [run for run, _ in told]
    several = len({run.variant.name for run in runs}) > 1
    names = {run.id: f"{label} {run.variant.name}" if several else label for run, label in told}
    called = [replace(run, variant=replace(run.variant, name=names[run.id])) for run in runs]
    # Sentences are of the names, comparisons of the runs: what a run is called is no condition.
    comparison = compare_runs(runs, latencies, lambda _, seen: verdict(called, seen), runs[0].id)
    differing = [item for run in runs[1:] for item in _conditions(runs[0], run, several=several)]
    return ComparedVariant(
        runs[0].variant.name,
        runs[0].board.name,
        names,
        comparison,
        tuple(item for item, of_file in differing if not of_file),
        tuple(item for item, of_file in differing if of_file),
    )


def _conditions(base: RunResult, run: RunResult, *, several: bool) -> list[tuple[ConditionDifference, bool]]:
    return [
        (
            ConditionDifference(
                run.id, item.night_name or item.name, _text(item.value(base)), _text(item.value(run))
            ),
            item.of_file,
        )
        for item in differing_apart(base, run)
        if not (item.of_file and several)
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
