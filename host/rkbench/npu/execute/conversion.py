"""OUT_CVT: what leaves the output stage in the precision of its destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.cubes import Values
from rkbench.npu.execute.fields import TaskRegisters
from rkbench.npu.execute.scaling import Floats


@dataclass(frozen=True)
class Conversion:
    """x * scale * down + offset, or (x + offset) * scale * down."""

    dtype: np.dtype[np.generic]
    offset: int
    scale: int
    down: float
    """2 ** -shift."""
    offset_first: bool

    def apply(self, x: Floats) -> Values:
        """Return values in the destination's dtype; integers rounded to even and held in their range."""
        if self.dtype == bfloat16.STORED:
            return bfloat16.rounded(self._scaled(x))
        return self._scaled(x).astype(self.dtype) if self.dtype.kind == "f" else self._integers(x)

    def _scaled(self, x: Floats) -> Floats:
        if (self.offset, self.scale, self.down) != (0, 1, 1.0):
            x = (x + self.offset) * self.scale if self.offset_first else x * self.scale + self.offset
            x = x * self.down
        return x

    def _integers(self, x: Floats) -> Values:
        limits: Any = np.iinfo(self.dtype)
        if self.offset_first:
            x += self.offset
        x *= self.scale * self.down
        np.rint(x, out=x)
        if not self.offset_first:
            x += self.offset
        return np.clip(x, limits.min, limits.max, out=x).astype(self.dtype)


def read_conversion(registers: TaskRegisters, dtype: np.dtype[np.generic]) -> Conversion:
    """Return the conversion of a task."""
    shift = registers["DPU.OUT_CVT_SHIFT.OUT_CVT_SHIFT"]
    scale = registers.signed("DPU.OUT_CVT_SCALE.OUT_CVT_SCALE")
    floats = dtype.kind == "f" or dtype == bfloat16.STORED
    exponent = registers["DPU.OUT_CVT_SHIFT.MINUS_EXP"] if floats else 0
    offset = registers.signed("DPU.OUT_CVT_OFFSET")
    first = bool(registers["DPU.OUT_CVT_SHIFT.CVT_TYPE"])
    return Conversion(dtype, offset, scale, 2.0 ** -(shift + exponent), first)
