"""What a file foretells of its latency, for a run to stand beside."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.errors import ModelError
from rkbench.results.records import PredictedLatency

if TYPE_CHECKING:
    from rkbench.npu.latency_model import FittedLatency


def foretold_latency(
    path: Path, cores: int = 1, fitted: FittedLatency | None = None
) -> PredictedLatency | None:
    """Return the predicted latency of a .rknn on so many cores, on several without a band.

    `fitted` is the board's own calibration.
    None where its NPU tasks cannot be decoded, where it has none for so many cores, or where they are of
    another NPU than the calibration.
    """
    from rkbench.npu import WhatIf, predict_latency  # numpy: only runs on real boards are compared with it

    try:
        found = predict_latency(path, what_if=WhatIf(cores=cores), fitted=fitted)
    except ModelError:
        return None
    return PredictedLatency(found.latency_s, found.low_s, found.high_s, found.provisional)
