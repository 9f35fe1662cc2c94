"""A vision transformer of four blocks converted: ours, the simulator's outputs, and onnxruntime's."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model
from rkbench.stats.similarity import cosine
from toolkit_jobs import ROOT, Convert

sys.path.insert(0, str(ROOT / "tools/npu_nets"))

import transformer_nets

CASES = 8


@pytest.mark.parametrize(("dtype", "to_simulator"), [("fp16", 0.99999), ("int8", 0.9995)])
def test_a_vision_transformer_runs_whole(
    dtype: str, to_simulator: float, convert: Convert, tmp_path: Path
) -> None:
    source, inputs, outputs = (tmp_path / each for each in ("vit.onnx", "inputs.npz", "outputs.npz"))
    net = transformer_nets.vision_transformer()
    net.save(source)
    cases = np.random.default_rng(21).standard_normal((CASES, *net.shape)).astype("float32")
    np.savez(inputs, **{"inputs/x": cases})
    answer = convert(source, "rk3588", dtype, inputs=inputs, outputs=outputs, samples=16)
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    with np.load(outputs) as simulated, open_model(answer["output"]) as model:
        theirs = next(simulated[name] for name in simulated if name.startswith("outputs/"))
        executor = Executor(model)
        ours = np.stack([next(iter(executor.run({"x": case}).values())) for case in cases])
    floats = np.stack([session.run(None, {"x": case})[0] for case in cases])
    pairs = {"ours to simulator": (ours, theirs), "ours": (ours, floats), "simulator": (theirs, floats)}
    found = {name: min(map(cosine, *pair)) for name, pair in pairs.items()}
    print(dtype, {name: round(value, 5) for name, value in found.items()})
    assert found["ours to simulator"] > to_simulator
    assert found["ours"] > 0.99
