"""`--find-rate` over `capi`: the host's search against a worker's steps, with our librknnrt double."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rkbench.campaign.rate_search import RateSearch
from rkbench.results.latencies import RawLatencies
from rkbench.results.server import server
from rkbench_agent.run.crew import Crew
from rkbench_agent.run.crew_work import CrewWork
from rkbench_agent.wire.messages import Latencies, Message
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.scenario_messages import ServerStep
from test_capi import Fixture
from test_capi import double as double

CALLS = 60
#: Kept by no call of half a millisecond, whatever a busy computer does: each try is lower, down to nothing.
NEVER_KEPT = "p50 <= 1us"


class Line:
    """What a worker says, as it would come to the host; and the count that nobody here looks at."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def send(self, message: Message) -> None:
        self.said.append(message)

    def increment(self) -> None:
        """Count nothing."""


def test_a_server_finds_its_rate_over_capi(double: Fixture, tmp_path: Path) -> None:
    double.script(INPUTS="x:1x2x2x1:float32:nhwc", OUTPUTS="y:1x3:float32", RUN_US="500")
    runtime, line = double.runtime(), Line()
    inputs: list[Any] = [np.ones((1, 2, 2, 1), np.float32)]
    runtime.feed(inputs)
    work = CrewWork("r", Crew(runtime, inputs, line.increment), tmp_path, simulated=False)
    rates: list[float | None] = [None]
    known: list[str] = []
    settings = RunSettings(find_rate=True, slo=NEVER_KEPT, min_iterations=CALLS)
    told: list[str] = []
    search = RateSearch(
        settings, lambda _, rate: rates.append(rate), known.append, lambda _, text: told.append(text)
    )
    taken = block = 0
    while not known:
        command = {
            "core_masks": ["auto", "auto"],
            "warmups": 1,
            "rate_per_s": rates[-1],
            "seed": 1,
            "iterations": CALLS,
            "duration_ns": 0,
            "block": block,
            "clock_ns": 0,
            "worked_ns": 0,
        }
        done = work.server(command, line, line)  # type: ignore[arg-type]  # what a step needs of both
        assert done["problem"] == ""
        block += done["blocks"]
        for message in line.said[taken:]:
            search.take(message)
        taken = len(line.said)
    raw = RawLatencies()
    for item in line.said:
        if isinstance(item, Latencies):
            raw.append(item)
    found = server([item for item in line.said if isinstance(item, ServerStep)], raw, NEVER_KEPT)
    assert found is not None
    first, *tries = found.tries
    assert [item.rate_per_s for item in found.tries] == rates
    assert not any(item.is_kept for item in tries)
    assert {item.count for item in tries} == {CALLS}
    assert [tries[0].rate_per_s, tries[-1].rate_per_s] == pytest.approx(
        [first.served_per_s / 2, first.served_per_s / 64], rel=1e-3
    )
    assert found.goodput_per_s is None
    assert found.failing_per_s in rates
    slow = server([item for item in line.said if isinstance(item, ServerStep)], raw, "p50 <= 60s")
    assert slow is not None
    assert slow.tries[-1].is_kept
    assert len(told) == 1
    assert f"6 more rates of at least {CALLS} calls take about" in told[0]
    assert double.log().count("rknn_dup_context") == 1
