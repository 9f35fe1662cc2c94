"""What the vendor's simulator made of a golden, against the golden's outputs: accuracy before a board."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rkbench_agent.wire.outputs import part_axis

from rkbench.errors import GoldenError
from rkbench.results.output import worst_part
from rkbench.results.records import SimulatorError, WorstPart
from rkbench.stats.similarity import cosine
from rkbench.variants.golden_file import cases_of, is_of_classes, layout_of, members_of
from rkbench.variants.golden_fit import Fit, Wanted
from rkbench.variants.golden_match import match
from rkbench.variants.npz import Array, NpzReader

_OUTPUTS = "outputs/"


def simulator_errors(replay: Path, golden: Path) -> tuple[SimulatorError, ...]:
    """Return an error for each output of a replay; none where the golden's outputs are others.

    A recipe may have changed which outputs there are (`outputs=split`). Raises GoldenError for a file that
    is no archive.
    """
    with NpzReader(replay) as found, NpzReader(golden) as expected:
        wanted = [
            Wanted("outputs", name.removeprefix(_OUTPUTS), header.shape[1:], header.dtype.name)
            for name, header in found.headers.items()
            if name.startswith(_OUTPUTS)
        ]
        try:
            fits = match(wanted, members_of(expected), layout_of(expected), sides=f"golden {golden}").fits
        except GoldenError:
            return ()
        classes = is_of_classes(expected)
        return tuple(_error(found, expected, fit, classes=classes) for fit in fits)


def _error(found: NpzReader, expected: NpzReader, fit: Fit, *, classes: bool) -> SimulatorError:
    pairs = list(_pairs(found, expected, fit))
    cosines = [cosine(actual, wanted) for actual, wanted in pairs]
    largest, total = zip(*(_distances(*pair) for pair in pairs), strict=True)
    agree = [float(actual[np.argmax(wanted)] == actual.max()) for actual, wanted in pairs]
    worst_db = min(_snr_db(*pair) for pair in pairs)
    return SimulatorError(
        name=fit.wanted.name,
        cases=len(pairs),
        cosine=_finite(min(cosines)),
        max_abs_error=_finite(max(largest)),
        mean_abs_error=_finite(sum(total) / len(pairs)),
        top1_agreement=sum(agree) / len(pairs) if classes else None,
        snr_db=_finite(worst_db),
        snr_infinite=int(np.sign(worst_db)) if np.isinf(worst_db) else 0,
        worst_part=_worst_part(found.headers[f"{_OUTPUTS}{fit.wanted.name}"].shape[1:], pairs),
    )


def _worst_part(shape: tuple[int, ...], pairs: Sequence[tuple[Array, Array]]) -> WorstPart | None:
    """Return the part of an output with the lowest SNR over all cases, as an agent tells parts."""
    if (axis := part_axis(shape)) is None:
        return None
    signal, noise = np.zeros(shape[axis]), np.zeros(shape[axis])
    for pair in pairs:
        actual, wanted = (np.moveaxis(each.reshape(shape), axis, 0).reshape(shape[axis], -1) for each in pair)
        is_known = np.isfinite(actual) & np.isfinite(wanted)
        with np.errstate(all="ignore"):
            signal += np.where(is_known, wanted * wanted, 0.0).sum(1)
            noise += np.where(is_known, np.square(actual - wanted), 0.0).sum(1)
    with np.errstate(all="ignore"):
        return worst_part(axis, (10 * np.log10(signal / noise)).tolist())


def _pairs(found: NpzReader, expected: NpzReader, fit: Fit) -> Iterator[tuple[Array, Array]]:
    """Yield what was simulated and what was expected of each case, flat, as float64."""
    name = f"{_OUTPUTS}{fit.wanted.name}"
    simulated = found.chunks(name, found.headers[name].shape[0])
    for actual, wanted in zip(simulated, cases_of(expected, fit), strict=True):
        yield actual.astype(np.float64).ravel(), wanted.astype(np.float64).ravel()


def _distances(actual: Array, wanted: Array) -> tuple[float, float]:
    with np.errstate(invalid="ignore"):
        apart = np.abs(actual - wanted)
    return float(apart.max(initial=0)), float(apart.mean()) if apart.size else 0.0


def _snr_db(actual: Array, wanted: Array) -> float:
    """Return 10 log10(sum(w w) / sum((a - w)^2)): infinite without error, NaN where a value is not finite."""
    with np.errstate(all="ignore"):
        signal, noise = float(wanted @ wanted), float(np.square(actual - wanted).sum())
        return float(10 * np.log10(signal / noise)) if noise else np.inf


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
