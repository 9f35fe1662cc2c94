"""How far an output is from what was expected: one golden case, one output at a time.

With a the output, e the expected values, both as float64:

    cosine          sum(a e) / sqrt(sum(a a) sum(e e))
    max_abs_error   max |a - e|         mean_abs_error   mean |a - e|         mse   mean (a - e)^2
    snr_db          10 log10(sum(e e) / sum((a - e)^2))
    top1_agreement  the output has its maximum where the expected values have theirs
    top5_agreement  fewer than five values of the output are larger than the one there

Two outputs that are all zero are equal: cosine 1. Where one alone is all zero, the cosine is 0: they have
nothing in common. An output without any error has an infinite SNR, garbage where zero was expected an SNR of
minus infinity; JSON has neither, so `snr_infinite` tells.

Values that are not finite count as equal where both sides have the same one at the same place (masks), and
are left out of every figure. Where one side alone has one, every figure is None; NaN in the golden alone is
refused, because no output can be held against it.

Agreement is only asked for where the golden holds classes, and of an output in which exactly one axis is
longer than 1: top-1 wants at least 2 classes, top-5 at least 6 (with five, it would always agree). Values
that tie for the maximum agree, as a quantized output cannot tell them apart, and are told; an output whose
values are all equal names no class. Sums run over chunks, so that a big output does not need three times its
size as float64. Values of float64 whose squares it does not hold are scaled first, by a power of two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

import numpy as np

from rkbench_agent.errors import ShapeMismatchError
from rkbench_agent.wire.outputs import OutputError

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array

CHUNK_ELEMENTS = 1 << 18
#: Squares, and sums of them, of values between these have room in float64.
SAFE_VALUES = 2.0**-300, 2.0**400
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
    equal_nonfinite: int = 0
    golden_nan: int = 0
    golden_nonfinite: int = 0
    #: Values were divided by two to this power.
    exponent: int = 0

    @property
    def comparable(self) -> bool:
        """Whether every value that is not finite stands in both."""
        return self.nan_count + self.inf_count == self.equal_nonfinite and not self.golden_nonfinite


def output_error(
    run: str, case: int, output: int, name: str, actual: Array, expected: Array, *, classes: bool = False
) -> OutputError:
    """Return the error of one output; with `classes` also whether both name the same class.

    Raises ShapeMismatchError, which shows both sides, where the two cannot be held against each other.
    """
    check_comparable(name, actual, expected)
    left, right = actual.reshape(-1), expected.reshape(-1)
    sums = _accumulate(left, right)
    if sums.golden_nan:
        raise ShapeMismatchError(
            f"output {name}, case {case}: the golden holds {sums.golden_nan} NaN where the output has numbers"
        )
    count = left.size - sums.equal_nonfinite
    figures = _figures(sums, count) if sums.comparable and count else {}
    if classes and figures and not sums.nan_count and is_class_vector(actual):
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
        equal_nonfinite=sums.equal_nonfinite,
        golden_nonfinite=sums.golden_nonfinite,
        **figures,
    )


def check_comparable(name: str, actual: Array, expected: Array) -> None:
    """Raise ShapeMismatchError unless both have one shape but for axes of length 1, and real numbers."""
    if _squeezed(actual) != _squeezed(expected):
        raise ShapeMismatchError(
            f"output {name}: the runtime returned {list(actual.shape)}, the golden has {list(expected.shape)}"
        )
    for side, array in (("the runtime returned", actual), ("the golden has", expected)):
        if array.dtype.kind == "c":
            raise ShapeMismatchError(f"output {name}: {side} complex numbers; compare their parts")


def is_class_vector(array: Array) -> bool:
    """Return whether exactly one axis is longer than 1."""
    return len(_squeezed(array)) == 1


def _squeezed(array: Array) -> Tuple[int, ...]:
    return tuple(length for length in array.shape if length != 1)


def _accumulate(actual: Array, expected: Array) -> _Sums:
    sums = _Sums(exponent=_exponent(actual, expected))
    for start in range(0, actual.size, CHUNK_ELEMENTS):
        a = actual[start : start + CHUNK_ELEMENTS].astype(np.float64)
        e = expected[start : start + CHUNK_ELEMENTS].astype(np.float64)
        if not (np.isfinite(a).all() and np.isfinite(e).all()):
            _take_out_nonfinite(sums, a, e)
        if not sums.comparable:
            continue
        if sums.exponent:
            a, e = np.ldexp(a, -sums.exponent), np.ldexp(e, -sums.exponent)
        sums.dot += float(a @ e)
        sums.actual += float(a @ a)
        sums.expected += float(e @ e)
        difference = a - e
        sums.square_error += float(difference @ difference)
        np.abs(difference, out=difference)
        sums.abs_error += float(difference.sum())
        sums.max_error = max(sums.max_error, float(difference.max()))
    return sums


def _exponent(*arrays: Array) -> int:
    """Return the power of two of the largest value, where squares of float64 would over- or underflow.

    Else 0, as always for what is no float64: its squares have room there.
    """
    peak = 0.0
    for array in arrays:
        if array.dtype.kind == "f" and array.dtype.itemsize >= 8:
            for start in range(0, array.size, CHUNK_ELEMENTS):
                chunk = array[start : start + CHUNK_ELEMENTS]
                peak = max(peak, float(np.abs(chunk[np.isfinite(chunk)]).max(initial=0.0)))
    return math.frexp(peak)[1] if peak and not SAFE_VALUES[0] < peak < SAFE_VALUES[1] else 0


def _take_out_nonfinite(sums: _Sums, a: Any, e: Any) -> None:
    """Count what is not finite in a chunk; what is so in both alike becomes 0 in both."""
    a_nan, e_nan = np.isnan(a), np.isnan(e)
    same = (a_nan & e_nan) | (np.isinf(a) & (a == e))
    finite = np.isfinite(a)
    sums.nan_count += int(a_nan.sum())
    sums.inf_count += int(np.isinf(a).sum())
    sums.equal_nonfinite += int(same.sum())
    sums.golden_nan += int((e_nan & finite).sum())
    sums.golden_nonfinite += int((~np.isfinite(e) & finite).sum())
    a[same] = e[same] = 0.0


def _figures(sums: _Sums, count: int) -> Dict[str, Any]:
    infinite = snr_infinite(sums.expected, sums.square_error)
    return {
        "cosine": _cosine(sums),
        "max_abs_error": _unscaled(sums.max_error, sums.exponent),
        "mean_abs_error": _unscaled(sums.abs_error / count, sums.exponent),
        "mse": _unscaled(sums.square_error / count, 2 * sums.exponent),
        "snr_db": None if infinite else 10.0 * math.log10(sums.expected / sums.square_error),
        "snr_infinite": infinite,
    }


def _unscaled(value: float, exponent: int) -> Optional[float]:
    """Return a figure in the output's own unit; None where float64 does not reach so far."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return None


