"""Constants that the compiler adds for a layer, in bytes: tables of norms, softmax and activations."""

from __future__ import annotations

import math
from dataclasses import replace

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution, constant_bytes
from rkbench.onnx.fusion.apart import cut_parts
from rkbench.onnx.fusion.enlarged import enlarged_constants, factor_of
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.normed import ORDER_BYTES, TURNED_BLOCK, group_norm, pixel_norm
from rkbench.onnx.fusion.normed import table_bytes as norm_table_bytes
from rkbench.onnx.fusion.over_channels import order_tables
from rkbench.onnx.fusion.reduced import SUM_TABLE_BYTES
from rkbench.onnx.fusion.rolled import rolled_positions
from rkbench.onnx.fusion.spread import spread_of
from rkbench.onnx.fusion.unrolled import Pieces, chain_of, pieces_of
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
        return _joined(layer, layout, dtype)
    if layer.node.op_type == "DepthToSpace" and layout is not None:
        return _depth_to_space(layer.node, layout, dtype)
    if layer.kind == "convolution" and layer.convolution is not None:
        own = layer.convolution
        return _spread(layer, own, target, dtype) + _pieces(own, target, dtype) + _parts(layer, target, dtype)
    factor = factor_of(layer.node) if layer.kind == "resize" else None
    if factor is not None:
        return enlarged_constants(layer.node, factor, targets.TARGETS[target].npu_cores, dtype)
    generation = _generation(target)
    lite = generation == "RKNPU lite"
    if layer.kind == "sums":
        last = (static_shape(layer.node.inputs[0]) or (1,))[-1]
        is_whole = last % TURNED_BLOCK[lite][dtype == "fp16"] == 0
        return is_whole * SUM_TABLE_BYTES[not lite][dtype]
    grouped = group_norm(layer.node, target, dtype)
    if grouped is not None:
        return norm_table_bytes(grouped, lite=lite)
    pixels = pixel_norm(layer.node)
    if pixels is not None:
        return pixels.table_bytes(target, dtype)
    channels = _channels(layer)
    if layer.kind == "length":
        table = _lines(channels, 8) * NORM_BYTES.get(generation, OTHER_NORM_BYTES) // 2
        return table + _order_tables(layer, dtype, lite=lite)
    if layer.kind == "norm":
        return _lines(channels * NORM_BYTES.get(generation, OTHER_NORM_BYTES), 32 if lite else 64)
    if layer.kind == "softmax" and not lite:
        return _lines(channels * SOFTMAX_BYTES, 64)
    if layer.kind == "attention" and layer.parts > 1 and not lite:
        rows = (static_shape(layer.node.outputs[0]) or (1,))[-1]
        return _lines(rows * SOFTMAX_BYTES, 64) + _order_tables(layer, dtype, lite=lite)
    return 0


def _order_tables(layer: FusedLayer, dtype: Dtype, *, lite: bool) -> int:
    block, each = TURNED_BLOCK[lite][dtype == "fp16"], ORDER_BYTES[lite][dtype == "fp16"]
    return each * order_tables(layer.kind, layer.node, block)


def _joined(layer: FusedLayer, layout: targets.WeightLayout, dtype: Dtype) -> int:
    """Return the 1x1s of a Concat or a Split, or the kernel of a roll; in int8 each has a bias."""
    bias = BIAS_BYTES if dtype == "int8" else 0
    if layer.kind == "split":
        return unaligned_split(layer.node, layout, bias)
    positions = rolled_positions(layer.node)
    if positions:
        return positions * (positions * targets.ELEMENT_BYTES[dtype] + bias)
    joint = joining_kernel(layer.node, layout)
    return (
        0 if joint is None else joint.elements * targets.ELEMENT_BYTES[dtype] + bias * joint.output_channels
    )


BIAS_BYTES = 4


def _spread(layer: FusedLayer, own: Convolution, target: str, dtype: Dtype) -> int:
    """Return where the columns of far taps are fetched from, less the taps that never meet the map."""
    spread = spread_of(layer.node)
    if spread is None:
        return 0
    kept = constant_bytes(spread.convolution, target, dtype) - constant_bytes(own, target, dtype)
    return spread.constant_bytes + kept


def _pieces(convolution: Convolution, target: str, dtype: Dtype) -> int:
    """Return the kernels that thin out the pieces of a long one, and the bias that int8 gives each."""
    pieces, chain = pieces_of(convolution), chain_of(convolution)
    channels = convolution.output_channels
    if chain is not None:
        pieces = Pieces(chain.count, chain.piece, 0)
    if pieces is None:
        return 0
    pick = Convolution(channels, channels, channels, has_bias=False)
    layout = targets.weight_layout(target, dtype)
    bias = targets.bias_bytes(channels, layout) if layout is not None and dtype == "int8" else 0
    return pieces.count * (pieces.selects * constant_bytes(pick, target, dtype) + bias) - bias


def _parts(layer: FusedLayer, target: str, dtype: Dtype) -> int:
    """Return what the convolutions of all parts of a Concat store beyond the one that the ONNX has."""
    if not layer.pieces:
        return 0
    last = layer.pieces[-1]
    whole = replace(last, input_channels=sum(piece.input_channels for piece in layer.pieces))
    each = [constant_bytes(piece, target, dtype) for piece in layer.pieces]
    return sum(each) - constant_bytes(whole, target, dtype)


