"""The variants of a push in the order of what is to be small, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.results.measures import GATED
from rkbench.results.model import RunResult
from rkbench.results.names import run_names
from rkbench.results.ranking import RankedRun, Ranking
from rkbench.results.ranking_words import mark_of, value_text
from rkbench.units import UNKNOWN, format_between


def ranking_lines(ranking: Ranking, runs: Sequence[RunResult]) -> list[str]:
    """Return a head, a line for each variant from the lowest on, and those that do not count with why."""
    names = run_names(runs)
    told = [
        (str(number), names[ranked.run], _amount(ranking, ranked, runs))
        for number, ranked in enumerate(ranking.ranked, 1)
    ]
    told += [(UNKNOWN, names[over.run], over.reason) for over in ranking.passed_over]
    width = max(len(name) for _, name, _ in told)
    lines = [f"{place:>2}  {name.ljust(width)}  {text}" for place, name, text in told]
    return [f"lowest {ranking.word} first", *lines]


def _amount(ranking: Ranking, ranked: RankedRun, runs: Sequence[RunResult]) -> str:
    """Return the value with what bounds it."""
    measure, text = GATED[ranking.word], value_text(ranking, ranked, runs)
    if ranked.low is None or ranked.high is None or ranked.low == ranked.high:
        return text
    kind = "95 %" if measure.percent is not None else "over its loads"
    between = format_between(measure.unit, ranked.low, ranked.high)
    return f"{text} ({kind}: {mark_of(ranking, ranked, runs)}{between})"
