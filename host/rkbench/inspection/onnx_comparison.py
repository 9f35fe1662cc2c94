"""The ONNX beside its .rknn: what its weights need, node by node, and whether the ratio is an artefact."""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from rkbench.inspection.answers import what_to_change
from rkbench.inspection.causes import Cause
from rkbench.inspection.causes.cause import Verdict
from rkbench.inspection.cures import cured, what_it_does, without_bench_fix
from rkbench.inspection.document import SCHEMA, FileInspection, Inspection
from rkbench.inspection.onnx_document import OnnxComparison, OnnxNode, PredictedFile
from rkbench.inspection.prediction import fix_command, predicted_sentence
from rkbench.language.said import NOTHING, Said, say
from rkbench.onnx.fixing import ProposedRewrite, proposed
from rkbench.onnx.input_shapes import InputShapes
from rkbench.onnx.prediction import PredictedNode, Prediction
from rkbench.units import format_bytes

ARTEFACT_RATIO = 1.5
HALF_TYPES = ("FLOAT16", "BFLOAT16", "INT8", "UINT8", "FLOAT8E4M3FN")
NONE_GIVEN: InputShapes = MappingProxyType({})
NOT_CUT: Mapping[str, str] = MappingProxyType({})
PLACEHOLDER = "MODEL.onnx"
"""What a command says where the ONNX is not known."""


def add_onnx(
    inspection: FileInspection, path: Path, prediction: Prediction, shapes: InputShapes = NONE_GIVEN
) -> FileInspection:
    """Return the inspection with its ONNX node by node, and with what `bench fix` cures in it.

    `shapes` are those of inputs that the ONNX leaves open, as in the prediction.
    """
    size = inspection.file.size_bytes
    nodes = _nodes_in_file(inspection, prediction)
    found = _found(path, prediction, shapes)
    command = fix_command(path, prediction, found or (), shapes)
    told = inspection.causes
    told = without_bench_fix(told, path) if found is None else cured(told, found, command, path)
    causes = tuple(_named(cause, shlex.quote(str(path))) for cause in told)
    verdict: Verdict = "bloated" if inspection.lead_cause else "healthy"
    does = what_it_does(found) if found else NOTHING
    change = what_to_change(verdict, causes, command, does)
    return replace(
        inspection,
        sentence=_artefact(inspection, path, prediction) or inspection.sentence,
        causes=causes,
        answers=replace(inspection.answers, what_to_change=change),
        onnx=_comparison(path, prediction, nodes, size, (command, does)),
    )


def inspect_prediction(path: Path, prediction: Prediction, shapes: InputShapes = NONE_GIVEN) -> Inspection:
    """Return the inspection of an ONNX that has not been converted; `shapes` as for `add_onnx`."""
    found = _found(path, prediction, shapes) or {}
    command = fix_command(path, prediction, found, shapes)
    nodes = tuple(_node(node) for node in prediction.nodes)
    return Inspection(
        schema=SCHEMA,
        sentence=predicted_sentence(path, prediction),
        verdict="predicted",
        lead_cause=None,
        file=None,
        sections=None,
        memory=None,
        inputs=(),
        outputs=(),
        layers=(),
        unattributed=None,
        causes=(),
        ordinary=None,
        answers=None,
        myths=(),
        diff=None,
        onnx=_comparison(path, prediction, nodes, None, (command, what_it_does(found))),
    )


_PARTED = re.compile(r"(_tile\d+|_branch\d+|_2gavg|_2deconv)+$")
"""What the compiler appends to the name of a node that it cuts, or makes another operator of."""
_MADE = re.compile(r"_output_\d+(_tp|_rs)*$")
_CUT = re.compile(r"(_pad)?(#\d+)?(_slice(#\d+)?(_2sp\d*)?)?(_conv)?(#\d+)?$")
"""What it appends to the name of a map for the layers into which it cuts the convolution that reads it."""


def source_node(
    name: str, names: set[str], rewrite: str | None = None, readers: Mapping[str, str] = NOT_CUT
) -> str:
    """Return the node of the ONNX that a layer came from; only its names tell whether a part is meant.

    A shuffle is named after the tensor that it makes, as torch names it; a part of a convolution after the
    map that it reads, whose convolution `readers` has.
    """
    if name in names:
        return name
    whole = (_MADE if rewrite == "gather_to_conv" else _PARTED).sub("", name)
    return whole if whole in names else readers.get(_CUT.sub("", name), name)


