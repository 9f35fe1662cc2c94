"""What is asked for is measured: a plan is raised to what an interval of each quantity asked for needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.campaign.duration import Cost
from rkbench.campaign.scenarios import settings_for, with_calls_of_search
from rkbench.campaign.settings import PushOptions
from rkbench.results.events import Listener, Note, ignore
from rkbench.results.measures import QUANTITIES
from rkbench.stats.figures import Reads, reads_for
from rkbench.stats.gates import Quantity
from rkbench.units import format_about_seconds


def reads_of(quantities: Iterable[Quantity]) -> Reads:
    """Return what a run must have read so that all of these quantities can be judged."""
    asked = Reads(1, 1)
    for quantity in quantities:
        if statistic := quantity.statistic or quantity.inverse_of:
            asked = asked.with_all_of(reads_for(statistic))
    return asked


def complete_settings(
    options: PushOptions, environment: Environment, listener: Listener, costs: Sequence[Cost | None] = ()
) -> RunSettings:
    """Return the settings of a push with what is asked of it and what was left to the board, and tell both.

    `costs` are what its models cost before, as far as that is known.
    Raises UsageError for a placement that the board has not.
    """
    asked = {gate.text: gate.quantity for gate in options.gates}
    if options.minimize:
        asked[f"--minimize {options.minimize}"] = QUANTITIES[options.minimize]
    settings = with_calls_of_search(options.settings)
    if settings.scenario != SINGLE_STREAM:
        costs = ()  # a call waits for what others take
    return settings_for(raised(settings, asked, listener, costs), environment, listener)


def raised(
    settings: RunSettings,
    asked: Mapping[str, Quantity],
    listener: Listener = ignore,
    costs: Sequence[Cost | None] = (),
) -> RunSettings:
    """Return `settings` raised to what `asked` needs, by the words that ask, and tell what that adds."""
    found = carrying(settings, reads_of(asked.values()))
    if found != settings:
        named = ", ".join(
            text for text, quantity in asked.items() if quantity.statistic or quantity.inverse_of
        )
        more = max(0, found.min_iterations - settings.min_iterations)
        loads = f" through {found.loads} loads" if found.loads != settings.loads else ""
        took = f" ({more} more for each variant{_time(more, costs)})" if more else ""
        needs = f"{found.min_iterations} iterations in {found.min_blocks} blocks{loads} at least"
        listener(Note(f"{named}: {needs}{took}"))
    return found


def _time(calls: int, costs: Sequence[Cost | None]) -> str:
    """Return how long so many calls of all variants take, where all are known; "" where they are not."""
    known = [cost.call_s for cost in costs if cost is not None]
    return f": {format_about_seconds(calls * sum(known))}" if known and len(known) == len(costs) else ""


def carrying(settings: RunSettings, reads: Reads) -> RunSettings:
    """Return `settings` with at least so many iterations and blocks, and loads where there are several."""
    iterations, blocks = max(settings.min_iterations, reads.calls), max(settings.min_blocks, reads.blocks)
    loads = settings.loads if (settings.loads or 1) == 1 else max(settings.loads or 1, reads.loads)
    return replace(settings, min_iterations=iterations, min_blocks=blocks, loads=loads)
