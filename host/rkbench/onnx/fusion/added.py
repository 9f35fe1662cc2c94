"""Constants that the compiler adds for a layer, in bytes: tables of norms, softmax and activations."""

from __future__ import annotations

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution, constant_bytes
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.unrolled import pieces_of
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets
from rkbench.rknn.targets import Dtype

# Bytes a channel, measured on 24 to 64 channels; in whole lines of 64 bytes (32 on the rk3566/rk3568).
NORM_BYTES = {"RKNPU lite": 20}
OTHER_NORM_BYTES = 36
SOFTMAX_BYTES = 34
TABLES_BYTES = {"RKNPU lite": 9_344, "RKNPU v2": 8_776}
OTHER_TABLE_BYTES = 8_936
"""One lookup table; layers with the same activation share it."""


def added_constant_bytes(layer: FusedLayer, target: str, dtype: Dtype) -> int:
    """Return what a norm, a softmax, a Concat or a Split stores beside the weights of the network."""
    layout = targets.weight_layout(target, dtype)
    if layer.kind in ("concat", "split") and layout is not None:
        pieces = unaligned_concat if layer.kind == "concat" else unaligned_split
        return pieces(layer.node, layout) * targets.ELEMENT_BYTES[dtype]
    if layer.kind == "convolution" and layer.convolution is not None:
        return _pieces(layer.convolution, target, dtype)
    generation = _generation(target)
    lite = generation == "RKNPU lite"
    if layer.node.op_type == "InstanceNormalization":
        return _instance_norm(static_shape(layer.node.inputs[0]), lite=lite, int8=dtype == "int8")
    channels = _channels(layer)
    if layer.kind == "norm":
        return _lines(channels * NORM_BYTES.get(generation, OTHER_NORM_BYTES), 32 if lite else 64)
    if layer.kind == "softmax" and not lite:
        return _lines(channels * SOFTMAX_BYTES, 64)
    if layer.kind == "attention" and layer.parts > 1 and not lite:
        return _lines((static_shape(layer.node.outputs[0]) or (1,))[-1] * SOFTMAX_BYTES, 64)
    return 0


def _pieces(convolution: Convolution, target: str, dtype: Dtype) -> int:
    """Return the kernels that thin out the pieces of a long one, and the bias that int8 gives each."""
    pieces = pieces_of(convolution)
    if pieces is None:
        return 0
    channels = convolution.output_channels
    pick = Convolution(channels, channels, channels, has_bias=False)
    layout = targets.weight_layout(target, dtype)
    bias = targets.bias_bytes(channels, layout) if layout is not None and dtype == "int8" else 0
    return pieces.count * (pieces.selects * constant_bytes(pick, target, dtype) + bias) - bias


def _instance_norm(shape: tuple[int, ...] | None, *, lite: bool, int8: bool) -> int:
    """Tables for every pixel; a norm over flattened groups keeps one that puts them in order; int8 two more.

    Measured on 64 and 96 channels, 8 groups and 1, toolkit 2.5.0.
    """
    orders = ORDER_BYTES * 2 if int8 and not lite else 0
    if shape is not None and len(shape) == 4:
        pixels = shape[2] * shape[3]
        return _lines(pixels * (NORM_BYTES["RKNPU lite"] if lite else OTHER_NORM_BYTES), 64) + orders
    return (ORDER_BYTES // 2 if lite else ORDER_BYTES) + orders


ORDER_BYTES = 65_536
"""A table of 256x16x1x16 that the compiler multiplies by to put a map into another order."""


def unaligned_concat(node: ir.Node, layout: targets.WeightLayout) -> int:
    """Return the elements of the 1x1 that joins maps whose channels are no whole blocks; 0 if all are.

    A convolution of one group behind it takes the parts one by one instead.
    """
    shapes = [static_shape(value) for value in node.inputs]
    block = layout.minimum_input
    channels = [shape[1] for shape in shapes if shape is not None and len(shape) == 4]
    joined = static_shape(node.outputs[0])
    if len(channels) < len(shapes) or joined is None or joined[1] != sum(channels):
        return 0
    if all(count % block == 0 for count in channels) or _taken_apart(node):
        return 0
    return joined[1] * sum(_lines(count, block) for count in channels)


def _taken_apart(node: ir.Node) -> bool:
    behind = list(node.outputs[0].consumers())
    return all(user.op_type == "Conv" and user.attributes.get_int("group", 1) == 1 for user in behind)


def unaligned_split(node: ir.Node, layout: targets.WeightLayout) -> int:
    """Return the elements of the 1x1s that fetch parts which begin within a block of channels."""
    shapes = [static_shape(value) for value in node.outputs]
    whole, start, found = static_shape(node.inputs[0]), 0, 0
    channels = [shape[1] for shape in shapes if shape is not None and len(shape) == 4]
    if node.op_type != "Split" or whole is None or sum(channels) != whole[1]:
        return 0
    for count in channels:
        skipped = start % layout.minimum_input
        read = targets.padded_channels(count + skipped, layout.input_block, layout.minimum_input)
        found += min(read * count, LARGEST_FETCH[layout.depthwise_element_bytes]) if skipped else 0
        start += count
    return found


LARGEST_FETCH = {1: 13_800, 2: 20_700}
"""Elements that one part takes at most, by the bytes of one: larger ones are fetched piece by piece, by one
kernel. Seen on parts of 180, 300 and 600 channels (rk3588)."""


def table_bytes(target: str) -> int:
    """Return the size of one lookup table."""
    return TABLES_BYTES.get(_generation(target), OTHER_TABLE_BYTES)


def _generation(target: str) -> str:
    known = targets.TARGETS.get(target)
    return known.generation if known else ""


def _channels(layer: FusedLayer) -> int:
    """Return the size of the axis that is normalised: the last one of a sequence, else the channels."""
    shape = static_shape(layer.node.inputs[0]) or (1,)
    axes = layer.node.attributes.get_ints("axes", ()) if "axes" in layer.node.attributes else ()
    axis = layer.node.attributes.get_int("axis", -1) if "axis" in layer.node.attributes else None
    if axis is None:
        axis = axes[0] if axes else (1 if len(shape) == 4 else -1)
    return shape[axis] if -len(shape) <= axis < len(shape) else 1


def _lines(count: int, line: int) -> int:
    return -(-count // line) * line
