"""Errors of outputs in words."""

from __future__ import annotations

from rkbench.bisect.asked import Figures, TensorError
from rkbench.results.records import WorstPart
from rkbench.units import DECIBELS, UNKNOWN


def error_text(error: TensorError, mark: str = "") -> str:
    """Return an output with its error on both sides; `mark` stands before what no board said."""
    whole = f"{error.name}: board {mark}{snr_text(error.board)}, simulator {snr_text(error.simulator)}"
    return f"{whole}; {parts}" if (parts := part_text(error, mark)) else whole


def part_text(error: TensorError, mark: str = "") -> str:
    """Return the worst part of an output on both sides, such as one channel; "" where neither tells one."""
    board, simulator = (each.worst_part if each else None for each in (error.board, error.simulator))
    if board is None and simulator is None:
        return ""
    return f"its worst part: board {_part(board, mark)}, simulator {_part(simulator)}"


def _part(part: WorstPart | None, mark: str = "") -> str:
    if part is None:
        return UNKNOWN
    return f"{mark}{DECIBELS.text(part.snr_db)} ({part.index} of axis {part.axis})"


def snr_text(figures: Figures | None) -> str:
    """Return an SNR with its unit; "no error" where it is infinite."""
    if figures is None:
        return UNKNOWN
    if figures.is_broken:
        return "not finite"
    return "no error" if figures.snr_db is None else DECIBELS.text(figures.snr_db)
