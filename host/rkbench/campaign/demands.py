"""What is asked for is measured: a plan is raised to what its gates need to be judged by an interval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings

from rkbench.campaign.scenarios import settings_for
from rkbench.campaign.settings import PushOptions
from rkbench.runs.events import Listener, Note, ignore
from rkbench.stats.figures import Reads, reads_for
from rkbench.stats.gates import Gate
from rkbench.units import format_seconds


def reads_of(gates: Iterable[Gate]) -> Reads:
    """Return what a run must have read so that every gate on its latency can be judged."""
    asked = Reads(1, 1)
    for gate in gates:
        if gate.quantity.statistic is not None:
            asked = asked.with_all_of(reads_for(gate.quantity.statistic))
    return asked


def complete_settings(options: PushOptions, environment: Environment, listener: Listener) -> RunSettings:
    """Return the settings of a push with what its gates need and what was left to the board, and tell both.

    Raises UsageError for a placement that the board has not.
    """
    return settings_for(raised(options.settings, options.gates, listener), environment, listener)


def raised(settings: RunSettings, gates: Iterable[Gate], listener: Listener = ignore) -> RunSettings:
    """Return `settings` raised to what `gates` need, and tell what that adds."""
    gates = tuple(gates)
    asked = carrying(settings, reads_of(gates))
    if asked != settings:
        named = ", ".join(gate.text for gate in gates if gate.quantity.statistic is not None)
        more = max(0, asked.min_iterations - settings.min_iterations)
        took = (
            f" ({more} more: {format_seconds(more * 0.01)} at 10 ms a call, for each variant)" if more else ""
        )
        needs = f"{asked.min_iterations} iterations in {asked.min_blocks} blocks at least"
        listener(Note(f"{named}: {needs}{took}"))
    return asked


def carrying(settings: RunSettings, reads: Reads) -> RunSettings:
    """Return `settings` with at least so many iterations and blocks."""
    iterations, blocks = max(settings.min_iterations, reads.calls), max(settings.min_blocks, reads.blocks)
    return replace(settings, min_iterations=iterations, min_blocks=blocks)
