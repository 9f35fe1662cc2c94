"""A board's own coefficients: found again under noise, refused where latencies do not follow the form."""

from __future__ import annotations

import json
import os
import re
import zlib
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from bench_command import Done, run_bench
from rkbench.campaign.calibration import (
    Calibration,
    fit_board,
)
from rkbench.campaign.kept_calibrations import read_calibration, save_calibration
from rkbench.errors import ModelError
from rkbench.npu.costs import Floats
from rkbench.npu.latency_model import FittedLatency, latency_models
from rkbench.npu.predict import model_terms, predict_latency
from rkbench.npu.reference_costs import reference_costs
from rkbench.views.calibration import calibration_lines
from rkbench_agent.runtimes.behaviour import read_behaviour
from rkbench_agent.runtimes.foretold import level_of
from rkbench_agent.runtimes.latency_model import LatencyModel, Work
from rkbench_agent.wire.plan import PredictedRun

SHIPPED = Path(str(files("rkbench.npu"))) / "reference/calibration"
SAMPLE = Path(__file__).parents[2] / "data/models/mb_gap7_rk3588_i8.rknn"
UNSEEN = ("mobilenetv2-12", "resnet50-v2-7", "yolov5s", "yolov8n", "ppocrv4_det")
NOISE = 0.01


def shipped(soc: str) -> tuple[list[str], Floats]:
    paths = sorted(SHIPPED.glob(f"*_{soc}.rknn"))
    assert len(paths) == 8
    return [path.stem for path in paths], np.array([model_terms(p, latency_models()[soc]) for p in paths])


def calibrated(soc: str, slower: tuple[float, ...], seed: int, noise: float) -> Calibration:
    """Calibrate a made board, whose coefficients are those of its SoC times `slower`."""
    base = latency_models()[soc]
    names, terms = shipped(soc)
    true_s = terms @ (np.array(base.coefficients) * slower)
    noisy_s = true_s * (1 + noise * np.random.default_rng(seed).standard_normal(len(true_s)))
    return fit_board("made", base, names, terms, noisy_s)


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_known_coefficients_are_found_so_that_unseen_models_are_within_3_percent(soc: str) -> None:
    base = latency_models()[soc]
    names, terms = shipped(soc)
    true = np.array(base.coefficients) * (1.3, 1.1, 0.9, 1.4)
    unseen = unseen_terms(soc)
    assert len(unseen) == 5
    for seed in range(40):
        noise = 1 + NOISE * np.random.default_rng(seed).standard_normal(len(names))
        found = fit_board("made", base, names, terms, terms @ true * noise)
        assert found.fitted is not None
        predicted = unseen @ np.array(found.fitted.coefficients)
        assert np.abs(predicted / (unseen @ true) - 1).max() < 0.03, seed


def test_latencies_that_do_not_follow_the_form_are_told() -> None:
    found = calibrated("rk3588", (1, 1, 1, 1), seed=1, noise=0.25)
    assert found.fitted is None
    told = calibration_lines(found, None)
    assert f"made: residual {found.residual_ratio:.0%} (at most 5%), not calibrated" in told[-2]


def test_what_a_virtual_board_took_is_marked_and_is_not_called_measured() -> None:
    names, terms = shipped("rk3588")
    base = latency_models()["rk3588"]
    took = terms @ np.array(base.coefficients)
    found = fit_board("virtual:rk3588", base, names, terms, took, simulated=True)
    told = "\n".join(calibration_lines(found, SAMPLE))
    assert "measured" not in told
    assert told.count("≈") == len(names)
    assert found.fitted is not None
    assert "virtual:rk3588 (simulated)" in found.fitted.source
    assert "measured" in calibration_lines(fit_board("desk", base, names, terms, took), SAMPLE)[0]


def test_a_prediction_for_a_calibrated_board_is_that_boards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    found = calibrated("rk3588", (2, 2, 2, 2), seed=1, noise=0.0)
    assert found.fitted is not None
    path = save_calibration("virtual:rk3588", found.fitted, simulated=True)
    assert path.parent == tmp_path / "rkbench/calibrations/simulated"
    kept = read_calibration("virtual:rk3588", simulated=True)
    assert kept is not None
    assert kept.coefficients == pytest.approx(found.fitted.coefficients)
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "120"}
    done = run_bench("predict", str(SAMPLE), "--board", "virtual:rk3588", environment=environment)
    assert "≈ 1.59 ms" in done.stdout
    assert "calibrated on made with 8 models, residual 0.0%" in done.stdout
    assert read_calibration("another") is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (None, "is no JSON"),
        ({"coefficients": [1, 2]}, "coefficients"),
        ({"coefficients": [1, 2, -1, 0]}, "a coefficient below 0"),
        ({"band_ratio": "wide"}, "band_ratio"),
        ({"machine": {"clock_hz": 0, "ddr_bytes_per_s": 1}}, "not above 0"),
        ({"soc": "rk9999"}, "'rk9999'"),
    ],
)
def test_a_damaged_calibration_is_told_and_names_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object] | None, why: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = save_calibration("virtual:rk3588", latency_models()["rk3588"], simulated=True)
    kept = json.loads(path.read_text(encoding="utf-8"))
    path.write_text("{" if changes is None else json.dumps({**kept, **changes}), encoding="utf-8")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "300"}
    done = run_bench("predict", str(SAMPLE), "--board", "virtual:rk3588", environment=environment)
    assert done.returncode != 0
    assert str(path) in done.stderr
    assert why in done.stderr
    assert "bench boards calibrate virtual:rk3588" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_real_board_is_not_foretold_by_what_was_simulated_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    built_in = latency_models()["rk3588"]
    save_calibration("desk", replace(built_in, source="calibrated: measured"))
    save_calibration("desk", replace(built_in, source="calibrated: simulated"), simulated=True)
    real, virtual = read_calibration("desk"), read_calibration("desk", simulated=True)
    assert (real and real.source, virtual and virtual.source) == (
        "calibrated: measured",
        "calibrated: simulated",
    )
    inventory = tmp_path / "bench.toml"
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "120"}
    words = ("predict", str(SAMPLE), "--board", "desk", "--inventory", str(inventory))
    for runtime, told in (("lite", "calibrated: measured"), ("virtual", "calibrated: simulated")):
        inventory.write_text(
            f'[boards.desk]\nhost = "10.0.0.7"\nsoc = "rk3588"\nruntime = "{runtime}"\n', encoding="utf-8"
        )
        assert told in run_bench(*words, environment=environment).stdout


