"""From costs to time: four coefficients over what the tasks of a model cost. Pure.

The form: latency = a x roofline + b x memory + c x tables + d x tasks. Roofline is the sum over tasks of
the longer of MAC and memory time at peak figures; memory and tables are those times alone, d is a time for
each task. It was chosen on the nets that it is fitted on (docs/npu.md): its coefficients are no physics.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rkbench_agent.wire.socs import find_soc

from rkbench.npu.costs import Floats, TaskCosts

MODELS = Path(__file__).parent / "reference" / "latency_models.json"
TERMS = ("roofline", "memory", "tables", "tasks")


@dataclass(frozen=True)
class Machine:
    """Peak figures of one NPU core and of the memory as one core gets it."""

    clock_hz: float
    ddr_bytes_per_s: float


@dataclass(frozen=True)
class FittedLatency:
    """A fitted model: of a SoC from published figures, or of one board that was calibrated."""

    soc: str
    machine: Machine
    coefficients: tuple[float, float, float, float]
    """Of roofline, memory and tables (factors), and of tasks (seconds each)."""
    band_ratio: float
    """Half the width of the band, of the prediction."""
    source: str
    fitted_types: tuple[str, ...]
    """Node types of the models that it was fitted on."""
    provisional: str | None = None
    """Why it is to be trusted less; None where nothing is known against it."""
    skipped_types: tuple[str, ...] = ()
    """Node types whose tasks were left out of the fit, and are left out of predictions."""
    fastest_s: float = 0.0
    """Latency of the fastest model of the fit."""
    call_s: float = 0.0
    """What a call may cost by itself, by the figures of the fit (upper end of 95 %)."""


@cache
def latency_models() -> dict[str, FittedLatency]:
    """Return the models fitted on Rockchip's published figures, by SoC."""
    rows = json.loads(MODELS.read_text(encoding="utf-8"))["models"]
    return {row["soc"]: model_of_row(row) for row in rows}


def find_latency_model(soc: str | None) -> FittedLatency | None:
    """Return the model of a SoC, by any of its names; None where nothing was fitted."""
    known = find_soc(soc)
    name = "rk3568" if known and known.name == "rk3566" else known.name if known else ""
    return latency_models().get(name)


def model_of_row(row: dict[str, Any]) -> FittedLatency:
    """Return a model of its fields as JSON has them; raises KeyError, TypeError or ValueError for others."""
    machine = Machine(**row.pop("machine"))
    lists = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
    return FittedLatency(machine=machine, **{**row, **lists})


def task_terms(costs: TaskCosts, machine: Machine) -> Floats:
    """Return (tasks, 4): each task's four terms, in seconds at peak figures, and 1 for itself."""
    mac_s, memory_s = mac_seconds(costs, machine), memory_seconds(costs, machine)
    tables_s = costs.table_cycles / machine.clock_hz
    return np.stack([np.maximum(mac_s, memory_s), memory_s, tables_s, np.ones(len(mac_s))], axis=1)


def mac_seconds(costs: TaskCosts, machine: Machine) -> Floats:
    """Return the time of each task's MAC cycles at full clock."""
    seconds: Floats = costs.mac_cycles / machine.clock_hz
    return seconds


def memory_seconds(costs: TaskCosts, machine: Machine) -> Floats:
    """Return the time of each task's DDR bytes at peak bandwidth."""
    seconds: Floats = costs.ddr_bytes / machine.ddr_bytes_per_s
    return seconds
