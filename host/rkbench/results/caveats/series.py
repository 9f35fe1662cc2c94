"""What the latencies themselves show, block by block and load by load. Sources and rates: docs/method.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from rkbench_agent.wire.caveats import INFORMATION, Caveat, caveat
from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.language.said import NOTHING, say
from rkbench.results.caveats.cures import is_held, steadier, warmer
from rkbench.results.caveats.modes import modes_caveat
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import RunResult
from rkbench.results.server import is_overloaded
from rkbench.stats.clusters import BLOCK, BUSY_PERIOD, LOAD, Unit
from rkbench.units import format_seconds

if TYPE_CHECKING:
    from rkbench.stats.levels import Start

#: Blocks whose levels lie closer together do not differ, however sure that is.
SMALLEST_SPREAD = 0.005
#: A memory of levels that lie closer together than this changes no figure.
SMALLEST_MEMORY = 0.002
#: Levels of a scenario's steps that wander by less (standard deviation, 2 %) move no rate that anybody minds.
SMALLEST_WANDER = 0.02


def _levels(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    """What the levels do; and that percentiles have no bounds, where nothing of that says why."""
    told = list(_of_levels(run, evidence))
    yield from told
    explained = _WANDERING.intersection(found.code for found in told) or is_overloaded(run.server)
    if run.latency is not None and run.latency.has_long_memory and not explained:
        found = _autocorrelated(run, run.latency.bounds_unit)
        # Of steps, which are not looked at block by block, it is all that tells of a board that changed.
        far = run.plan.scenario != SINGLE_STREAM and (run.latency.wander_ratio or 0.0) >= SMALLEST_WANDER
        yield found if far else replace(found, weight=INFORMATION)


#: Each of them shows in block medians that resemble their neighbours.
_WANDERING = {"modes", "slow_start", "drift", "autocorrelated"}


def _of_levels(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    """Modes; else a slow start, and what the levels of the blocks after it do."""
    from rkbench.stats import levels  # with numpy: only where there are latencies

    loads: Sequence[Sequence[Sequence[int]]] = evidence.latencies.timed_loads()
    if not loads:
        return
    modes = modes_caveat(run, evidence)
    if modes is not None:
        yield modes
        return
    starts = [levels.find_start(load, levels.SMALLEST_RATIO) for load in loads]
    slow = [start for start in starts if start is not None and start.ratio > 1 + levels.SMALLEST_RATIO]
    if len(slow) > sum(start is not None for start in starts) / 2:
        yield _slow_start(run, slow)
        taken = (max(1, start.blocks) if start in slow and start is not None else 0 for start in starts)
        loads = [load[count:] for load, count in zip(loads, taken, strict=True)]
    yield from _turns([block for load in loads for block in load])
    yield from _moving(run, loads)


def _moving(run: RunResult, loads: Sequence[Sequence[Sequence[int]]]) -> Iterator[Caveat]:
    from rkbench.stats import levels
    from rkbench.stats.serial import FEWEST_BLOCKS, LIMIT_Z, serial_z

    # Each load has a level of its own: where there are several, the load is the unit.
    units = loads[0] if len(loads) == 1 else [list(chain(*load)) for load in loads]
    heights = levels.block_levels(units)
    # Levels of loads scatter by themselves: few of them have to be surer to make a drift.
    drift = levels.find_drift(heights, sure=len(loads) > 1)
    drifts = drift is not None and drift.matters
    if drift is not None and drift.matters:
        yield caveat(
            "drift",
            say(
                "latency drifted by {ratio:+.1f} % from the first block to the last ({sure} %: {low:+.1f} to"
                " {high:+.1f} %)",
                ratio=drift.ratio * 100,
                sure="99" if len(loads) > 1 else "95",
                low=drift.low * 100,
                high=drift.high * 100,
            ),
            steadier(run),
        )
    rest = levels.without_drift(heights, drift) if drifts else heights
    spread = levels.find_spread(loads)
    if spread is None:
        return
    if spread.p_value < levels.RARE and spread.sd >= SMALLEST_SPREAD and not drifts:
        yield caveat(
            "blocks_differ",
            say(
                "blocks lie apart by {sd:.1f} % (standard deviation) more than their calls explain",
                sd=spread.sd * 100,
            ),
            steadier(run),
        )
    wanders = len(rest) >= FEWEST_BLOCKS and serial_z(rest) > LIMIT_Z
    if wanders and levels.relative_deviation(rest) >= SMALLEST_MEMORY:
        yield _autocorrelated(run, BLOCK if len(loads) == 1 else LOAD)


def _autocorrelated(run: RunResult, unit: Unit) -> Caveat:
    units = say("blocks") if unit == BLOCK else say("loads")
    if unit == BUSY_PERIOD:
        units = say("calls that waited for none")
    return caveat(
        "autocorrelated",
        say(
            "{units} resemble those before: the level wanders, and percentiles have no bounds",
            units=units,
        ),
        say(
            "{pin}look for what changes slowly: heat, clocks, other load",
            pin=NOTHING if is_held(run) else say("hold the clocks still (--pin), or "),
        ),
    )


def _slow_start(run: RunResult, starts: Sequence[Start]) -> Caveat:
    least = min(start.ratio for start in starts) - 1
    return caveat(
        "slow_start",
        say(
            "the first calls took {least:.0f} % longer than the blocks of the second half",
            least=least * 100,
        ),
        say("give it more calls to warm up: {warmer}", warmer=warmer(run)),
    )


def _turns(blocks: Sequence[Sequence[int]]) -> Iterator[Caveat]:
    from rkbench.stats import levels

    turns = levels.find_slow_turns(blocks)
    if turns is not None and turns.p_value < levels.RARE and turns.ratio > 1 + levels.SMALLEST_RATIO:
        yield caveat(
            "slow_turns",
            say(
                "the first call of a block takes {longer:.0f} % longer than its others: p99 depends on how"
                " long a turn is",
                longer=(turns.ratio - 1) * 100,
            ),
            say("measure one variant alone, or one after the other: --no-interleave"),
        )


def _periodic(_: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    from rkbench.stats.periodic import find_period

    # The first call of a block is left out: a slow one comes in the rhythm of the blocks.
    calls = [call for block in evidence.latencies.timed_block_calls() for call in block[1:]]
    period_ns = find_period([start for start, _ in calls], [duration for _, duration in calls])
    if period_ns is not None:
        yield caveat(
            "periodic",
            say(
                "slow calls come every {period}: something else runs in that rhythm",
                period=format_seconds(period_ns / 1e9),
            ),
            say("find what the board does so often (top, systemctl list-timers), and stop it meanwhile"),
        )


SERIES_RULES: tuple[Rule, ...] = (_levels, _periodic)
