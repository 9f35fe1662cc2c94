"""A block that takes minutes says now and then how far it is; its timed region knows nothing of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable, List, Optional, cast

import pytest
from agent_bench import TREES
from rkbench_agent.board.readiness import Readiness
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.run.state import Host, PlanClock, RunState
from rkbench_agent.run.timing import Timing
from rkbench_agent.run.workers import Workers
from rkbench_agent.wire.messages import Message, Progress
from rkbench_agent.wire.plan import RunSettings, RunSpec

INFERENCE_S = 6


class SlowWorker:
    """A worker whose inferences take `INFERENCE_S` each, on a clock that it moves."""

    def __init__(self) -> None:
        self.now_ns = 10**9
        self.on_move: Optional[Callable[[int], None]] = None

    def child(self, state: RunState) -> SlowWorker:
        return self

    def request(self, **command: Any) -> Any:
        assert self.on_move is not None
        for count in range(1, command["iterations"] + 1):
            self.now_ns += INFERENCE_S * 10**9
            self.on_move(count)
        total_ns = command["iterations"] * INFERENCE_S * 10**9
        answer = {"iterations": command["iterations"], "total_ns": total_ns, "worked_ns": total_ns}
        return {**answer, "clock_ns": self.now_ns, "growth_bytes": 0}


class Heard:
    """A host that keeps what it is told."""

    def __init__(self) -> None:
        self.progress: List[Progress] = []

    def send(self, message: Message) -> None:
        if isinstance(message, Progress):
            self.progress.append(message)


def timing_of(settings: RunSettings, root: Path, host: Heard) -> Timing:
    worker = SlowWorker()
    workers, clock = cast(Workers, worker), PlanClock()
    return Timing(settings, workers, cast(Host, host), Sensors(root), clock, lambda: worker.now_ns)


@pytest.mark.parametrize(
    ("duration_s", "told"),
    [
        (0.0, [(done, 10, "iterations") for done in (1, 2, 3, 3)]),
        (120.0, [(done, 120, "seconds") for done in (6, 12, 18, 18)]),
    ],
)
def test_a_block_of_slow_inferences_says_how_far_it_is(duration_s: float, told: List[Any]) -> None:
    host = Heard()
    settings = RunSettings(min_iterations=10, min_duration_s=duration_s, min_blocks=1, block_iterations=3)
    state = RunState(RunSpec("a", "m", "d", 1, [], []))
    timing_of(settings, TREES / "rk3588", host).time_block(state)
    assert host.progress == [Progress("a", "inference", *figures) for figures in told]
    assert (state.iterations, state.duration_ns) == (3, 18 * 10**9)


def test_a_plan_that_may_end_before_its_last_block_says_at_most() -> None:
    host = Heard()
    settings = RunSettings(
        min_iterations=10, min_duration_s=0.0, min_blocks=1, block_iterations=3, precision_percent=0.5
    )
    timing_of(settings, TREES / "rk3588", host).time_block(RunState(RunSpec("a", "m", "d", 1, [], [])))
    assert {progress.unit for progress in host.progress} == {"iterations at most"}


def test_a_warm_up_of_slow_inferences_says_how_far_it_is() -> None:
    host = Heard()
    state = RunState(RunSpec("a", "m", "d", 1, [], []))
    timing_of(RunSettings(warmup_iterations=2), TREES / "rk3588", host).warm_up(state)
    told = [Progress("a", "warmup", done, 2, "iterations") for done in (0, 1, 2)]
    assert host.progress == [*told, Progress("a", "inference", 0, 100, "iterations")]


@pytest.mark.parametrize("waited_for", ["calm", "cool"])
def test_no_second_of_a_wait_for_the_board_passes_without_a_word(waited_for: str, tmp_path: Path) -> None:
    """A clock that only the wait moves: what is waited for is told before each second of it."""
    root = tmp_path / "root"
    shutil.copytree(TREES / "rk3588", root)
    load = root / "sys/kernel/debug/rknpu/load"
    load.write_text("NPU load:  Core0: 42%, Core1:  0%, Core2:  0%,\n")
    now, told = [100.0], []

    def turn(seconds: float) -> None:
        now[0] += seconds

    def send(progress: Progress) -> None:
        told.append((now[0], progress))

    settings = RunSettings(calm_limit_s=5.0, cool_below_celsius=10.0, cool_limit_s=5.0)
    readiness = Readiness(settings, root, turn, send, lambda: now[0])
    (readiness.calm if waited_for == "calm" else readiness.cool)("a")
    at = [100.0, *(when for when, _ in told), now[0]]
    assert max(at[place + 1] - at[place] for place in range(len(at) - 1)) <= 1.0
    details = {"calm": {"NPU 42 %"}, "cool": {"bigcore0-thermal"}}
    assert {progress.detail for _, progress in told} == details[waited_for]
