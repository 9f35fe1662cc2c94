"""Rates of a server, folded and searched: what keeps an objective, and which rate is tried next."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from made_runs import make_run
from rkbench.campaign.rate_search import RateSearch
from rkbench.errors import UsageError
from rkbench.runs.caveats import caveats_of
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.records import PlanRecord
from rkbench.runs.server import Objective, parse_slo, server, told_blocks
from rkbench.runs.told import StepMessages, ToldRun, told_of
from rkbench_agent.wire.messages import Latencies, Progress
from rkbench_agent.wire.scenario_messages import ServerStep

MS = 1_000_000


def batch(block: int, slow: int, count: int = 1000) -> Latencies:
    """Return calls every 10 ms, of which every `slow`-th takes 50 ms, the others 5."""
    durations = [50 * MS if index % slow == 0 else 5 * MS for index in range(count)]
    return Latencies("r", block, False, [10 * MS * index for index in range(count)], durations)


def test_a_rate_keeps_an_objective_where_its_percentile_does() -> None:
    raw = RawLatencies()
    for block, slow in enumerate((1000, 500, 20)):
        raw.append(batch(block, slow))
    steps = [ServerStep("r", None, [0]), ServerStep("r", 100.0, [1], 4 * MS, 2), ServerStep("r", 120.0, [2])]
    found = server(steps, raw, "p99 <= 30ms")
    assert found is not None
    assert [item.is_kept for item in found.tries] == [None, True, False]
    assert [item.objective_s for item in found.tries] == pytest.approx([0.005, 0.005, 0.05])
    assert (found.goodput_per_s, found.failing_per_s) == (100.0, 120.0)
    assert found.tries[1].lateness_s == 0.002
    assert told_blocks(steps, found) == {1}
    assert server(steps, RawLatencies(), "") is None


def test_what_lies_about_its_limit_is_neither_kept_nor_missed() -> None:
    raw = RawLatencies()
    for block, slow in enumerate((1000, 105, 95, 20)):
        raw.append(batch(block, slow))
    steps = [ServerStep("r", rate, [block]) for block, rate in enumerate((80.0, 90.0, 100.0, 110.0))]
    found = server(steps, raw, "p99 <= 30ms")
    assert found is not None
    assert [item.is_kept for item in found.tries] == [True, None, None, False]
    assert (found.goodput_per_s, found.failing_per_s) == (80.0, 110.0)


def arriving(load: float, seed: int, count: int = 1000, scatter: float = 0.0) -> RawLatencies:
    """Return calls of 1 ms, give or take, that arrive at random at this share of what is served (Lindley)."""
    chance, due, free, starts, durations = random.Random(seed), 0.0, 0.0, [], []
    for _ in range(count):
        due += chance.expovariate(load) * MS
        free = max(due, free) + (MS * (1 + chance.gauss(0.0, scatter)) if scatter else MS)
        starts.append(round(due))
        durations.append(round(free - due))
    raw = RawLatencies()
    raw.append(Latencies("r", 0, False, starts, durations))
    return raw


def grew(load: float, seed: int) -> bool:
    found = server([ServerStep("r", 1000.0 * load, [0])], arriving(load, seed), "p99 <= 10s")
    assert found is not None
    assert found.tries[0].is_kept is not found.tries[0].queue_grew  # an overload keeps nothing, however wide
    return bool(found.tries[0].queue_grew)


def test_a_queue_that_grows_is_seen_and_one_that_only_wanders_is_not() -> None:
    assert all(grew(load, seed) for load in (1.3, 5.0) for seed in range(50))
    assert not any(grew(load, seed) for load in (0.5, 0.9, 0.98) for seed in range(50))


def told(raw: RawLatencies) -> ToldRun:
    steps = StepMessages(server=[ServerStep("r", 500.0, [0])])
    return told_of(PlanRecord(scenario="server", rate_per_s=500.0, contexts=[1]), steps, raw, [])


@pytest.mark.parametrize(
    ("calls", "advised"), [(1000, ["more calls see further: --iterations 4000"]), (8000, [])]
)
def test_a_queue_that_was_seldom_long_asks_for_more_calls(calls: int, advised: list[str]) -> None:
    raw = arriving(0.5, 2, calls)
    found = told(raw)
    run = replace(make_run(), latency=found.latency, server=found.server)
    rough = [item for item in caveats_of(run, raw) if item.code == "p99_rough"]
    assert [item.advice for item in rough] == advised


def test_a_queue_that_wanders_is_no_level_that_does() -> None:
    """Two healthy runs in a hundred are called wandering; all of these were, by the queue's own level."""
    found = [told(arriving(0.8, seed, 4000, scatter=0.02)).latency for seed in range(20)]
    assert sum(latency.has_long_memory for latency in found if latency) <= 2
    assert {latency.bounds_unit for latency in found if latency} == {"busy period"}


