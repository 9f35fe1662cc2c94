"""Files of int16: named so everywhere, refused for execution with the reason, pushed without outputs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from rkbench.errors import GoldenError, NotModelledError
from rkbench.inspection.inspect_model import inspect_model
from rkbench.npu.execute.executor import Executor
from rkbench.npu.predict import predict_latency
from rkbench.rknn import open_model
from rkbench.rknn.placement import is_int16
from rkbench.variants.golden_fit import Member, Wanted, check_kind, fits_of

NPU = Path(__file__).resolve().parents[2] / "data/npu"
CAUSES = NPU.parent / "models/causes"


def int16(soc: str) -> Path:
    return NPU / f"refused/classifier_{soc}_int16.rknn"


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_inspect_calls_the_file_int16(soc: str) -> None:
    with open_model(int16(soc)) as model:
        inspection = inspect_model(model)
    assert inspection.file.dtype == "int16"
    assert f"({soc} int16)" in str(inspection.sentence)


def test_an_int8_file_with_depthwise_kernels_or_numbers_of_16_bits_is_no_int16_file() -> None:
    for path in (NPU / "other_socs/classifier_rk3576_int8.rknn", CAUSES / "repvgg_branches.rk3568.int8.rknn"):
        with open_model(path) as model:
            assert "INT16" in {tensor.dtype for tensor in model.tensors}
            assert not is_int16(model.contents)


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_predict_says_why_there_is_no_band(soc: str) -> None:
    prediction = predict_latency(int16(soc))
    assert prediction.outside == ("it computes in int16, and the fit is of int8 models",)
    assert prediction.low_s is None


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_execution_is_refused_as_a_whole(soc: str) -> None:
    with (
        open_model(int16(soc)) as model,
        pytest.raises(NotModelledError, match="it computes in int16, which"),
    ):
        Executor(model)


def test_floats_fit_an_input_that_is_quantized_to_int16_and_no_index_of_int16() -> None:
    member = Member("inputs/x", (4, 1, 3), "float32")
    quantized = Wanted("inputs", "x", (1, 3), "int16", scale=0.5)
    check_kind(quantized, member)
    assert fits_of(quantized, member)[0].dtype == "float32"
    with pytest.raises(GoldenError, match="input 'x' is int16"):
        check_kind(Wanted("inputs", "x", (1, 3), "int16"), member)


@pytest.mark.parametrize("soc", ["rk3588", "rk3568"])
def test_a_push_to_a_virtual_board_says_why_there_are_no_outputs(tmp_path: Path, soc: str) -> None:
    model = Path(shutil.copy(int16(soc), tmp_path))
    onnx = Path(shutil.copy(NPU / "classifier.onnx", tmp_path))
    variables = {"RKBENCH_STORE": str(tmp_path / "s.sqlite"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = run_bench(
        *("push", str(model), "--board", f"virtual:{soc}", "--onnx", str(onnx), "--json", "out.json"),
        environment={**os.environ, **variables},
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "it computes in int16, which is not modelled" in " ".join(done.stderr.split())
    (run,) = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert (run["provenance"]["outputs"], run["provenance"]["latency"]) == (None, "predicted")
    assert np.isfinite(run["latency"]["p50_s"])
