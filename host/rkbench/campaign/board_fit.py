"""The board's own calibration, where a push can be set against it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rkbench_agent.wire.plan import RunSettings

from rkbench.campaign.plan import Place, is_simulated
from rkbench.errors import BenchError
from rkbench.results.events import Listener, Note
from rkbench.rknn.targets import npu_generation

if TYPE_CHECKING:
    from rkbench.npu.latency_model import FittedLatency


def with_fit(place: Place, settings: RunSettings, listener: Listener) -> Place:
    """Return the place with the board's own calibration; where the run is simulated, as it is."""
    return place if is_simulated(settings, place) else replace(place, fitted=_fit_of(place, listener))


def _fit_of(place: Place, listener: Listener) -> FittedLatency | None:
    """Return the fit that is kept for a board; None where there is none, or, once told, none to use.

    A push that was asked for is not given up for it: latencies are foretold without a calibration then.
    """
    from rkbench.campaign.kept_calibrations import read_calibration  # numpy: of real boards only

    name, soc = place.board.name, place.environment.soc
    try:
        fitted = read_calibration(name)
    except BenchError as error:
        listener(
            Note(f"latencies are foretold without the board's calibration: {error.message} ({error.hint})")
        )
        return None
    if fitted and soc and npu_generation(fitted.soc) != npu_generation(soc):
        listener(
            Note(
                f"latencies are foretold without the calibration of {name}: it is of an {fitted.soc}, "
                f"and the board is an {soc} (bench boards calibrate {name})"
            )
        )
        return None
    return fitted
