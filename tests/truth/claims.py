"""What rkbench claims of its statistics: each claim stages a truth many times and counts what is said of it.

`make truth` runs all with many trials and prints the table of docs/method.md; the tests run each with few,
a fixed seed, and bounds that leave room for chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.model import Latency
from rkbench.runs.parts import latency
from rkbench.stats.figures import Statistic
from rkbench.stats.gates import FAIL, Gate, Quantity
from rkbench.stats.judging import judge_latency_budget
from rkbench.stats.paired import (
    FASTER,
    NO_DIFFERENCE,
    SLOWER,
    PairedDifference,
    joint_confidence,
    loads_for,
    paired_difference,
    quad_difference,
)
from rkbench.stats.quantiles import quantiles
from rkbench.stats.serial import wanders
from rkbench.stats.shares import tail_difference
from rkbench.units import SECONDS
from rkbench_agent.wire.messages import Latencies
from worlds import Array, World, quads, with_outliers

Source = np.random.Generator


@dataclass(frozen=True)
class Claim:
    """A rate (0..1) of which rkbench says that it is `at_most` or `at_least` something."""

    name: str
    happens: Callable[[Source], bool]
    at_most: float | None = None
    at_least: float | None = None
    cost: int = 1
    """How many usual trials one takes: the tests make as many fewer."""

    def rate(self, source: Source, trials: int) -> float:
        """Return how often it happened in `trials`."""
        return sum(self.happens(source) for _ in range(trials)) / trials

    def allows(self, rate: float, trials: int) -> bool:
        """Return whether a rate seen in `trials` keeps the claim, three standard errors granted."""
        if self.at_most is not None:
            return rate <= self.at_most + 3 * np.sqrt(self.at_most * (1 - self.at_most) / trials)
        assert self.at_least is not None
        return rate >= self.at_least - 3 * np.sqrt(self.at_least * (1 - self.at_least) / trials)


def one_load(source: Source, world: World, shift: float, count: int = 12) -> PairedDifference:
    """Compare two variants of one load each, over quads."""
    return paired_difference([[quad_difference(quad) for quad in quads(source, world, shift, count=count)]])


def through_loads(source: Source, world: World, shift: float, candidates: int = 1) -> PairedDifference:
    """Compare two variants over as many loads as `candidates` ask for, two quads each."""
    loads = [
        [quad_difference(quad) for quad in quads(source, world, shift, count=2)]
        for _ in range(loads_for(candidates))
    ]
    return paired_difference(loads, confidence=joint_confidence(candidates))


def is_decided(found: PairedDifference) -> bool:
    """Return whether it says faster or slower."""
    return found.judgement in (FASTER, SLOWER)


def excludes_zero(found: PairedDifference) -> bool:
    """Return whether 0 lies outside the interval."""
    assert found.low is not None and found.high is not None
    return found.low > 0 or found.high < 0


def covers(found: PairedDifference, shift: float) -> bool:
    """Return whether the interval holds the truth."""
    assert found.low is not None and found.high is not None
    return found.low <= shift <= found.high


def comparison_claims() -> list[Claim]:
    """Two variants in one push, and through loads."""
    claims: list[Claim] = []
    for block in (0.0, 0.005, 0.01, 0.02):
        world, told = World(block=block), f"sd between blocks {block * 100:g} %"
        claims += [
            Claim(f"A/A, {told}: a false verdict", lambda s, w=world: is_decided(one_load(s, w, 0)), 0.05),
            Claim(
                f"A/A, {told}: interval excludes 0",
                lambda s, w=world: excludes_zero(one_load(s, w, 0)),
                0.065,
            ),
            Claim(
                f"+3 %, {told}: slower", lambda s, w=world: _says(one_load(s, w, 0.03), SLOWER), None, 0.95
            ),
            Claim(
                f"+2 %, {told}: no difference",
                lambda s, w=world: _says(one_load(s, w, 0.02), NO_DIFFERENCE),
                0.05,
            ),
            Claim(
                f"+3 %, {told}: interval covers",
                lambda s, w=world: covers(one_load(s, w, 0.03), 0.03),
                None,
                0.93,
            ),
        ]
    loads, told = World(block=0.005, load=0.01), "through loads, sd per load 1 %"
    claims += [
        Claim(f"A/A, {told}: a false verdict", lambda s: is_decided(through_loads(s, loads, 0)), 0.05),
        Claim(f"+3 %, {told}: slower", lambda s: _says(through_loads(s, loads, 0.03), SLOWER), None, 0.9),
        Claim(f"10 equal candidates, {told}: any false verdict", lambda s: _any_of_ten(s, loads), 0.06),
    ]
    return claims


def _says(found: PairedDifference, judgement: str) -> bool:
    return found.judgement == judgement


def _any_of_ten(source: Source, world: World) -> bool:
    """Ten candidates against one baseline, whose blocks they share."""
    count, confidence = loads_for(10), joint_confidence(10)
    base = [world.calls(source, 4, 20, world.load_level(source)) for _ in range(count)]
    for _ in range(10):
        loads = []
        for a in base:
            b = world.calls(source, 4, 20, world.load_level(source))
            loads.append([quad_difference((a[i], b[i], b[i + 1], a[i + 1])) for i in (0, 2)])
        if is_decided(paired_difference(loads, confidence=confidence)):
            return True
    return False


QUANTILE_WORLDS = {
    "iid lognormal": World(),
    "iid bimodal": World(shape="bimodal"),
    "iid Pareto": World(shape="pareto"),
    "sd between blocks 0.5 %": World(block=0.005),
    "sd between blocks 1 %": World(block=0.01),
    "sd between blocks 2 %": World(block=0.02),
}


def quantile_claims() -> list[Claim]:
    """Intervals of p50, p90 and p99 of 20 blocks of 50 calls."""
    claims = []
    for name, world in QUANTILE_WORLDS.items():
        truths = _true_quantiles(world)
        for percent in (50.0, 90.0, 99.0):
            least = 0.84 if world.block == 0.02 and percent == 99 else 0.92

            def holds(s: Source, w: World = world, p: float = percent, t: float = truths[percent]) -> bool:
                (found,) = quantiles(list(w.calls(s, 20, 50)), [p])
                return found.low is not None and found.low <= t and (found.high is None or t <= found.high)

            claims.append(
                Claim(f"p{percent:g} of 20 x 50 calls, {name}: interval covers", holds, None, least)
            )
    return claims


def _true_quantiles(world: World) -> dict[float, float]:
    calls = world.calls(np.random.default_rng(1), 200_000, 10).ravel()
    return {percent: float(np.percentile(calls, percent)) for percent in (50.0, 90.0, 99.0)}


def bound_claims() -> list[Claim]:
    """What is asked of bounds beside what they cover: their width, and none where memory is long."""
    wandering = World(block=0.04, memory=0.99)
    claims = [
        Claim(
            "AR(1) 0.99 of sd 4 %, 40 blocks of 50: percentiles without bounds",
            lambda s: _summary(wandering.calls(s, 40, 50)).bounds == (),
            None,
            0.99,
        )
    ]
    for percent, calls in ((50.0, 50), (90.0, 50), (99.0, 50)):
        claims.append(
            Claim(
                f"p{percent:g} of 20 x {calls} calls, iid lognormal: wider than 1.25 times order statistics",
                lambda s, p=percent, n=calls: _width_ratio(World().calls(s, 20, n), p) > 1.25,
                0.5,
            )
        )
    return claims


def _width_ratio(calls: Array, percent: float) -> float:
    """Return the width of the bounds against that of the order statistics of independent calls."""
    from scipy.stats import binom

    (found,) = quantiles(list(calls), [percent])
    ordered, count, share = np.sort(calls.ravel()), calls.size, percent / 100
    low, high = int(binom.ppf(0.025, count, share)) - 1, int(binom.ppf(0.975, count, share))
    assert found.low is not None
    top = ordered[-1] if found.high is None else found.high
    return float((top - found.low) / (ordered[min(high, count - 1)] - ordered[low]))


def _summary(calls: Array) -> Latency:
    raw = RawLatencies()
    for block, durations in enumerate((calls * 1e6).astype(int).tolist()):
        raw.append(Latencies("r", block, False, [0] * len(durations), durations))
    found = latency(raw)
    assert found is not None
    return found


def budget_claims() -> list[Claim]:
    """A budget that lies exactly at the truth, judged once, and twice as a night does where it failed."""
    claims = []
    for name, world in (("iid lognormal", World()), ("sd between blocks 1 %", World(block=0.01))):
        limit = _true_quantiles(world)[99.0]
        told = f"budget p99 at its own limit, {name}"
        claims += [
            Claim(f"{told}: fails at once", lambda s, w=world, x=limit: _fails(s, w, x), 0.05),
            Claim(
                f"{told}: red (fails twice)",
                lambda s, w=world, x=limit: _fails(s, w, x) and _fails(s, w, x),
                0.01,
            ),
        ]
    return claims


def _fails(source: Source, world: World, limit: float) -> bool:
    gate = Gate("p99", Quantity("p99", SECONDS, statistic=Statistic.P99), limit=limit)
    calls = world.calls(source, 50, 20)
    return judge_latency_budget(gate, (None, 1.0), list(calls)).state == FAIL


def serial_claims() -> list[Claim]:
    """Runs with a long memory are told from healthy ones."""
    wandering, healthy = World(block=0.04, memory=0.99), World()
    return [
        Claim(
            "AR(1) 0.99 of sd 4 %, 40 blocks of 50: called autocorrelated",
            lambda s: wanders(wandering.calls(s, 40, 50).tolist()),
            None,
            0.99,
        ),
        Claim(
            "healthy, 40 blocks of 50: called autocorrelated",
            lambda s: wanders(healthy.calls(s, 40, 50).tolist()),
            0.03,
        ),
    ]


def tail_claims() -> list[Claim]:
    """2 % of the calls take 1.2 times as long; B's 1.5 times."""
    return [
        Claim("p99 by shares, A/A, 1,200 calls: tails differ", lambda s: _tails(s, 50, 1.2), 0.065),
        Claim(
            "p99 by shares, A/A through 7 loads of sd 1 %, 1,400 calls: tails differ",
            lambda s: _tails_through_loads(s, 1.2),
            0.065,
        ),
        Claim("p99 by shares, x1.2 to x1.5, 1,200 calls: found", lambda s: _tails(s, 50, 1.5), None, 0.88),
        Claim("p99 by shares, x1.2 to x1.5, 4,000 calls: found", lambda s: _tails(s, 167, 1.5), None, 0.99),
    ]


def _tails(source: Source, calls: int, factor: float) -> bool:
    a = with_outliers(source, World().calls(source, 24, calls), 0.02, 1.2).tolist()
    b = with_outliers(source, World().calls(source, 24, calls), 0.02, factor).tolist()
    quads = [(a[i], b[i], b[i + 1], a[i + 1]) for i in range(0, 24, 2)]
    return tail_difference([quads], 99, 0.95).differ


def _tails_through_loads(source: Source, factor: float) -> bool:
    """Seven loads of two quads, whose levels differ by 1 %."""
    world, loads = World(block=0.005, load=0.01), []
    for _ in range(7):
        a, b = (
            with_outliers(source, world.calls(source, 4, 50, world.load_level(source)), 0.02, times).tolist()
            for times in (1.2, factor)
        )
        loads.append([(a[i], b[i], b[i + 1], a[i + 1]) for i in (0, 2)])
    return tail_difference(loads, 99, 0.95).differ


CLAIMS = [
    *comparison_claims(),
    *quantile_claims(),
    *bound_claims(),
    *budget_claims(),
    *serial_claims(),
    *tail_claims(),
]
