"""What the models of the fit cost, as committed facts: a line of `zoo_costs.tsv` a model and SoC."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from rkbench.npu.costs import Floats
from rkbench.npu.latency_model import Machine

TABLE = Path(__file__).parent / "reference" / "zoo_costs.tsv"
#: Peak figures: clocks of the TRM; LPDDR4X-4266, 64 bits (RK3588), LPDDR4-3200, 32 bits (RK3568).
MACHINES = {"rk3588": Machine(1.0e9, 34.1e9), "rk3568": Machine(0.9e9, 12.8e9)}
COLUMNS = (
    "soc",
    "model",
    "role",
    "toolkit",
    "tasks",
    "macs",
    "mac_cycles",
    "ddr_bytes",
    "table_cycles",
    "roofline_s",
    "types",
)


@dataclass(frozen=True)
class ReferenceCosts:
    """One decoded model; tasks of node types that the fit leaves out are not in the sums."""

    soc: str
    model: str
    """As Rockchip's table of published figures calls it."""
    role: str
    """`fit`, or `check`: not in the fit, so that something judges it."""
    toolkit: str
    tasks: int
    macs: int
    mac_cycles: int
    ddr_bytes: int
    table_cycles: int
    roofline_s: float
    """Sum over tasks of the longer of MAC and memory time at the peak figures of `MACHINES`."""
    types: tuple[str, ...]

    def terms(self) -> Floats:
        """Return the four sums that the coefficients belong to, in seconds, and the number of tasks."""
        machine = MACHINES[self.soc]
        memory_s, tables_s = self.ddr_bytes / machine.ddr_bytes_per_s, self.table_cycles / machine.clock_hz
        return np.array([self.roofline_s, memory_s, tables_s, float(self.tasks)])


@cache
def reference_costs() -> tuple[ReferenceCosts, ...]:
    """Return the lines of the table."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return tuple(_row(line.split("\t")) for line in lines if not line.startswith("#"))


def _row(cells: list[str]) -> ReferenceCosts:
    soc, model, role, toolkit, *numbers, roofline, types = cells
    tasks, macs, mac_cycles, ddr_bytes, table_cycles = (int(number) for number in numbers)
    return ReferenceCosts(
        soc,
        model,
        role,
        toolkit,
        tasks,
        macs,
        mac_cycles,
        ddr_bytes,
        table_cycles,
        float(roofline),
        tuple(types.split()),
    )