def test_boards_of_like_names_have_calibrations_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    save_calibration("a/b", latency_models()["rk3588"])
    assert read_calibration("a_b") is None
    assert read_calibration("a/b") == latency_models()["rk3588"]


def test_a_calibration_of_another_npu_is_refused() -> None:
    with pytest.raises(ModelError, match="is converted for rk3588, and the calibration is of an rk3568"):
        predict_latency(SAMPLE, fitted=latency_models()["rk3568"])


def behaviour_file(folder: Path, **values: object) -> Path:
    path = folder / "behaviour.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def virtual_latencies(base: FittedLatency, folder: Path, seed: int, true: list[float]) -> Floats:
    """Return what a virtual board's runtime shows of the shipped models, each loaded once, in seconds."""
    values = {"latency": {"coefficients": true}, "scatter": {"load": NOISE}, "seed": seed}
    path = str(behaviour_file(folder, **values))
    medians = []
    for model in sorted(SHIPPED.glob(f"*_{base.soc}.rknn")):
        behaviour = read_behaviour(path, model.stem)
        told = PredictedRun([1], told_terms(model, base))
        level = level_of(told, behaviour, "auto", 0)
        number = zlib.crc32(f"{seed} {model.stem}".encode())
        runs = LatencyModel(base.soc, Work(0, 0, 0, 0, level.run_ns), behaviour, number, None, level.speedup)
        runs.begin_load(0)
        medians.append(float(np.median([runs.next_run_ns(index) for index in range(31)])) / 1e9)
    return np.array(medians)


@cache
def told_terms(model: Path, base: FittedLatency) -> list[float]:
    terms: list[float] = model_terms(model, base).tolist()
    return terms


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_the_coefficients_of_a_virtual_board_are_found(soc: str, tmp_path: Path) -> None:
    """Through what a virtual board does with them: 1 % of noise on each load, and its jitter."""
    base = latency_models()[soc]
    names, terms = shipped(soc)
    true = np.array(base.coefficients) * (1.3, 1.1, 0.9, 1.4)
    unseen = unseen_terms(soc)
    for seed in range(20):
        measured_s = virtual_latencies(base, tmp_path, seed, true.tolist())
        found = fit_board("virtual", base, names, terms, measured_s)
        assert found.fitted is not None
        assert np.abs(unseen @ np.array(found.fitted.coefficients) / (unseen @ true) - 1).max() < 0.03, seed


def calibrate_virtual(folder: Path, soc: str = "rk3588", **behaviour: object) -> Done:
    """Calibrate the virtual board `made` of this behaviour; what it yields is kept in `folder`."""
    path = behaviour_file(folder, **behaviour)
    (folder / "bench.toml").write_text(
        f'[boards.made]\nhost = "virtual"\nsoc = "{soc}"\nbehaviour = "{path}"\n'
    )
    arguments = ("boards", "calibrate", "made", "--inventory", str(folder / "bench.toml"))
    return run_bench(*arguments, environment={**os.environ, "XDG_DATA_HOME": str(folder)})


def unseen_terms(soc: str) -> Floats:
    """The terms of the five models that no calibration measures."""
    return np.array([row.terms() for row in reference_costs() if row.soc == soc and row.model in UNSEEN])


def test_a_virtual_board_is_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true = (0.7, 3.4, 2.9, 4e-6)
    done = calibrate_virtual(tmp_path, latency={"coefficients": true}, scatter={"load": 0.001})
    assert done.returncode == 0, done.stdout
    assert "made: calibrated, residual 0." in done.stdout
    assert re.search(
        r"\(roofline x [\d.]+, memory x [\d.]+, tables x [\d.]+, [\d.]+ .s a task\)", done.stdout
    )
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert read_calibration("made") is None, "a real board of this name would be foretold by it"
    kept = read_calibration("made", simulated=True)
    assert kept is not None
    unseen = np.array([row.terms() for row in reference_costs() if row.soc == "rk3588"])
    assert unseen @ np.array(kept.coefficients) == pytest.approx(unseen @ np.array(true), rel=0.03)


def test_a_virtual_board_that_follows_no_form_is_not_calibrated(tmp_path: Path) -> None:
    done = calibrate_virtual(tmp_path, latency={"distribution": "constant", "median_ms": 5})
    assert done.returncode == 1
    assert "not calibrated: it does not follow the form" in done.stdout
    assert not (tmp_path / "rkbench/calibrations").exists()
