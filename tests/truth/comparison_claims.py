"""What rkbench claims of comparisons: the paired difference of two variants, and their tails by shares."""

from __future__ import annotations

from claim import Claim, Source
from rkbench.stats.paired import (
    FASTER,
    FEWEST_LOADS,
    NO_DIFFERENCE,
    SLOWER,
    PairedDifference,
    Quad,
    block_level,
    joint_confidence,
    level_difference,
    loads_for,
    paired_difference,
)
from rkbench.stats.shares import tail_difference
from worlds import World, quads, with_outliers


def quad_difference(quad: Quad) -> float:
    """Return the difference of a quad, all of whose calls took time."""
    levels = [level for block in quad if (level := block_level(block)) is not None]
    return level_difference(*levels)


def one_load(source: Source, world: World, shift: float, count: int = 12) -> PairedDifference:
    """Compare two variants of one load each, over quads."""
    return paired_difference([[quad_difference(quad) for quad in quads(source, world, shift, count=count)]])


def through_loads(source: Source, world: World, shift: float, count: int = FEWEST_LOADS) -> PairedDifference:
    """Compare two variants over so many loads, two quads each."""
    loads = [[quad_difference(quad) for quad in quads(source, world, shift, count=2)] for _ in range(count)]
    return paired_difference(loads)


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
    loads, told = World(block=0.005, load=0.01), f"through {FEWEST_LOADS} loads, sd per load 1 %"
    claims += [
        Claim(f"A/A, {told}: a false verdict", lambda s: is_decided(through_loads(s, loads, 0)), 0.05),
        Claim(f"+3 %, {told}: slower", lambda s: _says(through_loads(s, loads, 0.03), SLOWER), None, 0.9),
        Claim(
            "+3 %, through 6 loads (--loads 6), sd per load 1 %: slower",
            lambda s: _says(through_loads(s, loads, 0.03, 6), SLOWER),
            None,
            0.8,
        ),
        Claim(
            f"10 equal candidates, through {loads_for(10)} loads, sd per load 1 %: any false verdict",
            lambda s: _any_of_ten(s, loads),
            0.06,
        ),
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


COMPARISON_CLAIMS = [*comparison_claims(), *tail_claims()]
