"""Rates against Rockchip's figures: which models are known, what is said, and when nothing is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_runs import make_latency, make_run
from rkbench.results.measures import MEASURES
from rkbench.results.model import Latency, Readings, RunResult, Sensor, Stages
from rkbench.results.plausibility import figures, find_figure, implausible, reference_of
from rkbench.results.records import PredictedLatency, Variant
from rkbench.views.push.table import table_rows
from rkbench_agent.wire.caveats import Caveat


def variant(name: str, shape: tuple[int, ...] = (1, 3, 640, 640), dtype: str = "INT8") -> Variant:
    return Variant(name, "0" * 64, 1000, input_shapes=(shape,), input_dtypes=(dtype,))


def yolov5s(p50_s: float, *, run_s: float | None = None, soc: str = "rk3588", **changes: Any) -> RunResult:
    """Return a run of yolov5s, for which the table has 48.4 a second on the RK3588 and 19.3 on the RK3568."""
    latency: Latency = make_latency(p50_s)
    if run_s is not None:
        latency = replace(latency, stages=Stages(run=make_latency(run_s)))
    run = make_run(latency=latency, variant=variant("yolov5s-640-640"), **changes)
    return replace(run, board=replace(run.board, soc=soc))


def doubt(run: RunResult) -> Caveat:
    (caveat,) = implausible(run, reference_of(run))
    return caveat


def test_the_table_is_that_of_the_model_zoo() -> None:
    by_name = {figure.model: figure for figure in figures()}
    assert by_name["yolov5s"].rate_per_s("rk3588") == 48.4
    assert by_name["yolov5s"].rate_per_s("rk3588s") == 48.4
    assert by_name["resnet50-v2-7"].rate_per_s("rk3566") == 37.9
    assert by_name["yolov5s"].rate_per_s("rk3399pro") is None
    assert len(by_name) == 43
    assert "whisper_base_20s" not in by_name


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "model"),
    [
        ("yolov5s-640-640", (1, 3, 640, 640), "INT8", "yolov5s"),
        ("yolov5s_relu_rk3588", (1, 3, 640, 640), "INT8", "yolov5s_relu"),
        ("zoo/YOLOv8n.i8", (1, 3, 640, 640), "INT8", "yolov8n"),
        ("yolov8n-seg", (1, 3, 640, 640), "INT8", "yolov8n-seg"),
        ("mobilenet_v2_rk3568_int8", (1, 3, 224, 224), "INT8", "mobilenetv2-12"),
        ("resnet50-v2-7", (1, 224, 224, 3), "INT8", "resnet50-v2-7"),
        ("lprnet_fp16", (1, 3, 24, 94), "FLOAT16", "lprnet"),
        ("clip_text", (1, 20), "INT64", "clip_text"),
        ("yolov5s_pruned", (1, 3, 640, 640), "INT8", None),
        ("yolov5s", (1, 3, 320, 320), "INT8", None),
        ("yolov5s", (1, 3, 640, 640), "FLOAT16", None),
        ("digits.fp16", (1, 1, 28, 28), "FLOAT16", None),
        ("", (1, 3, 640, 640), "INT8", None),
    ],
)
def test_a_model_is_known_by_name_shape_and_dtype(
    name: str, shape: tuple[int, ...], dtype: str, model: str | None
) -> None:
    found = find_figure(variant(name, shape, dtype))
    assert (found.model if found else None) == model


def test_the_run_stage_is_compared_where_there_is_one() -> None:
    reference = reference_of(yolov5s(0.040, run_s=0.020))
    assert reference is not None
    assert (reference.stage, reference.rate_per_s, reference.measured_per_s) == ("run", 48.4, 50.0)
    assert round(reference.ratio, 3) == 1.033
    whole = reference_of(yolov5s(0.040))
    assert whole is not None
    assert (whole.stage, whole.measured_per_s) == ("call", 25.0)


@pytest.mark.parametrize("run_s", [0.0181, 0.0206, 0.0242])
def test_within_15_percent_there_is_nothing_to_say(run_s: float) -> None:
    run = yolov5s(0.040, run_s=run_s)
    assert list(implausible(run, reference_of(run))) == []


def test_a_slow_whole_call_names_clock_python_and_memory_in_this_order() -> None:
    run = yolov5s(0.060)
    board = replace(run.board, npu_max_clock_hz=1_000_000_000, ddr_governor="dmc_ondemand")
    slow = Readings(6, 0.0, (Sensor("npu_clock_hz", 6, 6e8, 6e8, 6e8, 6e8, 6e8, quantity="npu_clock_hz"),))
    caveat = doubt(replace(run, board=board, readings=slow))
    assert caveat.code == "implausible_rate"
    assert caveat.message == (
        "16.7 /s (the whole call) is 34 % of Rockchip's 48.4 /s for yolov5s on this SoC, "
        "which means rknn_run alone"
    )
    causes = caveat.advice.split("; ")
    assert "600 MHz of 1.00 GHz" in causes[0]
    assert "--runtime capi" in causes[1]
    assert "DDR governor is dmc_ondemand" in causes[2]


def test_several_cores_are_the_first_guess_where_it_is_faster_than_one() -> None:
    run = yolov5s(0.015, run_s=0.010)
    caveat = doubt(replace(run, plan=replace(run.plan, core_mask="all")))
    assert "207 % of Rockchip's 48.4 /s" in caveat.message
    assert caveat.advice.startswith("likely, in this order: several cores at work (cores all")


def test_a_simulated_run_is_never_set_against_real_boards() -> None:
    assert reference_of(yolov5s(0.060, simulated=True)) is None
    assert list(implausible(yolov5s(0.060, simulated=True), None)) == []


def unknown_model(p50_s: float, **changes: Any) -> RunResult:
    """Return a run of a model that no table knows, and whose tasks foretell 10 ms on one core."""
    run = yolov5s(p50_s, **changes)
    foretold = PredictedLatency(0.010, 0.0085, 0.0115)
    return replace(run, variant=replace(variant("mine"), predicted=foretold))


def test_a_model_that_no_table_knows_is_set_against_what_its_tasks_foretell() -> None:
    caveat = doubt(unknown_model(0.030, run_s=0.021))
    assert caveat.code == "implausible_rate"
    assert caveat.message == (
        "21.0 ms (rknn_run) is 2.1x the prediction of 10.0 ms (8.50 ms to 11.5 ms) from its NPU tasks, "
        "for rknn_run on one core"
    )
    assert caveat.advice == "likely, in this order: other load on the NPU or on memory; heat"
    assert "--runtime capi" in doubt(unknown_model(0.021)).advice
    assert "several cores at work" in doubt(unknown_model(0.005)).advice


def test_within_the_band_and_without_one_there_is_nothing_to_say() -> None:
    inside = unknown_model(0.0114)
    assert list(implausible(inside, reference_of(inside))) == []
    variant = replace(inside.variant, predicted=PredictedLatency(0.001))
    assert list(implausible(replace(inside, variant=variant), None)) == []
    assert list(implausible(unknown_model(0.030, simulated=True), None)) == []


def test_a_known_figure_goes_before_the_prediction() -> None:
    run = yolov5s(0.040, run_s=0.0206)
    run = replace(run, variant=replace(run.variant, predicted=PredictedLatency(0.001, 0.0009, 0.0011)))
    assert list(implausible(run, reference_of(run))) == []


def test_measured_beside_predicted_is_a_measure() -> None:
    (measure,) = [item for item in MEASURES if item.name == "predicted_ratio"]
    run = unknown_model(0.021)
    assert measure.value(run) == pytest.approx(2.1)
    assert measure.shown is not None
    assert measure.shown(run) == "2.10x of 10.0 ms"
    assert measure.value(unknown_model(0.021, simulated=True)) is None


def test_other_chips_and_runs_without_latency_have_no_figure() -> None:
    assert reference_of(yolov5s(0.060, soc="rk3399pro")) is None
    assert reference_of(replace(yolov5s(0.060), latency=None)) is None


def test_the_share_stands_in_the_table() -> None:
    from rkbench.campaign import compare_collected
    from rkbench.results.collect import Collected
    from rkbench.results.latencies import RawLatencies

    run = yolov5s(0.040, run_s=0.020)
    run = replace(run, reference=reference_of(run))
    comparison = compare_collected([Collected(run, RawLatencies(), ())])
    rows = {row.label: row.cells[0].value for row in table_rows([run], comparison, {})}
    assert rows["Rockchip's rate"] == "103 % of 48.4 /s"
