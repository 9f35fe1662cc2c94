"""The calibrations that are kept in the user's data folder: a board's own coefficients of latency."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from urllib.parse import quote

from rkbench.decoding.documents import read_document
from rkbench.errors import DocumentError, StoreError
from rkbench.npu.latency_model import FittedLatency, find_latency_model
from rkbench.store.opening import data_folder


def save_calibration(board: str, fitted: FittedLatency, *, simulated: bool = False) -> Path:
    """Keep a board's fit, for `bench predict --board` and for what a push is set against; return the file.

    What was `simulated` is kept apart, for simulated boards: it says nothing of a real one of that name.
    """
    path = _file_of(board, simulated)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(fitted), indent=2) + "\n", encoding="utf-8")
    return path


def read_calibration(board: str, *, simulated: bool = False) -> FittedLatency | None:
    """Return the fit that was kept for a board, or for the simulated one of that name; None without one.

    Raises StoreError, which names the file, where it cannot be read, and DocumentError where it is damaged.
    """
    path = _file_of(board, simulated)
    if not path.is_file():
        return None
    try:
        text = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}", hint="make it readable, or remove it") from error
    try:
        return _checked(read_document(FittedLatency, text, f"the calibration {path}"))
    except (DocumentError, ValueError) as error:
        raise DocumentError(
            str(error) if isinstance(error, DocumentError) else f"the calibration {path}: {error}",
            hint=f"remove it, or measure the board again: bench boards calibrate {board}",
        ) from error


def _checked(fitted: FittedLatency) -> FittedLatency:
    """Return a fit whose numbers can be one's; raises ValueError."""
    machine = fitted.machine
    positive = (machine.clock_hz, machine.ddr_bytes_per_s, fitted.band_ratio)
    if not all(isfinite(number) and number > 0 for number in positive):
        raise ValueError("a clock, a bandwidth or a band that is not above 0")
    if not all(isfinite(number) and number >= 0 for number in fitted.coefficients):
        raise ValueError("a coefficient below 0")
    if find_latency_model(fitted.soc) is None:
        raise ValueError(f"of {fitted.soc[:20]!r}, a SoC that nothing was fitted for")
    return fitted


def _file_of(board: str, simulated: bool) -> Path:
    folder = data_folder() / "calibrations"
    return (folder / "simulated" if simulated else folder) / f"{quote(board, safe='')}.json"
