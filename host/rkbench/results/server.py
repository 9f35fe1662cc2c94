"""The scenario `server`, folded: what each rate did to the latency, and which of them keeps a limit."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rkbench_agent.wire.scenario_messages import ServerStep

from rkbench.errors import UsageError
from rkbench.results.latencies import RawLatencies
from rkbench.stats.clusters import BUSY_PERIOD, Clusters, clusters_of, waits_for_none
from rkbench.stats.quantiles import PERCENTS, Quantile, quantiles
from rkbench.units import SECONDS, as_written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NS_PER_S = 1e9
#: A queue is longer than this many times sqrt(n) calls after n arrivals in 3 of 1,000 runs at a load of 1, in
#: fewer below: the reflected random walk of Lindley's recursion with steps of standard deviation 1 (Donsker).
QUEUE_DEVIATIONS = 3.0
#: Calls in their order in so many parts show whether a level moves.
PARTS = 20
_SLO = re.compile(r"p(50|90|95|99|99\.9)\s*<=?\s*(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s)\Z")


@dataclass(frozen=True)
class Objective:
    """A limit that a percentile of the latency shall keep."""

    percent: float
    limit_s: float


@dataclass(frozen=True)
class ServerTry:
    """One rate as it was served; `rate_per_s` is None where the contexts were always busy instead.

    Latencies run from when a call was due. `objective_s` is the percentile that the objective names, its
    bounds of 95 % beside it; None where there are too few calls. It `is_kept` where all between the bounds
    is, is not where nothing is; None where they hold the limit, or there are none. `lateness_s` is the mean
    by which the agent itself began late, which counts too. `queue_grew` where more calls arrived than were
    served for as long as was measured, so that a latency says how long that was; None where nobody looked.
    `unqueued_s` is the median of the calls that found no other under way, which tells of the board and not
    of the queue, with bounds of 95 %; None where there are too few.
    """

    rate_per_s: float | None
    served_per_s: float
    count: int
    p50_s: float | None
    p90_s: float | None
    p99_s: float | None
    max_s: float
    objective_s: float | None = None
    objective_low_s: float | None = None
    objective_high_s: float | None = None
    is_kept: bool | None = None
    lateness_s: float | None = None
    queue_grew: bool | None = None
    unqueued_s: float | None = None
    unqueued_low_s: float | None = None
    unqueued_high_s: float | None = None


@dataclass(frozen=True)
class Server:
    """All tries in their order. `goodput_per_s` is the highest rate that kept the objective `slo`,
    `failing_per_s` the lowest above it that did not, both beyond chance; None where there is none, or no
    objective."""

    tries: tuple[ServerTry, ...]
    slo: str = ""
    goodput_per_s: float | None = None
    failing_per_s: float | None = None


def parse_slo(text: str) -> Objective:
    """Return what `p99 <= 30ms` means; raises UsageError for anything else."""
    found = _SLO.match(text.strip())
    if found is None or float(found.group(2)) == 0:
        raise UsageError(
            f"cannot read --slo {text!r}", hint="write it as 'p99 <= 30ms'; p50, p90, p95, p99 or p99.9"
        )
    return Objective(float(found.group(1)), as_written(found.group(2), SECONDS.spellings[found.group(3)]))


def server(steps: Sequence[ServerStep], latencies: RawLatencies, slo: str) -> Server | None:
    """Return what the steps of a run yielded; None without any that has calls."""
    objective = parse_slo(slo) if slo else None
    calls = [latencies.only(step.blocks).timed_in_order() for step in steps]
    tries = tuple(
        judge(step, due, took, objective) for step, (due, took) in zip(steps, calls, strict=True) if len(due)
    )
    if not tries:
        return None
    rated = [item for item in tries if item.rate_per_s is not None]
    goodput = max((item.rate_per_s or 0.0 for item in rated if item.is_kept), default=None)
    failing = [item.rate_per_s or 0.0 for item in rated if item.is_kept is False]
    above = [rate for rate in failing if goodput is None or rate > goodput]
    return Server(tries, slo, goodput, min(above, default=None))


def judge(
    step: ServerStep,
    due_ns: NDArray[np.int64],
    duration_ns: NDArray[np.int64],
    objective: Objective | None,
) -> ServerTry:
    """Return one try of its calls, at least one: when each was due, in order, and how long it took since."""
    clusters = _busy_periods(due_ns, duration_ns, len(step.blocks))
    found = {item.percent: item for item in quantiles(clusters, PERCENTS)}
    named = found[objective.percent] if objective else None
    count, last_ns = len(due_ns), int((due_ns + duration_ns).max())
    grew = None if step.rate_per_s is None else _queue_grew(due_ns, duration_ns)
    alone = _unqueued(due_ns, duration_ns)
    return ServerTry(
        rate_per_s=step.rate_per_s,
        served_per_s=count * NS_PER_S / max(1, last_ns - int(due_ns[0])),
        count=count,
        p50_s=found[50.0].value,
        p90_s=found[90.0].value,
        p99_s=found[99.0].value,
        max_s=float(duration_ns.max()) / NS_PER_S,
        objective_s=named.value if named else None,
        objective_low_s=named.low if named else None,
        objective_high_s=named.high if named else None,
        is_kept=False if grew and objective else _is_kept(step, named, objective),
        queue_grew=grew,
        lateness_s=step.late_ns / step.waits / NS_PER_S if step.waits else None,
        unqueued_s=alone.value,
        unqueued_low_s=alone.low,
        unqueued_high_s=alone.high,
    )


def _busy_periods(due_ns: NDArray[np.int64], duration_ns: NDArray[np.int64], contexts: int) -> Clusters:
    """Return how long the calls took (s), in busy periods."""
    import numpy as np  # not at the top: a help page and a list of runs need none

    starts = np.flatnonzero(waits_for_none(due_ns, duration_ns, contexts))
    return clusters_of([np.split(duration_ns / NS_PER_S, starts[1:])], BUSY_PERIOD)


def _unqueued(due_ns: NDArray[np.int64], duration_ns: NDArray[np.int64]) -> Quantile:
    """Return the median (s) of the calls that found no other under way."""
    import numpy as np

    alone = duration_ns[waits_for_none(due_ns, duration_ns, 1)] / NS_PER_S
    (found,) = quantiles(clusters_of([np.array_split(alone, PARTS)]), (50.0,))
    return found


def _queue_grew(due_ns: NDArray[np.int64], duration_ns: NDArray[np.int64]) -> bool:
    """Return whether more calls waited when the last was due than chance leaves of what can be served."""
    waiting = int((due_ns + duration_ns > due_ns[-1]).sum())
    return waiting > QUEUE_DEVIATIONS * math.sqrt(len(due_ns))


def _is_kept(step: ServerStep, named: Quantile | None, objective: Objective | None) -> bool | None:
    if step.rate_per_s is None or objective is None or named is None:
        return None
    if named.high is not None and named.high <= objective.limit_s:
        return True
    return False if named.low is not None and named.low > objective.limit_s else None


def told_try(found: Server) -> ServerTry:
    """Return the try that stands for the run: at the goodput, else the last."""
    rate = found.goodput_per_s
    return next(
        (item for item in found.tries if rate is not None and item.rate_per_s == rate), found.tries[-1]
    )


def is_overloaded(found: Server | None) -> bool:
    """Return whether a run's figures tell for how long it was measured, no more: its queue grew."""
    return found is not None and bool(told_try(found).queue_grew)


def told_blocks(steps: Sequence[ServerStep], found: Server) -> frozenset[int]:
    """Return the blocks of the try that stands for the run."""
    rate = told_try(found).rate_per_s
    chosen = [step for step in steps if rate is not None and step.rate_per_s == rate] or list(steps[-1:])
    return frozenset(block for step in chosen for block in step.blocks)