def snr_infinite(signal: float, noise: float) -> int:
    """Return 1 where there is no noise, -1 where there is nothing but noise, else 0."""
    return 1 if not noise else 0 if signal else -1


def _cosine(sums: _Sums) -> float:
    """Return the cosine; 0 where one side alone is all zero, 1 where both are."""
    norms = _geometric_mean(sums.actual, sums.expected)
    if norms > 0:
        return max(-1.0, min(1.0, sums.dot / norms))
    return 0.0 if sums.square_error > 0 else 1.0


def _geometric_mean(left: float, right: float) -> float:
    """Return sqrt(left right), exact where both are equal, and safe from overflow and underflow."""
    product = left * right
    return math.sqrt(product) if 0.0 < product < math.inf else math.sqrt(left) * math.sqrt(right)


def _agreement(actual: Array, expected: Array) -> Dict[str, Any]:
    """Return whether the output's maximum stands where a maximum of the expected values does."""
    if actual.size < TOP1_MIN_CLASSES:
        return {}
    best = (expected == expected.max()).nonzero()[0]
    names_a_class = bool(actual.min() < actual.max())
    larger = min(int(np.count_nonzero(actual > actual[place])) for place in best[:TOP5_MIN_CLASSES])
    agreement: Dict[str, Any] = {
        "top1_agreement": names_a_class and larger == 0,
        "top1_tied": int(np.count_nonzero(actual == actual.max())) > 1,
    }
    if actual.size >= TOP5_MIN_CLASSES:
        agreement["top5_agreement"] = names_a_class and larger < 5
    return agreement
