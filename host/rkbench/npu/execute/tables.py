"""The activation tables: two of 513 signed 16-bit entries, straight lines between them, a slope outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.execute.scaling import Floats

LAST = 512
"""Index of a table's last entry."""


@dataclass(frozen=True)
class Edge:
    """How a table goes on beyond one of its ends."""

    at: int
    entry: float
    slope: float

    def beyond(self, x: Floats) -> Floats:
        """Return the line through the end."""
        return self.entry + (x - self.at) * self.slope


@dataclass(frozen=True)
class ActivationTable:
    """One table over `start` to `end`, steps of 2 ** `select`."""

    entries: Floats
    start: int
    end: int
    select: int
    below: Edge
    above: Edge

    def contains(self, x: Floats) -> NDArray[np.bool_]:
        """Say which values lie in it."""
        return (x >= self.start) & (x <= self.end)

    def between(self, x: Floats) -> Floats:
        """Return the entries' straight line at `x`, held at the ends."""
        step = 2.0**-self.select
        place = np.clip((x - self.start) * step, 0, LAST)
        index = np.minimum(np.nan_to_num(place).astype(np.int64), LAST - 1)
        fraction = place - index
        found: Floats = self.entries[index] * (1 - fraction) + self.entries[index + 1] * fraction
        return found


@dataclass(frozen=True)
class Lookup:
    """Both tables, LE and LO, and which of them speaks where."""

    le: ActivationTable
    lo: ActivationTable
    both: ActivationTable
    """Where both hold a value."""
    under: ActivationTable
    over: ActivationTable

    def apply(self, x: Floats) -> Floats:
        """Return what the tables say of (...) values."""
        in_le, in_lo = self.le.contains(x), self.lo.contains(x)
        below = (x < self.le.start) & (x < self.lo.start)
        above = ~below & ~in_le & ~in_lo
        result = np.where(in_le, self.le.between(x), self.lo.between(x))
        result = np.where(in_le & in_lo, self.both.between(x), result)
        result = np.where(below, self.under.below.beyond(x), result)
        return np.where(above, self.over.above.beyond(x), result)

    @property
    def domain(self) -> tuple[int, int] | None:
        """Return the first and last integer outside of which nothing changes; None where a slope goes on."""
        if self.under.below.slope or self.over.above.slope:
            return None
        return min(self.le.start, self.lo.start) - 1, max(self.le.end, self.lo.end) + 1


def read_lookup(registers: TaskRegisters, entries: NDArray[np.int16] | None) -> Lookup:
    """Return the tables of a task; `entries` is (2, 513), None where nobody has filled them."""
    if entries is None:
        raise UnmodelledError("activation tables that no task has filled")
    if registers["DPU.LUT_CFG.LUT_EXPAND_EN"] or registers["DPU.LUT_CFG.LUT_ROAD_SEL"]:
        raise UnmodelledError("activation tables joined into one")
    le, lo = (_table(registers, name, entries[i]) for i, name in enumerate(("LE", "LO")))
    hybrid, under, over = (
        (le, lo)[registers[f"DPU.LUT_CFG.LUT_{kind}_PRIORITY"]] for kind in ("HYBRID", "UFLOW", "OFLOW")
    )
    return Lookup(le, lo, hybrid, under, over)


def _table(registers: TaskRegisters, name: str, entries: NDArray[np.int16]) -> ActivationTable:
    start, end = (registers.signed(f"DPU.LUT_{name}_{side}.LUT_{name}_{side}") for side in ("START", "END"))
    select = registers[f"DPU.LUT_INFO.LUT_{name}_INDEX_SELECT"]
    if select > 31:
        raise UnmodelledError(f"an activation table with steps of 2**{select}")
    slopes = []
    for side in ("UFLOW", "OFLOW"):
        scale = registers.signed(f"DPU.LUT_{name}_SLOPE_SCALE.LUT_{name}_SLOPE_{side}_SCALE")
        slopes.append(scale / (1 << registers[f"DPU.LUT_{name}_SLOPE_SHIFT.LUT_{name}_SLOPE_{side}_SHIFT"]))
    below, above = Edge(start, float(entries[0]), slopes[0]), Edge(end, float(entries[LAST]), slopes[1])
    return ActivationTable(entries.astype(np.float64), start, end, select, below, above)
