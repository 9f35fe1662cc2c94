"""What is known of one output of a model: its error over all golden cases, and what its parts do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.results.records import WorstPart


@dataclass(frozen=True)
class OutputCase:
    """The error of one output on one golden case; the words are those of `OutputError`."""

    case: int
    cosine: float | None = None
    max_abs_error: float | None = None
    mean_abs_error: float | None = None
    mse: float | None = None
    snr_db: float | None = None
    top1_agreement: bool | None = None
    top5_agreement: bool | None = None
    nan_count: int = 0
    inf_count: int = 0
    snr_infinite: int = 0
    top1_tied: bool | None = None
    equal_nonfinite: int = 0
    golden_nonfinite: int = 0

    @property
    def is_broken(self) -> bool:
        """Return whether values are not finite where the other side has numbers."""
        return _is_broken(self)


@dataclass(frozen=True)
class PartFigures:
    """What the parts of an output do over all cases, part by part: the indices of `axis`.

    `axis` is None where the output is one part. `distinct` is how many values a part takes, None for more
    than 256. `snr_db` is None where it is infinite; what is expected, where the golden lacks the output.
    """

    axis: int | None
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    distinct: tuple[int | None, ...] = ()
    expected_low: tuple[float | None, ...] = ()
    expected_high: tuple[float | None, ...] = ()
    max_abs_error: tuple[float | None, ...] = ()
    mean_abs_error: tuple[float | None, ...] = ()
    snr_db: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Suspect:
    """What an output of case 0 becomes where a usual mistake is undone, in the words of `OutputSuspect`."""

    cause: str
    detail: str
    cosine: float
    snr_db: float


@dataclass(frozen=True)
class Output:
    """The error of one output over all golden cases: the worst cosine, SNR and maximum; means else.

    `snr_infinite` says which infinity the worst SNR is where `snr_db` is None: 1 no error in any case, -1 a
    golden of zeros that the output is not. Agreements are the share of cases (0 to 1), None where the golden
    tells no classes; in `tied_count` of the cases several values shared the output's maximum. A case without
    any number to compare, masked as in the golden, is in no figure; one that is broken leaves all of them
    unknown. `deterministic`: bitwise. `suspects`: what was tried where
    it is far from the golden.
    """

    index: int
    name: str
    shape: tuple[int, ...] = ()
    dtype: str | None = None
    case_count: int = 0
    cosine: float | None = None
    cosine_mean: float | None = None
    max_abs_error: float | None = None
    mean_abs_error: float | None = None
    mse: float | None = None
    snr_db: float | None = None
    top1_agreement: float | None = None
    top5_agreement: float | None = None
    nan_count: int = 0
    inf_count: int = 0
    deterministic: bool | None = None
    constant: bool | None = None
    per_case: tuple[OutputCase, ...] = ()
    snr_infinite: int = 0
    tied_count: int = 0
    equal_nonfinite: int = 0
    golden_nonfinite: int = 0
    parts: PartFigures | None = None
    suspects: tuple[Suspect, ...] = ()

    @property
    def snr(self) -> float | None:
        """Return the worst SNR in dB, which may be infinite; None where it is unknown."""
        return snr_of(self)

    @property
    def is_broken(self) -> bool:
        """Return whether values are not finite where the other side has numbers."""
        return self.case_count > 0 and _is_broken(self)


def _is_broken(figures: Output | OutputCase) -> bool:
    unequal = figures.nan_count + figures.inf_count - figures.equal_nonfinite
    return unequal + figures.golden_nonfinite > 0


def snr_of(figures: Output | OutputCase) -> float | None:
    """Return an SNR in dB that may be infinite; None where it is unknown.

    Results of older versions have no flag: there an output without any error had no SNR.
    """
    if figures.snr_db is not None:
        return figures.snr_db
    if figures.snr_infinite:
        return math.copysign(math.inf, figures.snr_infinite)
    return math.inf if figures.max_abs_error == 0 else None


def worst_part(axis: int | None, snr_db: Sequence[float | None]) -> WorstPart | None:
    """Return the part of the lowest finite SNR, the first of equal ones; None where there is none."""
    known = [(db, index) for index, db in enumerate(snr_db) if db is not None and math.isfinite(db)]
    if axis is None or not known:
        return None
    lowest, index = min(known)
    return WorstPart(axis, index, lowest)
