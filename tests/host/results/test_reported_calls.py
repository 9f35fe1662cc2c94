"""Two reports from boards that read as right and were not: what is said of their numbers."""

from __future__ import annotations

from dataclasses import replace

from made_runs import make_latency, make_run
from rkbench.results.caveats import caveats_of
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult, Stages
from rkbench_agent.wire.caveats import Caveat


def told(run: RunResult) -> dict[str, Caveat]:
    """Return what is said of a run, by code."""
    return {caveat.code: caveat for caveat in caveats_of(run, RawLatencies(), ())}


def called(call_s: float, run_s: float, runtime: str) -> RunResult:
    """Return a run whose calls take so long, and `rknn_run` in them."""
    latency = replace(make_latency(call_s), stages=Stages(run=make_latency(run_s)))
    run = make_run(latency=latency)
    return replace(run, plan=replace(run.plan, runtime=runtime))


def test_rknnlite_of_85_ms_where_rknn_run_takes_42_is_bound_by_the_host() -> None:
    found = told(called(0.085, 0.042, "lite"))["host_bound"]
    assert found.message == (
        "the call takes 85.0 ms, rknn_run alone 42.0 ms: the rest is Python, copies and conversion on the CPU"
    )
    assert found.advice == "see what a program in C would get: --runtime capi"


def test_the_same_model_through_the_c_api_is_not() -> None:
    assert "host_bound" not in told(called(0.044, 0.042, "capi"))


def test_a_queue_before_the_call_is_no_work_of_the_host() -> None:
    run = called(9.35, 0.002, "lite")
    assert "host_bound" not in told(replace(run, plan=replace(run.plan, scenario="server")))


def test_42_kb_an_inference_are_growth_with_its_cause_and_no_leak_of_loads() -> None:
    found = told(make_run(growth_bytes=42_000 * 200, growth_iterations=200))
    assert found["growth"].message == (
        "process memory grew by 42.0 kB with every inference (8.40 MB over a block of 200):"
        " RKNNLite leaves a cycle of references behind each, or something leaks"
    )
    assert found["growth"].advice.startswith("in your program call gc.collect() every few hundred inferences")
    assert "memory_leak" not in found


def test_0_16_kb_an_inference_with_a_collector_that_runs_is_no_growth() -> None:
    assert "growth" not in told(make_run(growth_bytes=160 * 5000, growth_iterations=5000))
