"""What each kind of node becomes on a target: one small rule a kind of layer.

The rules are the measured ones of `rkbench.rknn.targets` and `rkbench.onnx.convolution`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import commands
from rkbench.onnx import convolution as conv
from rkbench.onnx.constants import is_generated, is_zero_map
from rkbench.onnx.convolution import Convolution, average_of, averages_whole_map, convolution_of
from rkbench.onnx.fusion.attended import masks_a_bias, score_bias
from rkbench.onnx.fusion.flattened import flattened, is_dense
from rkbench.onnx.fusion.gathered import dense_pick, is_picked, picked_rows_of, picked_vector
from rkbench.onnx.fusion.geometry import is_by_rows
from rkbench.onnx.fusion.merged import merged_patches
from rkbench.onnx.fusion.reduced import reduction
from rkbench.onnx.joined_maps import stored_map_bytes, stored_maps
from rkbench.onnx.node_convolution import projected, shared
from rkbench.onnx.node_operands import other_share
from rkbench.onnx.node_recurrent import on_cpu_recurrent, recurrent
from rkbench.onnx.node_share import Context, Share
from rkbench.onnx.node_taps import taken_apart
from rkbench.onnx.prediction import (
    BY_ROWS,
    FILLED,
    FOLDED,
    LAID_FLAT,
    MASKED,
    ORDERED,
    OTHER,
    PATCHED,
    PICKED,
    PLACED,
    POOLING,
    RESIZE,
    SHUFFLE,
    TILED,
)
from rkbench.onnx.shapes import is_channel_shuffle, moved_positions, pooled_size, pooling_kernels
from rkbench.onnx.stored_masks import mask_bytes
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import ELEMENT_BYTES, Dtype

Rule = Callable[[ir.Node, Context, Dtype], Share | None]


def _convolution(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    geometry = convolution_of(node)
    weight = node.inputs[1]
    if geometry is None or weight not in context.constants:
        return other_share(node, context, dtype)
    share = projected(geometry, context, dtype)
    stored = static_shape(weight) or ()
    if len(stored) == len(geometry.kernel) + 3:
        needed = min(share.needed, math.prod(stored) * ELEMENT_BYTES[dtype])
        share = Share(LAID_FLAT, share.weights, needed, share.commands, conv.note_of_depth(stored))
    share = taken_apart(share, node, geometry)
    if len(geometry.kernel) > 2:  # taken apart along the third axis, in ways that nobody has measured
        share = Share(share.becomes, share.weights, share.needed, None, share.note)
    if is_generated(weight):
        share = _written_out(share, weight)
    return share if context.owners[weight] is node else shared(node, geometry, share, context, dtype)


def _written_out(share: Share, weight: ir.Value) -> Share:
    """Return the share of a convolution whose weights the ONNX does not store."""
    note = say(
        "its weights are computed by nodes ({weight}): the ONNX does not store them", weight=weight.name
    )
    becomes = FOLDED if share.becomes in (conv.ORDINARY, FILLED) else share.becomes
    return replace(share, becomes=becomes, needed=0, note=share.note or note)


def _product(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Gemm and MatMul by a constant become a 1x1 convolution."""
    weight = node.inputs[1] if len(node.inputs) > 1 else None
    shape = static_shape(weight)
    if weight is None or weight not in context.constants or shape is None or len(shape) != 2:
        return other_share(node, context, dtype)
    rows, columns = shape[::-1] if node.attributes.get_int("transB", 0) else shape
    has_bias = len(node.inputs) > 2 or any(user.op_type == "Add" for user in node.outputs[0].consumers())
    geometry = Convolution(columns, rows, has_bias=has_bias)
    share = projected(geometry, context, dtype)
    if is_by_rows(node):
        share = replace(share, becomes=BY_ROWS)
    return share if context.owners[weight] is node else shared(node, geometry, share, context, dtype)


