"""Since which night a series lies higher: the split into two levels that explains its nights best.

Least squares for one change in the mean (Hinkley, D. V.: Inference about the change-point in a sequence of
random variables. Biometrika 57 (1970), 1-17). It says where, once something else has said that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def since_place(nights: Sequence[float]) -> int | None:
    """Return the place of the first night of the higher level; None where none is higher."""
    total, count = sum(nights), len(nights)
    best, found, before = 0.0, None, 0.0
    for place in range(1, count):
        before += nights[place - 1]
        rise = (total - before) / (count - place) - before / place
        explained = rise * math.sqrt(place * (count - place) / count)
        if explained > best:
            best, found = explained, place
    return found
