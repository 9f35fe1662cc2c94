"""What a gate says of a measurement.

A gate on a latency fails only where the whole interval of 95 % lies beyond its limit, and passes only where
the whole interval lies within it: chance moves a figure across its limit, but hardly its interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rkbench.stats.clusters import LOAD, Clusters
from rkbench.stats.figures import (
    Estimate,
    Interval,
    Statistic,
    all_units_agree,
    all_units_apart,
    between_nights,
    estimate,
)
from rkbench.stats.gates import CANNOT_TELL, FAIL, NOT_MEASURED, PASS, Gate, State
from rkbench.stats.summary import difference_percent

#: More iterations than so many times those that were read are not worth naming.
MOST_TIMES = 100
_HOLDS = "the interval holds {:g} %: more iterations help only as far as nights do not differ (pin = true)"


@dataclass(frozen=True)
class Judgement:
    """What a gate says of one measurement: `difference_percent` above (+) the baseline, within 95 %.

    Values are in the base unit of the quantity, `low` and `high` bound `value` with 95 %; None where unknown
    or where there is none.
    """

    state: State
    value: float | None = None
    baseline: float | None = None
    difference_percent: float | None = None
    low_percent: float | None = None
    high_percent: float | None = None
    detail: str = ""
    low: float | None = None
    high: float | None = None


def judge_budget(gate: Gate, value: float | None, baseline: float | None = None) -> Judgement:
    """Return what a budget says of `value`; the baseline is only shown beside it."""
    if value is None:
        return _not_measured(gate, baseline)
    assert gate.limit is not None
    higher = gate.quantity.higher_is_better
    kept = value > gate.limit if higher else value < gate.limit
    kept = kept or (value == gate.limit and not gate.strict)
    difference = difference_percent(baseline, value)
    return Judgement(PASS if kept else FAIL, value, baseline, difference)


def judge_bounded(
    gate: Gate, value: float, bounds: tuple[float, float], baseline: float | None = None, more: str = ""
) -> Judgement:
    """Return what a budget says of a value by its `bounds` of 95 %: only where both lie on one side.

    `more` says what makes them narrower.
    """
    low, high = (judge_budget(gate, bound) for bound in bounds)
    state, detail = low.state, ""
    if low.state != high.state:
        state, detail = CANNOT_TELL, f"the interval holds its limit: {more or 'more of it'} tells"
    difference = difference_percent(baseline, value)
    return Judgement(state, value, baseline, difference, detail=detail, low=bounds[0], high=bounds[1])


def judge_rate_budget(gate: Gate, values: tuple[float | None, float | None], clusters: Clusters) -> Judgement:
    """Return what a budget on a rate (/s) says of calls one after the other: by the interval of their mean.

    The time between calls is taken for as long a part of the whole as it was. `clusters`: in seconds.
    """
    base, rate = values
    mean = estimate(Statistic.MEAN, clusters)
    if rate is None or mean is None or not gate.limit:
        return judge_budget(gate, rate, base)
    of_mean = replace(gate.quantity, statistic=Statistic.MEAN, higher_is_better=False)
    # Ratios first: a rate at its limit makes the mean the limit of the mean, to the last bit.
    as_mean = replace(gate, quantity=of_mean, limit=mean.value * (rate / gate.limit))
    told = judge_latency_budget(as_mean, (None, mean.value), clusters)
    low, high = (rate * (mean.value / bound) if bound else None for bound in (told.high, told.low))
    return replace(
        told, value=rate, baseline=base, difference_percent=difference_percent(base, rate), low=low, high=high
    )


def judge_change(gate: Gate, value: float | None, baseline: float | None) -> Judgement:
    """Return what a relative gate says of a figure that does not scatter: size, memory, output error."""
    if value is None or baseline is None:
        lacks = "no" if value is None else "the baseline has no"
        detail = f"{lacks} {gate.quantity.word}{' was measured' if value is None else ''}"
        return Judgement(NOT_MEASURED, value, baseline, detail=detail)
    difference = difference_percent(baseline, value)
    if difference is None:
        return Judgement(CANNOT_TELL, value, baseline, detail="the baseline is 0: give a budget instead")
    worse = -difference if gate.quantity.higher_is_better else difference
    assert gate.within_percent is not None
    kept = worse <= gate.within_percent  # False for NaN
    return Judgement(PASS if kept else FAIL, value, baseline, difference)


def judge_latency_budget(
    gate: Gate, values: tuple[float | None, float | None], clusters: Clusters
) -> Judgement:
    """Return what a budget on a latency says: by the interval of the figure.

    `values` are the baseline's, which is only shown, and the run's own; `clusters` are the timed durations in
    seconds. Where there is no interval, at least six blocks (loads) decide that all say the same.
    """
    base, value = values
    assert gate.quantity.statistic is not None and gate.limit is not None
    found = estimate(gate.quantity.statistic, clusters)
    if value is None or found is None:
        return _not_measured(gate, base)
    state, detail = _budget_state(gate, found, clusters)
    difference = difference_percent(base, value)
    return Judgement(state, value, base, difference, detail=detail, low=found.low, high=found.high)


def _budget_state(gate: Gate, found: Estimate, clusters: Clusters) -> tuple[State, str]:
    assert gate.quantity.statistic is not None and gate.limit is not None
    if found.high is not None and (found.high < gate.limit or (found.high == gate.limit and not gate.strict)):
        return PASS, ""
    if found.low is None:
        agreed = all_units_agree(
            gate.quantity.statistic, clusters, gate.limit, strict=gate.strict, wandering=found.wanders
        )
        every = f"every {clusters.unit} lies"
        if agreed:
            return (FAIL, f"{every} beyond it") if agreed > 0 else (PASS, f"{every} within it")
        return CANNOT_TELL, found.lacks
    if found.low > gate.limit or (found.low == gate.limit and gate.strict):
        return FAIL, ""
    return CANNOT_TELL, found.lacks or _undecided(gate, found, clusters)


def _undecided(gate: Gate, found: Estimate, clusters: Clusters) -> str:
    """Return what helps where the interval holds the limit: what would tell, if any number would.

    Levels that differ per load are no matter of iterations: it is loads then.
    """
    assert gate.limit is not None and found.low is not None and found.high is not None
    distance, half = abs(found.value - gate.limit), (found.high - found.low) / 2
    noun, held = "loads" if clusters.unit == LOAD else "iterations", "the interval holds its limit"
    if distance * MOST_TIMES**0.5 <= half:
        return f"it lies at its limit: no number of {noun} tells"
    times = (half / distance) ** 2
    if clusters.unit == LOAD:
        return f"{held}: about {math.ceil(len(clusters.lengths) * times)} loads would tell"
    return f"{held}: about {math.ceil(clusters.count * times / 100) * 100} iterations would tell"


def judge_latency(
    gate: Gate, values: tuple[float | None, float | None], baseline: Clusters, candidate: Clusters
) -> Judgement:
    """Return what a relative latency gate says: `values` are the baseline's and the candidate's figures.

    `baseline` and `candidate` are the timed durations of two nights.
    """
    base, value = values
    assert gate.quantity.statistic is not None
    before, now = (estimate(gate.quantity.statistic, clusters) for clusters in (baseline, candidate))
    if value is None or now is None:
        return _not_measured(gate, base)
    if before is None:
        has_no = f"the baseline has no {gate.quantity.word}: bench baseline accept last"
        return Judgement(NOT_MEASURED, value, base, detail=has_no)
    found = judge_interval(gate, (base, value), between_nights(before, now))
    if found.state == CANNOT_TELL and (before.low is None or now.low is None):
        return _by_units(gate, found, (baseline, candidate), wandering=before.wanders or now.wanders)
    return found


def _by_units(
    gate: Gate, undecided: Judgement, nights: tuple[Clusters, Clusters], *, wandering: bool
) -> Judgement:
    """Return what blocks (loads) say where there is no interval: only where all of them agree."""
    assert gate.quantity.statistic is not None and gate.within_percent is not None
    (baseline, candidate), factor = nights, 1 + gate.within_percent / 100
    apart = all_units_apart(gate.quantity.statistic, baseline, candidate, factor, wandering=wandering)
    if not apart:
        return undecided
    every = f"every {candidate.unit} lies"
    if apart > 0:
        return replace(undecided, state=FAIL, detail=f"{every} beyond it")
    return replace(undecided, state=PASS, detail=f"{every} within it")


def judge_interval(gate: Gate, values: tuple[float | None, float | None], interval: Interval) -> Judgement:
    """Return what a relative latency gate says of the interval of a difference."""
    base, value = values
    assert gate.within_percent is not None
    state = _interval_state(interval, gate.within_percent)
    detail = (interval.lacks or _HOLDS.format(gate.within_percent)) if state == CANNOT_TELL else ""
    difference, low, high = interval.difference_percent, interval.low_percent, interval.high_percent
    return Judgement(state, value, base, difference, low, high, detail)


def _not_measured(gate: Gate, base: float | None) -> Judgement:
    return Judgement(NOT_MEASURED, baseline=base, detail=f"no {gate.quantity.word} was measured")


def _interval_state(interval: Interval, within_percent: float) -> State:
    low, high = interval.low_percent, interval.high_percent
    if low is not None and low > within_percent:
        return FAIL
    return PASS if high is not None and high <= within_percent else CANNOT_TELL
