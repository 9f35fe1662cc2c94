"""The timed region, the model of the virtual NPU, and what a log says."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, Iterator, List, Optional

import pytest
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.run.log_scan import find_cause, find_caveats, find_run_failure
from rkbench_agent.runtimes.base import StageTimes
from rkbench_agent.runtimes.behaviour import Behaviour, read_behaviour
from rkbench_agent.runtimes.latency_model import LatencyModel, Work
from rkbench_agent.scenarios.single_stream import run_block


class NullRuntime:
    """Answers at once; its clock reads what it is told."""

    replays = False

    def __init__(self, ticks: List[int], result: object = "outputs") -> None:
        self._ticks: Iterator[int] = iter(ticks)
        self._result = result
        self.collecting: Optional[bool] = None

    def clock_ns(self) -> int:
        return next(self._ticks)

    def infer(self) -> object:
        self.collecting = gc.isenabled()
        return self._result

    def stage_times(self) -> StageTimes:
        return StageTimes(run_ns=1)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} must not be called while measuring")


def test_only_the_inference_is_timed() -> None:
    beats: List[int] = []
    runtime = NullRuntime([0, 5, 10, 17])
    block = run_block(runtime, 2, beat=lambda: beats.append(1))
    assert (list(block.start_ns), list(block.duration_ns), block.count) == ([0, 10], [5, 7], 2)
    assert block.stages == [StageTimes(run_ns=1), StageTimes(run_ns=1)]
    assert (block.total_ns, beats, runtime.collecting) == (12, [1, 1], False)
    assert gc.isenabled()


def test_a_block_ends_at_its_limit() -> None:
    block = run_block(NullRuntime([0, 5, 10, 17, 20, 99]), 3, limit_ns=12)
    assert (block.count, block.total_ns) == (2, 12)


def test_iterations_that_are_not_read_take_none_of_the_time() -> None:
    block = run_block(NullRuntime([0, 5, 10, 17, 20, 99, 100, 101]), 4, limit_ns=1, unread=2)
    assert (block.count, list(block.duration_ns)) == (3, [5, 7, 79, 0])


def test_a_runtime_that_returns_nothing_fails_and_the_collector_is_on_again() -> None:
    with pytest.raises(RuntimeFailureError, match="no outputs"):
        run_block(NullRuntime([0, 5], result=None), 1)
    assert gc.isenabled()


def model(behaviour: Any, soc: str = "rk3588", seed: int = 1) -> LatencyModel:
    """Return the model of a net of 12 MB and 100 tasks."""
    return LatencyModel(soc, Work(12_000_000, 100, 3_000, 3_000_000), Behaviour(behaviour), seed)


def test_the_modelled_latency_is_overhead_and_bytes_and_tasks() -> None:
    values = [model({}, seed=seed).next_run_ns(0) for seed in range(50)]
    assert min(values) >= 250_000 + 1_000_000 + 400_000
    assert max(values) < 1_650_000 * 1.05
    assert (model({}).set_inputs_ns, model({}).get_outputs_ns) == (16_000, 1_015_000)


def test_a_model_is_deterministic_and_slower_on_the_smaller_soc() -> None:
    first, second = model({}), model({})
    assert [first.next_run_ns(i) for i in range(9)] == [second.next_run_ns(i) for i in range(9)]
    assert model({}, "rk3568").next_run_ns(0) > 2 * model({}).next_run_ns(0)


def test_a_behaviour_injects_distributions_flapping_and_throttling() -> None:
    constant = {"latency": {"distribution": "constant", "median_ms": 2.0, "factor": 1.5}}
    assert model(constant).next_run_ns(0) == 3_000_000
    flapping = model(dict(constant, flapping={"factor": 2.0, "period_iterations": 2}))
    assert [flapping.next_run_ns(i) // 1_000_000 for i in range(6)] == [3, 3, 6, 6, 3, 3]
    throttling = model(dict(constant, throttling={"after_iterations": 2, "factor": 3.0}))
    assert [throttling.next_run_ns(i) // 1_000_000 for i in range(4)] == [3, 3, 9, 9]
    lognormal = model({"latency": {"distribution": "lognormal", "median_ms": 2.0, "sigma": 0.2}})
    values = sorted(lognormal.next_run_ns(i) for i in range(1001))
    assert values[500] == pytest.approx(2_000_000, rel=0.05)
    assert values[0] < 1_500_000 < 3_000_000 < values[-1]


def test_a_behaviour_file_overrides_by_name_and_refuses_unknown_keys(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text('{"load_s": 1, "seed": 2, "per_model": {"a": {"load_s": 5}}}')
    assert [read_behaviour(str(path), "a").get(key) for key in ("load_s", "seed")] == [5, 2]
    assert read_behaviour(str(path), "b").get("load_s") == 1
    path.write_text('{"hangs": {"stage": "load"}}')
    with pytest.raises(RuntimeFailureError, match="unknown key hangs"):
        read_behaviour(str(path), "a")
    with pytest.raises(RuntimeFailureError, match="behaviour file"):
        read_behaviour(str(tmp_path / "absent.json"), "a")


SUBMIT = "E RKNN: [00:07:52.145] failed to submit!, invalid run task counter: 210 >= 70, int status: 0"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (SUBMIT, True),
        ("E RKNN: failed to submit!, op id: 3", True),
        ("E RKNN: Op type: 'x' is not register, please register it before rknn_run!", True),
        (
            "E RKNN: [00:00:00.000] query RKNN_QUERY_INPUT_DYNAMIC_RANGE error, rknn_run of static shape",
            False,
        ),
        ("I RKNN: nothing failed to submit", False),
        ("W Query dynamic range failed. Ret code: RKNN_ERR_MODEL_INVALID. (ignore)", False),
    ],
)
def test_a_failed_run_is_found_in_the_log(line: str, found: bool) -> None:
    assert find_run_failure(["I RKNN: fine", line]) == (line if found else None)


def test_the_telling_line_is_the_cause_not_the_tail() -> None:
    lines = [
        "E RKNN: failed to check rknpu hardware version: 0x46495245",
        "E RKNN: This rknn model is for RK3568, but current platform is RK3588",
        "E RKNN: rknn_init, load model failed!",
        "Exception: RKNN init failed. error code: RKNN_ERR_MODEL_INVALID",
    ]
    assert find_cause(lines).advice == "convert the model for this board's target_platform"
    assert find_cause([*lines[2:], "  more"]).line == lines[3]
    assert find_cause(["hello"]) == (None, None, "")


def test_doubts_in_the_log_become_caveats_once() -> None:
    line = "W RKNN: This model has not multicore config, fallback single core"
    assert [caveat.code for caveat in find_caveats([line, line])] == ["single_core_fallback"]
    assert find_caveats(["I RKNN: fine"]) == []
