"""What the plan left unknown: iterations, readings, outputs; and that a run was simulated."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.caveats import Caveat, caveat
from rkbench_agent.wire.words import SINGLE_STREAM

from rkbench.runs.caveats.rule import Evidence, Rule
from rkbench.runs.model import RunResult
from rkbench.stats.quantiles import FEWEST_CALLS_OF_TAIL

#: Fewer timed iterations than this are no basis for a percentile.
MINIMUM_ITERATIONS = 30
#: Fewer blocks than this show no drift and no difference between them.
FEWEST_BLOCKS = 6
#: A wall clock before 2020 was never set: the board has no battery-backed clock and no network time.
CLOCK_SET_UNIX_NS = 1_577_836_800_000_000_000


def simulated(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    """Say that no NPU was involved."""
    if run.simulated:
        yield caveat(
            "simulated",
            "a virtual board ran this: latency and sensors are not a real NPU's",
            "repeat it on a board: --board NAME",
        )


def _iterations(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    count = run.latency.count if run.latency else 0
    if 0 < count < MINIMUM_ITERATIONS:
        yield caveat("too_few_iterations", f"only {count} timed iterations", "measure more: --iterations 100")
    elif run.latency and run.latency.p99_s is not None and count < FEWEST_CALLS_OF_TAIL:
        needs = f"{FEWEST_CALLS_OF_TAIL} iterations are needed for its interval"
        yield caveat(
            "p99_rough", f"p99 is of {count} iterations: {needs}", f"--iterations {FEWEST_CALLS_OF_TAIL}"
        )


def _blocks(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    count = run.latency.block_count if run.latency else 0
    if 0 < count < FEWEST_BLOCKS and run.plan.scenario == SINGLE_STREAM:
        yield caveat(
            "few_blocks",
            f"only {count} blocks: whether they differ, or the level moves, cannot be told",
            "measure longer: --duration 30",
        )


def _readings(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    inside = run.readings.inside_count if run.readings else None
    if run.latency is not None and inside is not None and inside < 2:
        yield caveat(
            "few_readings",
            "the timed part was too short to sample clocks and temperatures twice inside it",
            "measure longer: --duration 3",
        )


def _golden(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    if run.plan.golden_sha256 is None:
        yield caveat(
            "no_golden",
            "no golden given: the outputs were not checked",
            "--golden FILE.npz, or --onnx MODEL.onnx",
        )


def _board_clock(run: RunResult, _: Evidence) -> Iterator[Caveat]:
    clock = run.board.clock_unix_ns
    if clock is not None and clock < CLOCK_SET_UNIX_NS:
        yield caveat(
            "board_clock",
            "the board's clock was never set; times here are the host's",
            "on the board: timedatectl set-ntp true",
        )


PLAN_RULES: tuple[Rule, ...] = (_iterations, _blocks, _readings, _golden, _board_clock)
