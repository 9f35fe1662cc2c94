"""Prediction of a 25 MB ONNX, and `bench fix` of it, in seconds; what onnxruntime takes to verify is apart.

The network is made here: 1x1 and grouped 3x3 convolutions of 512 channels over 14 x 14. No toolkit is needed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from rkbench.onnx import fix, predict_size
from rkbench.onnx.verify import verify

from benchmarks.ratio import Ratio

BLOCKS, CHANNELS, SIDE, GROUPS = 12, 512, 14, 128
PREDICTION_LIMIT_S, FIX_LIMIT_S = 2.0, 10.0


def run() -> list[Ratio]:
    """Return the seconds of a prediction, and those of `bench fix` beyond onnxruntime's."""
    with tempfile.TemporaryDirectory() as folder:
        path, fixed = made_network(Path(folder) / "large.onnx"), Path(folder) / "fixed.onnx"
        predict_size(path, "rk3588", "fp16")  # imports
        predicted = seconds(lambda: predict_size(path, "rk3588", "fp16"))
        whole = seconds(lambda: fix(path, "rk3588", "fp16", fixed))
        verified = seconds(lambda: verify(path, fixed))
        size = f"{path.stat().st_size / 1e6:.0f} MB"
    return [
        Ratio(f"predict an ONNX of {size}", predicted, 0, "s", PREDICTION_LIMIT_S, absolute=True),
        Ratio(f"bench fix of {size} beside onnxruntime", whole, verified, "s", FIX_LIMIT_S, absolute=True),
    ]


def seconds(action: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def made_network(path: Path) -> Path:
    """Save the network; its weights are seeded."""
    random = np.random.default_rng(5)
    nodes, stored, value = [], [], "x"
    for block in range(BLOCKS):
        for place, (kernel, groups) in enumerate(((1, 1), (3, GROUPS), (1, 1))):
            name = f"block{block}_{place}"
            shape = (CHANNELS, CHANNELS // groups, kernel, kernel)
            weights = random.standard_normal(shape).astype("float32") * 0.05
            stored.append(numpy_helper.from_array(weights, f"{name}_w"))
            pads = [kernel // 2] * 4
            nodes.append(
                helper.make_node("Conv", [value, f"{name}_w"], [name], name=name, group=groups, pads=pads)
            )
            value = name
    shape = [1, CHANNELS, SIDE, SIDE]
    given, result = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", value))
    graph = helper.make_graph(nodes, "large", [given], [result], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path
