"""What is compared, what is refused, what is named, and what the verdict says of it."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest
from made_runs import collected, make_latency, make_run
from rkbench.campaign import compare_collected
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.latency_tests import latency_tests
from rkbench.results.loads import Load
from rkbench.results.model import Failure, RunResult
from rkbench_agent.wire.provenance import Provenance

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


def compare(*runs: tuple[RunResult, int], **latencies: int) -> Comparison:
    return compare_collected([collected(run, duration, **latencies) for run, duration in runs])


def values(comparison: Comparison, run: RunResult) -> dict[str, float | None]:
    return {metric.name: metric.differences[run.id] for metric in comparison.metrics}


def test_differences_are_percent_of_the_baseline() -> None:
    found = values(compare((BASE, 2_260_000), (INT8, 1_130_000)), INT8)
    assert found["size_bytes"] == pytest.approx(-50, abs=0.01)
    assert found["load_npu_total_bytes"] == pytest.approx(-50)
    assert found["latency_p50_s"] == pytest.approx(-50, abs=0.1)
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
        "top1_accuracy",
        "top5_accuracy",
        "mean_average_precision",
        "mean_average_precision_50",
        "mean_iou",
        "own_metric",
    }


def test_the_latency_test_has_a_word_and_an_interval() -> None:
    (test,) = compare((BASE, 2_260_000), (INT8, 1_130_000)).latency_tests
    assert (test.run, test.against, test.judgement) == (INT8.id, BASE.id, "faster")
    assert test.difference_percent == pytest.approx(-50, abs=0.1)
    assert test.low_percent is not None
    assert test.high_percent is not None
    assert -50.2 < test.low_percent < test.difference_percent < test.high_percent < -49.8
    assert (test.units, test.unit, test.confidence, test.needed) == (7, "load", 0.95, None)
    assert test.method == "Hodges-Lehmann estimate over quads A B B A, exact signed-rank interval"


def test_every_two_candidates_have_a_test_and_all_together_hold_with_95_percent() -> None:
    runs = [(make_run(number, f"v{number}"), 2_000_000 + 100_000 * number) for number in range(1, 5)]
    found = compare(*runs, loads=8)
    assert [test.run[-2:] for test in found.latency_tests] == ["02", "03", "04"]
    pairs = [(test.run[-2:], (test.against or "")[-2:], test.judgement) for test in found.latency_pairs]
    assert pairs == [("03", "02", "slower"), ("04", "02", "slower"), ("04", "03", "slower")]
    confidences = {round(test.confidence, 9) for test in (*found.latency_tests, *found.latency_pairs)}
    assert confidences == {0.983333333}


def test_too_few_loads_cannot_tell_and_say_how_many_would() -> None:
    (test,) = compare((BASE, 2_260_000), (INT8, 1_130_000), loads=3).latency_tests
    assert (test.judgement, test.low_percent, test.units, test.needed) == ("can't tell", None, 3, 6)
    assert test.difference_percent == pytest.approx(-50, abs=0.1)


def test_one_load_speaks_for_itself_alone() -> None:
    (test,) = compare((BASE, 2_260_000), (INT8, 1_130_000), loads=1, quads=12).latency_tests
    assert (test.judgement, test.unit, test.units) == ("faster", "quad", 12)


def test_a_plan_of_several_loads_that_ended_in_its_first_needs_loads_and_not_quads() -> None:
    several = replace(BASE, plan=replace(BASE.plan, loads=7, quads=2))
    one = replace(BASE, plan=replace(BASE.plan, loads=1, quads=12))
    for base, unit, units in ((several, "load", 1), (one, "quad", 2)):
        (test,) = compare((base, 2_260_000), (INT8, 1_130_000), loads=1, quads=2).latency_tests
        assert (test.unit, test.units, test.needed) == (unit, units, 6)


def test_what_differs_by_less_than_the_effect_is_no_difference() -> None:
    wide = replace(BASE, plan=replace(BASE.plan, effect_percent=60.0))
    for base, judgement in ((BASE, "faster"), (wide, "no difference")):
        (test,) = compare((base, 2_260_000), (INT8, 1_600_000)).latency_tests
        assert test.judgement == judgement


def test_runs_that_did_not_take_turns_have_no_pairs_and_say_so() -> None:
    later = collected(INT8, 1_130_000)
    shift = 10**12
    raw = replace(later.latencies, start_ns=array("q", (start + shift for start in later.latencies.start_ns)))
    comparison = compare_collected([collected(BASE), replace(later, latencies=raw)])
    (test,) = comparison.latency_tests
    assert (test.judgement, test.units, test.needed) == ("can't tell", 0, None)
    assert test.reason == "their blocks were not measured in turns (A B B A)"
    assert values(comparison, INT8)["latency_p50_s"] == pytest.approx(-50)
    assert "whether one is faster can't be told: their blocks were not measured" in comparison.verdict


def test_runs_of_the_first_version_are_compared_by_what_their_block_times_say() -> None:
    pairs = ((BASE, 2_260_000), (INT8, 2_000_000))
    old = [collected(run, duration, loads=1, quads=8) for run, duration in pairs]
    empty = array("q")
    old = [replace(item, latencies=replace(item.latencies, load=empty, unread=empty)) for item in old]
    (test,) = compare_collected(old).latency_tests
    assert (test.judgement, test.unit, test.units) == ("faster", "quad", 8)


def test_runs_that_ctrl_c_ended_are_compared_as_far_as_they_go() -> None:
    stopped = Failure("connection", "interrupted", "interrupted by Ctrl-C")
    base, other = (replace(run, failure=stopped, partial=True, verdict="STOPPED") for run in (BASE, INT8))
    found = compare((base, 2_260_000), (other, 1_130_000), loads=6)
    assert found.refused == ()
    assert [(test.judgement, test.units) for test in found.latency_tests] == [("faster", 6)]
    (test,) = found.latency_tests
    assert f"fastest, {test.difference_percent:+.1f} % (" in found.verdict
    assert found.verdict.endswith(" fp16 and int8 were stopped.")


def test_of_what_ctrl_c_ended_before_any_call_there_is_nothing_to_say() -> None:
    stopped = Failure("connection", "interrupted", "interrupted by Ctrl-C")
    run = replace(BASE, failure=stopped, partial=True, verdict="STOPPED", latency=None)
    assert compare((run, 2_260_000)).verdict == "No run was completed: fp16 was stopped."


def test_two_runs_of_a_push_that_timed_nothing_are_said_to_have_timed_nothing() -> None:
    base, run = (replace(make_run(number, push="push"), latency=None) for number in (1, 2))
    ((test,), _) = latency_tests(base, [run], {})
    assert test.reason == "of one of them no call was timed"


def test_a_push_has_one_difference_of_its_median_latency() -> None:
    pooled = replace(INT8, latency=make_latency(0.0018))  # levels of loads make it another than the pairs'
    found = compare((BASE, 2_260_000), (pooled, 1_130_000))
    (test,) = found.latency_tests
    assert values(found, pooled)["latency_p50_s"] == test.difference_percent == pytest.approx(-50, abs=0.1)


def test_the_fastest_is_who_beats_the_second_too() -> None:
    base, near, best = (make_run(number, name) for number, name in enumerate(("base", "near", "best"), 1))
    apart = compare((base, 2_260_000), (near, 2_000_000), (best, 1_500_000)).verdict
    assert "best is the fastest, -33." in apart
    assert "near" not in apart
    close = compare((base, 2_260_000), (near, 2_000_000), (best, 1_999_000)).verdict
    assert "near is faster, -11." in close
    assert "best is faster, -11." in close
    assert "which of them is the fastest can't be told" in close


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (replace(INT8, simulated=True), "simulated differs: yes, baseline no"),
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


def _sized(number: int, size: int, cosine: float) -> RunResult:
    run = make_run(number, f"v{number}")
    outputs = (replace(run.outputs[0], cosine=cosine, top1_agreement=None),)
    return replace(run, variant=replace(run.variant, size_bytes=size), outputs=outputs)


def test_all_that_share_what_is_best_are_named_and_each_that_is_more_by_itself() -> None:
    runs = [_sized(1, 14_000_000, 0.99), _sized(2, 7_000_000, 0.98), _sized(3, 7_000_064, 0.98)]
    times = (2_260_000, 2_000_000, 2_500_000)
    assert compare(*zip(runs, times, strict=True)).verdict == (
        "Against v1: v2 and v3 are the smallest (-50.0 %); v2 is the fastest, -11.6 % (-11.6 to -11.3);"
        " v3 is slower, +10.6 % (+10.4 to +10.8); lowest cosine 0.99000 in v1, 0.98000 in v2 and v3."
    )


def test_of_many_that_share_it_some_are_named_and_their_outputs_lie_between() -> None:
    def verdict(count: int) -> str:
        runs = [_sized(n, 14_000_000 if n == 1 else 7_000_000, 0.99 - n / 1000) for n in range(1, count)]
        apart = [_sized(n, 8_000_000, 0.99 - n / 1000) for n in range(count, count + 2)]
        return compare(*((run, 2_260_000) for run in [*runs, *apart])).verdict

    assert "v2, v3, v4, v5, v6, v7 and v8 are the smallest (-50.0 %); " in verdict(9)
    found = verdict(10)
    assert "v2, v3, v4, v5, v6, v7 and 2 more are the smallest (-50.0 %); " in found
    assert found.endswith("; lowest cosine 0.98100 in v9 to 0.98900 in v1.")


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
                "fastest, -50.0 % (-50.1 to -49.9); lowest cosine 0.99999 (top-1 100.0 %) in fp16, 0.99999"
                " (top-1 98.4 %) in int8."
            ),
        ),
        (
            [(BASE, 2_260_000), (INT8, 4_520_000)],
            (
                "Against fp16: int8 is the smallest (-50.0 %) and the lightest to load (-50.0 %), but "
                "slower, +99.8 % (+99.8 to +100.5); lowest cosine 0.99999 (top-1 100.0 %) in fp16, 0.99999"
                " (top-1 98.4 %) in int8."
            ),
        ),
        (
            [(BASE, 2_260_000), (make_run(2, "again"), 2_260_000)],
            (
                "fp16 is not beaten in size or memory: no difference in p50 (within 2 %); "
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


def with_slow_calls(item: Collected, every: int) -> Collected:
    """Return a run of which every so-manieth call takes half as long again."""
    durations = item.latencies.duration_ns
    for index in range(0, len(durations), every):
        durations[index] = durations[index] * 3 // 2
    return item


def test_slow_calls_of_one_run_are_told_by_their_share() -> None:
    base, other = collected(BASE, 2_260_000), collected(replace(INT8, latency=BASE.latency), 2_260_000)
    found = compare_collected([base, with_slow_calls(other, 25)])
    (tail,) = found.tail_tests
    assert tail.differs
    assert (round(tail.share, 2), tail.share_against) == (0.02, 0.0)
    assert " of int8's calls exceed 3.39 ms, 0.0 % of fp16's." in found.verdict


def test_tails_alike_are_no_sentence_and_few_calls_have_no_test() -> None:
    pair = [collected(BASE, 2_260_000), collected(replace(INT8, latency=BASE.latency), 2_260_000)]
    found = compare_collected(pair)
    assert ([tail.differs for tail in found.tail_tests], "exceed" in found.verdict) == ([False], False)
    few = replace(INT8, latency=make_latency(0.00226, 661))
    assert compare_collected([pair[0], collected(few, 2_260_000)]).tail_tests == ()


def test_a_slower_run_needs_no_sentence_on_its_slowest_calls() -> None:
    slower = with_slow_calls(collected(replace(INT8, latency=BASE.latency), 3_000_000), 25)
    found = compare_collected([collected(BASE, 2_260_000), slower])
    assert ([tail.differs for tail in found.tail_tests], "exceed" in found.verdict) == ([True], False)


def test_latencies_of_different_sources_are_named() -> None:
    sources = [Provenance("from_file", "modelled", "measured", word) for word in ("modelled", "predicted")]
    base, other = (
        replace(run, simulated=True, provenance=source)
        for run, source in zip((BASE, INT8), sources, strict=True)
    )
    (condition,) = compare((base, 2_260_000), (other, 1_130_000)).conditions
    assert (condition.name, condition.baseline, condition.value) == (
        "latency_provenance",
        "modelled",
        "predicted",
    )


def test_calls_that_take_longer_on_average_are_told_where_the_median_shows_no_difference() -> None:
    """Two in twenty take three times as long: 20 % of the mean, in fewer calls than a p99 needs."""
    quick, slow = collected(BASE), collected(make_run(2, "stalls"))
    for index in range(1, len(slow.latencies.duration_ns)):
        if index % 10 == 5:
            slow.latencies.duration_ns[index] *= 3
    found = compare_collected([quick, slow])
    (mean,) = found.mean_tests
    assert (found.latency_tests[0].judgement, mean.judgement) == ("no difference", "slower")
    assert "no difference in p50 (within 2 %)" in found.verdict
    assert "On average calls of stalls take +19.9 % (" in found.verdict
    alike = compare_collected([quick, collected(make_run(2, "again"))])
    assert ([test.judgement for test in alike.mean_tests], "On average" in alike.verdict) == (
        ["no difference"],
        False,
    )
