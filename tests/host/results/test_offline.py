"""Steps of an offline run, folded: rates with intervals, where they saturate, what a context takes."""

from __future__ import annotations

from typing import Any

import pytest
from rkbench.results.latencies import RawLatencies
from rkbench.results.offline import Offline, offline, saturated_blocks
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.scenario_messages import OfflineStep

SECOND = 1_000_000_000


class Steps:
    """Steps whose contexts call evenly, `call_ms` each, one step after the other, 4 s long."""

    def __init__(self) -> None:
        self.raw, self.told = RawLatencies(), []
        self._block = 0

    def add(self, placement: str, contexts: int, call_ms: float, **of_step: Any) -> None:
        start_ns = 10 * SECOND * len(self.told)
        blocks = list(range(self._block, self._block + contexts))
        self._block += contexts
        duration_ns = int(call_ms * 1e6)
        for block in blocks:
            starts = list(range(start_ns, start_ns + 4 * SECOND, duration_ns))
            self.raw.append(Latencies("r", block, False, starts, [duration_ns] * len(starts)))
        masks = [placement] * contexts
        self.told.append(OfflineStep("r", placement, contexts, blocks, masks, True, **of_step))

    def fold(self, *readings: Reading) -> Offline:
        found = offline(self.told, self.raw, readings)
        assert found is not None
        return found


def three_cores() -> Steps:
    steps = Steps()
    for contexts, call_ms in ((1, 10), (2, 10), (3, 10), (6, 19.6), (9, 29)):
        steps.add("auto", contexts, call_ms, npu_bytes=10_000 + 2_000 * contexts, rss_bytes=500_000)
    return steps


def test_the_rate_is_the_sum_of_the_contexts_own_rates() -> None:
    rates = [step.rate_per_s for step in three_cores().fold().steps]
    assert rates == pytest.approx([100, 200, 300, 306.1, 310.3], abs=0.1)


def test_it_saturates_at_the_fewest_contexts_near_the_highest_rate() -> None:
    found = three_cores().fold()
    point = found.saturation
    assert (point.placement, point.contexts, point.is_reached) == ("auto", 3, True)
    assert (found.one_per_s, found.npu_bytes_per_context) == (pytest.approx(100), 2_000)
    assert found.rss_bytes_per_context == 0


def test_a_rate_that_still_rises_has_not_saturated() -> None:
    steps = Steps()
    steps.add("auto", 1, 10)
    steps.add("auto", 2, 10)
    assert steps.fold().saturation.is_reached is False


def test_of_two_placements_alike_the_faster_is_named() -> None:
    steps = Steps()
    steps.add("auto", 3, 10.2)
    steps.add("spread", 3, 10)
    steps.add("all", 3, 20)
    assert steps.fold().saturation.placement == "spread"


def test_of_two_placements_within_one_percent_the_first_is_named() -> None:
    steps = Steps()
    steps.add("auto", 3, 10.05)
    steps.add("spread", 3, 10)
    assert steps.fold().saturation.placement == "auto"


def test_the_interval_of_even_calls_is_narrow_and_of_uneven_ones_wide() -> None:
    even = three_cores().fold().steps[0]
    assert (even.low_per_s, even.high_per_s) == (pytest.approx(100), pytest.approx(100))
    steps = Steps()
    steps.add("auto", 1, 10)
    for index in range(200, 400):
        steps.raw.duration_ns[index] = 9_000_000
        steps.raw.start_ns[index] = 2 * SECOND + (index - 200) * 9_000_000
    uneven = steps.fold().steps[0]
    assert uneven.low_per_s is not None
    assert uneven.high_per_s is not None
    assert uneven.low_per_s < 102 < 108 < uneven.high_per_s


def test_few_calls_have_no_interval() -> None:
    steps = Steps()
    steps.add("auto", 1, 500)
    (step,) = steps.fold().steps
    assert (step.count, step.low_per_s, step.p99_s) == (8, None, None)


def test_core_load_comes_from_the_model_where_it_knows_it() -> None:
    steps = Steps()
    steps.add("auto", 1, 10, core_busy_ns=[3 * SECOND, SECOND, 0])
    assert steps.fold().steps[0].core_load_ratio == (0.75, 0.25, 0.0)


def test_core_load_comes_else_from_samples_that_tell_of_this_step_alone() -> None:
    steps = Steps()
    steps.add("auto", 1, 10)
    steps.add("spread", 1, 10)
    readings = [
        Reading(int(at * SECOND), npu_load_ratio=[load, 0.0])
        for at, load in ((0.5, 0.0), (1.5, 0.9), (3.5, 0.8), (10.5, 0.85), (12.0, 0.5))
    ]
    assert [step.core_load_ratio for step in steps.fold(*readings).steps] == [
        (pytest.approx(0.85), 0.0),
        (0.5, 0.0),
    ]


def test_a_step_without_calls_is_left_out() -> None:
    told = [OfflineStep("r", "auto", 1, [0], ["auto"], True)]
    assert offline(told, RawLatencies(), ()) is None


def test_the_latency_of_the_run_is_that_of_the_saturation() -> None:
    steps = three_cores()
    blocks = saturated_blocks(steps.told, steps.fold())
    assert blocks == {3, 4, 5}
    assert set(steps.raw.only(blocks).timed()) == {10_000_000}
