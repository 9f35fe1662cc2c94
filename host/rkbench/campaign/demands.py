"""What is asked for is measured: a plan is raised to what its gates need to be judged by an interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rkbench_agent.wire.plan import RunSettings

from rkbench.stats.figures import Reads, reads_for
from rkbench.stats.gates import Gate


def reads_of(gates: Iterable[Gate]) -> Reads:
    """Return what a run must have read so that every gate on its latency can be judged."""
    asked = Reads(1, 1)
    for gate in gates:
        if gate.quantity.statistic is not None:
            asked = asked.with_all_of(reads_for(gate.quantity.statistic))
    return asked


def carrying(settings: RunSettings, reads: Reads) -> RunSettings:
    """Return `settings` with at least so many iterations and blocks."""
    iterations, blocks = max(settings.min_iterations, reads.calls), max(settings.min_blocks, reads.blocks)
    return replace(settings, min_iterations=iterations, min_blocks=blocks)
