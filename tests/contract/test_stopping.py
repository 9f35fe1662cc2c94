"""The host's rule of when enough is known of a run, and how it reaches the agent: once, and in time."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from recorded import FIRST, MODELS, SECOND, RecordedSession, connecting, read_recording
from rkbench.boards.model import Board
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.campaign.stopping import NewStop, PlanEnd, Stopping
from rkbench.store import open_store
from rkbench_agent.wire.messages import Latencies, Progress
from rkbench_agent.wire.plan import RunSettings

BOARD = Board("virtual", "", soc="rk3588", simulated=True, runtime="virtual")
SETTINGS = RunSettings(min_iterations=3, min_duration_s=1.0)


def batch(count: int, each_s: float, *, warmup: bool = False, run: str = "a") -> Latencies:
    return Latencies(run, 0, warmup, [0] * count, [int(each_s * 1e9)] * count)


class AtOnce:
    """Enough is known with the first timed batch."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings

    def add(self, latencies: Latencies) -> Collection[str]:
        return () if latencies.warmup else (latencies.run,)


def test_the_agent_is_told_once_for_each_run() -> None:
    told: list[str] = []
    stopping = Stopping(AtOnce(SETTINGS), told.append)
    for message in (batch(1, 1.0), Progress("a", "inference", 1, 3, "iterations"), batch(1, 1.0)):
        stopping.take(message)
    stopping.take(batch(1, 1.0, run="b"))
    assert told == ["a", "b"]


def push(session: RecordedSession, folder: Path, new_stop: NewStop, **asked: Any) -> Outcome:
    settings = RunSettings(min_duration_s=0.0, min_iterations=300, **asked)
    with open_store(folder / "results.sqlite") as store:
        return run_campaign(
            PushOptions(MODELS, settings), BOARD, connecting(session), store, new_stop=new_stop
        )


def test_a_push_says_enough_of_every_run(tmp_path: Path) -> None:
    session = RecordedSession(read_recording("two_variants"))
    push(session, tmp_path, AtOnce)
    assert session.ended_after == [50, 50]
    assert sorted(session.ended) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("asked", "ended"),
    [
        ({"loads": 9}, []),
        ({"quads": 3}, []),
        ({"loads": 9, "precision_percent": 5.0}, [50, 50]),
    ],
)
def test_loads_that_were_asked_for_are_measured_unless_a_precision_ends_them(
    asked: dict[str, Any], ended: list[int], tmp_path: Path
) -> None:
    session = RecordedSession(read_recording("two_variants"))
    push(session, tmp_path, AtOnce, **asked)
    assert session.ended_after == ended


def test_a_plan_goes_to_its_end_where_no_rule_ends_it(tmp_path: Path) -> None:
    session = RecordedSession(read_recording("two_variants"))
    push(session, tmp_path, PlanEnd)
    assert session.ended == []
