"""`bench boards calibrate`: measure the shipped models on a board, and fit its own coefficients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.resources import as_file, files

import numpy as np
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import AUTO

from rkbench.boards.model import Board
from rkbench.campaign.interfaces import Conversation, Saver
from rkbench.campaign.run import run_campaign
from rkbench.campaign.settings import PushOptions
from rkbench.errors import BoardError, UsageError
from rkbench.npu.costs import Floats
from rkbench.npu.latency_fit import fit_latency
from rkbench.npu.latency_model import FittedLatency, find_latency_model
from rkbench.npu.predict import model_terms
from rkbench.results.events import Listener, ignore
from rkbench.results.model import RunResult

#: A fit that is farther from what it was fitted to (root mean square) does not describe the board.
LARGEST_RESIDUAL = 0.05
ITERATIONS, DURATION_S = 30, 0.5


@dataclass(frozen=True)
class CalibrationPoint:
    """One of the models: what it took, and what the fit makes of it."""

    model: str
    measured_s: float
    fitted_s: float


@dataclass(frozen=True)
class Calibration:
    """What a board's latencies yielded; `fitted` is None where they do not follow the form."""

    board: str
    soc: str
    points: tuple[CalibrationPoint, ...]
    residual_ratio: float
    """Root mean square of fitted over measured, minus 1."""
    fitted: FittedLatency | None
    simulated: bool = False


def calibrate_board(
    board: Board,
    connect: Callable[[], AbstractContextManager[Conversation]],
    store: Saver,
    listener: Listener = ignore,
) -> Calibration:
    """Measure the shipped models for the board's SoC and fit its coefficients.

    Raises UsageError for a SoC that nothing is shipped for, BoardError where a model failed there.
    """
    with connect() as session:
        soc = board.soc or session.environment.soc or ""
    base = find_latency_model(soc)
    if base is None:
        raise UsageError(f"board {board.name!r}: no models are shipped for {soc or 'an unknown SoC'}")
    with as_file(files("rkbench.npu") / "reference" / "calibration") as folder:
        models = tuple(sorted(folder.glob(f"*_{base.soc}.rknn")))
        mask = "0" if base.soc == "rk3588" else AUTO
        settings = RunSettings(
            core_mask=mask, min_iterations=ITERATIONS, min_duration_s=DURATION_S, interleave=False
        )
        outcome = run_campaign(PushOptions(models, settings), board, connect, store, listener)
        measured_s = np.array([_median_s(board, run) for run in outcome.runs])
        terms = np.array([model_terms(path, base) for path in models])
        names, simulated = [path.stem for path in models], any(run.simulated for run in outcome.runs)
        return fit_board(board.name, base, names, terms, measured_s, simulated=simulated)


def fit_board(
    board: str,
    base: FittedLatency,
    names: Sequence[str],
    terms: Floats,
    measured_s: Floats,
    *,
    simulated: bool = False,
) -> Calibration:
    """Return the calibration of latencies, in seconds, of models with these sums of `task_terms`. Pure."""
    coefficients = fit_latency(terms, measured_s)
    fitted_s = terms @ np.array(coefficients)
    residual = float(np.sqrt(np.mean((fitted_s / measured_s - 1) ** 2)))
    points = tuple(
        CalibrationPoint(name, float(measured), float(fitted))
        for name, measured, fitted in zip(names, measured_s, fitted_s, strict=True)
    )
    shown = f"{board} (simulated)" if simulated else board
    source = f"calibrated on {shown} with {len(names)} models, residual {residual:.1%}"
    fitted = FittedLatency(
        soc=base.soc,
        machine=base.machine,
        coefficients=coefficients,
        band_ratio=base.band_ratio,
        source=source,
        fitted_types=base.fitted_types,
        skipped_types=base.skipped_types,
    )
    good = residual <= LARGEST_RESIDUAL
    return Calibration(board, base.soc, points, residual, fitted if good else None, simulated)


def _median_s(board: Board, run: RunResult) -> float:
    if run.latency is None or run.failure is not None:
        why = run.failure.message if run.failure else "no latency"
        raise BoardError(
            f"board {board.name!r}: {run.variant.name} was not measured: {why}",
            hint=f"check the board: bench boards check {board.name}",
        )
    stage = run.latency.stages.run
    return stage.p50_s if stage else run.latency.p50_s
