"""What recurrent layers take: tasks and commands read from files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import open_onnx, predict
from rkbench.onnx.fusion.recurrent import recurrent_tasks
from rkbench.rknn.targets import Dtype
from test_onnx_fusion import layers

CORES = {"rk3568": 1, "rk3588": 3}


def written(
    folder: Path, kind: str, steps: int, inputs: int, hidden: int, batch: int, directions: int
) -> Path:
    """Write a recurrent layer alone; return where."""
    gates, numbers = {"LSTM": 4, "GRU": 3}[kind], np.random.default_rng(0)
    shapes = ((gates * hidden, inputs), (gates * hidden, hidden), (2 * gates * hidden,))
    stored = [numbers.normal(size=(directions, *shape)).astype(np.float32) for shape in shapes]
    weights = [numpy_helper.from_array(values, name) for values, name in zip(stored, "WRB", strict=True)]
    options = {"hidden_size": hidden, "direction": "bidirectional" if directions > 1 else "forward"}
    if kind == "GRU":
        options["linear_before_reset"] = 1
    node = helper.make_node(kind, ["x", "W", "R", "B"], ["y"], name="steps", **options)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, batch, inputs])
    made = helper.make_tensor_value_info("y", TensorProto.FLOAT, [steps, directions, batch, hidden])
    graph = helper.make_graph([node], "recurrent", [given], [made], weights)
    path = folder / "recurrent.onnx"
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("kind", "steps", "inputs", "hidden", "batch", "directions", "target", "dtype", "tasks", "command_bytes"),
    [
        ("LSTM", 2, 64, 64, 1, 1, "rk3588", "fp16", 55, 71_552),
        ("LSTM", 2, 64, 64, 1, 1, "rk3568", "fp16", 51, 71_040),
        ("LSTM", 100, 512, 512, 1, 1, "rk3588", "fp16", 4_190, 86_400),
        ("LSTM", 100, 512, 512, 1, 1, "rk3568", "fp16", 4_002, 99_392),  # the weights come in four pieces
        ("LSTM", 32, 576, 128, 1, 2, "rk3588", "int8", 2_734, 178_688),
        ("LSTM", 62, 768, 768, 1, 1, "rk3568", "int8", 2_540, 96_064),
        ("LSTM", 999, 64, 512, 1, 2, "rk3588", "fp16", 83_896, 172_800),
        ("LSTM", 999, 1024, 512, 1, 2, "rk3588", "fp16", 83_944, 221_952),
        ("LSTM", 999, 1024, 512, 1, 2, "rk3568", "fp16", 82_196, 2_670_720),  # and so do the inputs
        ("LSTM", 999, 1024, 512, 1, 2, "rk3568", "int8", 82_530, 862_336),
        ("LSTM", 4, 64, 64, 4, 1, "rk3568", "fp16", 270, 122_432),
        ("LSTM", 1, 128, 128, 128, 2, "rk3568", "fp16", 1_080, 731_392),
        ("GRU", 1, 64, 64, 1, 1, "rk3588", "fp16", 20, 27_136),
        ("GRU", 16, 64, 64, 1, 2, "rk3588", "fp16", 550, 798_144),
        ("GRU", 64, 256, 256, 1, 1, "rk3568", "fp16", 963, 1_616_448),
    ],
)
def test_the_steps_of_a_recurrent_layer_take_what_the_compiler_gives_them(
    kind: str,
    steps: int,
    inputs: int,
    hidden: int,
    batch: int,
    directions: int,
    target: str,
    dtype: Dtype,
    tasks: int,
    command_bytes: int,
    tmp_path: Path,
) -> None:
    (layer,) = layers(written(tmp_path, kind, steps, inputs, hidden, batch, directions))
    size, found = recurrent_tasks(layer, CORES[target], dtype)
    assert abs(found - tasks) <= max(4, tasks * 0.02)
    assert abs(size / command_bytes - 1) < 0.04


@pytest.mark.parametrize(
    ("kind", "steps", "hidden", "target", "size_bytes"),
    [
        ("LSTM", 100, 512, "rk3588", 6_096_427),
        ("GRU", 64, 256, "rk3588", 2_604_841),
    ],
)
def test_a_recurrent_network_is_predicted_and_its_steps_are_named(
    kind: str, steps: int, hidden: int, target: str, size_bytes: int, tmp_path: Path
) -> None:
    path = written(tmp_path, kind, steps, hidden, hidden, 1, 1)
    prediction = predict(open_onnx(path), target, "fp16")
    assert abs(prediction.file_bytes / size_bytes - 1) < 0.1
    assert "1 node (steps) takes" in predicted_sentence(path, prediction)
    zeros = " zeros for a projection that it has not and" * (kind == "LSTM")
    assert f"recurrent, with{zeros} tasks for every time step" in predicted_sentence(path, prediction)
