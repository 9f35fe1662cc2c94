"""Rates of a server, folded and searched: what keeps an objective, and which rate is tried next."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from made_runs import make_run
from rkbench.campaign.rate_search import RateSearch
from rkbench.errors import UsageError
from rkbench.results.caveats import caveats_of, verdict_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.records import PlanRecord
from rkbench.results.server import parse_slo, server, told_blocks
from rkbench.results.told import StepMessages, ToldRun, told_of
from rkbench_agent.wire.messages import Latencies, Progress
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.scenario_messages import ServerStep
from rkbench_agent.wire.words import SERVER

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


SEARCHED = RunSettings(
    scenario=SERVER, find_rate=True, slo="p99 <= 30ms", min_iterations=1000, runtime="capi"
)


def untold(*_: str) -> None:
    """Hear nothing of how long it takes."""


def searched(highest_kept: float) -> list[float]:
    """Return the rates that a search asks for of contexts that do 100 a second, until it knows enough."""
    asked: list[float] = []
    ended: list[str] = []
    search = RateSearch(SEARCHED, lambda _, rate: asked.append(rate), ended.append, untold)
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
    search = RateSearch(SEARCHED, lambda *_: None, ended.append, untold)
    search.take(ServerStep("r", None, [0]))
    assert ended == ["r"]


def test_calls_that_wait_for_none_tell_of_the_board_and_not_of_the_queue() -> None:
    """Every other call comes 1 ms after the one before, and waits for it."""
    due = [10 * MS * (index // 2) + (index % 2) * MS for index in range(1000)]
    took = [(5 + 4 * (index % 2)) * MS for index in range(1000)]
    raw = RawLatencies()
    raw.append(Latencies("r", 0, False, due, took))
    found = server([ServerStep("r", 200.0, [0])], raw, "")
    assert found is not None
    (only,) = found.tries
    assert only.p50_s == pytest.approx(0.007)
    assert (only.unqueued_s, only.unqueued_low_s, only.unqueued_high_s) == pytest.approx((0.005,) * 3)


@pytest.mark.parametrize(
    ("governor", "contexts", "verdict"),
    [("performance", (1,), "SUSPECT"), ("simple_ondemand", (1,), "UNPINNED"), ("performance", (3,), "VALID")],
)
def test_a_board_that_is_slower_at_some_rates_is_told(
    governor: str, contexts: tuple[int, ...], verdict: str
) -> None:
    """Clocks that follow the load follow the rate; several contexts slow each other down."""
    raw = RawLatencies()
    for block, slower in enumerate((1, 1, 1.3)):
        calls = [int(5 * MS * slower * random.Random(index).uniform(0.98, 1.02)) for index in range(1000)]
        raw.append(Latencies("r", block, False, [20 * MS * index for index in range(1000)], calls))
    steps = [ServerStep("r", None, [0]), ServerStep("r", 50.0, [1]), ServerStep("r", 40.0, [2])]
    plan = PlanRecord(golden_sha256="a" * 64, scenario=SERVER, contexts=contexts, slo="p99 <= 30ms")
    told = told_of(plan, StepMessages(server=steps), raw, ())
    made = make_run(plan=plan, server=told.server, latency=told.latency)
    run = replace(made, board=replace(made.board, npu_governor=governor))
    doubts = caveats_of(run, raw.only(frozenset([2])))
    said = [item.message for item in doubts if item.code == "levels_differ"]
    assert verdict_of(doubts) == verdict
    if contexts == (1,):
        assert said[0].startswith("calls that waited for none took 5.00 ms always busy and 6.5")
    else:
        assert said == []


@pytest.mark.parametrize(("grown", "verdict"), [(1.8, "SUSPECT"), (1.0, "VALID")])
def test_a_board_that_gets_slower_within_the_only_rate_is_doubted(grown: float, verdict: str) -> None:
    raw = RawLatencies()
    chance = random.Random(5)
    calls = [
        int(5 * MS * (1 + (grown - 1) * index / 1000) * chance.uniform(0.98, 1.02)) for index in range(1000)
    ]
    raw.append(Latencies("r", 0, False, [20 * MS * index for index in range(1000)], calls))
    plan = PlanRecord(golden_sha256="a" * 64, scenario=SERVER, contexts=(1,), rate_per_s=50.0)
    told = told_of(plan, StepMessages(server=[ServerStep("r", 50.0, [0])]), raw, ())
    run = make_run(plan=plan, server=told.server, latency=told.latency)
    doubts = caveats_of(run, RawLatencies())
    assert verdict_of(doubts) == verdict
    assert ("autocorrelated" in {item.code for item in doubts}) is (grown > 1)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        # 1,000 calls at 50, 75, 87.5, 93.75 ... /s, or at 50, 25, 12.5, 6.25 ... /s
        (SEARCHED, "about 76 s to 22 min"),
        # 30 s of each rate of 50 /s and more, whose 1,000 calls are done sooner
        (replace(SEARCHED, min_duration_s=30.0), "about 3 min to 22 min"),
        (replace(SEARCHED, runtime="virtual"), None),
    ],
)
def test_a_search_tells_how_long_it_takes_once_it_knows_what_is_served_at_most(
    settings: RunSettings, told: str | None
) -> None:
    said: list[tuple[str, str]] = []
    search = RateSearch(settings, lambda *_: None, [].append, lambda *what: said.append(what))
    search.take(batch(0, 1000))
    assert said == []
    search.take(ServerStep("r", None, [0]))
    search.take(batch(1, 20))
    search.take(ServerStep("r", 50.0, [1]))
    if told is None:
        assert said == []
        return
    ((run, text),) = said
    assert run == "r"
    assert text == (
        f"it does 100 /s at most; 6 more rates of at least 1000 calls take {told}, the longer the lower the"
        " rate that keeps p99 <= 30ms"
    )
