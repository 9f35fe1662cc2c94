"""Outputs computed by the NPU model, in this process: int8 nets of the zoo, against onnxruntime's float ones.

Without the toolkit's environment there is nothing to compute, and the lines are left out. The limits in
seconds are for 2 cores that do nothing else; ratios are printed besides, from the same run.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from rkbench.npu.execute.executor import Executor
from rkbench.rknn import open_model

from benchmarks.ratio import Ratio, interleaved_seconds

TOOLS = Path(__file__).parents[1] / "tools/npu_nets"
LIMITS_S = {"mobilenetv2-12": 0.8, "resnet50-v2-7": 3.0, "yolov8n": 4.0}


def run() -> list[Ratio]:
    """Return the times of one case each, and their ratios to onnxruntime's."""
    sys.path.insert(0, str(TOOLS))
    from converted import converted

    ratios = []
    for name, limit_s in LIMITS_S.items():
        files = converted(name, "rk3588")
        if files is not None:
            ours_s, theirs_s = _seconds(*files)
            ratios.append(Ratio(f"{name} int8 computed, one case", ours_s, 0.0, "s", limit_s, absolute=True))
            ratios.append(Ratio(f"{name} int8 computed vs onnxruntime", ours_s, theirs_s, "s", 60.0))
    return ratios


def _seconds(onnx: Path, rknn: Path) -> tuple[float, float]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    with open_model(rknn) as model:
        executor = Executor(model)
        shapes = {tensor.name: tensor.shape for tensor in executor.inputs}
        random = np.random.default_rng(0)
        case: dict[str, Any] = {
            name: random.standard_normal(shape).astype("float32") for name, shape in shapes.items()
        }
        return interleaved_seconds(lambda: executor.run(case), lambda: session.run(None, case), 5)
