"""What the plan left unknown: iterations, readings, outputs; and that a run was simulated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import SINGLE_STREAM, SOAK

from rkbench.language.said import NOTHING, Said, clause, say
from rkbench.results.caveats.cures import MORE_TIME, ended_early, is_out_of_time, longer, longer_soak
from rkbench.results.caveats.rule import Evidence, Rule
from rkbench.results.model import Latency, RunResult
from rkbench.results.pairs import load_differences, turns_of
from rkbench.results.server import is_overloaded
from rkbench.stats.clusters import BUSY_PERIOD, LOAD
from rkbench.stats.figures import TIMES_TO_SEE_FURTHER, Statistic, lack_of_bounds, reads_for
from rkbench.stats.paired import UNITS_BEYOND, joint_confidence, loads_for, paired_difference
from rkbench.stats.signed_rank import fewest_differences

#: Fewer timed iterations than this are no basis for a percentile.
MINIMUM_ITERATIONS = 30
#: Fewer blocks than this show no drift and no difference between them; nor do fewer loads show a drift.
FEWEST_BLOCKS = 6
#: More than so many times what was measured is not worth naming.
_MOST_TIMES = 100
#: A wall clock before 2020 was never set: the board has no battery-backed clock and no network time.
CLOCK_SET_UNIX_NS = 1_577_836_800_000_000_000
_FEW_BLOCKS = clause("only {blocks} blocks: whether they differ, or the level moves, cannot be told")
_FEW_LOADS = clause("only {loads} loads: whether the level moves from load to load cannot be told")
_HAD_TOO_FEW = clause("{had}: {needed} are needed to say which is faster")
_NOT_PRECISE = clause("the plan ended before every difference was known to ±{percent:g} %")


def simulated(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Say that no NPU was involved."""
    if run.simulated:
        yield caveat(
            "simulated",
            say("no real NPU ran this: latency and sensors are not a board's"),
            say("repeat it on a board: --board NAME"),
        )


