"""The scenario `server` against M/D/1: how far its p99 lies from theory, in half-widths of its interval."""

from __future__ import annotations

import sys
from pathlib import Path

from caveat_claims import Row

sys.path.append(str(Path(__file__).parents[1] / "agent"))

from queue_theory import REPLICATIONS, replicated_p99_ns, theory_p99_ns  # the path must be set first

CALLS = 20_000
LOADS = (0.5, 0.7, 0.9)


def server_rows(load: float, calls: int = CALLS) -> list[Row]:
    """Return what was reached at a load, and whether that keeps its bound."""
    mean_ns, half_ns = replicated_p99_ns(load, calls)
    off = abs(mean_ns - theory_p99_ns(load)) / half_ns
    name = f"server at load {load:g}: p99 against M/D/1, in half-widths of {REPLICATIONS} replications"
    return [(name, "<= 1", off, off <= 1)]
