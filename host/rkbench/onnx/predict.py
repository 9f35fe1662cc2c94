"""Prediction before conversion: what each node of an ONNX becomes on a target, and how many bytes it takes.

The rules are the measured ones of `rkbench.rknn.targets` and `rkbench.onnx.convolution`; nothing here runs
vendor code. Constants are good to a few percent, commands are a rough estimate and kept apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike

import onnx_ir as ir

from rkbench.errors import UsageError
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.constants import constant_values, float_elements, is_generated
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.model import OnnxFile, open_onnx, static_shape
from rkbench.onnx.prediction import (
    DILATED,
    FOLDED,
    OTHER,
    POOLING,
    RECURRENT,
    RESIZE,
    SHUFFLE,
    UNMEASURED,
    NodePrediction,
    Prediction,
)
from rkbench.onnx.shapes import is_channel_shuffle, pooled_size, pooling_kernels
from rkbench.rknn import targets
from rkbench.rknn.targets import DTYPES, ELEMENT_BYTES, Dtype

# Layers that the compiler fuses into a neighbour or that only rename bytes: no commands of their own.
FUSED = {
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu", "Mish"),
    *("BatchNormalization", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast"),
    *("Transpose", "Softplus"),
}


@dataclass(frozen=True)
class Context:
    """What every rule may ask: the target, the constants of the graph, and who owns a shared weight."""

    target: str
    toolkit_version: str | None
    constants: set[ir.Value]
    owners: dict[ir.Value, ir.Node]

    def constant_inputs(self, node: ir.Node) -> list[ir.Value]:
        """Return the float constants that this node is the first to use."""
        found = [value for value in node.inputs if value is not None and value in self.constants]
        return [value for value in found if self.owners[value] is node and float_elements(value)]


@dataclass(frozen=True)
class Share:
    """What a node owns at one dtype, in bytes; `commands` None means that no estimate can be made."""

    becomes: str
    weights: int
    needed: int
    commands: int | None
    note: str = ""


Rule = Callable[[ir.Node, Context, Dtype], Share | None]


def predict_file(
    path: str | PathLike[str], target: str, dtype: str, toolkit_version: str | None = None
) -> Prediction:
    """Predict what converting an ONNX file for `target` at `dtype` will give; None is the newest toolkit.

    Raises ModelError for a file that is no ONNX, UsageError for an unknown target or dtype.
    """
    known = check_target(target, dtype)
    return predict(open_onnx(path), target, known, toolkit_version)


def predict(network: OnnxFile, target: str, dtype: Dtype, toolkit_version: str | None = None) -> Prediction:
    """Predict for an ONNX that is open already; raises KeyError for a target that is not in TARGETS.

    A graph that is quantized already becomes int8, whatever is asked.
    """
    dtype = "int8" if network.is_quantized else dtype
    context = _context(network, target, toolkit_version)
    nodes = _predict_nodes(network, context, dtype)
    shares = {each: [share for _, share in _shares(network, context, each)] for each in DTYPES}
    fixed = targets.TARGETS[target].fixed_constant_bytes
    weights = {each: fixed + sum(share.weights for share in shares[each]) for each in DTYPES}
    base = commands.command_model(target).file_bytes
    command_bytes = {each: base + sum(share.commands or 0 for share in shares[each]) for each in DTYPES}
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
        notes=tuple(_notes(network, context, nodes, dtype)),
    )


def check_target(target: str, dtype: str) -> Dtype:
    """Return the dtype; raise UsageError unless it and the target are ones that we know."""
    if target not in targets.TARGETS:
        raise UsageError(f"unknown target {target!r}", hint=f"known: {', '.join(targets.TARGETS)}")
    for known in DTYPES:
        if dtype == known:
            return known
    raise UsageError(f"unknown dtype {dtype!r}", hint=f"known: {', '.join(DTYPES)}")


def _context(network: OnnxFile, target: str, toolkit_version: str | None) -> Context:
    owners: dict[ir.Value, ir.Node] = {}
    for node in network.graph:
        for value in node.inputs:
            if value is not None:
                owners.setdefault(value, node)
    return Context(target, toolkit_version, constant_values(network.graph), owners)


def _shares(network: OnnxFile, context: Context, dtype: Dtype) -> list[tuple[ir.Node, Share]]:
    """Return the share of every node that is not folded away; a QDQ graph is INT8 at either dtype."""
    effective: Dtype = "int8" if network.is_quantized else dtype
    found = []
    for node in network.graph:
        if not context.constants.issuperset(node.outputs):
            share = RULES.get(node.op_type, _other)(node, context, effective)
            if share is not None:
                found.append((node, share))
    return found


def _predict_nodes(network: OnnxFile, context: Context, dtype: Dtype) -> list[NodePrediction]:
    fp16, int8 = (dict(_shares(network, context, each)) for each in DTYPES)
    found = []
    for node, share in (fp16 if dtype == "fp16" else int8).items():
        found.append(
            NodePrediction(
                name=node.name or node.outputs[0].name or "",
                type=node.op_type,
                becomes=share.becomes,
                weight_bytes=share.weights,
                needed_bytes=share.needed,
                weight_bytes_fp16=fp16[node].weights,
                weight_bytes_int8=int8[node].weights,
                command_bytes=share.commands,
                note=share.note,
            )
        )
    return found


def _notes(network: OnnxFile, context: Context, nodes: list[NodePrediction], dtype: Dtype) -> list[str]:
    notes = list(network.notes)
    if network.is_quantized:
        notes.append("the graph is quantized already (QDQ): predicted as INT8")
    if targets.kept_group_alignment(context.target, dtype) is None:
        notes.append(f"{context.target}: nobody has measured which grouped convolutions it keeps")
    half = network.elements.get("FLOAT16", 0) + network.elements.get("BFLOAT16", 0)
    if half:
        notes.append(f"{half} weights are stored in 16 bits: compare elements, not the bytes of the ONNX")
    unknown = [node.name for node in nodes if node.command_bytes is None]
    if unknown:
        notes.append(f"commands that nobody can predict are not counted: {', '.join(unknown)}")
    return notes


def _convolution(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    geometry = convolution_of(node)
    weight = node.inputs[1]
    if geometry is None or weight not in context.constants:
        return _other(node, context, dtype)
    share = _projected(geometry, context, dtype)
    if is_generated(weight):
        note = f"its weights are computed by nodes ({weight.name}): the ONNX does not store them"
        becomes = FOLDED if share.becomes == conv.ORDINARY else share.becomes
        share = Share(becomes, share.weights, 0, share.commands, share.note or note)
    if context.owners[weight] is not node:
        return Share(share.becomes, 0, 0, share.commands, "")
    return share


def _projected(geometry: Convolution, context: Context, dtype: Dtype) -> Share:
    version, target = context.toolkit_version, context.target
    becomes = conv.fate(geometry, target, dtype, version)
    needed = conv.needed_bytes(geometry, dtype)
    weights = conv.constant_bytes(geometry, target, dtype, version)
    note = _grouping_note(geometry, becomes, context, dtype)
    size = commands.convolution_bytes(geometry, target, dtype, version)
    wide = geometry.dilated_extent >= commands.WIDE_DILATION and max(geometry.dilations) > 1
    if wide and targets.TARGETS[target].npu_cores > 1:
        kernel = f"dilation {max(geometry.dilations)} makes a kernel {geometry.dilated_extent} pixels wide"
        return Share(DILATED, weights, needed, None, f"{kernel}: 0.1 to 8 MB of commands were seen")
    if becomes == conv.KEPT and targets.kept_group_alignment(target, dtype, version) is None:
        note = f"nobody has measured whether {target} keeps {geometry.groups} groups; counted as kept"
        return Share(UNMEASURED, weights, needed, size, note)
    return Share(becomes, weights, needed, size, note)


def _grouping_note(geometry: Convolution, becomes: str, context: Context, dtype: Dtype) -> str:
    cpg = geometry.channels_per_group
    alignment = targets.kept_group_alignment(context.target, dtype, context.toolkit_version)
    if becomes == conv.DENSE:
        rule = f"{context.target} {dtype} keeps multiples of {alignment}"
        return f"{cpg} channels per group: {rule}, all else is stored as a dense block with zeros"
    if becomes == conv.MULTIPLIER:
        factor = geometry.output_channels // geometry.input_channels
        return f"depthwise with {factor} outputs a channel is stored as a dense block with zeros"
    if becomes == conv.KEPT and geometry.groups >= 32:
        return f"{geometry.groups} groups are split into as many convolutions, each with commands of its own"
    return ""


def _product(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Gemm and MatMul by a constant become a 1x1 convolution."""
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    shape = static_shape(weight)
    if weight is None or weight not in context.constants or shape is None or len(shape) != 2:
        return _other(node, context, dtype)
    rows, columns = shape[::-1] if node.attributes.get_int("transB", 0) else shape
    has_bias = len(node.inputs) > 2 or any(user.op_type == "Add" for user in node.outputs[0].consumers())
    share = _projected(Convolution(columns, rows, has_bias=has_bias), context, dtype)
    return share if context.owners[weight] is node else Share(share.becomes, 0, 0, share.commands)


