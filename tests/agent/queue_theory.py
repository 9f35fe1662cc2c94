"""What is known of a queue with random arrivals and even service (M/D/1), and what `server` makes of one."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from typing import Tuple

import numpy as np
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.virtual_npu import Call, VirtualNpu
from rkbench_agent.scenarios.server import serve

SERVICE_NS = 1_000_000
REPLICATIONS = 20
#: Student's t, 97.5 %, 19 degrees of freedom.
_T19 = 2.093


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


def theory_ns(load: float, percent: float) -> float:
    """Return a percentile of wait and service, by bisection."""
    low, high = 0.0, 60.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if waited(middle, load) < percent / 100 else (low, middle)
    return (low + 1.0) * SERVICE_NS


def theory_p99_ns(load: float) -> float:
    """Return the 99th percentile of wait and service."""
    return theory_ns(load, 99.0)


def replication_p99_ns(load: float, seed: int, calls: int) -> float:
    context: object = Context()
    rate_per_s = load * 1e9 / SERVICE_NS
    (lane,) = serve([context], VirtualNpu(1), rate_per_s, calls, seed, beat=lambda: None)  # type: ignore[list-item]
    return float(np.percentile(lane.duration_ns, 99))


def replicated_p99_ns(load: float, calls: int) -> Tuple[float, float]:
    """Return the mean of p99 over replications of so many calls, seeds 0 to 19, and half of its interval."""
    found = np.array([replication_p99_ns(load, seed, calls) for seed in range(REPLICATIONS)])
    return float(found.mean()), float(_T19 * found.std(ddof=1) / math.sqrt(REPLICATIONS))
