"""Do slow calls come in a rhythm? Rayleigh's test (1880) on the times at which they begin.

Whether a slow call can be seen at a time depends on when calls were made at all, so the mean direction of
all calls is subtracted: turns of several variants are no rhythm of their slow calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

FEWEST_EVENTS = 5
#: A slow call takes 2 % more than the median, and lies three interquartile ranges above the upper quartile.
SLOW_RATIO, SLOW_RANGES = 1.02, 3.0
#: Slow calls are rare: with more of them the run has modes.
MOST_SLOW = 0.1
#: Bounds the chance, over all periods that are tried.
RARE = 0.001
#: Calls that the mean direction of all is taken from.
MOST_CALLS = 5000


def find_period(starts: Sequence[float], durations: Sequence[float]) -> float | None:
    """Return the period of slow calls, in the unit of `starts`; None where they have none.

    `starts` ascend, one per duration. Neighbouring slow calls count as one event.
    """
    times, lasts = np.asarray(starts, np.float64), np.asarray(durations, np.float64)
    slow = _slow(lasts)
    events = times[slow & ~np.concatenate([[False], slow[:-1]])] if len(slow) else times
    if len(events) < FEWEST_EVENTS or slow.mean() > MOST_SLOW:
        return None
    sample = times[:: max(1, len(times) // MOST_CALLS)]
    periods = _candidates(events)
    rough = max(periods, key=lambda period: _resultant(events, sample, period))
    if len(periods) * math.exp(-len(events) * _resultant(events, sample, rough)) >= RARE:
        return None
    near = rough * (1 + np.linspace(-1, 1, 41) / (4 * len(events)))
    return float(max(near, key=lambda period: _resultant(events, sample, period)))


def _slow(durations: Any) -> Any:
    if not len(durations):
        return np.zeros(0, bool)
    low, middle, high = np.percentile(durations, [25, 50, 75])
    return (durations > SLOW_RATIO * middle) & (durations > high + SLOW_RANGES * (high - low))


def _candidates(events: Any) -> Any:
    """Return periods to try: around typical gaps between events, and a half and a third of them."""
    gaps = np.diff(events)
    bases = {float(gap) / part for gap in np.percentile(gaps, [20, 50]) for part in (1, 2, 3)}
    around = 1 + np.arange(-4, 5) / (4 * len(events))
    return np.concatenate([base * around for base in sorted(bases) if base > 0])


def _resultant(events: Any, calls: Any, period: float) -> float:
    """Return the squared length of the events' mean direction, less that of all calls."""
    seen, made = (np.exp(2j * np.pi * (times - calls[0]) / period).mean() for times in (events, calls))
    return float(abs(seen - made) ** 2)
