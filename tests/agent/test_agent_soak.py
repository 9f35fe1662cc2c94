"""The scenario `soak`: windows on a virtual clock, and the digest of what comes out of every iteration."""

from __future__ import annotations

from typing import Callable, List

import numpy as np
from agent_bench import AgentProcess, Bench, of_kind
from rkbench_agent.run.soak import window_of
from rkbench_agent.scenarios.soak import Digests, run_window
from rkbench_agent.wire.messages import Finished, Latencies, Progress
from rkbench_agent.wire.scenario_messages import SoakWindow

Start = Callable[..., AgentProcess]
SECOND = 1_000_000_000


def test_windows_follow_one_another_until_the_time_is_over(bench: Bench, start: Start) -> None:
    behaviour = bench.behaviour(latency={"distribution": "constant", "median_ms": 10})
    plan = bench.plan(bench.spec(), scenario="soak", min_duration_s=3.0)
    messages = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour).run(plan)
    windows = of_kind(messages, SoakWindow)
    assert len(windows) == 60
    assert sum(window.elapsed_ns for window in windows) >= 3 * SECOND
    timed = [item for item in of_kind(messages, Latencies) if not item.warmup]
    assert [item.block for item in timed] == [window.block for window in windows] == list(range(60))
    (finished,) = of_kind(messages, Finished)
    assert finished.iterations == sum(len(item.duration_ns) for item in timed)
    told = [item for item in of_kind(messages, Progress) if item.unit == "seconds"]
    assert told[-1].done == told[-1].total == 3.0


def test_outputs_that_change_are_counted(bench: Bench, start: Start) -> None:
    spec = bench.spec(golden=bench.golden(), replay=bench.replay())
    behaviour = bench.behaviour(nondeterministic=True, latency={"distribution": "constant", "median_ms": 10})
    plan = bench.plan(spec, scenario="soak", min_duration_s=0.1)
    last = of_kind(start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour).run(plan), SoakWindow)[-1]
    assert (last.changed, last.first_changed) == (last.digested - 1, 1)


def test_outputs_that_stay_are_not(bench: Bench, start: Start) -> None:
    spec = bench.spec(golden=bench.golden(), replay=bench.replay())
    plan = bench.plan(spec, scenario="soak", min_duration_s=0.05)
    last = of_kind(start().run(plan), SoakWindow)[-1]
    assert (last.changed, last.first_changed) == (0, None)
    assert last.digested > 0


def test_the_digest_is_of_every_output_and_every_value() -> None:
    digests, zero, one = Digests(), np.zeros((2, 3), np.float32), np.ones(4, np.float32)
    for outputs in ([zero, one], [zero.copy(), one], [zero, one * 2], None, [zero, one]):
        digests.look(outputs)
    assert (digests.seen, digests.changed, digests.first_changed) == (4, 1, 2)


def test_a_soak_of_hours_has_some_hundred_windows() -> None:
    assert [window_of(seconds * SECOND) / SECOND for seconds in (30, 60, 600, 7200, 86400)] == [
        0.5,
        1,
        1,
        10,
        120,
    ]


class Clocked:
    """A runtime whose clock ticks once with every look at it."""

    def __init__(self) -> None:
        self._now = 0
        self.looked: List[int] = []

    def clock_ns(self) -> int:
        self._now += 1
        return self._now

    def infer(self) -> object:
        return True

    def stage_times(self) -> None:
        return None

    def outputs(self, _: object) -> None:
        self.looked.append(self._now)


def test_looking_at_the_outputs_is_not_timed() -> None:
    runtime = Clocked()
    lane = run_window(runtime, 100, 3, Digests(), lambda: None)  # type: ignore[arg-type]  # what it needs
    assert (list(lane.start_ns), list(lane.duration_ns)) == ([2, 4, 6], [1, 1, 1])
    assert runtime.looked == [3, 5, 7]
