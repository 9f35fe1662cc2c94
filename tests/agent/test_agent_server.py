"""The scenario `server`: arrivals, the queue before the contexts, and its latency against M/D/1."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from typing import Callable, Dict, List

import numpy as np
import pytest
from agent_bench import AgentProcess, Bench, of_kind
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.lanes import Arrivals, Lane
from rkbench_agent.runtimes.threads import Threads
from rkbench_agent.runtimes.virtual_npu import Call, VirtualNpu
from rkbench_agent.scenarios.server import arrivals_ns, serve
from rkbench_agent.wire.messages import Enough, Failed, Finished, Latencies, Refused
from rkbench_agent.wire.scenario_messages import ServerStep, TryRate

Start = Callable[..., AgentProcess]
SERVICE_NS = 1_000_000


class Context:
    """What the model of the cores needs of a runtime: a service of 1 ms, neither more nor less."""

    def __init__(self) -> None:
        self.cores = (0,)
        self.now_ns = 0

    def clock_ns(self) -> int:
        return self.now_ns

    def skip_to(self, clock_ns: int) -> None:
        self.now_ns = max(self.now_ns, clock_ns)

    def draw_call(self) -> Call:
        return Call(0, SERVICE_NS, 0)

    def end_call(self, stages: StageTimes, end_ns: int) -> None:
        self.now_ns = end_ns


def waited(times: float, load: float) -> float:
    """Return the share of calls of an M/D/1 queue that wait at most so many times the service (Erlang 1909).

    P(W <= t) = (1 - load) sum over k <= t of (load (k - t))^k / k! exp(-load (k - t)), t in services.
    """
    getcontext().prec = 60
    t, rho, total = Decimal(times), Decimal(load), Decimal(0)
    for k in range(int(times) + 1):
        x = rho * (k - t)
        total += (x**k if k else Decimal(1)) / math.factorial(k) * (-x).exp()
    return float((1 - rho) * total)


def theory_p99_ns(load: float) -> float:
    """Return the 99th percentile of wait and service, by bisection."""
    low, high = 0.0, 60.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if waited(middle, load) < 0.99 else (low, middle)
    return (low + 1.0) * SERVICE_NS


def replication_p99_ns(load: float, seed: int, calls: int) -> float:
    context: object = Context()
    rate_per_s = load * 1e9 / SERVICE_NS
    (lane,) = serve([context], VirtualNpu(1), rate_per_s, calls, seed, beat=lambda: None)  # type: ignore[list-item]
    return float(np.percentile(lane.duration_ns, 99))


@pytest.mark.parametrize(("load", "calls"), [(0.5, 2000), (0.7, 4000), (0.9, 10_000)])
def test_p99_is_that_of_a_queue_with_random_arrivals_and_even_service(load: float, calls: int) -> None:
    """Within the interval of 20 replications: order statistics of one run say nothing of a queue."""
    found = np.array([replication_p99_ns(load, seed, calls) for seed in range(20)])
    half = 2.093 * found.std(ddof=1) / math.sqrt(20)  # Student's t, 97.5 %, 19 degrees of freedom
    assert abs(found.mean() - theory_p99_ns(load)) <= half
    assert half < 0.2 * found.mean()


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
