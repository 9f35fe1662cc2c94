"""A calibration on a terminal: measured beside fitted, and what became of it."""

from __future__ import annotations

import sys
from pathlib import Path

from rkbench.campaign.calibration import LARGEST_RESIDUAL, Calibration
from rkbench.npu.latency_model import TERMS
from rkbench.units import MARK, format_difference, format_seconds, printable


def show_calibration(found: Calibration, saved: Path | None) -> None:
    """Print the models, the coefficients, and where they are kept; or why there are none."""
    sys.stdout.write("".join(f"{line}\n" for line in calibration_lines(found, saved)))


def calibration_lines(found: Calibration, saved: Path | None) -> list[str]:
    """Return the lines that tell of a calibration."""
    taken = "simulated" if found.simulated else "measured"
    lines = [f"  {'model':<24}{taken:>10}{'fitted':>10}{'off by':>9}"]
    for point in found.points:
        error = point.fitted_s / point.measured_s - 1
        took = f"{MARK if found.simulated else ''}{format_seconds(point.measured_s)}"
        lines.append(
            f"  {point.model:<24}{took:>10}{format_seconds(point.fitted_s):>10}{format_difference(error):>9}"
        )
    name, residual = printable(found.board), f"{found.residual_ratio:.0%}"
    if found.fitted is None:
        limit = f"{LARGEST_RESIDUAL:.0%}"
        return [
            *lines,
            f"{name}: residual {residual} (at most {limit}), not calibrated: it does not follow the form",
            f"  → clocks that move, or other load? bench boards check {name}, then calibrate again",
        ]
    terms = ", ".join(
        f"{format_seconds(value)} a task" if term == "tasks" else f"{term} x {value:.3g}"
        for term, value in zip(TERMS, found.fitted.coefficients, strict=True)
    )
    kept = f"kept in {saved}; used by: bench predict MODEL --board {name}"
    return [
        *lines,
        f"{name}: calibrated, residual {found.residual_ratio:.1%} ({terms})",
        f"{kept}, as long as it is simulated" if found.simulated else kept,
    ]
