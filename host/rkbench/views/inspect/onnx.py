"""The ONNX beside its .rknn: what its weights need, node by node, and whether the ratio is an artefact."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rkbench.inspect.inspection import Inspection
from rkbench.onnx.prediction import NodePrediction, Prediction
from rkbench.units import format_bytes
from rkbench.views.inspect.prediction import fix_commands, predicted_sentence

ARTEFACT_RATIO = 1.5
HALF_TYPES = ("FLOAT16", "BFLOAT16", "INT8", "UINT8", "FLOAT8E4M3FN")


@dataclass(frozen=True)
class NodeBytes:
    """One node of the ONNX: what its weights need, what was predicted, what it owns in the file."""

    name: str
    type: str
    becomes: str
    needed_bytes: int
    predicted_bytes: int
    """Constants that the prediction gives it."""
    file_bytes: int | None
    """Bytes of the layers that came from it; None where no layer names it (fused or folded away)."""
    layers: tuple[str, ...]
    note: str
    smaller_dtype: str | None


@dataclass(frozen=True)
class OnnxView:
    """An ONNX with its prediction, and with the file that it became where there is one."""

    path: Path
    prediction: Prediction
    nodes: tuple[NodeBytes, ...]
    file_bytes: int | None
    sentence: str
    """The answer where the ONNX changes it or is all there is; "" where the file's own sentence stands."""

    @property
    def ratio_to_onnx(self) -> float | None:
        """File bytes against ONNX bytes; None without a file."""
        return None if self.file_bytes is None else self.file_bytes / max(self.prediction.onnx_bytes, 1)

    @property
    def ratio_to_needed(self) -> float | None:
        """File bytes against what the weights need at the file's dtype; None without a file or weights."""
        needed = self.prediction.needed_weight_bytes
        return self.file_bytes / needed if self.file_bytes is not None and needed else None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "path": str(self.path),
            "file_bytes": self.file_bytes,
            "ratio_to_onnx": self.ratio_to_onnx,
            "ratio_to_needed": self.ratio_to_needed,
            "nodes": [{**asdict(node), "layers": list(node.layers)} for node in self.nodes],
            "prediction": self.prediction.to_json(),
            "fix": list(fix_commands(self.path, self.prediction)),
        }


def compare_with_onnx(inspection: Inspection, path: Path, prediction: Prediction) -> OnnxView:
    """Return the ONNX node by node beside the file that it became."""
    names = {node.name for node in prediction.nodes}
    by_node: dict[str, list[int]] = defaultdict(list)
    for layer in inspection.layers:
        if layer.onnx_node:
            by_node[source_node(layer.onnx_node, names)].append(layer.index)
    nodes = tuple(_node(inspection, node, by_node.get(node.name, [])) for node in prediction.nodes)
    size = inspection.file.size_bytes
    return OnnxView(path, prediction, nodes, size, _artefact(inspection, path, prediction))


def source_node(name: str, names: set[str]) -> str:
    """Return the node of the ONNX that a layer came from; only its names tell whether a tile is meant."""
    whole = re.sub(r"_tile\d+$", "", name)
    return whole if name not in names and whole in names else name


def predict_view(path: Path, prediction: Prediction) -> OnnxView:
    """Return the view of an ONNX that has not been converted."""
    nodes = tuple(
        NodeBytes(
            node.name,
            node.type,
            node.becomes,
            node.needed_bytes,
            node.weight_bytes,
            None,
            (),
            node.note,
            node.smaller_dtype,
        )
        for node in prediction.nodes
    )
    return OnnxView(path, prediction, nodes, None, predicted_sentence(path, prediction))


def _node(inspection: Inspection, node: NodePrediction, layers: list[int]) -> NodeBytes:
    owned = [inspection.layers[index].size_bytes + inspection.structure_bytes[index] for index in layers]
    return NodeBytes(
        name=node.name,
        type=node.type,
        becomes=node.becomes,
        needed_bytes=node.needed_bytes,
        predicted_bytes=node.weight_bytes,
        file_bytes=sum(owned) if owned else None,
        layers=tuple(inspection.layers[index].name for index in layers),
        note=node.note,
        smaller_dtype=node.smaller_dtype,
    )


def _artefact(inspection: Inspection, path: Path, prediction: Prediction) -> str:
    """Return the sentence for a healthy file that is large only beside its ONNX, else ""."""
    size, onnx_bytes = inspection.file.size_bytes, max(prediction.onnx_bytes, 1)
    if inspection.diagnosis.verdict != "healthy" or size < ARTEFACT_RATIO * onnx_bytes:
        return ""
    elements = prediction.elements
    half = sum(number for dtype, number in elements.items() if dtype.upper() in HALF_TYPES)
    generated = prediction.weight_bytes > 2 * max(prediction.needed_weight_bytes, 1)
    if not generated and 2 * half < sum(elements.values()):
        return ""
    why = "generates weights that the file has to store" if generated else "stores its weights in half "
    "or less"
    return (
        f"{inspection.file.path.name} is {format_bytes(size)}, {size / onnx_bytes:,.1f} times its ONNX, "
        f"but nothing "
        f"is unusual: {path.name} ({format_bytes(onnx_bytes)}) {why}; its constants take "
        f"{format_bytes(prediction.weight_bytes)} at {prediction.dtype}."
    )
