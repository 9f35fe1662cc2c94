"""Numbers that no board yields: a latency of nothing, memory below zero. They spoil what is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from rkbench_agent.wire.caveats import Caveat, caveat

from rkbench.language.said import say
from rkbench.results.caveats.rule import Evidence
from rkbench.results.latencies import RawLatencies
from rkbench.results.loads import LoadPhase
from rkbench.results.model import RunResult

#: A single inference of a day is none.
MOST_NS = 86_400 * 10**9
_ADVICE = say(
    "do not trust this run: look at the board's clock and driver, and report it with the run's JSON"
)


def impossible_numbers(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    """Yield a caveat where timed latencies (ns) or what loading took are out of any range."""
    wrong = impossible_latencies(evidence.latencies)
    if wrong:
        text = f"{len(wrong)} of {len(evidence.latencies.timed())} latencies are impossible, as {wrong[0]} ns"
        yield caveat("impossible_number", text, _ADVICE)
    phases = run.load.phases if run.load is not None else ()
    names = {f"{phase.name} {name}" for phase in phases for name in _negative(phase)}
    if names:
        yield caveat("impossible_number", f"less than nothing: {', '.join(sorted(names)[:4])}", _ADVICE)


def impossible_latencies(latencies: RawLatencies) -> list[int]:
    """Return the timed durations (ns) that no board yields."""
    return [duration for duration in latencies.timed() if not 0 < duration <= MOST_NS]


def _negative(phase: LoadPhase) -> Iterator[str]:
    for field in fields(phase):
        value = getattr(phase, field.name)
        if isinstance(value, (int, float)) and value < 0:
            yield field.name
