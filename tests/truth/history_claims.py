"""What rkbench claims of gates on history: labs of 20 models on 10 boards, whose nights are drawn.

A night sets a level for each cell. Measured again in that night, `shared` of its variance comes again: none
where what differs are loads, all of it where it is the night. `heavy` draws Student's t with 5 degrees of
freedom, of the same variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from claim import Claim, Source
from numpy.typing import NDArray
from rkbench.stats.history.pool import RED_POOLS, judge_pool, pool
from rkbench.stats.history.repeats import shared_part
from rkbench.stats.history.usual import fit_usual
from rkbench.stats.history.verdicts import (
    AGAIN,
    REGRESSION,
    PastNights,
    is_suspect,
    judge_night,
    look_back,
)

MODELS, BOARDS = 20, 10
SERIES = MODELS * BOARDS
#: As many nights as a reference needs, before the last five.
NIGHTS = 24
#: `p50 history`: less than 1 % is no change.
BEYOND = 0.01
#: Five of a hundred cells are measured twice, every night.
TWICE = SERIES // 20
#: A cell on each board, each of another model.
STEPPED = np.arange(BOARDS) * MODELS + 2 * np.arange(BOARDS)
#: One model, on every board.
OF_ONE_MODEL = np.arange(BOARDS) * MODELS + 3


@dataclass(frozen=True)
class Noise:
    """How the nights of a cell lie apart."""

    deviation: float
    heavy: bool = False
    shared: float = 0.0

    def drawn(self, source: Source, *shape: int) -> NDArray[Any]:
        """Return what nights do to cells."""
        if self.heavy:
            return np.asarray(self.deviation * source.standard_t(5, shape) * math.sqrt(3 / 5))
        return np.asarray(self.deviation * source.standard_normal(shape))

    def again(self, source: Source, nights: NDArray[Any]) -> NDArray[Any]:
        """Return what the same nights do to the same cells, measured once more."""
        other = self.drawn(source, *nights.shape)
        return np.asarray(math.sqrt(self.shared) * nights + math.sqrt(1 - self.shared) * other)


class Lab:
    """A lab with a past; every night is measured, judged, and accepted where it is not red."""

    def __init__(self, source: Source, noise: Noise, nights: int = NIGHTS) -> None:
        self.source, self.noise = source, noise
        self.measured = noise.drawn(source, SERIES, nights)
        self.accepted = self.measured.copy()
        told = self.measured[:TWICE, -20:]
        self.pairs = [*zip(told.ravel(), noise.again(source, told).ravel(), strict=True)]

    def night(self, shift: NDArray[Any]) -> NDArray[Any]:
        """Return which cells are red tonight, which take `shift` (logarithm) longer."""
        past = self.past()
        drawn = self.noise.drawn(self.source, SERIES)
        tonight = drawn + shift
        again = [self.noise.again(self.source, drawn) + shift for _ in range(AGAIN)]
        red = np.zeros(SERIES, dtype=bool)
        suspect, errors = is_suspect(past, tonight), past.usual.deviation
        # No other is red: a cell that lies within its usual deviation needs no judge.
        for cell in np.flatnonzero(suspect | (tonight - past.usual.level > errors) | (len(past.before) > 2)):
            values = [tonight[cell], *(more[cell] for more in again if suspect[cell])]
            red[cell] = judge_night(past, int(cell), values, beyond=BEYOND).label == REGRESSION
        self.measured = np.column_stack([self.measured, tonight])
        self.accepted = np.column_stack([self.accepted, np.where(red, np.nan, tonight)])
        return red

    def past(self) -> PastNights:
        """Return what tonight is held against."""
        shares = shared_part(self.pairs, fit_usual(self.accepted).variance)
        return look_back(self.accepted, self.measured, shares)

    def red_pools(self, shift: NDArray[Any]) -> NDArray[Any]:
        """Return which models are red over all boards tonight."""
        tonight = self.noise.drawn(self.source, SERIES) + shift
        nights = np.column_stack([self.accepted, tonight])
        pools = pool(nights.reshape(BOARDS, MODELS, -1).transpose(1, 0, 2))
        past = look_back(pools[:, :-1], pools[:, :-1], red=RED_POOLS)
        judged = (judge_pool(past, model, pools[model, -1], beyond=BEYOND) for model in range(MODELS))
        return np.array([verdict.label == REGRESSION for verdict in judged])


def is_red(source: Source, noise: Noise, nights: int = NIGHTS) -> bool:
    """Return whether a night is red in which nothing changed."""
    return bool(Lab(source, noise, nights).night(np.zeros(SERIES)).any())


def found(source: Source, noise: Noise, step: float, nights: int = 1) -> float:
    """Return the share of ten slower cells, one on each board, that are red within so many nights."""
    lab, shift = Lab(source, noise), np.zeros(SERIES)
    shift[STEPPED] = math.log1p(step)
    red = np.zeros(SERIES, dtype=bool)
    for _ in range(nights):
        red |= lab.night(shift)
    return float(red[STEPPED].mean())


def creeping(source: Source, noise: Noise, step: float, nights: int) -> float:
    """Return the share of ten cells, slower by `step` more every night, that are red by the end."""
    lab, slower = Lab(source, noise, NIGHTS + 25), np.zeros(SERIES)
    red = np.zeros(SERIES, dtype=bool)
    for night in range(nights):
        slower[STEPPED] = step * (night + 1)
        red |= lab.night(slower)
        if red[STEPPED].all():
            break
    return float(red[STEPPED].mean())


def is_red_pool(source: Source, noise: Noise) -> bool:
    """Return whether a model is red over all boards in a night in which nothing changed."""
    return bool(Lab(source, noise).red_pools(np.zeros(SERIES)).any())


def pool_found(source: Source, noise: Noise, step: float) -> bool:
    """Return whether a model that is slower on every board is red in the first night."""
    shift = np.zeros(SERIES)
    shift[OF_ONE_MODEL] = math.log1p(step)
    return bool(Lab(source, noise).red_pools(shift)[3])


HALF, ONE = Noise(0.005), Noise(0.01)
HEAVY = Noise(0.01, heavy=True)
HEAVY_SHARED = Noise(0.01, heavy=True, shared=1.0)


def _named(noise: Noise, text: str) -> str:
    kind = "t5" if noise.heavy else "normal"
    share = {0.0: "independent", 1.0: "of the night alone"}.get(noise.shared, f"{noise.shared:g} in common")
    return f"history, sd {noise.deviation * 100:g} % ({kind}, measured again: {share}): {text}"


def _claim(
    noise: Noise,
    text: str,
    happens: Callable[..., float],
    at_most: float | None = None,
    at_least: float | None = None,
    *,
    cost: float = 1,
) -> Claim:
    return Claim(_named(noise, text), partial(happens, noise=noise), at_most, at_least, cost)


HISTORY_CLAIMS = [
    *(
        _claim(noise, "200 cells, nothing changed: red night", is_red, most)
        for noise, most in (
            (HALF, 0.01),
            (Noise(0.005, shared=1.0), 0.01),
            (ONE, 0.01),
            (Noise(0.01, shared=1.0), 0.01),
            (HEAVY, 0.02),
            (Noise(0.01, heavy=True, shared=0.5), 0.03),
            (HEAVY_SHARED, 0.03),
        )
    ),
    _claim(ONE, "8 nights of a new epoch, nothing changed: red night", partial(is_red, nights=8), 0.01),
    _claim(HEAVY, "8 nights of a new epoch, nothing changed: red night", partial(is_red, nights=8), 0.03),
    _claim(HALF, "+5 % on one board: red the first night", partial(found, step=0.05), None, 0.95),
    _claim(ONE, "+5 % on one board: red the first night", partial(found, step=0.05), None, 0.85),
    _claim(
        HALF, "+2 % on one board: red within 5 nights", partial(found, step=0.02, nights=5), None, 0.8, cost=4
    ),
    _claim(
        HALF,
        "+0.1 % every night on one board: red within 40",
        partial(creeping, step=0.001, nights=40),
        None,
        0.95,
        cost=20,
    ),
    *(
        _claim(noise, "model on 10 boards, nothing changed: red night", is_red_pool, 0.015)
        for noise in (HALF, ONE, HEAVY)
    ),
    *(
        _claim(noise, "+2 % on 10 boards: red the first night", partial(pool_found, step=0.02), None, 0.95)
        for noise in (HALF, ONE, HEAVY)
    ),
]
