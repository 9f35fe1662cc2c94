"""A model with dynamic inputs holds a graph for each shape: which is spoken of is said, and can be chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_command import run_bench
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model
from rkbench.variants.predicted_run import with_predicted_run
from rkbench.variants.variant import prepare_variants

MODELS = Path(__file__).parents[2] / "data/models"
DYN3 = MODELS / "dyn3_rk3588_fp.rknn"


@pytest.mark.parametrize(("graph", "side"), [(1, 192), (2, 160)])
def test_a_further_graph_computes_with_the_weights_of_the_first(graph: int, side: int) -> None:
    image = np.random.default_rng(side).standard_normal((1, 3, side, side)).astype("float32")
    with open_model(DYN3) as model, np.load(MODELS / "dyn3.onnxruntime.npz") as expected:
        computed = Executor(model, graph).run({"x": image})["Gemm_81"]
        assert np.abs(computed - expected[f"logits_{side}"]).max() < 0.002


def test_a_prediction_says_its_shape_and_another_can_be_asked_for() -> None:
    first, second = (run_bench("predict", str(DYN3), "--graph", graph).stdout for graph in "01")
    assert "for input 1x3x224x224, graph 0 of 0 to 2 in the file" in first
    assert "for input 1x3x192x192, graph 1 of 0 to 2 in the file" in second


def test_a_run_says_its_shape_and_another_can_be_asked_for(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.zeros((1, 1, 160, 160, 3), "float32"))
    refused = run_bench("run", str(DYN3), "--inputs", str(inputs))
    assert (
        "for input 1x3x224x224, graph 0 of 0 to 2 in the file (another: bench run --graph N)"
        in refused.stderr
    )
    done = run_bench("run", str(DYN3), "--inputs", str(inputs), "--graph", "2")
    assert "for input 1x3x160x160, graph 2 of 0 to 2 in the file" in done.stdout


@pytest.mark.parametrize("command", [["predict"], ["run", "--inputs", str(MODELS / "dyn3.onnxruntime.npz")]])
def test_a_graph_that_is_not_there_is_told_with_those_that_are(command: list[str]) -> None:
    done = run_bench(*command, str(DYN3), "--graph", "3")
    assert done.returncode == 1
    assert "there is no graph 3; it holds graphs 0 to 2, one for each input shape" in done.stderr


def test_a_push_to_a_virtual_board_says_which_shape_it_shows() -> None:
    told: list[str] = []
    (variant,) = prepare_variants([DYN3])
    with_predicted_run(variant, told.append)
    assert told == [
        "dyn3_rk3588_fp runs on a virtual board for input 1x3x224x224, graph 0 of 0 to 2 in the file"
    ]
