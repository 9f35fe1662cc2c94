"""What rkbench claims of a soak's windows: which of them lie apart from the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from claim import Claim, Source
from rkbench.stats.change import find_apart

WINDOWS = 100
#: Standard deviation of windows' medians; one that is slower takes this much longer.
SD, SLOWER = 0.005, 0.1
#: Where slow windows stand: at the very end, in the middle, every other one of a part.
PLACES: dict[str, Sequence[int]] = {
    "the last 5": range(95, 100),
    "5 in the middle": range(48, 53),
    "every third": range(0, 100, 3),
}


def levels(source: Source, sd: float, slow: Sequence[int] = ()) -> list[float]:
    """Return the medians of the windows of a soak, relative to their level."""
    found = np.exp(source.normal(0, sd, WINDOWS))
    found[list(slow)] *= 1 + SLOWER
    return [float(level) for level in found]


def soak_claims() -> list[Claim]:
    """Windows that only scatter, and such of which some are slower."""
    claims = [
        Claim(
            f"soak of {WINDOWS} windows, sd {sd * 100:g} %: some said to lie apart",
            lambda s, sd=sd: find_apart(levels(s, sd)) is not None,
            0.01,
            cost=0.2,
        )
        for sd in (SD, 0.02)
    ]
    claims += [
        Claim(
            f"soak of {WINDOWS} windows, sd {SD * 100:g} %, {told} slower by {SLOWER * 100:g} %: these named",
            lambda s, slow=slow: _names(s, slow),
            None,
            0.99,
            cost=0.2,
        )
        for told, slow in PLACES.items()
    ]
    return claims


def _names(source: Source, slow: Sequence[int]) -> bool:
    found = find_apart(levels(source, SD, slow))
    return found is not None and found.places == tuple(slow)


SOAK_CLAIMS = soak_claims()
