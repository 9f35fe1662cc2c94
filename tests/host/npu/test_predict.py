"""Latency predicted: the fit reproduced from committed facts, bands, refusals, and other conditions."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from jsonschema import validate
from rkbench.errors import ModelError, UsageError
from rkbench.npu import WhatIf, predict_latency
from rkbench.npu.latency_fit import LatencyFit, leave_one_out
from rkbench.npu.latency_model import find_latency_model, latency_models
from rkbench.npu.reference_costs import TABLE, reference_costs
from rkbench.npu.what_if import parse_what_if
from rkbench.schema import SCHEMAS
from rknn_writer import MODELS

TOOL = runpy.run_path(str(Path(__file__).parents[3] / "tools/fit_latency.py"))
SAMPLE = MODELS / "mb_gap7_rk3588_i8.rknn"
LARGER = TABLE.parent / "calibration/dense_large_rk3588.rknn"
"""Predicted within the latencies of the fit: 3.4 ms."""


def left_out(soc: str) -> LatencyFit:
    rows = [row for row in reference_costs() if row.soc == soc and row.role == "fit"]
    assert len(rows) == 12
    published_s = np.array([TOOL["published"](row.model, soc) for row in rows])
    return leave_one_out(np.array([row.terms() for row in rows]), published_s)


def test_layers_that_the_compiler_kept_on_one_core_take_as_long_on_three() -> None:
    model = MODELS / "gru_h16_rk3588_fp.rknn"
    single, three = predict_latency(model), predict_latency(model, what_if=WhatIf(cores=3))
    assert three.latency_s == single.latency_s
    assert len(three.layers) == 2


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_each_of_twelve_models_is_foretold_by_the_others(soc: str) -> None:
    found = left_out(soc)
    assert found.median_error <= 0.05
    assert found.max_error <= 0.15
    assert latency_models()[soc].band_ratio <= 0.15
    covered = sum(abs(1 / (1 + error) - 1) <= latency_models()[soc].band_ratio for error in found.errors)
    assert covered >= 10


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_the_coefficients_are_those_of_the_committed_costs(soc: str) -> None:
    assert latency_models()[soc].coefficients == pytest.approx(left_out(soc).coefficients, rel=1e-4)


@pytest.mark.parametrize(("soc", "error"), [("rk3588", -0.03), ("rk3568", -0.135)])
def test_a_detector_that_was_not_in_the_fit_is_within_15_percent(soc: str, error: float) -> None:
    (row,) = [row for row in reference_costs() if row.soc == soc and row.role == "check"]
    predicted_s = float(row.terms() @ np.array(latency_models()[soc].coefficients))
    assert predicted_s / TOOL["published"](row.model, soc) - 1 == pytest.approx(error, abs=0.005)


def test_a_sample_has_a_band_and_parts_that_sum() -> None:
    prediction = predict_latency(LARGER)
    assert prediction.low_s == pytest.approx(0.85 * prediction.latency_s)
    assert prediction.latency_s == pytest.approx(sum(layer.latency_s for layer in prediction.layers))
    for layer in prediction.layers:
        assert layer.latency_s == pytest.approx(
            layer.macs_s + layer.memory_s + layer.tables_s + layer.tasks_s
        )
    assert [prediction.provenance, prediction.provisional, prediction.soc] == ["predicted", None, "rk3588"]


def test_the_rk3566_is_the_rk3568_and_says_why_it_is_provisional() -> None:
    found = find_latency_model("rk3566")
    assert found is not None
    assert found.soc == "rk3568"
    assert "OutputOperator" in (found.provisional or "")
    assert find_latency_model("rk3576") is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("chshuffle6_rk3588_fp.rknn", "it computes in floats, and the fit is of int8 models"),
        ("q_compress_weight_True_rk3568.rknn", "its weights are compressed"),
        ("gru_h16_rk3588_fp.rknn", "kinds of layers that the fit has not seen: exGRU"),
        ("erf_rk3588_i8.rknn", "1 Erf on the CPU: their time is not counted"),
    ],
)
def test_what_was_not_in_the_fit_has_no_band(name: str, why: str) -> None:
    prediction = predict_latency(MODELS / name)
    assert why in "; ".join(prediction.outside)
    assert (prediction.low_s, prediction.high_s) == (None, None)
    assert prediction.latency_s > 0


def test_the_band_of_a_model_that_is_faster_than_the_fit_leaves_room_for_a_call() -> None:
    prediction = predict_latency(SAMPLE)
    assert prediction.low_s == pytest.approx(0.85 * prediction.latency_s)
    assert prediction.high_s == pytest.approx(1.15 * prediction.latency_s + 352e-6)
    assert "models from 2.22 ms on, leaves up to 352 µs open for a call" in (prediction.wider or "")
    assert predict_latency(LARGER).wider is None


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_the_call_that_the_figures_leave_open_is_reproduced(soc: str) -> None:
    rows = [row for row in reference_costs() if row.soc == soc and row.role == "fit"]
    published_s = np.array([TOOL["published"](row.model, soc) for row in rows])
    terms = np.array([row.terms() for row in rows])
    fitted = latency_models()[soc]
    assert TOOL["largest_constant"](terms, published_s) == pytest.approx(fitted.call_s, abs=1e-6)
    assert fitted.fastest_s == pytest.approx(published_s.min(), rel=1e-5)


def test_a_slower_clock_and_less_memory_take_longer_and_have_no_band() -> None:
    fitted = predict_latency(LARGER)
    slow = predict_latency(LARGER, what_if=parse_what_if("clock=500MHz, ddr=50%"))
    assert fitted.latency_s < slow.latency_s < 2.01 * fitted.latency_s
    assert len(slow.outside) == 2


def test_three_cores_share_the_layers_that_the_file_splits() -> None:
    assert predict_latency(SAMPLE, what_if=WhatIf(cores=3)).latency_s < predict_latency(SAMPLE).latency_s
    with pytest.raises(ModelError, match="no tasks for 3 cores"):
        predict_latency(MODELS / "grouped_c64_g16_rk3568_i8.rknn", what_if=WhatIf(cores=3))


@pytest.mark.parametrize("text", ["clock", "clock=fast", "clock=0", "cores=4", "ddr=0%", "ddr=x", "heat=90"])
def test_a_condition_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_what_if(text)


def test_the_command_tells_band_and_layers() -> None:
    done = run_bench("predict", str(SAMPLE), "--layers", "1", environment={**os.environ, "COLUMNS": "140"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "predicted for rknn_run on one core of an rk3588 at 1.00 GHz, bound by memory" in done.stdout
    assert "Layers by predicted time (first 1 of 21; --layers all)" in done.stdout


def test_the_json_holds_every_layer() -> None:
    document = json.loads(run_bench("predict", str(SAMPLE), "--json", "-").stdout)
    validate(document, json.loads((SCHEMAS / "rkbench-predict-1.schema.json").read_text("utf-8")))
    (model,) = document["models"]
    assert model["latency"]["provenance"] == "predicted"
    assert len(model["latency"]["layers"]) == 21


def test_an_onnx_is_told_what_it_needs() -> None:
    done = run_bench("predict", str(MODELS / "chshuffle6.onnx"))
    assert "chshuffle6.onnx: no latency before it is converted; the .rknn will have ≈" in done.stdout
    command = f"bench convert {MODELS / 'chshuffle6.onnx'} --target rk3588 --recipe int8 --random-calibration"
    assert command in done.stdout
    assert "bench predict chshuffle6.rk3588.int8.rknn" in done.stdout


def test_a_file_for_another_npu_does_not_fit_the_board() -> None:
    done = run_bench("predict", str(SAMPLE), "--board", "virtual:rk3568")
    assert done.returncode == 2
    assert "converted for rk3588, and the board is an rk3568" in done.stderr


def test_one_file_that_cannot_be_read_does_not_end_a_prediction_of_several(tmp_path: Path) -> None:
    damaged, out = tmp_path / "damaged.rknn", tmp_path / "out.json"
    damaged.write_bytes(b"RKNN" + bytes(64))
    done = run_bench("predict", str(damaged), str(SAMPLE), "--json", str(out))
    assert done.returncode == 1
    assert "is an RKNN1 model" in " ".join(done.stdout.split())
    assert "predicted for rknn_run" in done.stdout
    first, second = json.loads(out.read_text())["models"]
    assert "damaged.rknn" in first["error"]
    assert (second["error"], second["latency"]["soc"]) == (None, "rk3588")
