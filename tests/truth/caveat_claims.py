"""What rkbench claims of its caveats: runs of the virtual board's latency model with one truth in them each.

The truths are those of behaviour files (`agent/rkbench_agent/runtimes/behaviour.py`), so that each can be
staged end to end as well. A run has 30 s of calls of 10 ms, in blocks of 20; within a block they scatter by
1 % (lognormal).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from rkbench.results.caveats import caveats_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.records import BoardRecord, PlanRecord, Variant
from rkbench_agent.runtimes.behaviour import Behaviour
from rkbench_agent.runtimes.latency_model import LatencyModel, Work
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.provenance import ALL_MEASURED

#: Thresholds were chosen on other seeds (100000 and up).
SEEDS = 3588000
SECONDS = 30.0
BLOCK = 20
Row = tuple[str, str, float, bool]
"""What is claimed, its bound, what was reached, and whether that keeps it."""
RUN = RunResult(
    *("r", "p", "2026-11-26T00:00:00.000+00:00", "0.1.0"),
    simulated=False,
    partial=False,
    verdict="VALID",
    provenance=ALL_MEASURED,
    board=BoardRecord("desk"),
    variant=Variant("model", "a" * 64, 1),
    plan=PlanRecord(golden_sha256="a" * 64),
)


def staged(behaviour: dict[str, Any], seed: int, seconds: float = SECONDS) -> RawLatencies:
    """Return the latencies of one run of that length on a board with that behaviour."""
    values = {"latency": {"median_ms": 10.0, "sigma": 0.01}, **behaviour}
    model, raw = LatencyModel("rk3588", Work(0, 0, 0, 0), Behaviour(values), seed), RawLatencies()
    model.begin_load(0)
    for batch in batches(model, seconds):
        raw.append(batch)
    return raw


def batches(model: LatencyModel, seconds: float) -> Iterator[Latencies]:
    """Yield the blocks of a run of that length, with the stages of its calls."""
    clock_ns, block = 0, 0
    while clock_ns < seconds * 1e9:
        model.begin_block(clock_ns)
        runs = [model.next_run_ns(block * BLOCK + call) for call in range(BLOCK)]
        beside_ns = model.set_inputs_ns + model.get_outputs_ns + model.host_ns
        durations = [run_ns + beside_ns for run_ns in runs]
        starts = list(accumulate(durations[:-1], initial=clock_ns))
        inputs, outputs = [model.set_inputs_ns] * BLOCK, [model.get_outputs_ns] * BLOCK
        yield Latencies(RUN.id, block, False, starts, durations, inputs, runs, outputs)
        clock_ns, block = starts[-1] + durations[-1], block + 1


def through_loads(behaviour: dict[str, Any], seed: int, loads: int = 7, blocks: int = 4) -> RawLatencies:
    """Return the latencies of a variant in a push of several: a few blocks of each of its loads."""
    values = {"latency": {"median_ms": 10.0, "sigma": 0.01}, **behaviour}
    raw, clock_ns = RawLatencies(), 0
    for load in range(loads):
        model = LatencyModel("rk3588", Work(0, 0, 0, 0), Behaviour(values), seed)  # as a worker does
        model.begin_load(clock_ns)
        for block in range(blocks):
            model.begin_block(clock_ns)
            durations = [model.next_run_ns(block * BLOCK + call) for call in range(BLOCK)]
            starts = list(accumulate(durations[:-1], initial=clock_ns))
            clock_ns = starts[-1] + durations[-1]
            raw.append(Latencies("r", load * blocks + block, False, starts, durations, load=load))
    return raw


def said_of(raw: RawLatencies) -> set[str]:
    """Return the codes of what is said of a run with those latencies."""
    return {found.code for found in caveats_of(RUN, raw)}


def raised(behaviour: dict[str, Any], seed: int) -> set[str]:
    """Return the codes of what is said of a run of 30 s."""
    return said_of(staged(behaviour, seed))


@dataclass(frozen=True)
class CaveatTruth:
    """A behaviour, and the caveat that has to name it."""

    name: str
    code: str
    behaviour: dict[str, Any]


QUIET = {"block": 0.001}
THIRDS = [{"share": 0.34, "factor": 1}, {"share": 0.33, "factor": 1.15}, {"share": 0.33, "factor": 1.3}]
TRUTHS = (
    CaveatTruth("drift of 5 %", "drift", {"scatter": QUIET, "drift": {"ratio": 0.05, "over_s": 30}}),
    CaveatTruth(
        "drift of 5 %, sd between blocks 0.5 %",
        "drift",
        {"scatter": {"block": 0.005}, "drift": {"ratio": 0.05, "over_s": 30}},
    ),
    CaveatTruth(
        "the first 20 calls 50 % slower",
        "slow_start",
        {"scatter": QUIET, "cold": {"calls": 20, "factor": 1.5}},
    ),
    CaveatTruth(
        "the first call of each block 20 % slower",
        "slow_turns",
        {"scatter": QUIET, "slow_turns": {"calls": 1, "factor": 1.2}},
    ),
    CaveatTruth(
        "+5 ms every 977 ms", "periodic", {"scatter": QUIET, "periodic": {"every_s": 0.977, "extra_ms": 5}}
    ),
    CaveatTruth("sd between blocks 1 %", "blocks_differ", {"scatter": {"block": 0.01}}),
    CaveatTruth("AR(1) 0.99 of sd 4 %", "autocorrelated", {"wander": {"memory": 0.99, "sd": 0.04}}),
    CaveatTruth("three equal modes 15 % apart", "modes", {"scatter": QUIET, "modes": THIRDS}),
    CaveatTruth(
        "two equal modes 8 % apart",
        "modes",
        {"scatter": QUIET, "modes": [{"share": 0.5, "factor": 1}, {"share": 0.5, "factor": 1.08}]},
    ),
    CaveatTruth(
        "a clock that flaps each 0.5 s by x1.5",
        "modes",
        {"scatter": QUIET, "flapping": {"factor": 1.5, "period_s": 0.5}},
    ),
    CaveatTruth(
        "a clock that throttles by x1.8 after 20 s",
        "modes",
        {"scatter": QUIET, "throttling": {"factor": 1.8, "after_s": 20}},
    ),
)
HEALTHY = {"scatter": QUIET}
#: A healthy variant in a push of several: loads whose levels lie 1 % apart.
HEALTHY_LOADS = {"scatter": {"block": 0.001, "load": 0.01}}
FOUND = 0.99
#: Of healthy runs each rule may speak in one of a hundred; all together leave 93 without a doubt.
HEALTHY_BOUNDS = dict.fromkeys(
    ("drift", "slow_start", "slow_turns", "periodic", "blocks_differ", "modes"), 0.01
) | {"autocorrelated": 0.03}
HEALTHY_VALID = 0.93


def found_rows(truth: CaveatTruth, runs: int) -> list[Row]:
    """Return in how many of so many runs the caveat of a truth is said."""
    rate = sum(truth.code in raised(truth.behaviour, SEEDS + number) for number in range(runs)) / runs
    return [(f"{truth.name}: {truth.code}", f">= {FOUND:g}", rate, rate >= FOUND)]


def healthy_rows(runs: int) -> list[Row]:
    """Return how often each caveat is said of healthy runs, and of how many nothing is."""
    alone = [raised(HEALTHY, SEEDS + number) for number in range(runs)]
    loads = [said_of(through_loads(HEALTHY_LOADS, SEEDS + number)) for number in range(runs)]
    return [
        *_healthy_rows("healthy, 30 s", alone),
        *_healthy_rows("healthy, 7 loads, sd per load 1 %", loads),
    ]


def _healthy_rows(name: str, found: Sequence[set[str]]) -> Iterator[Row]:
    for code, bound in HEALTHY_BOUNDS.items():
        rate = sum(code in codes for codes in found) / len(found)
        yield f"{name}: {code}", f"<= {bound:g}", rate, rate <= bound
    rate = sum(not codes for codes in found) / len(found)
    yield f"{name}: nothing said", f">= {HEALTHY_VALID:g}", rate, rate >= HEALTHY_VALID
