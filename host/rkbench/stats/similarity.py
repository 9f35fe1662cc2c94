"""How alike two tensors are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def cosine(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Return the cosine of two tensors of equal size, flat and in float64.

    1 where both are zero, 0 where one is, NaN where values overflow.
    """
    a, b = (np.asarray(each, np.float64).ravel() for each in (first, second))
    with np.errstate(all="ignore"):
        lengths = float(np.sqrt((a @ a) * (b @ b)))
        return float(a @ b) / lengths if lengths else float(not a.any() and not b.any())