def _pooling(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    reduced = reduction(node)
    if reduced is not None:
        return Share(POOLING, conv.constant_bytes(reduced, context.target, dtype), 0, 0)
    size = pooled_size(node) if node.op_type != "ReduceSum" else None
    shape = static_shape(node.inputs[0])
    if size is None or shape is None:
        return other_share(node, context, dtype)
    channels, weights, effort = shape[1], 0, 0
    for area in pooling_kernels(size):
        step = Convolution(channels, channels, channels, kernel=(area, 1))
        weights += conv.constant_bytes(step, context.target, dtype)
        effort += commands.convolution_bytes(step, context.target, dtype)
    return Share(POOLING, weights, 0, effort)


def _average(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """An AveragePool with a window that is larger than the NPU's becomes a depthwise convolution."""
    if averages_whole_map(node):
        return _pooling(node, context, dtype)
    geometry = average_of(node)
    if geometry is None:
        return other_share(node, context, dtype)
    size = conv.constant_bytes(geometry, context.target, dtype)
    if geometry.groups == 1:
        return Share(
            LAID_FLAT, size, 0, 0, say("a 3-D average is a dense kernel of all channels at all depths")
        )
    return Share(POOLING, size, 0, 0)


def _gather(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Channels that are picked by stored places are picked by a dense 1x1, and so are rows of a vector."""
    picked = dense_pick(node, context.constants)
    if picked is None:
        return other_share(node, context, dtype)
    if picked_vector(node) is not None:
        note = say(
            "{count} values of a vector are picked, which others pick from too", count=picked.output_channels
        )
        return Share(PICKED, conv.constant_bytes(picked, context.target, dtype), 0, 0, note)
    return Share(SHUFFLE, conv.constant_bytes(picked, context.target, dtype), 0, 0)


def _gather_elements(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Values whose places are stored are picked by a matrix for each row."""
    picked = picked_rows_of(node) if is_picked(node, context.constants) else None
    if picked is None:
        return other_share(node, context, dtype)
    note = say(
        "{rows} rows, each times a matrix of its own of {read} x {made} zeros and ones",
        rows=picked.rows,
        read=picked.read,
        made=picked.made,
    )
    return Share(PICKED, picked.constant_bytes(context.target, dtype), 0, 0, note)


def _einsum(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Positions that come out of a product in another order are put in theirs by a dense 1x1."""
    positions = moved_positions(node)
    if not positions:
        return other_share(node, context, dtype)
    order = Convolution(positions, positions, has_bias=False)
    note = say("its {count} positions are put in order by a dense 1x1 convolution", count=positions)
    return Share(SHUFFLE, conv.constant_bytes(order, context.target, dtype), 0, 0, note)


def _concat(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Maps that are constants are stored for their Concat with all channels of their blocks; pixels that it
    makes channels of are moved by a dense kernel."""
    if (moves := merged_patches(node)) is not None:
        note = say("a single 1 for each of {count} channels", count=moves.output_channels)
        return Share(PATCHED, conv.constant_bytes(moves, context.target, dtype), 0, 0, note)
    share, maps = other_share(node, context, dtype), stored_maps(node, set(context.constant_inputs(node)))
    if share is None or not maps:
        return share
    size = stored_map_bytes(maps, context.target, dtype)
    if share.becomes == FOLDED:
        return replace(share, weights=size)
    note = say("constant maps are stored with their channels filled up to whole blocks")
    return replace(share, becomes=PLACED, weights=size, note=note)


def _reshape(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    shape = static_shape(node.outputs[0])
    if shape is None or not is_channel_shuffle(node):
        return _ordered(node, context, dtype)
    share = projected(Convolution(shape[1], shape[1], has_bias=False), context, dtype)
    note = say(
        "reshape-transpose-reshape over {shape} channels is stored as a dense 1x1 convolution", shape=shape[1]
    )
    return Share(SHUFFLE, share.weights, 0, share.commands, note)


def _ordered(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Make a vector of a map: in another order than the map lies in, by a dense kernel of all its values."""
    order = flattened(node, context.constants)
    if order is None or not is_dense(order, context.target, dtype):
        return None
    note = say(
        "all {count} values of a map become a vector in another order than they lie in",
        count=order.output_channels,
    )
    return Share(ORDERED, conv.constant_bytes(order, context.target, dtype), 0, 0, note)


def _resize(_node: ir.Node, context: Context, _dtype: Dtype) -> Share | None:
    return Share(RESIZE, 0, 0, commands.other_bytes(context.target))


def _scale(_node: ir.Node, _context: Context, _dtype: Dtype) -> Share | None:
    """Scales and zero points of a QDQ graph become attributes of the tensors."""
    return None


def _where(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """A mask is stored once, whatever reads it too."""
    share, condition = other_share(node, context, dtype), node.inputs[0]
    size = mask_bytes(node, context.constants, context.target, dtype)
    if not size or condition is None or context.owners[condition] is not node:
        return share
    share = share or Share(OTHER, 0, 0, 0)
    return replace(share, becomes=MASKED, weights=share.weights + size)


def _addition(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """A bias of the scores of an attention is stored for each of their maps; zeros are not added at all.

    Converted for both SoCs and dtypes: stored zeros, a ConstantOfShape, a table of zeros that is looked up.
    """
    if any(value in context.constants and is_zero_map(value) for value in node.inputs):
        return None
    if masks_a_bias(node, context.constants, context.target):
        return None
    share, bias = other_share(node, context, dtype), score_bias(node, context.constants)
    size = bias.stored_bytes(context.target, dtype) if bias is not None else None
    if share is None or bias is None or size is None or context.owners[bias.value] is not node:
        return share
    note = say("{stored} maps, stored for all {maps} of the scores", stored=bias.stored_maps, maps=bias.maps)
    return replace(share, becomes=TILED, weights=size, note=note)


RULES: dict[str, Rule] = {
    "Add": _addition,
    "Concat": _concat,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "Gemm": _product,
    "MatMul": _product,
    "GlobalAveragePool": _pooling,
    "ReduceMean": _pooling,
    "ReduceSum": _pooling,
    "AveragePool": _average,
    "Einsum": _einsum,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Where": _where,
    "Reshape": _reshape,
    "Flatten": _ordered,
    "GRU": recurrent,
    "LSTM": recurrent,
    "RNN": on_cpu_recurrent,
    "Resize": _resize,
    "Upsample": _resize,
    "QuantizeLinear": _scale,
    "DequantizeLinear": _scale,
}


def share_of(node: ir.Node, context: Context, dtype: Dtype) -> Share | None:
    """Return what `node` takes of the file; None where it takes nothing."""
    return RULES.get(node.op_type, other_share)(node, context, dtype)
