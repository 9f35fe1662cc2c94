"""A second model beside the first over `capi`: our librknnrt double on this architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.runtimes.capi import CapiRuntime
from rkbench_agent.runtimes.lanes import Lane
from rkbench_agent.runtimes.threads import Threads
from rkbench_agent.scenarios.interference import Watch, keep_busy
from test_capi import Fixture
from test_capi import double as double

SMALL = {"INPUTS": "x:1x2x2x1:float32:nhwc", "OUTPUTS": "y:1x3:float32"}


def models(double: Fixture, **settings: str) -> list[CapiRuntime]:
    """Two models, loaded apart from each other and fed, with inputs of their own."""
    double.script(**SMALL, **settings)
    made = [double.runtime(), double.runtime()]
    for value, runtime in enumerate(made):
        inputs: list[Any] = [np.full((1, 2, 2, 1), value + 1, np.float32)]
        runtime.feed(inputs)
    return made


def test_each_model_calls_until_both_made_their_calls_and_yields_its_own_outputs(double: Fixture) -> None:
    own, other = models(double)
    watches = [Watch(own), Watch(other)]
    lanes = [Lane(runtime, look=watch.look) for runtime, watch in zip((own, other), watches, strict=True)]
    beats: list[int] = []
    keep_busy(lanes, Threads(), 40, 0, beat=lambda: beats.append(1))
    assert min(lane.count for lane in lanes) >= 40
    assert len(beats) == sum(lane.count for lane in lanes)
    assert [watch.seen for watch in watches] == [lane.count for lane in lanes]
    assert [watch.changed() for watch in watches] == [[], []]
    assert double.log().count("rknn_dup_context") == 0


def test_a_lane_that_fails_ends_both_and_says_whose_it_is(double: Fixture, tmp_path: Path) -> None:
    own, other = models(double, RUN_RET="0,0,0,0,0,0,0,0,0,-1,-1,-1")
    lanes = [Lane(own, name="a"), Lane(other, name="b")]
    with pytest.raises(RuntimeFailureError, match=r"^[ab]: rknn_run returned RKNN_ERR_FAIL"):
        keep_busy(lanes, Threads(), 10**9, 10**15, beat=lambda: None)
