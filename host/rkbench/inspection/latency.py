"""`bench predict`: the latency of .rknn files before a board, and of an .onnx what it needs first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rkbench.errors import BenchError, UsageError
from rkbench.npu import LatencyPrediction, WhatIf, predict_latency
from rkbench.npu.latency_model import FittedLatency
from rkbench.rknn.reader import open_model
from rkbench.rknn.targets import npu_generation

DEFAULT_TARGET = "rk3588"
DTYPE = "int8"
"""What the fit is of: the size of an .onnx is predicted at it."""


@dataclass(frozen=True)
class PredictedModel:
    """One file: its predicted latency, or what an .onnx has to become first."""

    path: str
    size_bytes: int | None
    target: str | None
    """The SoC that it is converted for; of an .onnx, the one that its size is predicted for."""
    latency: LatencyPrediction | None
    """None of an .onnx: latency stands in the commands of a converted file."""
    converted_bytes: int | None
    """Predicted size of the .rknn; None of one that is converted."""
    error: str | None = None
    """Why nothing is predicted of this one of several; then all but `path` is None."""
    hint: str | None = None


def predict_models(
    paths: Sequence[Path],
    *,
    what_if: WhatIf,
    soc: str | None = None,
    fitted: FittedLatency | None = None,
    graph: int = 0,
) -> tuple[PredictedModel, ...]:
    """Predict each file; `soc` is the board's, which the files have to fit, `fitted` its own model.

    `graph` says which shape of models with dynamic inputs.

    Raises ModelError where the tasks of a single file cannot be decoded, UsageError where it is of another
    NPU; of several files such a one has an `error`.
    """
    if len(paths) == 1:
        return (_predict(paths[0], what_if, soc, fitted, graph),)
    return tuple(_predict_or_tell(path, what_if, soc, fitted, graph) for path in paths)


def _predict_or_tell(
    path: Path, what_if: WhatIf, soc: str | None, fitted: FittedLatency | None, graph: int
) -> PredictedModel:
    try:
        return _predict(path, what_if, soc, fitted, graph)
    except BenchError as error:
        return PredictedModel(str(path), None, None, None, None, error.message, error.hint)


def _predict(
    path: Path, what_if: WhatIf, soc: str | None, fitted: FittedLatency | None, graph: int
) -> PredictedModel:
    if path.suffix.lower() == ".onnx":
        return _unconverted(path, soc or DEFAULT_TARGET)
    with open_model(path) as model:
        if soc and npu_generation(soc) != model.file.npu_generation:
            raise UsageError(
                f"{path} is converted for {model.file.target}, and the board is an {soc}",
                hint=f"convert it with target_platform={soc!r}",
            )
        latency = predict_latency(model, what_if=what_if, fitted=fitted, graph_index=graph)
        return PredictedModel(str(path), model.file.size_bytes, model.file.target or None, latency, None)


def _unconverted(path: Path, target: str) -> PredictedModel:
    from rkbench.onnx import predict_size  # an extra

    sizes = predict_size(path, target, DTYPE)
    return PredictedModel(str(path), sizes.onnx_bytes, target, None, sizes.file_bytes)
