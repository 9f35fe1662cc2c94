"""The figures of a night's cell, as its tables show them."""

from __future__ import annotations

from rkbench.results.measures import LATENCY_P50, LATENCY_P99, NPU_MEMORY
from rkbench.results.night import CellResult
from rkbench.units import MARK, UNKNOWN, signed

CHANGE = "change"
FIGURES = ("p50", CHANGE, "p99", "memory")


def change_of_p50(cell: CellResult) -> str:
    """Return by how much p50 lies above (+) the baseline's, where a gate looked at it; "" where none did."""
    found = [gate for gate in cell.gates if gate.quantity == LATENCY_P50.gate and gate.measurements]
    percent = found[0].last.difference_percent if found else None
    return "" if percent is None else f"{signed(percent)} %"


def figures_of(cell: CellResult) -> tuple[str, str, str, str]:
    """Return p50, its change, p99 and the memory of the NPU, each with its unit; simulated ones marked."""
    mark = MARK if cell.simulated else ""
    told = (
        (LATENCY_P50.unit.text(cell.p50_s), cell.p50_s is None),
        (change_of_p50(cell) or UNKNOWN, not change_of_p50(cell)),
        (LATENCY_P99.unit.text(cell.p99_s), cell.p99_s is None),
        (NPU_MEMORY.unit.text(cell.load_npu_total_bytes), cell.load_npu_total_bytes is None),
    )
    p50, change, p99, memory = (text if unknown else mark + text for text, unknown in told)
    return p50, change, p99, memory
