"""What calls that arrive at random show of the one who serves them."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult
from rkbench.runs.server import told_try
from rkbench.units import format_rate

#: Of what was served at most: a queue at this load is short enough to settle within a thousand calls.
_SETTLED = 0.8


def _overloaded(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.server is None:
        return
    tried = told_try(run.server)
    if tried.queue_grew and tried.rate_per_s is not None:
        due, served = format_rate(tried.rate_per_s), format_rate(tried.served_per_s)
        yield caveat(
            "overloaded",
            f"{due} were due and {served} served: the queue grew, and latencies tell for how long",
            f"ask for what can be served (--rate {_SETTLED * tried.served_per_s:.3g}), or have it found:"
            " --find-rate --slo 'p99 <= 30ms'",
        )


SERVER_RULES: tuple[Rule, ...] = (_overloaded,)
