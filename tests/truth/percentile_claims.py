"""What rkbench claims of percentiles: what their bounds cover, how wide they are, what gates make of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
from claim import Claim, Source
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import Latency
from rkbench.results.parts import latency
from rkbench.stats.clusters import Clusters, clusters_of
from rkbench.stats.figures import Statistic
from rkbench.stats.gates import FAIL, Gate, Quantity
from rkbench.stats.judging import judge_latency_budget
from rkbench.stats.quantiles import quantiles
from rkbench.stats.serial import wanders
from rkbench.units import SECONDS
from rkbench_agent.wire.messages import Latencies
from worlds import Array, World

LOGNORMAL = "iid lognormal"
IID = {LOGNORMAL: World(), "iid bimodal": World(shape="bimodal"), "iid Pareto": World(shape="pareto")}
QUANTILE_WORLDS = {
    **IID,
    "sd between blocks 0.5 %": World(block=0.005),
    "sd between blocks 1 %": World(block=0.01),
    "sd between blocks 2 %": World(block=0.02),
}
#: Bounds may be so much wider than those of order statistics where calls are independent, on average.
WIDEST = 1.25


def quantile_claims() -> list[Claim]:
    """Intervals of p50, p90 and p99 of 20 blocks of 50 calls."""
    claims = []
    for name, world in QUANTILE_WORLDS.items():
        for percent in (50.0, 90.0, 99.0):
            least = 0.84 if world.block == 0.02 and percent == 99 else 0.92

            def holds(s: Source, w: World = world, p: float = percent) -> bool:
                t, (found,) = _true_quantiles(w)[p], quantiles(_blocks(w.calls(s, 20, 50)), [p])
                return found.low is not None and found.low <= t and (found.high is None or t <= found.high)

            claims.append(
                Claim(f"p{percent:g} of 20 x 50 calls, {name}: interval covers", holds, None, least)
            )
    return claims


#: What each load of a push of two has: four blocks.
LOADS, BLOCKS, CALLS = 7, 4, 40
#: What is covered at 2 % from load to load: a tail's upper bound then hangs on the highest of seven levels.
AT_TWO_PERCENT = {50.0: 0.92, 90.0: 0.88, 99.0: 0.84}


def load_claims() -> list[Claim]:
    """Percentiles of a run of several loads, each at its own level, by the summary of the run."""
    claims = []
    for load in (0.0, 0.005, 0.01, 0.02):
        world, told = World(block=0.005, load=load), f"{LOADS} loads of {BLOCKS} x {CALLS} calls"
        told = f"{told}, sd per load {load * 100:g} %"
        for percent, at_two in AT_TWO_PERCENT.items():
            least = at_two if load == 0.02 else 0.92
            covers = partial(_covers_through_loads, world, percent)
            claims.append(Claim(f"p{percent:g} of {told}: interval covers", covers, None, least))
        bounded = partial(_has_bounds, world)
        claims.append(Claim(f"{told}: p50 and p90 have both bounds", bounded, None, 0.98))
    return claims


def _covers_through_loads(world: World, percent: float, source: Source) -> bool:
    # Of one call, block and load scatter as one.
    truth = _true_quantiles(replace(world, block=float(np.hypot(world.block, world.load)), load=0.0))[percent]
    within = _through_loads(world, source).within(percent)
    low, high = (None if bound is None else bound * 1e3 for bound in (within.low_s, within.high_s))
    return low is not None and low <= truth and (high is None or truth <= high)


def _has_bounds(world: World, source: Source) -> bool:
    found = _through_loads(world, source)
    return all(found.within(percent).high_s is not None for percent in (50.0, 90.0))


def _through_loads(world: World, source: Source) -> Latency:
    return _summary(*(world.calls(source, BLOCKS, CALLS, world.load_level(source)) for _ in range(LOADS)))


@cache
def _true_quantiles(world: World) -> dict[float, float]:
    calls = world.calls(np.random.default_rng(1), 200_000, 10).ravel()
    return {percent: float(np.percentile(calls, percent)) for percent in (50.0, 90.0, 99.0)}


def bound_claims() -> list[Claim]:
    """What is asked of bounds beside what they cover: their width, and none where memory is long."""
    wandering = World(block=0.04, memory=0.99)
    no_bounds = Claim(
        "AR(1) 0.99 of sd 4 %, 40 blocks of 50: percentiles without bounds",
        lambda s: _summary(wandering.calls(s, 40, 50)).bounds == (),
        None,
        0.99,
    )
    return [no_bounds, *width_claims()]


def width_claims() -> list[Claim]:
    """What caution costs where calls are independent: over all runs, and how often it costs more."""
    claims = []
    for name, world in IID.items():
        for percent in (50.0, 90.0, 99.0):

            def ratio(s: Source, w: World = world, p: float = percent) -> float:
                return _width_ratio(w.calls(s, 20, 50), p)

            told = f"p{percent:g} of 20 x 50 calls, {name}: width over that of order statistics"
            claims.append(Claim(f"{told}, mean of the runs", ratio, WIDEST, scatter=0.2))
            if name == LOGNORMAL:
                wider = f"{told}, runs where it is above {WIDEST:g}"
                claims.append(Claim(wider, lambda s, r=ratio: r(s) > WIDEST, 0.3))
    return claims


def _width_ratio(calls: Array, percent: float) -> float:
    """Return the width of the bounds against that of the order statistics of independent calls.

    Where the upper bound lies beyond what was seen, the slowest call stands for it.
    """
    from scipy.stats import binom

    (found,) = quantiles(_blocks(calls), [percent])
    ordered, count, share = np.sort(calls.ravel()), calls.size, percent / 100
    low, high = int(binom.ppf(0.025, count, share)) - 1, int(binom.ppf(0.975, count, share))
    assert found.low is not None
    top = ordered[-1] if found.high is None else found.high
    return float((top - found.low) / (ordered[min(high, count - 1)] - ordered[low]))


def _summary(*loads: Array) -> Latency:
    """Return the summary of a run whose loads have so many blocks of calls (ms)."""
    raw, block = RawLatencies(), 0
    for load, calls in enumerate(loads):
        for durations in (calls * 1e6).astype(int).tolist():
            raw.append(Latencies("r", block, False, [0] * len(durations), durations, load=load))
            block += 1
    found = latency(raw)
    assert found is not None
    return found


def budget_claims() -> list[Claim]:
    """A budget that lies exactly at the truth, judged once, and twice as a night does where it failed."""
    claims = []
    for name, world in (("iid lognormal", World()), ("sd between blocks 1 %", World(block=0.01))):
        told = f"budget p99 at its own limit, {name}"
        claims += [
            Claim(f"{told}: fails at once", lambda s, w=world: _fails(s, w), 0.05),
            Claim(
                f"{told}: red (fails twice)",
                lambda s, w=world: _fails(s, w) and _fails(s, w),
                0.01,
            ),
        ]
    return claims


def _fails(source: Source, world: World) -> bool:
    limit = _true_quantiles(world)[99.0]
    gate = Gate("p99", Quantity("p99", SECONDS, statistic=Statistic.P99), limit=limit)
    calls = world.calls(source, 50, 20)
    return judge_latency_budget(gate, (None, 1.0), _blocks(calls)).state == FAIL


def _blocks(calls: Array) -> Clusters:
    return clusters_of([list(calls)])


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


PERCENTILE_CLAIMS = [*quantile_claims(), *load_claims(), *bound_claims(), *budget_claims(), *serial_claims()]
