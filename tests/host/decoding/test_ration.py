"""What an agent may say is bounded by what the host keeps of it."""

from __future__ import annotations

import pytest
from rkbench.decoding.ration import CAVEATS, KEPT, LATENCIES, Rations
from rkbench.errors import ProtocolError
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import BoardCaveat, Finished, Latencies, Log
from rkbench_agent.wire.provenance import Provenance

BATCH = Latencies("a", 0, False, [1] * 500, [2] * 500, None, [3] * 500)


def test_a_day_of_readings_twice_a_second_is_no_flood() -> None:
    now_s = 0.0
    rations = Rations(lambda: now_s)
    for _ in range(2 * 86_400):
        now_s += 0.5
        rations.take(Reading(1), 2_000)


def test_a_million_iterations_at_full_speed_are_no_flood() -> None:
    now_s = 0.0
    rations = Rations(lambda: now_s)
    for _ in range(1_000_000 // 500):
        now_s += 500 * 60e-6
        rations.take(BATCH, 15_000)


def test_readings_without_end_are_refused_and_latencies_counted_by_the_memory_that_they_take() -> None:
    rations = Rations(lambda: 0.0)
    with pytest.raises(ProtocolError, match="more readings and results than any run yields"):
        for _ in range(int(KEPT.at_once_bytes) // 1000 + 1):
            rations.take(Reading(1), 1000)
    rations.take(Log("a", "stdout", "well", 1), 1000)
    with pytest.raises(ProtocolError, match="more latencies than any run yields"):
        for _ in range(int(LATENCIES.at_once_bytes) // (500 * 5 * 8) + 1):
            rations.take(BATCH, 10)


def test_a_hundred_runs_with_ten_caveats_each_are_no_flood_and_caveats_without_end_are() -> None:
    rations = Rations(lambda: 0.0)
    for _ in range(100):
        rations.take(Finished("a", 1, Provenance()), 2_500)
    with pytest.raises(ProtocolError, match="more caveats than any run yields"):
        for _ in range(int(CAVEATS.at_once_bytes) // 1000):
            rations.take(BoardCaveat(Caveat("not_cool", "hot")), 1_000)
