"""Who won a sweep, by what the others lost, and the Pareto front: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rkbench.conversion.plan import FailedConversion
from rkbench.conversion.typed import Delivered
from rkbench.results.collect import Collected
from rkbench.results.measure_types import Measure, NumberGroup
from rkbench.results.measures import COSINE, GATED, LATENCY_P50, SIZE
from rkbench.results.model import RunResult
from rkbench.results.ranking import LatencyEvidence, Ranking, rank
from rkbench.stats.gates import PASS
from rkbench.units import MARK

#: What the front is made of.
FRONT = (SIZE, LATENCY_P50, COSINE)


@dataclass(frozen=True)
class MeasuredVariant:
    """A variant that was built and run. `turns` is its run in turns with the best; None where it had none."""

    delivered: Delivered
    alone: Collected
    turns: Collected | None = None

    @property
    def recipe(self) -> str:
        """Return its recipe as it is typed."""
        return self.delivered.built.draft.name

    @property
    def run(self) -> RunResult:
        """Return the run that its figures are of: in turns, where it took turns."""
        return (self.turns or self.alone).run


@dataclass(frozen=True)
class SweepVerdict:
    """Who won, and by what each other lost, by recipe. `doubt`: why the winner is not told apart from others.

    `front` are the recipes that no other beats in size, latency and cosine at once.
    """

    winner: str | None
    lost: Mapping[str, str]
    front: tuple[str, ...]
    doubt: str = ""


def judge(
    minimize: str,
    variants: Sequence[MeasuredVariant],
    failed: Sequence[FailedConversion],
    refused: Mapping[str, str],
    in_turns: Ranking | None,
) -> SweepVerdict:
    """Return the verdict on all variants; `refused` says by run who cannot be compared.

    `in_turns` is the ranking of those that took turns, by what is to be small; None where none did.
    """
    runs = list({each.run.id: each.run for each in variants}.values())  # recipes may come to one file
    ranking = in_turns or rank(minimize, runs, refused, LatencyEvidence({}, ()))
    recipes = {each.run.id: each.recipe for each in reversed(variants)}
    order = _order(ranking, {run.id: run for run in runs})
    winner = order[0] if order else None
    lost = {each.draft.name: f"not converted: {each.error.message}" for each in failed}
    passed = {each.run: each.reason for each in ranking.passed_over}
    for each in variants:
        if each.run.id == winner and each.recipe != recipes[winner]:
            lost[each.recipe] = f"the same file as that of {recipes[winner]}"
        elif each.run.id != winner:
            lost[each.recipe] = _lost_by(each.run, minimize, passed, winner, variants)
    return SweepVerdict(
        recipes[winner] if winner else None,
        lost,
        tuple(each.recipe for each in variants if _is_in_front(each.run, runs)),
        ranking.reason if winner else "",
    )


def _order(ranking: Ranking, runs: Mapping[str, RunResult]) -> list[str]:
    """Return the ids of the ranked, best first: equal ones by their cosine, then by their latency."""
    if ranking.best is not None:
        return [ranking.best]

    def place(ranked: tuple[str, float]) -> tuple[float, float, float]:
        run = runs[ranked[0]]
        return ranked[1], -(COSINE.value(run) or 0.0), LATENCY_P50.value(run) or 0.0

    return [name for name, _ in sorted(((each.run, each.value) for each in ranking.ranked), key=place)]


def _lost_by(
    run: RunResult,
    minimize: str,
    passed: Mapping[str, str],
    winner: str | None,
    variants: Sequence[MeasuredVariant],
) -> str:
    """Return the requirement, or the figure, that a run lost by."""
    crossed = [
        f"{told.gate}: {told.state if told.value is None else _marked(GATED[told.quantity], run, told.value)}"
        for told in run.requirements
        if told.state != PASS
    ]
    if crossed and run.failure is None:
        return "; ".join(crossed)
    if run.id in passed:
        return passed[run.id]
    measure = GATED[minimize]
    value = measure.value(run)
    best = next((each.run for each in variants if each.run.id == winner), None)
    best_value = measure.value(best) if best else None
    if value is None or best is None or best_value is None:
        return f"no {minimize} was measured"
    text, best_text = _marked(measure, run, value), _marked(measure, best, best_value)
    if value == best_value:
        return f"{minimize} {text} like the winner, {_apart(run, best)}"
    if text == best_text:
        return f"{minimize} {text}, hardly more than the winner"
    return f"{minimize} {text}, the winner has {best_text}"


def _marked(measure: Measure, run: RunResult, value: float) -> str:
    """Return a figure of a run with its unit, marked where no real board measured it."""
    is_of_file = measure.group is NumberGroup.FILE
    return f"{MARK if run.simulated and not is_of_file else ''}{measure.unit.text(value)}"


def _apart(run: RunResult, best: RunResult) -> str:
    """Return what tells a run from the winner, which is no lower in what is to be small; see `_order`."""
    for measure in (COSINE, LATENCY_P50):
        if _is_better(measure, best, run):
            return f"whose {measure.gate} is better ({_text(measure, best)}, not {_text(measure, run)})"
    return "and nothing tells them apart"


def _text(measure: Measure, run: RunResult) -> str:
    return f"{MARK if run.simulated else ''}{measure.text(run)}"


def _is_better(measure: Measure, one: RunResult, other: RunResult) -> bool:
    mine, theirs = _costs(measure, one), _costs(measure, other)
    return mine is not None and theirs is not None and mine < theirs


def _is_in_front(run: RunResult, runs: Sequence[RunResult]) -> bool:
    """Return whether no other run is as good in everything and better in something."""
    return run.failure is None and not any(_beats(other, run) for other in runs if other.failure is None)


def _beats(one: RunResult, other: RunResult) -> bool:
    pairs = [(_costs(measure, one), _costs(measure, other)) for measure in FRONT]
    known = [(mine, theirs) for mine, theirs in pairs if mine is not None and theirs is not None]
    return all(mine <= theirs for mine, theirs in known) and any(mine < theirs for mine, theirs in known)


def _costs(measure: Measure, run: RunResult) -> float | None:
    """Return a measure as something of which less is better."""
    found = measure.value(run)
    return -found if found is not None and measure.higher_is_better else found
