"""How far an output is from what was expected: one golden case, one output at a time.

With a the output, e the expected values, both as float64:

    cosine          sum(a e) / sqrt(sum(a a) sum(e e))
    max_abs_error   max |a - e|         mean_abs_error   mean |a - e|         mse   mean (a - e)^2
    snr_db          10 log10(sum(e e) / sum((a - e)^2))
    top1_agreement  the largest value stands at the same place in both
    top5_agreement  the place of the largest expected value is among the five largest of the output

Where one of a and e is all zero and the other is not, the cosine is 0: they have nothing in common.

An output is a class vector if exactly one axis is longer than 1; top-1 wants at least 2 classes, top-5
at least 6 (with five, it would always agree). Sums run over chunks, so that a big output does not need
three times its size as float64. NaN and infinities are counted, and leave every other figure None.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Set

import numpy as np

from rkbench_agent.errors import ShapeMismatchError
from rkbench_agent.wire.messages import OutputCheck, OutputError

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

CHUNK_ELEMENTS = 1 << 18
TOP1_MIN_CLASSES = 2
TOP5_MIN_CLASSES = 6


@dataclass
class _Sums:
    dot: float = 0.0
    actual: float = 0.0
    expected: float = 0.0
    square_error: float = 0.0
    abs_error: float = 0.0
    max_error: float = 0.0
    nan_count: int = 0
    inf_count: int = 0


def output_error(run: str, case: int, output: int, name: str, actual: Array, expected: Array) -> OutputError:
    """Return the error of one output; raises ShapeMismatchError, which shows both sides."""
    if actual.size != expected.size:
        raise ShapeMismatchError(
            f"output {name}: the runtime returned {list(actual.shape)}, the golden has {list(expected.shape)}"
        )
    left, right = actual.reshape(-1), expected.reshape(-1)
    sums = _accumulate(left, right)
    finite = not sums.nan_count and not sums.inf_count and math.isfinite(sums.expected)
    figures = _figures(sums, left.size) if finite and left.size else {}
    if finite and _is_class_vector(actual):
        figures.update(_agreement(left, right))
    return OutputError(
        run,
        case,
        output,
        name,
        list(actual.shape),
        str(actual.dtype),
        nan_count=sums.nan_count,
        inf_count=sums.inf_count,
        **figures,
    )


class OutputWatch:
    """Watches the outputs over all cases for being constant or not repeatable."""

    def __init__(self) -> None:
        self._inputs: Set[bytes] = set()
        self._outputs: Dict[int, Set[bytes]] = {}
        self._uniform: Dict[int, bool] = {}
        self._deterministic: Dict[int, bool] = {}

    def add(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Take the outputs of one case into account."""
        self._inputs.add(_digest(inputs))
        for index, array in enumerate(outputs):
            self._outputs.setdefault(index, set()).add(_digest([array]))
            uniform = array.size > 1 and bool((array == array.reshape(-1)[0]).all())
            self._uniform[index] = self._uniform.get(index, True) and uniform

    def repeat(self, first: Sequence[Array], second: Sequence[Array]) -> None:
        """Compare two outputs of one input."""
        for index, (one, other) in enumerate(zip(first, second)):
            self._deterministic[index] = one.tobytes() == other.tobytes()

    def checks(self, run: str, names: Sequence[str]) -> List[OutputCheck]:
        """Return one check per output that was seen.

        An output is constant if unequal inputs never changed it, or if every value in it was equal in
        every case. With one input and unequal values nothing is known: None.
        """
        return [
            OutputCheck(
                run,
                index,
                names[index],
                deterministic=self._deterministic.get(index),
                constant=self._constant(index),
            )
            for index in sorted(self._outputs)
        ]

    def _constant(self, index: int) -> Optional[bool]:
        if self._uniform[index]:
            return True
        if len(self._inputs) < 2:
            return None
        return len(self._outputs[index]) == 1


def _accumulate(actual: Array, expected: Array) -> _Sums:
    sums = _Sums()
    for start in range(0, actual.size, CHUNK_ELEMENTS):
        a = actual[start : start + CHUNK_ELEMENTS].astype(np.float64)
        e = expected[start : start + CHUNK_ELEMENTS].astype(np.float64)
        sums.nan_count += int(np.isnan(a).sum())
        sums.inf_count += int(np.isinf(a).sum())
        if sums.nan_count or sums.inf_count:
            continue
        sums.dot += float(a @ e)
        sums.actual += float(a @ a)
        sums.expected += float(e @ e)
        difference = a - e
        sums.square_error += float(difference @ difference)
        np.abs(difference, out=difference)
        sums.abs_error += float(difference.sum())
        sums.max_error = max(sums.max_error, float(difference.max()))
    return sums


def _figures(sums: _Sums, count: int) -> Dict[str, Any]:
    norms = _geometric_mean(sums.actual, sums.expected)
    signal_and_noise = sums.expected > 0 and sums.square_error > 0
    return {
        "cosine": _cosine(sums, norms),
        "max_abs_error": sums.max_error,
        "mean_abs_error": sums.abs_error / count,
        "mse": sums.square_error / count,
        "snr_db": 10.0 * math.log10(sums.expected / sums.square_error) if signal_and_noise else None,
    }


def _cosine(sums: _Sums, norms: float) -> Optional[float]:
    """Return the cosine; 0 where one side alone is all zero, None where both are: nothing has a direction."""
    if norms > 0:
        return max(-1.0, min(1.0, sums.dot / norms))
    return 0.0 if sums.square_error > 0 else None


def _geometric_mean(left: float, right: float) -> float:
    """Return sqrt(left right), exact where both are equal, and safe from overflow and underflow."""
    product = left * right
    return math.sqrt(product) if 0.0 < product < math.inf else math.sqrt(left) * math.sqrt(right)


def _is_class_vector(array: Array) -> bool:
    return sum(1 for length in array.shape if length > 1) == 1


def _agreement(actual: Array, expected: Array) -> Dict[str, Any]:
    if actual.size < TOP1_MIN_CLASSES:
        return {}
    best = int(expected.argmax())
    agreement: Dict[str, Any] = {"top1_agreement": int(actual.argmax()) == best}
    if actual.size >= TOP5_MIN_CLASSES:
        agreement["top5_agreement"] = _rank(actual, best) < 5
    return agreement


def _rank(values: Array, index: int) -> int:
    """Return how many values come before the one at `index`, by size and then by place."""
    value = values[index]
    return int(np.count_nonzero(values > value)) + int(np.count_nonzero(values[:index] == value))


def _digest(arrays: Sequence[Array]) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()
