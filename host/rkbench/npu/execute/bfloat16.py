"""bf16, which numpy does not have: the upper half of a float32, kept as uint16.

Nothing else on the NPU is uint16, so that dtype means bf16 in this package.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STORED = np.dtype(np.uint16)


def widened(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return stored bf16 values as float32."""
    wide: NDArray[np.float32] = (values.astype(np.uint32) << 16).view(np.float32)
    return wide


def rounded(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Return floats as stored bf16, rounded to even; NaN stays one."""
    floats = values.astype(np.float32)
    bits = floats.view(np.uint32)
    nearest = bits + 0x7FFF + (bits >> 16 & 1)
    stored: NDArray[np.uint16] = (np.where(np.isnan(floats), bits | 1 << 22, nearest) >> 16).astype(np.uint16)
    return stored
