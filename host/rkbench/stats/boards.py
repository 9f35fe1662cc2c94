"""How far boards of one kind lie apart, and the runs of a board, and the blocks of a run; which board is odd.

All levels are natural logarithms, in which ratios are differences. The unit of a board is its runs: blocks
share the level of their load, loads that of their run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rkbench.stats.paired import EFFECT
from rkbench.stats.summary import median

Runs = Sequence[Sequence[Sequence[float]]]
"""The runs of a board: the block levels of each load of each run."""

FEWEST_BOARDS = 3
#: From so many boards on two may be odd at once, and hide each other from a test for one.
FEWEST_FOR_TWO = 8
SIGNIFICANCE = 0.05
#: Of how sure the range of the deviation between boards is.
RANGE_CONFIDENCE = 0.90


@dataclass(frozen=True)
class BoardVariance:
    """Standard deviations of a nested analysis of variance (0.01 = 1 %); None where nothing tells.

    Between boards, between the runs of one board, between the blocks of one run, each without what the
    levels below it explain. `board_low` and `board_high` bound the first with 90 %.
    """

    board: float | None
    board_low: float | None
    board_high: float | None
    run: float | None
    block: float | None


def board_variance(boards: Sequence[Runs]) -> BoardVariance:
    """Return the parts of the variance of boards, each with at least one run of at least one block."""
    runs = [[_run_level(run) for run in board] for board in boards]
    block = _pooled([[level for load in run for level in load] for board in boards for run in board])
    within = _mean([found for board in boards for run in board if (found := _own_variance(run)) is not None])
    between_runs = _pooled(runs)
    run = None if between_runs is None else max(0.0, between_runs - (within or 0.0))
    means = [math.fsum(levels) / len(levels) for levels in runs]
    below = between_runs if between_runs is not None else within
    beneath = (below or 0.0) * (_mean([1 / len(levels) for levels in runs]) or 0.0)
    between_boards = _pooled([means])
    low, high = _range(between_boards, len(means), beneath)
    board = None if between_boards is None else max(0.0, between_boards - beneath)
    return BoardVariance(_root(board), low, high, _root(run), _root(block))


def odd_boards(levels: Mapping[str, float], effect: float = EFFECT) -> tuple[str, ...]:
    """Return who is odd at 5 % among boards with these levels, and farther off than `effect` besides.

    Grubbs (1969, two-sided), who names one at most; from eight boards on Rosner's generalized ESD (1983), by
    which several do not hide each other. None of fewer than three boards.
    """
    count = len(levels)
    if count < FEWEST_BOARDS:
        return ()
    left, taken, odd = dict(levels), [], 0
    for place in range(1, 3 if count >= FEWEST_FOR_TWO else 2):
        mean, deviation = float(np.mean(list(left.values()))), float(np.std(list(left.values()), ddof=1))
        if not deviation:
            break
        name = max(left, key=lambda name: abs(left[name] - mean))
        if abs(left[name] - mean) / deviation > _limit(count, place):
            odd = place
        taken.append(name)
        del left[name]
    others = {name: level for name, level in levels.items() if name not in taken[:odd]}
    return tuple(
        name
        for name in levels
        if name in taken[:odd] and abs(distance(others | {name: levels[name]}, name)) > effect
    )


def _limit(count: int, place: int) -> float:
    """Return the studentized distance that the `place`-th farthest of `count` equal boards hardly exceeds."""
    from scipy.special import stdtrit

    left = count - place + 1
    value = float(stdtrit(left - 2, 1 - SIGNIFICANCE / (2 * left)))
    return (left - 1) * value / math.sqrt((left - 2 + value**2) * left)


def distance(levels: Mapping[str, float], name: str) -> float:
    """Return by which part a board takes longer (+) than the median of the others (0.06 = 6 %)."""
    return math.expm1(levels[name] - median([level for other, level in levels.items() if other != name]))


@dataclass(frozen=True)
class TwoBoards:
    """By which part the second takes longer (+) than the first, with 95 %: Welch (1947), of their runs.

    The bounds are None where one of them has a single run: what another would show nobody knows.
    """

    difference: float
    low: float | None
    high: float | None


def two_boards(first: Runs, second: Runs) -> TwoBoards:
    """Return the difference of two boards: of two none can be called the odd one."""
    ones, others = ([_run_level(run) for run in runs] for runs in (first, second))
    shift = float(np.mean(others) - np.mean(ones))
    if min(len(ones), len(others)) < 2:
        return TwoBoards(math.expm1(shift), None, None)
    from scipy.special import stdtrit  # not at the top: only who compares needs it

    parts = [float(np.var(levels, ddof=1)) / len(levels) for levels in (ones, others)]
    if not sum(parts):
        return TwoBoards(*[math.expm1(shift)] * 3)
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(levels) - 1) for part, levels in zip(parts, (ones, others), strict=True)
    )
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(sum(parts))
    return TwoBoards(math.expm1(shift), math.expm1(shift - half), math.expm1(shift + half))


def board_levels(boards: Mapping[str, Runs]) -> dict[str, float]:
    """Return the level of each board: the mean of its runs'."""
    return {name: float(np.mean([_run_level(run) for run in runs])) for name, runs in boards.items()}


def _run_level(run: Sequence[Sequence[float]]) -> float:
    """Return the level of a run: the mean of its loads', each the mean of its blocks'."""
    return float(np.mean([np.mean(load) for load in run]))


def _own_variance(run: Sequence[Sequence[float]]) -> float | None:
    """Return the variance of a run's level, as its loads tell, or its blocks where there is one load."""
    units = [float(np.mean(load)) for load in run] if len(run) > 1 else list(run[0])
    return float(np.var(units, ddof=1)) / len(units) if len(units) > 1 else None


def _pooled(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the variance within groups, weighed by their degrees of freedom; None where none has two."""
    several = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    return (
        sum(float(np.var(group, ddof=1)) * (len(group) - 1) for group in several) / freedom
        if freedom
        else None
    )


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _root(variance: float | None) -> float | None:
    return None if variance is None else math.sqrt(variance)


def _range(variance: float | None, count: int, beneath: float) -> tuple[float | None, float | None]:
    """Return between what the deviation of boards lies, by the chi-squared of their levels' variance."""
    if variance is None:
        return None, None
    from scipy.special import chdtri

    tail, freedom = (1 - RANGE_CONFIDENCE) / 2, count - 1
    bounds = (variance * freedom / float(chdtri(freedom, chance)) for chance in (tail, 1 - tail))
    low, high = (math.sqrt(max(0.0, bound - beneath)) for bound in bounds)
    return low, high