def drifting() -> RawLatencies:
    raw = arriving(0.3, 1, 4000)
    for index, duration in enumerate(raw.duration_ns):
        raw.duration_ns[index] = duration * (1000 + index // 100) // 1000
    return raw


def test_a_board_whose_own_level_moves_while_it_serves_has_no_bounds() -> None:
    latency = told(drifting()).latency
    assert latency is not None
    assert (latency.has_long_memory, latency.bounds) == (True, ())


def test_a_last_call_that_takes_long_is_no_queue() -> None:
    raw = RawLatencies()
    due = [10 * MS * index for index in range(1000)]
    raw.append(Latencies("r", 0, False, due, [5 * MS] * 999 + [60_000 * MS]))
    found = server([ServerStep("r", 100.0, [0])], raw, "")
    assert found is not None
    assert found.tries[0].queue_grew is False


def test_without_an_objective_nothing_is_kept() -> None:
    raw = RawLatencies()
    raw.append(batch(0, 20))
    found = server([ServerStep("r", 100.0, [0])], raw, "")
    assert found is not None
    assert (found.tries[0].is_kept, found.goodput_per_s, found.failing_per_s) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "percent", "limit_s"),
    [("p99 <= 30ms", 99.0, 0.03), ("p99.9<2s", 99.9, 2.0), (" p50 <= 800 us ", 50.0, 0.0008)],
)
def test_an_objective_is_a_percentile_and_a_time(text: str, percent: float, limit_s: float) -> None:
    found = parse_slo(text)
    assert (found.percent, found.limit_s) == (percent, pytest.approx(limit_s))


@pytest.mark.parametrize(
    "text", ["", "p99", "p98 <= 3ms", "p99 <= 3", "p99 >= 3ms", "p99 <= 0ms", "mean < 3ms"]
)
def test_what_is_no_objective_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read --slo"):
        parse_slo(text)


def searched(highest_kept: float) -> list[float]:
    """Return the rates that a search asks for of contexts that do 100 a second, until it knows enough."""
    asked: list[float] = []
    ended: list[str] = []
    search = RateSearch(Objective(99.0, 0.03), lambda _, rate: asked.append(rate), ended.append)
    search.take(Progress("r", "inference", 1, 2, "steps"))
    search.take(batch(0, 1000))
    search.take(ServerStep("r", None, [0]))
    while not ended:
        slow = 1000 if asked[-1] <= highest_kept else 20
        search.take(batch(len(asked), slow))
        search.take(ServerStep("r", asked[-1], [len(asked)]))
    assert ended == ["r"]
    return asked


def test_bisection_comes_near_to_what_is_kept() -> None:
    assert searched(60.0) == pytest.approx([50.0, 75.0, 62.5, 56.2, 59.4, 60.9], rel=0.01)


def test_a_limit_that_nothing_keeps_ends_near_nothing() -> None:
    assert searched(0.0) == pytest.approx([50.0, 25.0, 12.5, 6.25, 3.13, 1.56], rel=0.01)


def test_a_step_without_calls_ends_the_search() -> None:
    ended: list[str] = []
    search = RateSearch(Objective(99.0, 0.03), lambda *_: None, ended.append)
    search.take(ServerStep("r", None, [0]))
    assert ended == ["r"]