def _iterations(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    count = run.latency.count if run.latency else 0
    if 0 < count < MINIMUM_ITERATIONS:
        more = longer_soak(run, MINIMUM_ITERATIONS / count) if _is_soak(run) else "--iterations 100"
        advice = ended_early(run) or say("measure more: {more}", more=more)
        yield caveat("too_few_iterations", say("only {count} timed iterations", count=count), advice)
    elif run.latency and run.latency.p99_s is not None and not is_overloaded(run.server):
        found = _p99(run, run.latency, len(set(evidence.block_loads)))
        yield from (replace(item, advice=ended_early(run) or item.advice) for item in found)


def _is_soak(run: RunResult) -> bool:
    """Return whether its duration alone says how long it goes on."""
    return run.plan.scenario == SOAK


def _p99(run: RunResult, latency: Latency, loads: int) -> Iterator[Caveat]:
    """Say what the bounds of a p99 would need, where it has none for want of it."""
    needed, in_loads = reads_for(Statistic.P99), latency.bounds_unit == LOAD
    blocks = latency.busy_period_count or latency.block_count
    units = loads if in_loads else blocks
    if lack := lack_of_bounds(Statistic.P99, latency.count, units, latency.bounds_unit):
        each = math.ceil(latency.count / max(1, blocks))
        more = f"--iterations {max(needed.calls, 0 if in_loads else needed.blocks * each)}"
        if _is_soak(run):
            more = longer_soak(run, max(needed.calls / latency.count, needed.blocks / max(1, blocks)))
        few_loads = f", --loads {loads_for(1)}" if in_loads and loads < needed.loads else ""
        yield caveat(
            "p99_rough", lack, say("give it more: {more}{few_loads}", more=more, few_loads=few_loads)
        )
    elif latency.bounds_unit == BUSY_PERIOD and latency.bounds and latency.within(99.0).high_s is None:
        yield caveat(
            "p99_rough",
            say("too few busy periods reach p99: its upper bound lies beyond what was seen"),
            say(
                "more calls see further: --iterations {iterations}",
                iterations=TIMES_TO_SEE_FURTHER * latency.count,
            ),
        )


def _blocks(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    """Say that no drift could be seen: each load has a level of its own, so of several loads it is theirs."""
    blocks = run.latency.block_count if run.latency else 0
    loads = len(set(evidence.block_loads))
    if not blocks or run.plan.scenario != SINGLE_STREAM:
        return
    if blocks < FEWEST_BLOCKS:
        yield caveat(
            "few_blocks",
            _FEW_BLOCKS(blocks=blocks),
            ended_early(run) or say("measure longer: {longer}", longer=longer(run)),
        )
    elif 1 < loads < FEWEST_BLOCKS:
        yield caveat(
            "few_blocks",
            _FEW_LOADS(loads=loads),
            _more_loads(run),
        )


def _more_loads(run: RunResult) -> Said:
    loads = loads_for(run.plan.variants_in_push - 1)
    return ended_early(run) or say("leave --loads and --quads away, or: --loads {loads}", loads=loads)


def _quads(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    """Say that no interval of a difference can be exact: fewer loads, or quads of one load, than it takes."""
    plan, candidates = run.plan, run.plan.variants_in_push - 1
    in_turns = plan.interleave and candidates > 0 and plan.scenario == SINGLE_STREAM
    blocks = evidence.block_loads
    if not blocks or not in_turns or plan.loads is None:  # which plans of the first version had not
        return
    loads, needed = len(set(blocks)), fewest_differences(joint_confidence(candidates))
    units = len(blocks) // 2 if loads == 1 else loads
    if units < needed:
        yield caveat(
            "few_quads",
            _HAD_TOO_FEW(had=_had(units, are_quads=loads == 1), needed=needed),
            _more_loads(run),
        )


def _had(units: int, *, are_quads: bool) -> Said:
    if are_quads:
        return say("only {units} quad{s_} of the variants in turns", units=units, s_="s" * (units != 1))
    return say("only {units} loads of the variants in turns", units=units)


def _precision(run: RunResult, evidence: Evidence) -> Iterator[Caveat]:
    """Say that a plan with a precision went to its end, or to its time, before that was reached."""
    plan, blocks = run.plan, evidence.block_loads
    if plan.precision_percent is None or run.latency is None:
        return
    width = _widest_percent(evidence)
    if width is not None and width <= plan.precision_percent:
        return
    is_at_end = len(blocks) >= 2 * (plan.loads or 1) * (plan.quads or 1)
    if is_at_end or is_out_of_time(run):
        more = MORE_TIME if is_out_of_time(run) else _more_units(run, width)
        percent = _less_precise(plan.precision_percent, width)
        less = say("ask for less: --precision {percent}", percent=percent)
        yield caveat(
            "precision_not_reached",
            _NOT_PRECISE(percent=plan.precision_percent),
            say("{more}; or {less}", more=more, less=less) if more else less,
        )


def _more_units(run: RunResult, width: float | None) -> Said:
    """Return how many loads, or quads of one, make intervals of `width` percent as narrow as was asked.

    As many times as the square of the widths' ratio, and those measured beyond; "" where that is no number
    that anybody waits for. Without an interval: twice as many.
    """
    plan = run.plan
    times = 2.0 if width is None else (width / (plan.precision_percent or width)) ** 2
    beyond = 0 if width is None else UNITS_BEYOND
    if times > _MOST_TIMES:
        return NOTHING
    if plan.loads and plan.loads > 1:
        return say("give it more: --loads {loads}", loads=math.ceil(times * plan.loads) + beyond)
    # Two loads would be no more than four quads and carry no interval: one load grows by its quads.
    quads = math.ceil(times * (plan.quads or 1)) + beyond
    return say("give it more: --quads {quads}, leave --loads away", quads=quads)


def _less_precise(asked: float, width: float | None) -> str:
    """Return the precision, in percent, that was reached, rounded up to two digits; twice what was asked
    where nobody knows."""
    if width is None:
        return f"{2 * asked:g}"
    scale = 10.0 ** (1 - math.floor(math.log10(width)))
    return f"{math.ceil(width * scale) / scale:g}"


def _widest_percent(evidence: Evidence) -> float | None:
    """Return half the widest interval of the differences to the runs beside; None where one has none."""
    confidence = joint_confidence(len(evidence.beside))
    own, widths = turns_of(evidence.latencies), []
    for other in evidence.beside:
        found = paired_difference(load_differences(own, turns_of(other)), confidence=confidence)
        if found.low is None or found.high is None:
            return None
        widths.append((found.high - found.low) / 2 * 100)
    return max(widths, default=None)


def _readings(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    inside = run.readings.inside_count if run.readings else None
    if run.latency is not None and inside is not None and inside < 2:
        yield caveat(
            "few_readings",
            say("the timed part was too short to sample clocks and temperatures twice inside it"),
            ended_early(run) or say("measure longer: {longer}", longer=longer(run, 3)),
        )


def _golden(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.plan.golden_sha256 is None:
        yield caveat(
            "no_golden",
            say("no golden given: the outputs were not checked"),
            say("--golden FILE.npz, or --onnx MODEL.onnx"),
        )


def _board_clock(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    clock = run.board.clock_unix_ns
    if clock is not None and clock < CLOCK_SET_UNIX_NS:
        yield caveat(
            "board_clock",
            say("the board's clock was never set; times here are the host's"),
            say("on the board: timedatectl set-ntp true"),
        )


PLAN_RULES: tuple[Rule, ...] = (
    _iterations,
    _blocks,
    _quads,
    _precision,
    _readings,
    _golden,
    _board_clock,
)
