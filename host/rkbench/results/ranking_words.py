"""The order of a push's variants by what is to be small, as a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.results.measure_types import NumberGroup
from rkbench.results.measures import GATED
from rkbench.results.model import RunResult
from rkbench.results.names import run_names
from rkbench.results.ranking import RankedRun, Ranking
from rkbench.units import MARK


def ranking_sentence(ranking: Ranking | None, runs: Sequence[RunResult]) -> str:
    """Return which variant is best, or why that can't be told; "" where nobody asked."""
    if ranking is None:
        return ""
    names, ranked = run_names(runs), ranking.ranked
    if not ranked:
        return f"None is lowest in {ranking.word}: no variant counts."
    if ranking.best is None:
        return f"Which has the lowest {ranking.word} can't be told: {ranking.reason}."
    first = f"Lowest {ranking.word}: {names[ranked[0].run]}, {value_text(ranking, ranked[0], runs)}"
    if len(ranked) == 1:
        return f"{first}, the only one that counts."
    return f"{first} ({names[ranked[1].run]}: {value_text(ranking, ranked[1], runs)})."


def value_text(ranking: Ranking, ranked: RankedRun, runs: Sequence[RunResult]) -> str:
    """Return the value of a ranked run with its unit, marked where no board measured it."""
    measure = GATED[ranking.word]
    return f"{mark_of(ranking, ranked, runs)}{measure.unit.text(ranked.value)}"


def mark_of(ranking: Ranking, ranked: RankedRun, runs: Sequence[RunResult]) -> str:
    """Return the mark of numbers that no board measured; "" for those of one, and of the file."""
    simulated = any(run.simulated for run in runs if run.id == ranked.run)
    return MARK if simulated and GATED[ranking.word].group is not NumberGroup.FILE else ""
