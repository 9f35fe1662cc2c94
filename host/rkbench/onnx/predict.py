"""Prediction before conversion: what each node of an ONNX becomes on a target, and how many bytes it takes.

The rules are the measured ones of `rkbench.rknn.targets` and `rkbench.onnx.convolution`; nothing here runs
vendor code. Constants and commands are kept apart; how far off both are stands in docs/prediction.md.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from os import PathLike

import onnx_ir as ir

from rkbench.language.said import Said, say
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.constants import is_frozen, stored_values
from rkbench.onnx.cut_fields import note_of_cut_fields
from rkbench.onnx.familiar import MANY, WIDTH, unfamiliar_forms
from rkbench.onnx.foreseen import Asked
from rkbench.onnx.fusion.rolled import positions_apart, rolled_positions
from rkbench.onnx.input_shapes import InputShapes
from rkbench.onnx.model import OnnxFile, open_onnx
from rkbench.onnx.node_rules import share_of
from rkbench.onnx.node_share import Context, Share
from rkbench.onnx.planning import LayerPlan, plan_layers
from rkbench.onnx.prediction import (
    BY_POSITIONS,
    JOINED,
    MERGED,
    MOVED,
    MULTIPLIED,
    NORMED,
    REORDERED,
    ROLLED,
    SPREAD,
    TURNED,
    PredictedNode,
    Prediction,
)
from rkbench.onnx.refusals import foreseen_refusals
from rkbench.rknn import targets
from rkbench.rknn.targets import DTYPES, ELEMENT_BYTES, Dtype, check_target

CONVOLVED = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul", "GlobalAveragePool", "ReduceMean"))
"""What becomes a convolution: a file with none of them lacks the constants that the compiler adds."""

MADE: dict[str, Said] = {"norm": NORMED, "length": NORMED, "softmax": SPREAD, "attention": SPREAD}
"""What a layer becomes, by its kind, where the compiler adds more constants to it than it has."""

MOVED_BYTES, NOTED_BYTES = 10_000, 100_000
"""Commands of a Transpose that moves a map position by position, and of one that is worth a word alone."""

UNSURE_CONSTANTS = 0.044
"""By how much the constants may be off: most files of the fit half are four fifths as far off."""


def predict_size(
    path: str | PathLike[str],
    target: str,
    dtype: str,
    toolkit_version: str | None = None,
    input_shapes: InputShapes | None = None,
) -> Prediction:
    """Predict what converting an ONNX file for `target` at `dtype` will give; None is the newest toolkit.

    `input_shapes` fills in sizes that the file leaves open. Raises ModelError for a file that is no ONNX,
    UsageError for an unknown target or dtype, or shapes that do not fit.
    """
    known = check_target(target, dtype)
    return predict(open_onnx(path, input_shapes), target, known, toolkit_version)


def predict(network: OnnxFile, target: str, dtype: Dtype, toolkit_version: str | None = None) -> Prediction:
    """Predict for an ONNX that is open already; raises KeyError for a target that is not in TARGETS.

    A graph that is quantized already becomes int8, whatever is asked.
    """
    quantizes_again = network.is_quantized and dtype == "int8"
    dtype = "int8" if network.is_quantized else dtype
    context = _context(network, target, toolkit_version)
    plans = {each: _plan(network, context, each) for each in DTYPES}
    owned = {each: _shares(network, context, each, plans[each]) for each in DTYPES}
    nodes = _predict_nodes(owned, dtype)
    convolves = any(node.op_type in CONVOLVED for node in network.graph)
    fixed = targets.TARGETS[target].fixed_constant_bytes if convolves else 0
    weights = {each: fixed + sum(share.weights for share in owned[each].values()) for each in DTYPES}
    base = commands.command_model(target).added_bytes if convolves else 0
    command_bytes = {
        each: base + plans[each].file_bytes + sum(share.commands or 0 for share in owned[each].values())
        for each in DTYPES
    }
    size = weights[dtype] + command_bytes[dtype]
    asked = Asked(
        network.graph, network.opset, context.constants, target, quantizes_again, dtype, network.mended
    )
    unsure = round(plans[dtype].unsure_bytes + UNSURE_CONSTANTS * weights[dtype])
    low, high = max(size - unsure, round(weights[dtype] * (1 - UNSURE_CONSTANTS))), size + unsure
    unfamiliar = unfamiliar_forms(network.graph, context.constants)
    if len(unfamiliar) >= MANY:
        low, high = min(low, round(size / WIDTH)), max(high, round(size * WIDTH))
    return Prediction(
        target=target,
        dtype=dtype,
        toolkit_version=toolkit_version,
        onnx_bytes=network.size_bytes + network.external_bytes,
        elements=network.elements,
        nodes=tuple(nodes),
        weight_bytes=weights[dtype],
        needed_weight_bytes=network.float_elements * ELEMENT_BYTES[dtype],
        command_bytes=command_bytes[dtype],
        weight_bytes_fp16=weights["fp16"],
        weight_bytes_int8=weights["int8"],
        command_bytes_fp16=command_bytes["fp16"],
        command_bytes_int8=command_bytes["int8"],
        file_bytes_low=low,
        file_bytes_high=None if any(node.command_bytes is None for node in nodes) else high,
        table_layers=plans[dtype].table_layers,
        table_command_bytes=plans[dtype].table_command_bytes,
        unfamiliar=unfamiliar if len(unfamiliar) >= MANY else (),
        notes=tuple(_notes(network, context, nodes, dtype)),
        refusals=foreseen_refusals(asked),
    )


def _context(network: OnnxFile, target: str, toolkit_version: str | None) -> Context:
    owners: dict[ir.Value, ir.Node] = {}
    constants = stored_values(network.graph)
    for node in network.graph:
        if not constants.issuperset(node.outputs):  # an Identity of weights stores nothing itself
            for value in node.inputs:
                if value is not None:
                    owners.setdefault(value, node)
    return Context(target, toolkit_version, constants, owners)


def _plan(network: OnnxFile, context: Context, dtype: Dtype) -> LayerPlan:
    effective: Dtype = "int8" if network.is_quantized else dtype
    return plan_layers(network.graph, context.constants, context.target, effective, context.toolkit_version)


def _shares(network: OnnxFile, context: Context, dtype: Dtype, plan: LayerPlan) -> dict[ir.Node, Share]:
    """Return the share of every node that is not folded away; a QDQ graph is INT8 at either dtype."""
    effective: Dtype = "int8" if network.is_quantized else dtype
    found = {}
    for node in network.graph:
        if not context.constants.issuperset(node.outputs):
            share = _planned(node, share_of(node, context, effective), plan)
            if share is not None:
                found[node] = share
    return found


def _planned(node: ir.Node, share: Share | None, plan: LayerPlan) -> Share | None:
    """Return a node's share with the commands of its layer: none where another node's layer computes it."""
    size, added = plan.commands.get(node, 0), plan.constants.get(node, 0)
    if share is None and not size and not added:
        return None
    share = share or Share(conv.ORDINARY, 0, 0, 0)
    if added and (positions := rolled_positions(node)):
        share = replace(share, becomes=ROLLED, note=say("{count} positions, windows before", count=positions))
    elif node.op_type in ("Concat", "Split", "Slice") and added > share.weights:
        share = replace(share, becomes=JOINED, note=say("its parts begin or end within a block of channels"))
    if node.op_type == "Transpose" and size > MOVED_BYTES:
        note = say("the NPU takes a task for each position of the map") if size > NOTED_BYTES else share.note
        share = replace(share, becomes=MOVED, note=note)
    elif plan.kinds.get(node) == "norm" and positions_apart(node):
        share = replace(share, becomes=BY_POSITIONS)
    elif plan.kinds.get(node) == "attention" and size > added:
        share = replace(share, becomes=MULTIPLIED)
    elif added > share.weights and node in plan.turned:
        note = say("an input or output of the network has rows of features, the NPU's maps channels")
        share = replace(share, becomes=REORDERED, note=note)
    elif added > share.weights:
        made = TURNED if node.op_type == "DepthToSpace" else MADE.get(plan.kinds.get(node, ""))
        share = replace(share, becomes=made or share.becomes)
    commands_bytes = None if share.commands is None else size
    if node in plan.merged:
        return Share(MERGED, 0, share.needed, commands_bytes)
    return replace(share, weights=share.weights + added, commands=commands_bytes)


_NOTHING = Share(conv.ORDINARY, 0, 0, 0)
"""Of a node that takes something at the other dtype alone."""


def _predict_nodes(owned: dict[Dtype, dict[ir.Node, Share]], dtype: Dtype) -> list[PredictedNode]:
    fp16, int8 = (defaultdict(lambda: _NOTHING, owned[each]) for each in DTYPES)
    return [
        PredictedNode(
            name=node.name or node.outputs[0].name or "",
            type=node.op_type,
            becomes=share.becomes,
            weight_bytes=share.weights,
            needed_bytes=share.needed,
            weight_bytes_fp16=fp16[node].weights,
            weight_bytes_int8=int8[node].weights,
            command_bytes=share.commands,
            note=share.note,
            smaller_dtype=_smaller_dtype(fp16[node], int8[node]),
            reads=_maps_read(node) if node.op_type == "Conv" else (),
        )
        for node, share in owned[dtype].items()
    ]


def _maps_read(node: ir.Node) -> tuple[str, ...]:
    """Return the names of the map that a convolution reads, and of the parts of the Concat that makes it."""
    source = node.inputs[0]
    made = source.producer() if source is not None else None
    joined = made.inputs if made is not None and made.op_type == "Concat" else ()
    return tuple(value.name for value in (source, *joined) if value is not None and value.name)


def _smaller_dtype(fp16: Share, int8: Share) -> Dtype | None:
    if fp16.weights == int8.weights:
        return None
    return "fp16" if fp16.weights < int8.weights else "int8"


def _notes(network: OnnxFile, context: Context, nodes: list[PredictedNode], dtype: Dtype) -> list[Said]:
    notes = list(network.notes)
    if network.is_quantized:
        notes.append(say("the graph is quantized already (QDQ): predicted as INT8"))
    if targets.kept_group_alignment(context.target, dtype) is None:
        notes.append(
            say("{target}: nobody has measured which grouped convolutions it keeps", target=context.target)
        )
    half = network.elements.get("FLOAT16", 0) + network.elements.get("BFLOAT16", 0)
    if half:
        notes.append(
            say(
                "{half} weights are stored in 16 bits: compare elements, not the bytes of the ONNX", half=half
            )
        )
    frozen = [node.name or "If" for node in network.graph if is_frozen(node, context.constants)]
    if frozen:
        notes.append(
            say(
                "the converter computes {frozen} once, on a map of its own, and stores the outcome: what "
                "comes behind no longer depends on the input there, the results are wrong",
                frozen=", ".join(frozen),
            )
        )
    notes += note_of_cut_fields(network.graph, context.target)
    unknown = [node.name for node in nodes if node.command_bytes is None]
    if unknown:
        notes.append(
            say("commands that nobody can predict are not counted: {unknown}", unknown=", ".join(unknown))
        )
    return notes
