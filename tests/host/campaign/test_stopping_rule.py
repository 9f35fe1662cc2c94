"""When the host ends a plan of runs in turns: by the width of the intervals, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rkbench.campaign.stopping import Precise
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.plan import RunSettings

LEVELS = (1.0, 1.002, 0.998, 1.003, 0.997)


def rounds(runs: str, count: int, *, quads: int = 2, scatter: float = 1.0) -> Iterator[Latencies]:
    """Yield blocks of ten calls in rounds A B C C B A; the last run's level changes from load to load."""
    clock = 0
    for number in range(count):
        load = number // quads
        for place, run in enumerate(runs + runs[::-1]):
            level = 1 + (LEVELS[load % len(LEVELS)] - 1) * scatter if run == runs[-1] else 1.0
            clock += 1000
            block = 2 * number + (place >= len(runs))
            yield Latencies(
                run, block, False, [clock] * 13, [9] * 3 + [int(1e7 * level)] * 10, load=load, unread=3
            )


def ended_after(settings: RunSettings, batches: Iterator[Latencies]) -> int | None:
    """Return with how many blocks enough is known of both runs; None where it never is."""
    stop = Precise(settings)
    for blocks, batch in enumerate(batches, 1):
        if told := stop.add(batch):
            assert sorted(told) == ["a", "b"]
            return blocks
    return None


@pytest.mark.parametrize(
    ("settings", "scatter", "blocks"),
    [
        (RunSettings(quads=2), 1.0, 9 * 8),  # half of 2 % long before, but not seven loads and two
        (RunSettings(precision_percent=0.2, quads=2), 1.0, 13 * 8),
        (RunSettings(precision_percent=0.05, quads=2), 1.0, None),
        (RunSettings(effect_percent=0.2, quads=2), 1.0, None),
        (RunSettings(quads=2), 20.0, None),
    ],
)
def test_a_plan_ends_when_the_interval_is_narrow_enough(
    settings: RunSettings, scatter: float, blocks: int | None
) -> None:
    assert ended_after(settings, rounds("ab", 40, scatter=scatter)) == blocks


def test_one_load_ends_after_twelve_quads_and_two() -> None:
    assert ended_after(RunSettings(quads=12), rounds("ab", 30, quads=99)) == 14 * 4


@pytest.mark.parametrize("asked", [{"min_iterations": 300}, {"min_duration_s": 3.0}, {"min_blocks": 29}])
def test_no_plan_ends_before_it_has_what_was_asked_for(asked: dict[str, float]) -> None:
    settings = RunSettings(quads=12, **asked)  # type: ignore[arg-type]  # numbers, all of them
    assert ended_after(settings, rounds("ab", 60, quads=99)) == 17 * 4  # 15 quads have it, and two more


def test_every_pair_of_three_must_be_known_and_all_end_together() -> None:
    stop = Precise(RunSettings())
    told = [set(stop.add(batch)) for batch in rounds("abc", 20)]
    assert told[0] == set()
    assert {"a", "b", "c"} in told
    assert {frozenset(item) for item in told} == {frozenset(), frozenset("abc")}


def test_a_run_that_failed_is_waited_for_no_longer() -> None:
    stop = Precise(RunSettings())
    told = [stop.add(batch) for batch in rounds("abc", 30) if batch.run != "b" or batch.block < 5]
    assert any(told)


def test_a_run_alone_goes_to_the_end_of_its_plan() -> None:
    stop = Precise(RunSettings())
    assert not any(stop.add(batch) for batch in rounds("a", 30))
