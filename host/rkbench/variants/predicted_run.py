"""The latency that a virtual board is to show: predicted before the push; no NPU code is in the agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

from rkbench_agent.wire.plan import PredictedRun

from rkbench.errors import ModelError
from rkbench.npu.decoded import DecodedGraph
from rkbench.npu.latency_model import find_latency_model
from rkbench.npu.predict import LatencyPrediction, model_terms, predict_decoded
from rkbench.npu.what_if import MOST_CORES, WhatIf
from rkbench.results.profile import LEAST_HEADER
from rkbench.rknn import RknnModel, open_model
from rkbench.rknn.graph_shape import GraphShape, graph_shape
from rkbench.variants.variant import PreparedVariant

NS_PER_S = 1e9
#: A night asks for the same few files on each of its boards.
MOST_KEPT = 64
#: Its boards ask at once; a prediction keeps a CPU busy, so that the others rather wait for the first's.
_ONE_PREDICTS = Lock()


@dataclass(frozen=True)
class _Content:
    """What a prediction depends on: the bytes of a file, wherever it lies."""

    sha256: str
    path: Path = field(compare=False)


def with_predicted_run(
    variant: PreparedVariant, tell: Callable[[str], None], *, profile: bool = False
) -> PreparedVariant:
    """Return the variant with the latency that a virtual board is to show, and with its table of layers.

    What cannot be predicted is returned as it is, once told why.
    """
    try:
        with _ONE_PREDICTS:
            predicted, shape = _predicted_once(_Content(variant.model.sha256, variant.model.path), profile)
    except ModelError as error:
        tell(f"the latency of {variant.description.name} is modelled, not predicted: {error.message}")
        return variant
    if shape:
        tell(f"{variant.description.name} runs on a virtual board for {shape}")
    return replace(variant, figures=replace(variant.figures, predicted=predicted))


@lru_cache(MOST_KEPT)
def _predicted_once(content: _Content, profile: bool) -> tuple[PredictedRun, GraphShape | None]:
    with open_model(content.path) as model:
        return predicted_run(model, profile=profile), graph_shape(model)


def predicted_run(model: RknnModel, *, profile: bool = False) -> PredictedRun:
    """Return what a virtual board is told of a file's latency; raises ModelError as `predict_latency`."""
    decoded = DecodedGraph(model)
    each = list(_predictions(decoded))
    fitted = find_latency_model(model.file.target)
    return PredictedRun(
        [round(found.latency_s * NS_PER_S) for found in each],
        model_terms(decoded, fitted).tolist() if fitted else [],
        _table(model, each[0]) if profile else "",
    )


def _predictions(decoded: DecodedGraph) -> Iterator[LatencyPrediction]:
    """Yield what is predicted for one core, two, three, up to the first that the file has no tasks for."""
    yield predict_decoded(decoded)
    for cores in range(2, MOST_CORES + 1):
        try:
            yield predict_decoded(decoded, what_if=WhatIf(cores=cores))
        except ModelError:
            return


def _table(model: RknnModel, predicted: LatencyPrediction) -> str:
    """Return the predicted layers as librknnrt would print them."""
    rows = [LEAST_HEADER]
    for number, layer in enumerate(predicted.layers, 1):
        read = model.nodes[layer.index].inputs
        dtype = (model.tensors[read[0]].dtype if read else "") or "UNKNOWN"
        rows.append(f"{number} {layer.type} {dtype} NPU {layer.latency_s * 1e6:.3f} {layer.name}")
    return "\n".join(rows) + "\n"
