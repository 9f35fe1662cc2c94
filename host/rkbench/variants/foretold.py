"""What a file foretells of its latency, for a run to stand beside."""

from __future__ import annotations

from pathlib import Path

from rkbench.errors import ModelError
from rkbench.runs.records import PredictedLatency


def foretold_latency(path: Path, cores: int = 1) -> PredictedLatency | None:
    """Return the predicted latency of a .rknn on so many cores, on several without a band.

    None where its NPU tasks cannot be decoded, or where it has none for so many cores.
    """
    from rkbench.npu import WhatIf, predict_latency  # numpy: only runs on real boards are compared with it

    try:
        found = predict_latency(path, what_if=WhatIf(cores=cores))
    except ModelError:
        return None
    return PredictedLatency(found.latency_s, found.low_s, found.high_s, found.provisional)
