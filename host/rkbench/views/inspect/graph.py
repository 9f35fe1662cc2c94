"""The layers of a .rknn as a graph of Model Explorer (github.com/google-ai-edge/model-explorer), overlaid.

`GraphCollection` and node data are that program's own formats: it lays out, folds and searches graphs of any
size in a browser, on this computer. A node is a layer, in a group of its node of the ONNX; edges are those
of the file. Overlays are files of their own, as it wants them: bytes, and time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rkbench.errors import UsageError
from rkbench.inspection.document import FileInspection, InspectedLayer
from rkbench.results.model import RunResult
from rkbench.units import MARK, UNKNOWN, format_bytes, format_seconds, printable
from rkbench.views.output import write_text

#: From little to much, as a white page and a dark one both show it.
_GRADIENT = [{"stop": 0, "bgColor": "#f1eee9"}, {"stop": 1, "bgColor": "#ef8354"}]
_CPU = {"backgroundColor": "#f6d7cb", "borderColor": "#b3431f"}


def write_graph(inspection: FileInspection, target: Path, run: RunResult | None = None) -> list[Path]:
    """Write the graph to `target` and its overlays beside it; returns all files.

    Raises UsageError where `run` is of another file, or has no time of a layer.
    """
    times = _predicted(inspection) if run is None else _measured(inspection, run)
    documents = {target: graph_document(inspection, times, run)}
    documents[target.with_suffix(".bytes.json")] = _overlay(
        {layer.index: float(layer.total_bytes) for layer in inspection.layers}
    )
    if times:
        documents[target.with_suffix(".time.json")] = _overlay(
            {index: round(time_s * 1e6, 3) for index, time_s in times.items()}
        )
    for path, document in documents.items():
        write_text(str(path), json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return list(documents)


def graph_document(
    inspection: FileInspection, times: Mapping[int, float], run: RunResult | None
) -> dict[str, Any]:
    """Return the layers as a GraphCollection; `times` in seconds, by the layers' indices."""
    name = printable(Path(inspection.file.path).name)
    said = "predicted" if run is None else f"{MARK if run.simulated else ''}measured on {run.board.name}"
    nodes = [_node(layer, times.get(layer.index), printable(said)) for layer in inspection.layers]
    return {"label": name, "graphs": [{"id": "layers", "nodes": nodes}]}


def _node(layer: InspectedLayer, time_s: float | None, said: str) -> dict[str, Any]:
    attributes = {
        "bytes": format_bytes(layer.total_bytes),
        "constants": format_bytes(layer.weight_bytes + layer.cpu_constant_bytes),
        "commands": format_bytes(layer.register_command_bytes + layer.task_bytes),
        "unit": layer.target,
        "computes in": layer.dtype or UNKNOWN,
        "output": ", ".join(" x ".join(map(str, shape)) for shape in layer.output_shapes),
        "cause": layer.cause or UNKNOWN,
        "ONNX node": layer.onnx_node or UNKNOWN,
        f"time, {said}": UNKNOWN if time_s is None else format_seconds(time_s),
    }
    node: dict[str, Any] = {
        "id": str(layer.index),
        "label": printable(layer.type),
        "namespace": printable((layer.onnx_node or "").strip("/")),
        "attrs": [
            {"key": key, "value": printable(value)}
            for key, value in {"layer": layer.name, **attributes}.items()
        ],
        "incomingEdges": [
            {"sourceNodeId": str(index), "sourceNodeOutputId": "0", "targetNodeInputId": str(place)}
            for place, index in enumerate(layer.fed_by)
        ],
    }
    return {**node, "style": _CPU} if layer.target == "CPU" and layer.total_bytes else node


def _overlay(values: Mapping[int, float]) -> dict[str, Any]:
    """Return numbers of layers as node data, coloured from the least to the most."""
    results = {str(index): {"value": value} for index, value in values.items()}
    return {"layers": {"results": results, "gradient": _GRADIENT}}


def _predicted(inspection: FileInspection) -> dict[int, float]:
    latency = inspection.npu.latency if inspection.npu else None
    return {layer.index: layer.latency_s for layer in latency.layers} if latency else {}


def _measured(inspection: FileInspection, run: RunResult) -> dict[int, float]:
    """Return the time of each layer that a run's own table has."""
    if run.variant.sha256 != inspection.file.sha256:
        raise UsageError(
            f"run {run.id} is of another file, {run.variant.name}",
            hint="its file has the SHA-256 " + run.variant.sha256[:12],
        )
    if run.profile is None or not run.profile.layers:
        raise UsageError(
            f"run {run.id} has no time of its layers", hint="measure it so: bench push MODEL.rknn --profile"
        )
    left: dict[str, list[int]] = {}
    for layer in inspection.layers:
        left.setdefault(layer.name, []).append(layer.index)
    # Of one name in their order, as the runtime lists them.
    return {left[item.name].pop(0): item.duration_s for item in run.profile.layers if left.get(item.name)}
