"""What a file foretells of its latency, for a run to stand beside."""

from __future__ import annotations

from pathlib import Path

from rkbench.errors import ModelError
from rkbench.runs.records import PredictedLatency


def foretold_latency(path: Path) -> PredictedLatency | None:
    """Return the predicted latency of a .rknn; None where its NPU tasks cannot be decoded."""
    from rkbench.npu import predict_latency  # numpy: only runs on real boards are compared with it

    try:
        found = predict_latency(path)
    except ModelError:
        return None
    return PredictedLatency(found.latency_s, found.low_s, found.high_s, found.provisional)
