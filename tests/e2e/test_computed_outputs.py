"""A virtual board computes: outputs of models that the vendor's simulator left nothing of."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_command import Done, run_bench

DATA = Path(__file__).parents[1] / "data"


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
    assert "note: computing the outputs of neck" in done.stderr
    assert run["provenance"]["outputs"] == "computed"
    assert run["outputs"][0]["cosine"] > 0.999
    assert "outputs: computed by rkbench's model of the NPU" in " ".join(done.stdout.split())
    assert not {"outputs_not_recorded"} & {caveat["code"] for caveat in run["caveats"]}
    again, _ = push(tmp_path, model, "--board", f"virtual:{soc}", "--golden", tmp_path / "neck.golden.npz")
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
