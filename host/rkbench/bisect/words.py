"""Errors of outputs in words."""

from __future__ import annotations

from rkbench.bisect.asked import Figures, TensorError
from rkbench.units import DECIBELS, UNKNOWN


def error_text(error: TensorError, mark: str = "") -> str:
    """Return an output with its error on both sides; `mark` stands before what no board said."""
    return f"{error.name}: board {mark}{snr_text(error.board)}, simulator {snr_text(error.simulator)}"


def snr_text(figures: Figures | None) -> str:
    """Return an SNR with its unit; "no error" where it is infinite."""
    if figures is None:
        return UNKNOWN
    if figures.is_broken:
        return "not finite"
    return "no error" if figures.snr_db is None else DECIBELS.text(figures.snr_db)
