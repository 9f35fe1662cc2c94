"""One line of the table: what was measured against what, and the limit that we promise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """`ours` against `theirs`, both in `unit`; `limit` is a bound of the ratio (at_most or at least).

    With `absolute`, `theirs` is what is subtracted, and the limit is in `unit`.
    """

    name: str
    ours: float
    theirs: float
    unit: str
    limit: float
    at_most: bool = True
    absolute: bool = False

    @property
    def value(self) -> float:
        """Return the ratio (or the difference, if absolute)."""
        if self.absolute:
            return self.ours - self.theirs
        return self.ours / self.theirs

    @property
    def holds(self) -> bool:
        """Return whether the limit is kept."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def median_seconds(action: Callable[[], object], repeats: int) -> float:
    """Return the median wall time of `repeats` calls of `action`, in seconds; one more call warms up."""
    action()
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def interleaved_seconds(
    ours: Callable[[], object], theirs: Callable[[], object], repeats: int
) -> tuple[float, float]:
    """Return the median wall times of both, taken in turns so that drift of the machine hits both alike."""
    ours()
    theirs()
    samples: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for action, durations in zip((ours, theirs), samples, strict=True):
            start = time.perf_counter()
            action()
            durations.append(time.perf_counter() - start)
    return statistics.median(samples[0]), statistics.median(samples[1])
