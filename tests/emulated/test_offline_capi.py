"""Contexts in threads over `capi`, against our librknnrt double on this machine's own architecture."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.run.crew import Crew
from rkbench_agent.runtimes.lanes import ClosedLoop, Lane
from rkbench_agent.runtimes.threads import Threads
from rkbench_agent.scenarios.offline import engine_of, run_contexts
from test_capi import Fixture
from test_capi import double as double

SMALL = {"INPUTS": "x:1x2x2x1:float32:nhwc", "OUTPUTS": "y:1x3:float32"}


def crew(double: Fixture, *, zero_copy: bool = False, **settings: str) -> Crew:
    double.script(**SMALL, **settings)
    runtime = double.runtime(zero_copy=zero_copy)
    inputs: list[Any] = [np.ones((1, 2, 2, 1), np.float32)]
    runtime.feed(inputs)
    return Crew(runtime, inputs, lambda: None)


@pytest.mark.parametrize("zero_copy", [False, True])
def test_duplicated_contexts_run_beside_each_other(zero_copy: bool, double: Fixture) -> None:
    held = crew(double, zero_copy=zero_copy)
    assert held.grow(["auto", "1", "all"], warmups=1) == ""
    beats: list[int] = []
    lanes = run_contexts(
        held.contexts, engine_of(held.contexts[0]), 60, 0, beat=lambda: beats.append(threading.get_ident())
    )
    assert sum(lane.count for lane in lanes) == 60 == len(beats)
    assert all(lane.count == len(lane.start_ns) == len(lane.stages) for lane in lanes)
    held.release()
    log = double.log()
    assert [log.count("rknn_dup_context"), log.count("rknn_set_core_mask 0x2")] == [2, 1]
    assert [log.count("rknn_set_core_mask 0x7"), log.count("rknn_destroy")] == [1, 2]


def test_a_duplicate_that_is_refused_leaves_the_contexts_before(double: Fixture) -> None:
    held = crew(double, DUP_RET="0,-4")
    problem = held.grow(["auto", "auto", "auto"], warmups=1)
    assert problem == "rknn_dup_context returned RKNN_ERR_MALLOC_FAIL (-4)"
    assert len(held.contexts) == 2


def test_a_duplicate_whose_cores_are_refused_is_given_back(double: Fixture) -> None:
    held = crew(double, CORE_RET="-1")
    assert "rknn_set_core_mask" in held.grow(["auto", "1"], warmups=1)
    assert double.log().count("rknn_destroy") == 1


def test_weights_that_are_shared_count_once(double: Fixture) -> None:
    held = crew(double, WEIGHT_BYTES="1000", INTERNAL_BYTES="300", DMA_BYTES="1300")
    held.grow(["auto", "auto", "auto"], warmups=1)
    assert [held.npu_bytes(count) for count in (1, 2, 3)] == [1300, 1600, 1900]


def test_one_thread_that_fails_ends_all_with_its_reason(double: Fixture) -> None:
    held = crew(double, RUN_RET="0,0,0,0,0,0,0,0,0,-1,0")
    held.grow(["auto", "auto", "auto"], warmups=1)
    with pytest.raises(RuntimeFailureError, match="rknn_run returned RKNN_ERR_FAIL"):
        run_contexts(held.contexts, Threads(), 10**9, 10**15, beat=lambda: None)


class Broken:
    """A runtime of which one call returns nothing."""

    def clock_ns(self) -> int:
        return 0

    def infer(self) -> object:
        return None

    def stage_times(self) -> None:
        return None


def test_a_call_without_outputs_is_a_failure() -> None:
    with pytest.raises(RuntimeFailureError, match="returned no outputs"):
        Threads().run([Lane(Broken())], ClosedLoop(5, 0, 0), lambda: None)  # type: ignore[arg-type]
