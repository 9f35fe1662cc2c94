"""A virtual board computes: outputs of models that the vendor's simulator left nothing of."""

from __future__ import annotations

import json
import os
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_command import Done, run_bench
from rkbench.npu import WhatIf, predict_latency
from rkbench.variants.predicted_run import with_predicted_run
from rkbench.variants.variant import prepare_variants

DATA = Path(__file__).parents[1] / "data"
DEMO = Path(str(files("rkbench.demo"))) / "data"
FEW = 4
"""Of the demo's 64 cases, so that the test is short."""
VARIANTS = ("digits.fp16", "digits.int8", "digits.regrouped.fp16", "digits.regrouped.int8")


def push(folder: Path, model: Path, *more: str | Path) -> tuple[Done, dict[str, Any]]:
    shutil.copy(model, folder)
    variables = {"RKBENCH_STORE": str(folder / "s.sqlite"), "XDG_CACHE_HOME": str(folder / "cache")}
    arguments = ("push", folder / model.name, "--quick", "--json", folder / "out.json", *more)
    done = run_bench(*map(str, arguments), environment={**os.environ, **variables}, folder=folder)
    assert done.returncode == 0, done.stderr
    return done, json.loads((folder / "out.json").read_text())["runs"][0]


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_a_virtual_board_computes_what_no_simulator_left(tmp_path: Path, soc: str) -> None:
    shutil.copy(DATA / "npu/neck.onnx", tmp_path)
    model = DATA / f"npu/neck_{soc}_int8.rknn"
    done, run = push(tmp_path, model, "--board", f"virtual:{soc}", "--onnx", tmp_path / "neck.onnx")
    assert "note: --quick changes nothing: without turns there is one load" in done.stderr
    assert "note: computing the outputs of neck" in done.stderr
    assert run["provenance"]["outputs"] == "computed"
    assert run["outputs"][0]["cosine"] > 0.999
    assert "outputs: computed by rkbench's model of the NPU" in " ".join(done.stdout.split())
    assert not {"outputs_not_recorded"} & {caveat["code"] for caveat in run["caveats"]}
    again, _ = push(tmp_path, model, "--board", f"virtual:{soc}", "--onnx", tmp_path / "neck.onnx")
    assert "computing the outputs" not in again.stderr


def test_a_replay_of_the_simulator_is_preferred(tmp_path: Path) -> None:
    model = DATA / "npu/neck_rk3588_int8.rknn"
    with np.load(model.with_suffix(".npz")) as archive:
        kept = {key: archive[key].reshape(2, 1, 16, 12, 12) for key in archive if key.startswith("outputs/")}
        np.savez(tmp_path / "neck_rk3588_int8.replay.npz", digests=archive["digests"], **kept)
    with np.load(DATA / "npu/neck.inputs.npz") as archive:
        np.savez(tmp_path / "golden.npz", **{"inputs/x": archive["inputs/x"]}, **kept)
    _, run = push(tmp_path, model, "--board", "virtual", "--golden", tmp_path / "golden.npz")
    assert run["provenance"]["outputs"] == "vendor_simulator"


def test_what_is_not_covered_is_told_and_runs_without_outputs(tmp_path: Path) -> None:
    golden = {
        "inputs/x": np.zeros((1, 8, 1, 16), "float32"),
        "outputs/Squeeze_1": np.ones((1, 8, 1, 16), "f"),
    }
    np.savez(tmp_path / "golden.npz", **golden)
    model = DATA / "models/gru_h16_rk3588_fp.rknn"
    done, run = push(tmp_path, model, "--board", "virtual", "--golden", tmp_path / "golden.npz")
    assert "no outputs of gru_h16_rk3588_fp on a virtual board" in done.stderr
    assert run["provenance"]["outputs"] is None
    assert run["latency"]["count"] >= 100


def assert_predicted(run: dict[str, Any], model: Path) -> None:
    """The median of rknn_run is what the file's tasks foretell; the copies beside it are modelled."""
    assert run["provenance"]["latency"] == "predicted"
    foretold_s = predict_latency(model).latency_s
    assert run["latency"]["stages"]["run"]["p50_s"] == pytest.approx(foretold_s, rel=0.005)


@pytest.mark.parametrize("net", ["dense", "residual", "squeeze", "transformer", "classifier"])
def test_any_net_has_computed_outputs_and_a_predicted_latency(tmp_path: Path, net: str) -> None:
    shutil.copy(DATA / f"npu/{net}.onnx", tmp_path)
    model = DATA / f"npu/{net}_rk3588_int8.rknn"
    _, run = push(tmp_path, model, "--board", "virtual", "--onnx", tmp_path / f"{net}.onnx")
    assert run["provenance"]["outputs"] == "computed"
    assert run["outputs"][0]["cosine"] > 0.99
    assert_predicted(run, model)


def lowest_cosine(computed: Path, recorded: Path) -> float:
    """Return the lowest of the first `FEW` cases, which both hold in one order."""
    with np.load(computed) as ours, np.load(recorded) as theirs:
        assert list(ours["digests"]) == list(theirs["digests"][:FEW])
        a, b = (each["outputs/logits"][:FEW].reshape(FEW, -1) for each in (ours, theirs))
    return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())


def test_the_demos_variants_agree_with_their_replays(tmp_path: Path) -> None:
    """Copied without the simulator's replays, they come out as with them."""
    models = [shutil.copy(DEMO / f"{name}.rknn", tmp_path) for name in VARIANTS]
    with np.load(DEMO / "golden.npz") as golden:
        few = {name: golden[name][:FEW] if golden[name].ndim else golden[name] for name in golden}
    np.savez(tmp_path / "few.npz", **few)
    more = (*models[1:], "--board", "virtual", "--golden", tmp_path / "few.npz")
    push(tmp_path, DEMO / f"{VARIANTS[0]}.rknn", *more)
    runs = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert [run["provenance"]["outputs"] for run in runs] == ["computed"] * 4
    assert all(run["outputs"][0]["top1_agreement"] == 1.0 for run in runs)
    made = sorted((tmp_path / "cache").rglob("replays/*.npz"), key=lambda path: path.stat().st_mtime_ns)
    for name, computed in zip(VARIANTS, made, strict=True):
        assert lowest_cosine(computed, DEMO / f"{name}.replay.npz") > 0.9995, name
    for name, run in zip(VARIANTS, runs, strict=True):
        assert_predicted(run, DEMO / f"{name}.rknn")


def test_cores_that_the_file_has_tasks_for_have_a_prediction(tmp_path: Path) -> None:
    model = DATA / "npu/neck_rk3588_int8.rknn"
    _, run = push(tmp_path, model, "--board", "virtual", "--cores", "all", "--profile")
    three_s = predict_latency(model, what_if=WhatIf(cores=3)).latency_s
    assert run["provenance"]["latency"] == "predicted"
    assert run["latency"]["stages"]["run"]["p50_s"] == pytest.approx(three_s, rel=0.005)
    assert run["profile"]["provenance"] == "predicted"
    assert run["profile"]["total_s"] == pytest.approx(predict_latency(model).latency_s, rel=0.001)


def test_what_cannot_be_predicted_is_told() -> None:
    (variant,) = prepare_variants([DATA / "models/opt_mini_rknn_True_rk3588_fp.rknn"])
    told: list[str] = []
    assert with_predicted_run(variant, told.append).figures.predicted is None
    assert told[0].startswith("the latency of opt_mini_rknn_True_rk3588_fp is modelled, not predicted")
