"""Latencies that lie in two or three heaps, with the clocks that were read under each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import AUTO

from rkbench.language.said import Said, say
from rkbench.results.caveats.cures import is_held, not_held
from rkbench.results.caveats.rule import Evidence
from rkbench.results.model import RunResult
from rkbench.units import format_hertz, format_ratio, format_seconds

if TYPE_CHECKING:
    from rkbench.stats.modes import Mode

_BY_CLOCK = say("the clock makes them: hold it still with --pin")
_SEE = say("see when: bench export --raw --csv FILE.csv")


def modes_caveat(run: RunResult, evidence: Evidence) -> Caveat | None:
    """Return what the heaps are, or None where the latencies form one."""
    from rkbench.stats.modes import find_modes  # with numpy: only where there are latencies

    modes = find_modes(evidence.latencies.timed())
    if not modes:
        return None
    clocks = [_clocks(evidence, mode) for mode in modes]
    told = [_mode(mode, clock) for mode, clock in zip(modes, clocks, strict=True)]
    known = [clock for clock in clocks if clock]
    by_clock = len(known) == len(modes) and len({tuple(clock) for clock in known}) == len(modes)
    message = f"latencies lie in {len(modes)} heaps, which no mean describes: {', '.join(told)}"
    return caveat("modes", message, _advice(run, by_clock=by_clock))


def _advice(run: RunResult, *, by_clock: bool) -> Said:
    if by_clock:
        return not_held(run) if is_held(run) else _BY_CLOCK
    one, held = say("one core (--cores 0)"), say("held clocks (--pin)")
    ways = [what for what, is_new in ((one, run.plan.core_mask == AUTO), (held, not is_held(run))) if is_new]
    if not ways:
        return _SEE
    told = say("one core (--cores 0) and held clocks (--pin)") if len(ways) > 1 else ways[0]
    return say("try {ways}; {see}", ways=told, see=_SEE)


def _mode(mode: Mode, clocks: Sequence[int]) -> str:
    text = f"{format_ratio(mode.share)} at {format_seconds(mode.value / 1e9)}"
    if not clocks:
        return text
    low, high = format_hertz(clocks[0]), format_hertz(clocks[-1])
    return f"{text} (NPU at {low if low == high else f'{low} to {high}'})"


def _clocks(evidence: Evidence, mode: Mode) -> list[int]:
    """Return the distinct NPU clocks that were read while the last call before lay in that heap."""
    starts, durations = evidence.latencies.timed("start_ns"), evidence.latencies.timed()
    found = set()
    for reading in evidence.readings:
        place = bisect_right(starts, reading.time_ns) - 1
        if reading.npu_clock_hz is not None and place >= 0 and mode.low <= durations[place] <= mode.high:
            found.add(reading.npu_clock_hz)
    return sorted(found)
