"""Cases of a golden in which an output is not what was expected, although it is in most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from rkbench.results.output import Output, OutputCase, snr_of

#: Below this cosine three quarters of an output's energy are error, and below this SNR half of what was
#: expected is: no quantization that works does that.
WRONG_COSINE, WRONG_SNR_DB = 0.5, 3.0
#: A network that works may lose a single case, as int8 may turn one class into another: wrong is what is so
#: in that many cases, and in this share of all.
FEWEST_CASES, LEAST_SHARE = 2, 0.1
#: Where next to nothing is expected, as of a picture without an object, rounding alone spoils cosine and SNR:
#: an error counts that has this share of the energy that is expected of a case on average.
LOUD = 0.25
#: One case is enough where all of that energy is error, and it points the other way: rounding never does.
OPPOSITE_COSINE, OPPOSITE_LOUD = -0.5, 1.0


def wrong_cases(output: Output) -> tuple[OutputCase, ...]:
    """Return the cases that are wrong; none where they may be accidents of rounding."""
    energy = _expected_energy(output.per_case)
    wrong = tuple(case for case in output.per_case if _is_wrong(case) and _mse(case) >= LOUD * energy)
    opposite = any(
        case.cosine is not None and case.cosine < OPPOSITE_COSINE and _mse(case) >= OPPOSITE_LOUD * energy
        for case in wrong
    )
    many = len(wrong) >= max(FEWEST_CASES, LEAST_SHARE * len(output.per_case))
    return wrong if many or opposite else ()


def tell_cases(wrong: Sequence[OutputCase], count: int) -> str:
    """Return how many of `count` cases are wrong, and the worst, as a sentence without its end."""
    have = f"{len(wrong)} of {count} cases {'have' if len(wrong) > 1 else 'has'}"
    cosines = {case.case: case.cosine for case in wrong if case.cosine is not None}
    worst = min(cosines, key=lambda case: cosines[case])
    if all(cosine < WRONG_COSINE for cosine in cosines.values()):
        return f"{have} a cosine below {WRONG_COSINE:g}: lowest {cosines[worst]:.8g} in case {worst}"
    ratios = {case.case: snr for case in wrong if (snr := snr_of(case)) is not None}
    worst = min(ratios, key=lambda case: ratios[case])
    told = f"{round(ratios[worst], 1) + 0.0:.1f}".replace("inf", "∞")  # + 0.0: no -0.0
    return f"{have} an SNR below {WRONG_SNR_DB:g} dB: lowest {told} dB in case {worst}"


def _is_wrong(case: OutputCase) -> bool:
    snr = snr_of(case)
    return case.cosine is not None and (
        case.cosine < WRONG_COSINE or (snr is not None and snr < WRONG_SNR_DB)
    )


def _mse(case: OutputCase) -> float:
    return case.mse or 0.0


def _expected_energy(cases: Sequence[OutputCase]) -> float:
    """Return what is expected of a case on average, as the mean of its squares.

    Of a case without any error that is not known.
    """
    ratios = ((case, snr_of(case)) for case in cases)
    known = [
        _mse(case) * 10 ** (snr / 10) if math.isfinite(snr) else 0.0
        for case, snr in ratios
        if snr is not None and snr < _WITHOUT_ERROR_DB
    ]
    return fmean(known) if known else 0.0


#: More than float64 can tell.
_WITHOUT_ERROR_DB = 400.0
