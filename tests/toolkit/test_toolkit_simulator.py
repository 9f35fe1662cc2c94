"""int8 nets three ways over eight inputs: ours, the vendor's simulator's, and onnxruntime's in floats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model
from rkbench.stats.similarity import cosine
from toolkit_jobs import ROOT, Convert

sys.path.insert(0, str(ROOT / "tools/npu_nets"))

import narrow
import zoo

NETS = {
    "mobilenetv2, width 0.25": narrow.NETS["mobilenetv2"],
    "detector": narrow.NETS["detector"],
    "mobilenetv2": zoo.NETS["mobilenetv2-12"],
    "yolov5n": zoo.NETS["yolov5n"],
}
CASES = 8
Array = NDArray[Any]


@pytest.mark.parametrize("target", ["rk3588", "rk3568"])
@pytest.mark.parametrize("name", NETS)
def test_int8_loses_no_more_here_than_in_the_vendors_simulator(
    name: str, target: str, convert: Convert, tmp_path: Path
) -> None:
    source, inputs, outputs = (tmp_path / each for each in ("net.onnx", "inputs.npz", "outputs.npz"))
    onnx.save(NETS[name](), source)
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    _, channels, height, width = session.get_inputs()[0].shape
    cases = np.random.default_rng(21).standard_normal((CASES, 1, height, width, channels)).astype("float32")
    np.savez(inputs, **{"inputs/x": cases})
    answer = convert(source, target, "int8", inputs=inputs, outputs=outputs, samples=16)
    names = [each.name for each in session.get_outputs()]
    found = []
    with np.load(outputs) as simulated, open_model(answer["output"]) as model:
        executor = Executor(model)
        for number, case in enumerate(cases.transpose(0, 1, 4, 2, 3)):
            computed, floats = executor.run({"x": case}), session.run(None, {"x": case})
            for each, exact in zip(names, floats, strict=True):
                theirs = simulated[f"outputs/{each}"][number]
                ours = computed[each]
                found.append((cosine(ours, theirs), cosine(ours, exact), cosine(theirs, exact)))
    to_simulator, ours_to_floats, theirs_to_floats = np.mean(found, axis=0)
    print(f"| {name} | {target} | {to_simulator:.5f} | {ours_to_floats:.5f} | {theirs_to_floats:.5f} |")
    assert ours_to_floats > theirs_to_floats - 0.001
    assert to_simulator > min(0.999, theirs_to_floats)
