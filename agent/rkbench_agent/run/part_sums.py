"""What the parts of one output do over all golden cases: their error, their range, how many values they take.

A detector's output holds boxes of 0..640 beside scores of 0..1: one figure over all of it says nothing of the
scores. A part is what stands at one index of `part_axis`, its figures are over all cases together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Optional, Sequence, Set

import numpy as np

from rkbench_agent.wire.outputs import OutputParts, part_axis

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

#: An 8-bit output takes so many values at most; of more only that there are more is told.
MOST_DISTINCT = 256
_FIRST_LOOK = 1024
_CHUNK_ELEMENTS = 1 << 18


class PartSums:
    """Sums over the parts of one output, case by case."""

    def __init__(self, shape: Sequence[int]) -> None:
        self._axis = part_axis(shape)
        count = 1 if self._axis is None else shape[self._axis]
        self._parts = [_Part() for _ in range(count)]

    def add(self, actual: Array, expected: Optional[Array]) -> None:
        """Take one case into account; `expected` is None where the golden does not hold the output."""
        for part, left, right in zip(self._parts, self._split(actual), self._expected(actual, expected)):
            part.add(left.reshape(-1), None if right is None else right.reshape(-1))

    def message(self, run: str, output: int) -> OutputParts:
        """Return the figures of all parts, rounded to six digits."""
        parts = self._parts
        return OutputParts(
            run,
            output,
            self._axis,
            low=[_short(part.low) for part in parts],
            high=[_short(part.high) for part in parts],
            distinct=[None if part.values is None else len(part.values) for part in parts],
            expected_low=[_short(part.expected_low) for part in parts],
            expected_high=[_short(part.expected_high) for part in parts],
            max_abs_error=[_short(part.max_error) if part.compared else None for part in parts],
            mean_abs_error=[
                _short(part.abs_error / part.compared) if part.compared else None for part in parts
            ],
            snr_db=[_short(part.snr_db()) for part in parts],
        )

    def _split(self, array: Array) -> Any:
        return array[np.newaxis] if self._axis is None else np.moveaxis(array, self._axis, 0)

    def _expected(self, actual: Array, expected: Optional[Array]) -> Any:
        if expected is None:
            return [None] * len(self._parts)
        return self._split(expected.reshape(actual.shape))


class _Part:
    """The sums of one part. What is not finite, on either side, is left out."""

    def __init__(self) -> None:
        self.low, self.high = math.inf, -math.inf
        self.expected_low, self.expected_high = math.inf, -math.inf
        self.max_error = self.abs_error = self.square_error = self.signal = 0.0
        self.compared = 0
        self.values: Optional[Set[float]] = set()

    def add(self, actual: Array, expected: Optional[Array]) -> None:
        for start in range(0, actual.size, _CHUNK_ELEMENTS):
            a = actual[start : start + _CHUNK_ELEMENTS].astype(np.float64)
            e = None if expected is None else expected[start : start + _CHUNK_ELEMENTS].astype(np.float64)
            finite = np.isfinite(a) if e is None else np.isfinite(a) & np.isfinite(e)
            if not finite.all():
                a, e = a[finite], None if e is None else e[finite]
            if a.size:
                self._add_chunk(a, e)

    def _add_chunk(self, a: Any, e: Any) -> None:
        self.low, self.high = min(self.low, float(a.min())), max(self.high, float(a.max()))
        self._count_values(a)
        if e is None:
            return
        self.expected_low = min(self.expected_low, float(e.min()))
        self.expected_high = max(self.expected_high, float(e.max()))
        self.compared += a.size
        with np.errstate(over="ignore"):  # an infinite sum tells no figure
            difference = np.abs(a - e)
            self.max_error = max(self.max_error, float(difference.max()))
            self.abs_error += float(difference.sum())
            self.square_error += float(difference @ difference)
            self.signal += float(e @ e)

    def _count_values(self, a: Any) -> None:
        for values in (a[:_FIRST_LOOK], a):  # the first already tells a part that is not quantized
            if self.values is None:
                return
            self.values.update(np.unique(values)[: MOST_DISTINCT + 1].tolist())
            if len(self.values) > MOST_DISTINCT:
                self.values = None

    def snr_db(self) -> float:
        """Return the SNR over all cases; infinite where there is no error, or nothing was expected.

        And where float64 does not hold the squares.
        """
        ratio = self.signal / self.square_error if self.square_error else math.inf
        return 10.0 * math.log10(ratio) if 0.0 < ratio < math.inf else math.inf


def _short(value: float) -> Optional[float]:
    return float(f"{value:.6g}") if math.isfinite(value) else None