def _found(path: Path, prediction: Prediction, shapes: InputShapes) -> dict[str, ProposedRewrite] | None:
    return proposed(path, prediction, shapes) if prediction.nodes else {}


def _named(cause: Cause, name: str) -> Cause:
    """Return a cause whose commands name the ONNX."""
    fixes = (replace(fix, snippet=fix.snippet.replace(PLACEHOLDER, name)) for fix in cause.fix)
    return replace(cause, fix=tuple(fixes))


def _comparison(
    path: Path,
    prediction: Prediction,
    nodes: tuple[OnnxNode, ...],
    file_bytes: int | None,
    fix: tuple[str, Said],
) -> OnnxComparison:
    (command, does), needed = fix, prediction.needed_weight_bytes
    return OnnxComparison(
        path=str(path),
        file_bytes=file_bytes,
        ratio_to_onnx=None if file_bytes is None else file_bytes / max(prediction.onnx_bytes, 1),
        ratio_to_needed=file_bytes / needed if file_bytes is not None and needed else None,
        nodes=nodes,
        prediction=_predicted_file(prediction),
        fix=(command,) if command else (),
        does=does if command else NOTHING,
    )


def _predicted_file(prediction: Prediction) -> PredictedFile:
    return PredictedFile(
        **vars(prediction),
        file_bytes=prediction.file_bytes,
        file_bytes_is_estimate=True,
        ratio=prediction.ratio,
        smaller_dtype=prediction.smaller_dtype,
        provenance="predicted",
    )


def _nodes_in_file(inspection: FileInspection, prediction: Prediction) -> tuple[OnnxNode, ...]:
    """Return the nodes with the layers that came from each, and the bytes of those."""
    names = {node.name for node in prediction.nodes}
    reads = Counter(name for node in prediction.nodes for name in set(node.reads))
    readers = {name: node.name for node in prediction.nodes for name in node.reads if reads[name] == 1}
    by_node: dict[str, list[int]] = defaultdict(list)
    for layer in inspection.layers:
        if layer.onnx_node:
            by_node[source_node(layer.onnx_node, names, layer.rewrite, readers)].append(layer.index)
    nodes = []
    for node in prediction.nodes:
        layers = [inspection.layers[index] for index in by_node.get(node.name, ())]
        owned = sum(layer.total_bytes for layer in layers) if layers else None
        nodes.append(replace(_node(node), file_bytes=owned, layers=tuple(layer.name for layer in layers)))
    return tuple(nodes)


def _node(node: PredictedNode) -> OnnxNode:
    return OnnxNode(
        name=node.name,
        type=node.type,
        becomes=node.becomes,
        needed_bytes=node.needed_bytes,
        predicted_bytes=node.weight_bytes,
        file_bytes=None,
        layers=(),
        note=node.note,
        smaller_dtype=node.smaller_dtype,
    )


def _artefact(inspection: FileInspection, path: Path, prediction: Prediction) -> Said:
    """Return the sentence for a healthy file that is large only beside its ONNX, else ""."""
    size, onnx_bytes = inspection.file.size_bytes, max(prediction.onnx_bytes, 1)
    if inspection.verdict != "healthy" or size < ARTEFACT_RATIO * onnx_bytes:
        return NOTHING
    elements = prediction.elements
    half = sum(number for dtype, number in elements.items() if dtype.upper() in HALF_TYPES)
    generated = prediction.weight_bytes > 2 * max(prediction.needed_weight_bytes, 1)
    if not generated and 2 * half < sum(elements.values()):
        return NOTHING
    if generated:
        why = say("generates weights that the file has to store")
    else:
        why = say("stores its weights in half precision or less")
    return say(
        "{name} is {size}, {times:,.1f} times its ONNX, but nothing is unusual: {onnx} ({onnx_bytes}) "
        "{why}; its constants take {constants} at {dtype}.",
        name=Path(inspection.file.path).name,
        size=format_bytes(size),
        times=size / onnx_bytes,
        onnx=path.name,
        onnx_bytes=format_bytes(onnx_bytes),
        why=why,
        constants=format_bytes(prediction.weight_bytes),
        dtype=prediction.dtype,
    )