def _depth_to_space(node: ir.Node, layout: targets.WeightLayout, dtype: Dtype) -> int:
    """Return the kernels of the transposed convolution that a DepthToSpace becomes; in int8 each has a bias.

    Read from 12 to 512 channels and blocks of 2 x 2 (toolkit 2.5.0).
    """
    before, after = static_shape(node.inputs[0]), static_shape(node.outputs[0])
    if before is None or after is None or len(before) != 4:
        return 0
    taps = node.attributes.get_int("blocksize", 1) ** 2
    bias = TURNED_BIAS_BYTES * after[1] if dtype == "int8" else 0
    return targets.convolution_weight_bytes(after[1], before[1], taps, layout, dtype) + bias


TURNED_BIAS_BYTES = 8


def joining_kernel(node: ir.Node, layout: targets.WeightLayout) -> Convolution | None:
    """Return the 1x1 that joins maps whose channels are no whole blocks; None if all are.

    Its inputs are the blocks of all parts. A Concat that is taken apart is no layer and is not asked for.
    """
    block = layout.minimum_input
    joined, channels = _joined_channels(node)
    if not channels or joined is None or joined[1] != sum(channels):
        return None
    if all(count % block == 0 for count in channels):
        return None
    read, size = sum(_lines(count, block) for count in channels), joined[2:]
    return Convolution(joined[1], read, input_size=size, output_size=size, has_bias=False)


def _joined_channels(node: ir.Node) -> tuple[tuple[int, ...] | None, list[int]]:
    """Return the shape that a Concat makes and the channels of its parts; none where it joins no channels."""
    shapes = [static_shape(value) or () for value in node.inputs]
    if all(len(shape) == 4 for shape in shapes):
        return static_shape(node.outputs[0]), [shape[1] for shape in shapes]
    if all(len(shape) == 3 and is_signal(value) for shape, value in zip(shapes, node.inputs, strict=True)):
        is_joined = node.attributes.get_int("axis", 0) % 3 == 1
        return static_shape(node.outputs[0]), [shape[1] for shape in shapes if is_joined]
    listed = _list_shape(node)
    if listed is None or any(math.prod(shape) % listed[2] for shape in shapes):
        return None, []
    return listed, [math.prod(shape) // listed[2] for shape in shapes]


AS_THEY_ARE = frozenset({"BatchNormalization", "Clip", "Dropout", "Identity", "LeakyRelu", "PRelu", "Relu"})
"""What leaves the axes of a signal where they are."""


def is_signal(value: ir.Value | None) -> bool:
    """Return whether a map of three axes was made by a convolution over one: its channels come first."""
    maker = value.producer() if value is not None else None
    while maker is not None and maker.op_type in AS_THEY_ARE:
        maker = maker.inputs[0].producer() if maker.inputs and maker.inputs[0] is not None else None
    return maker is not None and maker.op_type in ("Conv", "ConvTranspose")


def _list_shape(node: ir.Node) -> tuple[int, ...] | None:
    """Return the shape of the list of found items that a Concat makes, flat or not; None where it makes none.

    An item is a row, and rows are channels (YuNet).
    """
    joined, behind = static_shape(node.outputs[0]) or (), [use.node for use in node.outputs[0].uses()]
    if len(behind) == 1 and behind[0].op_type == "Reshape" and len(joined) == 2:
        joined, behind = static_shape(behind[0].outputs[0]) or (), [*behind[0].outputs[0].consumers()]
    makers = [value.producer() if value is not None else None for value in node.inputs]
    made = all(maker is not None and maker.op_type == "Reshape" for maker in makers)
    is_list = len(joined) == 3 and joined[0] == 1 and node.attributes.get_int("axis", 0) == 1
    return joined if made and is_list and {user.op_type for user in behind} <= NOT_COMPUTED else None


NOT_COMPUTED = frozenset({"Split", "Slice", "Sigmoid", "Identity"})
"""What may stand behind a list of found items; where tokens are computed on, the last axis holds them."""


def unaligned_split(node: ir.Node, layout: targets.WeightLayout, bias: int = 0) -> int:
    """Return the bytes of the 1x1s that fetch parts which begin within a block of channels."""
    parts = cut_parts(node) if node.op_type in ("Split", "Slice") else []
    if not parts or (node.op_type == "Slice" and parts[0] is not node.outputs[0]):
        return 0
    start = found = 0
    for count in ((static_shape(part) or (0, 0))[1] for part in parts):
        skipped = start % layout.minimum_input
        read = targets.padded_channels(count + skipped, layout.input_block, layout.minimum_input)
        size = (read * layout.depthwise_element_bytes + bias) * count
        whole = size if count <= LARGEST_WHOLE else LARGEST_FETCH[layout.depthwise_element_bytes]
        found += min(size, whole) if skipped else 0
        start += count
    return found


LARGEST_WHOLE = 128
LARGEST_FETCH = {1: 13_800, 2: 41_400}
"""Bytes that one part of more channels takes at most, by the bytes of an element: larger ones are fetched
piece by piece, by one kernel. Seen on parts of 180, 300 and 600 channels (rk3588)."""


def table_bytes(target: str) -> int:
    """Return the size of one lookup table."""
    return TABLES_BYTES.get(_generation(target), OTHER_TABLE_BYTES)


def _generation(target: str) -> str:
    known = targets.TARGETS.get(target)
    return known.generation if known else ""


def _channels(layer: FusedLayer) -> int:
    """Return the size of the axis that is normalised: the last one of a sequence, else the channels."""
    shape = (static_shape(layer.node.inputs[0]) if layer.node.inputs else None) or (1,)
    axes = layer.node.attributes.get_ints("axes", ()) if "axes" in layer.node.attributes else ()
    axis = layer.node.attributes.get_int("axis", -1) if "axis" in layer.node.attributes else None
    if axis is None:
        axis = axes[0] if axes else (1 if len(shape) == 4 else -1)
    return shape[axis] if -len(shape) <= axis < len(shape) else 1


def _lines(count: int, line: int) -> int:
    return -(-count // line) * line
