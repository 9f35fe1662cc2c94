"""The scenario `server`: arrivals, the queue before the contexts, and its latency against M/D/1."""

from __future__ import annotations

import math
from typing import Callable, Dict, List

import numpy as np
import pytest
from agent_bench import AgentProcess, Bench, of_kind
from queue_theory import replicated_p99_ns, theory_p99_ns, waited
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import Arrivals, Lane
from rkbench_agent.runtimes.threads import Threads
from rkbench_agent.scenarios.server import arrivals_ns
from rkbench_agent.wire.messages import Enough, Failed, Finished, Latencies, Refused
from rkbench_agent.wire.scenario_messages import ServerStep, TryRate

Start = Callable[..., AgentProcess]


@pytest.mark.parametrize(("load", "calls"), [(0.5, 2000), (0.7, 4000), (0.9, 10_000)])
def test_p99_is_that_of_a_queue_with_random_arrivals_and_even_service(load: float, calls: int) -> None:
    """Within the interval of 20 replications: order statistics of one run say nothing of a queue."""
    mean_ns, half_ns = replicated_p99_ns(load, calls)
    assert abs(mean_ns - theory_p99_ns(load)) <= half_ns
    assert half_ns < 0.2 * mean_ns


def test_the_theory_is_known_where_it_is_simple() -> None:
    assert waited(0.0, 0.5) == pytest.approx(0.5)
    assert waited(1.0, 0.5) == pytest.approx(0.5 * math.exp(0.5))


def test_equal_seeds_give_equal_patterns_at_every_rate() -> None:
    slow, fast = arrivals_ns(10, 1000, 3, 0), arrivals_ns(20, 1000, 3, 0)
    assert [round(due / 2) for due in slow[:50]] == pytest.approx(fast[:50], abs=1)
    assert slow != arrivals_ns(10, 1000, 4, 0)
    assert np.diff(slow).mean() == pytest.approx(1e8, rel=0.1)


# -- threads


class Slow:
    """A runtime on a clock of its own, whose every call takes 10 units."""

    def __init__(self) -> None:
        self.now = 0

    def clock_ns(self) -> int:
        return self.now

    def infer(self) -> object:
        self.now += 10
        return True

    def stage_times(self) -> StageTimes:
        return StageTimes()


def test_a_latency_runs_from_when_the_call_was_due() -> None:
    lane = Lane(Slow())  # type: ignore[arg-type]  # only what a thread needs
    Threads().run([lane], Arrivals([0, 0, 5, 5]), lambda: None)
    assert (list(lane.start_ns), list(lane.duration_ns)) == ([0, 0, 5, 5], [10, 20, 25, 35])
    assert lane.waits == 0


# -- a plan


def server(bench: Bench, start: Start, **settings: object) -> AgentProcess:
    given: Dict[str, object] = {
        "scenario": "server",
        "contexts": [1],
        "placements": ["auto"],
        "min_iterations": 200,
        **settings,
    }
    latency = {"distribution": "constant", "median_ms": 10}
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(latency=latency))
    agent.send(bench.plan(bench.spec(), **given))
    return agent


def test_one_rate_is_one_step(bench: Bench, start: Start) -> None:
    agent = server(bench, start, rate_per_s=50.0)
    calls: List[int] = []
    while True:
        message = agent.receive()
        if isinstance(message, Latencies) and not message.warmup:
            calls += message.duration_ns
        if isinstance(message, ServerStep):
            assert (message.rate_per_s, message.blocks, message.waits) == (50.0, [0], 0)
        if isinstance(message, Finished):
            break
    assert len(calls) == 200
    assert min(calls) < 10_100_000 < 15_000_000 < max(calls)


def test_rates_are_served_as_the_host_asks_for_them(bench: Bench, start: Start) -> None:
    agent = server(bench, start, find_rate=True, slo="p99 <= 30ms")
    assert agent.until(ServerStep).rate_per_s is None
    agent.send(TryRate("a", 40.0))
    assert agent.until(ServerStep).rate_per_s == 40.0
    agent.send(TryRate("a", 60.0))
    assert agent.until(ServerStep).blocks == [2]
    agent.send(Enough("a"))
    assert agent.until(Finished).iterations == 600


def test_a_server_without_a_rate_is_refused(bench: Bench, start: Start) -> None:
    refused = server(bench, start).until(Refused)
    assert refused.message == "server needs a rate above 0, or find_rate"


def test_contexts_that_cannot_be_made_fail_the_run(bench: Bench, start: Start) -> None:
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(most_contexts=1))
    settings = {"scenario": "server", "contexts": [2], "placements": ["auto"], "rate_per_s": 5.0}
    (failed,) = of_kind(agent.run(bench.plan(bench.spec(), **settings)), Failed)
    assert "2 contexts could not be made" in failed.message
