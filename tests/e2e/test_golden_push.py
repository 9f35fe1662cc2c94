"""A user's golden on its way to a board: what fits is fed, what does not is shown with both sides."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from bench_command import Done, run_bench

DATA = Path(str(files("rkbench.demo") / "data"))
MODEL = DATA / "digits.int8.rknn"


def push(folder: Path, *arguments: str) -> Done:
    """Push the demo's int8 variant to a virtual board, from a home of its own."""
    environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    options = ["--board", "virtual", "--duration", "0", "--store", folder / "store.sqlite"]
    return run_bench("push", MODEL, *options, *arguments, environment=environment, folder=folder)


def test_names_layout_and_dtype_of_the_users_own_are_fitted_and_said(tmp_path: Path) -> None:
    with np.load(DATA / "golden.npz") as golden:
        images, logits = golden["inputs/image"], golden["outputs/logits"]
    np.savez(tmp_path / "own.npz", picture=images.reshape(64, 32, 32).astype(np.float64), scores=logits[:, 0])
    result = push(tmp_path, "--golden", "own.npz", "--json", "out.json", "--require", "top-1 >= 100%")
    assert result.returncode == 0, result.stderr
    assert "golden: picture is taken for input 'image': the only one that fits" in result.stderr
    assert "golden: picture: float64 becomes float32" in result.stderr
    run = json.loads((tmp_path / "out.json").read_text())["runs"][0]
    assert [caveat["message"] for caveat in run["caveats"] if caveat["code"] == "golden_assumed"] == [
        "golden: picture is taken for input 'image': the only one that fits",
        "golden: scores is taken for output 'logits': the only one that fits",
    ]
    output = run["outputs"][0]
    assert (output["case_count"], output["top1_agreement"]) == (64, 1.0)
    assert output["cosine"] == pytest.approx(0.999647, abs=1e-6)


def test_a_golden_that_does_not_fit_is_shown_with_both_sides_and_nothing_is_sent(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", image=np.zeros((3, 3, 224, 224), np.float32))
    result = push(tmp_path, "--golden", "bad.npz")
    assert result.returncode == 2
    assert result.stderr.splitlines()[1:] == [
        (
            "bench: golden bad.npz does not fit digits.int8.rknn: "
            "image [3, 3, 224, 224] is no case of input 'image'"
        ),
        "  the model wants: input image [1, 1, 32, 32] int8; output logits [1, 10] int8",
        "  the golden has:  image [3, 3, 224, 224] float32",
        (
            "  → save N cases of 1x1x32x32 (NCHW) or NHWC as inputs/image,"
            " or make one of the model's own ONNX: bench golden MODEL.onnx"
        ),
    ]


def test_expected_outputs_are_computed_from_the_onnx_beside_it(tmp_path: Path) -> None:
    (tmp_path / "digits.onnx").write_bytes((DATA / "digits.onnx").read_bytes())
    with np.load(DATA / "golden.npz") as golden:
        np.savez(tmp_path / "inputs.npz", image=golden["inputs/image"][:5])
    result = push(tmp_path, "--onnx", "digits.onnx", "--inputs", "inputs.npz", "--json", "out.json")
    assert result.returncode == 0, result.stderr
    assert not list(tmp_path.glob("*golden*"))
    output = json.loads((tmp_path / "out.json").read_text())["runs"][0]["outputs"][0]
    assert (output["case_count"], output["top1_agreement"]) == (5, None)  # nobody said that these are classes
    assert output["cosine"] > 0.999
