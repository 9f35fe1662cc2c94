"""What is compared, what is refused, what is named, and what the verdict says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import collected, make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.runs.comparison import Comparison
from rkbench.runs.model import Failure, Load, RunResult

BASE = make_run(1, "fp16")
INT8 = make_run(
    2,
    "int8",
    variant=replace(BASE.variant, name="int8", size_bytes=7_290_198),
    load=Load(duration_s=0.05, npu_total_bytes=7_292_064),
    latency=make_latency(0.00113),
    throughput_per_s=886.0,
    outputs=(replace(BASE.outputs[0], top1_agreement=0.984),),
)


def compare(*runs: tuple[RunResult, int]) -> Comparison:
    return compare_collected([collected(run, duration) for run, duration in runs])


def values(comparison: Comparison, run: RunResult) -> dict[str, float | None]:
    return {metric.name: metric.differences[run.id] for metric in comparison.metrics}


def test_differences_are_percent_of_the_baseline() -> None:
    found = values(compare((BASE, 2_260_000), (INT8, 1_130_000)), INT8)
    assert found["size_bytes"] == pytest.approx(-50, abs=0.01)
    assert found["load_npu_total_bytes"] == pytest.approx(-50)
    assert found["latency_p50_s"] == pytest.approx(-50)
    assert found["throughput_per_s"] == pytest.approx(100)
    assert found["top1_agreement"] == pytest.approx(-1.6)
    assert found["load_rss_delta_bytes"] is None


def test_every_metric_has_its_direction() -> None:
    found = {metric.name for metric in compare((BASE, 1)).metrics if metric.higher_is_better}
    assert found == {
        "throughput_per_s",
        "offline_one_per_s",
        "server_goodput_per_s",
        "cosine",
        "snr_db",
        "top1_agreement",
    }


def test_the_latency_test_has_a_word_and_an_interval() -> None:
    (test,) = compare((BASE, 2_260_000), (INT8, 1_130_000)).latency_tests
    assert (test.run, test.judgement) == (INT8.id, "faster")
    assert test.difference_percent == pytest.approx(-50)
    assert test.method == "bootstrap of block medians, 95 %"


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(INT8, simulated=True), "simulated differs: True, baseline False"),
        (replace(INT8, board=replace(INT8.board, name="lab")), "board differs: lab, baseline desk"),
        (replace(INT8, board=replace(INT8.board, soc="rk3568")), "SoC differs: rk3568, baseline rk3588"),
        (
            replace(INT8, failure=Failure("load", "crash", "died"), partial=True),
            "the run ended early, in stage load",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(other: RunResult, reason: str) -> None:
    comparison = compare((BASE, 2_260_000), (other, 1_130_000))
    assert [(refusal.run, refusal.reasons) for refusal in comparison.refused] == [(INT8.id, (reason,))]
    assert set(values(comparison, other).values()) == {None}
    assert comparison.latency_tests == ()


def test_other_conditions_that_differ_are_named() -> None:
    other = replace(INT8, board=replace(INT8.board, runtime_version="2.1.0"))
    comparison = compare((BASE, 2_260_000), (other, 1_130_000))
    assert comparison.refused == ()
    (condition,) = comparison.conditions
    assert (condition.name, condition.baseline, condition.value) == ("runtime_version", "2.3.2", "2.1.0")


def test_outputs_are_not_compared_where_one_run_had_no_golden() -> None:
    other = replace(INT8, plan=replace(INT8.plan, golden_sha256=None))
    found = values(compare((BASE, 2_260_000), (other, 1_130_000)), other)
    assert (found["cosine"], found["top1_agreement"]) == (None, None)
    assert found["size_bytes"] is not None


def test_the_first_run_that_did_not_fail_is_the_baseline() -> None:
    broken = replace(BASE, failure=Failure("load", "crash", "died"))
    assert compare((broken, 1), (INT8, 1_130_000)).baseline == INT8.id


def _wrong(run: RunResult) -> RunResult:
    return replace(run, outputs=tuple(replace(output, cosine_mean=-0.5) for output in run.outputs))


def test_who_yields_wrong_outputs_wins_nothing() -> None:
    assert compare((_wrong(BASE), 1_130_000), (INT8, 2_260_000)).verdict.startswith("fp16: 14.6 MB, ")
    verdict = compare((BASE, 2_260_000), (_wrong(INT8), 1_130_000)).verdict
    assert verdict == (
        "fp16: 14.6 MB, 14.6 MB of NPU memory, p50 2.26 ms, lowest cosine 0.99999 (top-1 100.0 %)."
        " The outputs of int8 are not what was expected."
    )


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (
            [(BASE, 2_260_000), (INT8, 1_130_000)],
            (
                "Against fp16: int8 is the smallest (-50.0 %), the lightest to load (-50.0 %) and the "
                "fastest (-50.0 %); lowest cosine 0.99999 (top-1 100.0 %) in fp16, 0.99999 (top-1 98.4 %) in"
                " int8."
            ),
        ),
        (
            [(BASE, 2_260_000), (INT8, 4_520_000)],
            (
                "Against fp16: int8 is the smallest (-50.0 %) and the lightest to load (-50.0 %), but slower "
                "(+100.0 %); lowest cosine 0.99999 (top-1 100.0 %) in fp16, 0.99999 (top-1 98.4 %) in int8."
            ),
        ),
        (
            [(BASE, 2_260_000), (make_run(2, "again"), 2_260_000)],
            (
                "fp16 is not beaten in size or memory: no difference in latency for the better; "
                "lowest cosine 0.99999 (top-1 100.0 %)."
            ),
        ),
        (
            [(BASE, 2_260_000)],
            "fp16: 14.6 MB, 14.6 MB of NPU memory, p50 2.26 ms, lowest cosine 0.99999 (top-1 100.0 %).",
        ),
        (
            [(BASE, 1), (replace(INT8, failure=Failure("load", "crash", "died")), 1)],
            (
                "fp16: 14.6 MB, 14.6 MB of NPU memory, p50 2.26 ms, lowest cosine 0.99999 (top-1 100.0 %)."
                " int8 failed."
            ),
        ),
        (
            [(replace(BASE, failure=Failure("load", "crash", "died")), 1)],
            "No run was completed: fp16 failed.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(runs: list[tuple[RunResult, int]], sentence: str) -> None:
    assert compare(*runs).verdict == sentence
