"""An inspection as the JSON of schema `rkbench-inspect/1`; unknown is null."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rkbench.inspect.answers import Answers, LayerElsewhere
from rkbench.inspect.causes import Cause
from rkbench.inspect.inspection import Inspection
from rkbench.rknn.model import Layer, Tensor
from rkbench.schema import SCHEMAS

if TYPE_CHECKING:
    from rkbench.views.inspect.diff import DiffView
    from rkbench.views.inspect.onnx import OnnxView

SCHEMA = "rkbench-inspect/1"
SCHEMA_FILE = SCHEMAS / "rkbench-inspect-1.schema.json"
PLACEHOLDER = "MODEL.onnx"
"""What a command says where the ONNX is not known; `--onnx` puts its path there."""
SMALL_BOARD_BYTES = 2_000_000_000
"""Memory of the small boards that people deploy to, in bytes."""

Document = dict[str, Any]


def inspect_document(
    inspection: Inspection,
    onnx: OnnxView | None = None,
    diff: DiffView | None = None,
    *,
    digest: bool = True,
) -> Document:
    """Return all of an inspection as one JSON value; `onnx` and `diff` are null where not asked for.

    Without `digest` the file is not hashed and `sha256` is null: hashing costs more than the rest.
    """
    diagnosis = inspection.diagnosis
    name = shlex.quote(str(onnx.path)) if onnx else PLACEHOLDER
    document: Document = {
        "schema": SCHEMA,
        "sentence": onnx.sentence if onnx and onnx.sentence else diagnosis.sentence,
        "verdict": diagnosis.verdict,
        "lead_cause": diagnosis.lead,
        "file": _file(inspection, digest),
        "sections": dict(vars(inspection.sections)),
        "memory": memory_document(inspection),
        "inputs": [_tensor(tensor) for tensor in inspection.inputs],
        "outputs": [_tensor(tensor) for tensor in inspection.outputs],
        "layers": _layers(inspection),
        "unattributed": _unattributed(inspection),
        "causes": [_cause(cause, name) for cause in diagnosis.causes],
        "ordinary": {"bytes": diagnosis.ordinary_bytes, "sections": diagnosis.ordinary},
        "answers": _answers(inspection.answers, name),
        "myths": [asdict(myth) for myth in inspection.myths],
        "onnx": onnx.to_json() if onnx else None,
        "diff": diff.to_json() if diff else None,
    }
    return document


def prediction_document(onnx: OnnxView) -> Document:
    """Return the document of an ONNX alone: what only a converted file can tell is null or empty."""
    return {
        "schema": SCHEMA,
        "sentence": onnx.sentence,
        "verdict": "predicted",
        "lead_cause": None,
        "file": None,
        "sections": None,
        "memory": None,
        "inputs": [],
        "outputs": [],
        "layers": [],
        "unattributed": None,
        "causes": [],
        "ordinary": None,
        "answers": None,
        "myths": [],
        "onnx": onnx.to_json(),
        "diff": None,
    }


def render_json(document: Document) -> str:
    """Return the document as text, indented, with a newline at its end."""
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def memory_document(inspection: Inspection) -> Document:
    """Return what loading takes on the NPU, as the file states it, and its share of a 2 GB board."""
    memory = inspection.memory
    known = [size for size in (memory.weight_bytes, memory.internal_bytes) if size is not None]
    total = sum(known) if len(known) == 2 else None
    return {
        "weight_bytes": memory.weight_bytes,
        "internal_bytes": memory.internal_bytes,
        "compiler_constant_bytes": memory.compiler_constant_bytes,
        "total_bytes": total,
        "share_of_2_gb_board": None if total is None else total / SMALL_BOARD_BYTES,
        "provenance": "from_file",
    }


def _file(inspection: Inspection, digest: bool) -> Document:
    file = inspection.file
    return {
        "path": str(file.path),
        "sha256": file.sha256 if digest else None,
        "size_bytes": file.size_bytes,
        "container_version": file.container_version,
        "mini": file.mini,
        "target": file.target or None,
        "toolkit_version": file.toolkit_version or None,
        "compiler_version": file.compiler_version or None,
        "framework": file.framework or None,
        "npu_generation": file.npu_generation or None,
        "dtype": inspection.dtype,
        "task_count": inspection.task_count,
    }


def _tensor(tensor: Tensor) -> Document:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype or None,
        "shape": list(tensor.shape),
        "native_shape": list(tensor.native_shape),
        "layout": tensor.layout or None,
        "scale": list(tensor.scale),
        "zero_point": list(tensor.zero_point),
    }


def _layers(inspection: Inspection) -> list[Document]:
    owners = inspection.diagnosis.owners
    pairs = zip(inspection.layers, inspection.structure_bytes, strict=True)
    return [_layer(layer, structure, owners.get(layer.index)) for layer, structure in pairs]


def _layer(layer: Layer, structure_bytes: int, cause: str | None) -> Document:
    return {
        "index": layer.index,
        "graph": layer.graph,
        "name": layer.name,
        "type": layer.type,
        "dtype": layer.dtype or None,
        "target": layer.target,
        "onnx_node": layer.onnx_node,
        "rewrite": layer.rewrite,
        "weight_bytes": layer.weight_bytes,
        "cpu_constant_bytes": layer.cpu_constant_bytes,
        "lookup_table_bytes": layer.lookup_table_bytes,
        "kind7_bytes": layer.kind7_bytes,
        "compiler_constant_bytes": layer.compiler_constant_bytes,
        "register_command_bytes": layer.register_command_bytes,
        "register_command_bytes_by_core": list(layer.register_command_bytes_by_core),
        "task_bytes": layer.task_bytes,
        "task_counts": list(layer.task_counts),
        "structure_bytes": structure_bytes,
        "total_bytes": layer.size_bytes + structure_bytes,
        "input_shapes": [list(shape) for shape in layer.input_shapes],
        "output_shapes": [list(shape) for shape in layer.output_shapes],
        "output_dtypes": list(layer.output_dtypes),
        "fed_by": list(layer.fed_by),
        "feeds": list(layer.feeds),
        "cause": cause,
    }


def _unattributed(inspection: Inspection) -> Document:
    rest = dict(vars(inspection.unattributed))
    rest["structure"] -= sum(inspection.structure_bytes)
    return rest


def _cause(cause: Cause, onnx: str) -> Document:
    return {
        "code": cause.code,
        "title": cause.title,
        "layers": list(cause.layers),
        "bytes": cause.bytes,
        "share": cause.share,
        "sections": cause.sections,
        "because": cause.because,
        "explanation": cause.explanation,
        "evidence": list(cause.evidence),
        "fix": [{**asdict(fix), "snippet": fix.snippet.replace(PLACEHOLDER, onnx)} for fix in cause.fix],
        "not_helping": list(cause.not_helping),
        "neighbours": list(cause.neighbours),
    }


def _answers(answers: Answers, onnx: str) -> Document:
    steps = [step.replace(PLACEHOLDER, onnx) for step in answers.change]
    pooling = [{**asdict(item), "kernel": list(item.kernel)} for item in answers.pooling]
    return {
        "convolutions_from_pooling": {"answer": answers.pooling_answer, "convolutions": pooling},
        "float_or_cpu_layers": {
            "answer": answers.precision_answer,
            "float": _elsewhere(answers.float_layers),
            "cpu": _elsewhere(answers.cpu_layers),
        },
        "why_this_big": {"answer": answers.why_answer, "causes": list(answers.why)},
        "what_to_change": {
            "answer": answers.change_answer.replace(PLACEHOLDER, onnx),
            "steps": steps,
        },
    }


def _elsewhere(layers: tuple[LayerElsewhere, ...]) -> list[Document]:
    return [asdict(layer) for layer in layers]
