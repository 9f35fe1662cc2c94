"""What calls that arrive at random show of the one who serves them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rkbench_agent.wire.caveats import CLOCKS, Caveat, caveat

from rkbench.language.said import say
from rkbench.results.caveats.clocks import free_governors, shows_examples
from rkbench.results.caveats.cures import stiller
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult
from rkbench.results.server import ServerTry, told_try
from rkbench.units import format_rate, format_seconds

#: Of what was served at most: a queue at this load is short enough to settle within a thousand calls.
_SETTLED = 0.8
#: Rates at which the board itself is slower by less than this are compared all the same: a search looks for
#: what can be served to 3 %, and of six rates at sd 1 % the slowest lies 2.5 % from the quickest on average.
SMALLEST_DIFFERENCE = 0.05


def _overloaded(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.server is None:
        return
    tried = told_try(run.server)
    if tried.queue_grew and tried.rate_per_s is not None:
        due, served = format_rate(tried.rate_per_s), format_rate(tried.served_per_s)
        yield caveat(
            "overloaded",
            f"{due} were due and {served} served: the queue grew, and latencies tell for how long",
            say(
                "ask for what can be served (--rate {rate:.3g}), or have it found:"
                " --find-rate --slo 'p99 <= 30ms'",
                rate=_SETTLED * tried.served_per_s,
            ),
        )


def _levels_differ(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Rates that were served by what is no longer the same board: none of them says what another would do.

    With several contexts a call that began alone may be slowed by the next: nothing is said of these.
    """
    known = [item for item in run.server.tries if item.unqueued_s] if run.server else []
    if not known or list(run.plan.contexts) != [1]:
        return
    quick, slow = min(known, key=_level), max(known, key=_level)
    if not _is_slower(slow, quick):
        return
    found = caveat(
        "levels_differ",
        f"calls that waited for none took {_told(quick)} and {_told(slow)}: the board was not the same at"
        " all rates, and the goodput is of no one state of it",
        stiller(run),
    )
    # Clocks that follow the load follow the rate: no more is known against the run.
    follows = bool(free_governors(run)) and not shows_examples(run)
    yield replace(found, weight=CLOCKS) if follows else found


def _level(tried: ServerTry) -> float:
    return tried.unqueued_s or 0.0


def _told(tried: ServerTry) -> str:
    where = "always busy" if tried.rate_per_s is None else f"at {format_rate(tried.rate_per_s)}"
    return f"{format_seconds(tried.unqueued_s)} {where}"


def _is_slower(slow: ServerTry, quick: ServerTry) -> bool:
    """Return whether one try's calls are slower than the other's by what matters, and beyond chance."""
    low, high = slow.unqueued_low_s, quick.unqueued_high_s
    known = low is not None and high is not None and low > high
    return known and _level(slow) > (1 + SMALLEST_DIFFERENCE) * _level(quick)


SERVER_RULES: tuple[Rule, ...] = (_overloaded, _levels_differ)