def _pooling(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    size = pooled_size(node)
    shape = static_shape(node.inputs[0])
    if size is None or shape is None:
        return _other(node, context, dtype)
    channels, weights, effort = shape[1], 0, 0
    for area in pooling_kernels(size):
        step = Convolution(channels, channels, channels, kernel=(area, 1))
        weights += conv.constant_bytes(step, context.target, dtype)
        effort += commands.convolution_bytes(step, context.target, dtype)
    return Share(POOLING, weights, 0, effort)


def _reshape(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    shape = static_shape(node.outputs[0])
    if shape is None or not is_channel_shuffle(node):
        return None
    share = _projected(Convolution(shape[1], shape[1], has_bias=False), context, dtype)
    note = f"reshape-transpose-reshape over {shape[1]} channels is stored as a dense 1x1 convolution"
    return Share(SHUFFLE, share.weights, 0, share.commands, note)


def _recurrent(node: ir.Node, context: Context, _dtype: Dtype) -> Share | None:
    """GRU, LSTM and RNN stay FLOAT16 in an int8 model; their commands grow with the sequence."""
    elements = sum(float_elements(value) for value in context.constant_inputs(node))
    return Share(
        RECURRENT, elements * 2, elements * 2, None, "one list of commands a time step; stays FLOAT16"
    )


def _resize(_node: ir.Node, context: Context, _dtype: Dtype) -> Share | None:
    return Share(RESIZE, 0, 0, commands.other_bytes(context.target))


def _scale(_node: ir.Node, _context: Context, _dtype: Dtype) -> Share | None:
    """Scales and zero points of a QDQ graph become attributes of the tensors."""
    return None


def _other(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Any other layer: its float constants are stored element by element, its commands are one layer's."""
    values = context.constant_inputs(node)
    generated = sum(float_elements(value) for value in values if is_generated(value))
    given = sum(float_elements(value) for value in values) - generated
    size = 0 if node.op_type in FUSED else commands.other_bytes(context.target)
    element = ELEMENT_BYTES[dtype]
    if generated > given:
        note = f"{generated} constants are computed by nodes: stored in full in the .rknn, not in the ONNX"
        return Share(FOLDED, (generated + given) * element, given * element, size, note)
    if given == 0 and size == 0:
        return None
    return Share(OTHER if given else conv.ORDINARY, given * element, given * element, size)


RULES: dict[str, Rule] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "Gemm": _product,
    "MatMul": _product,
    "GlobalAveragePool": _pooling,
    "ReduceMean": _pooling,
    "Reshape": _reshape,
    "GRU": _recurrent,
    "LSTM": _recurrent,
    "RNN": _recurrent,
    "Resize": _resize,
    "Upsample": _resize,
    "QuantizeLinear": _scale,
    "DequantizeLinear": _scale,
}
