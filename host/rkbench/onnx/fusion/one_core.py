"""What one core does of a layer that is not cut for several: tasks, the bytes of each, tensors.

Read from files of toolkit 2.5.0, as all of `effort.py`.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.fusion.enlarged import enlarged_tasks, factor_of
from rkbench.onnx.fusion.gathered import picked_rows_of
from rkbench.onnx.fusion.geometry import joins_heads, rows_apart
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.normed import group_norm, normed_maps, pixel_norm
from rkbench.onnx.fusion.over_channels import (
    TOGETHER_BYTES,
    TURN_START,
    are_apart,
    lies_as_a_map,
    meets_lengths,
    products_on_one_core,
    turned_channels,
)
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.fusion.reduced import (
    SPREAD_BYTES,
    STACKED_BYTES,
    mean_pieces,
    pieces_back,
    spread_tasks,
    stacked_pieces,
)
from rkbench.onnx.fusion.turned import turned_tasks
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

STAGE_BYTES = 640
"""Commands of one task of the output stage alone: arithmetic, copies."""
POOL_BYTES = {1: 320, 2: 256, 3: 256}


def batch_of(layer: FusedLayer) -> int:
    """Return how many maps a layer computes one after the other: the first size of three or four.

    What goes into a product has one for each head; in [steps, 1, features] the steps are one map's rows."""
    value = layer.node.outputs[0]
    shape = static_shape(value)
    if shape is None or len(shape) not in (3, 4) or shape[1:-1] == (1,):
        return 1
    heads = shape[1] if len(shape) == 4 and layer.kind == "map" and _is_multiplied(value) else 1
    return max(shape[0], 1) * heads


def batches(node: ir.Node) -> int:
    """Return how many times a Concat or Split copies each part: once for every map of a batch.

    A map is what the last three axes are.
    """
    shape, axis = static_shape(node.outputs[0]), node.attributes.get_int("axis", 0)
    if shape is None or len(shape) < 4 or axis % len(shape) < len(shape) - 3:
        return 1
    if len(shape) > 4 and node.op_type == "Concat" and axis % len(shape) == len(shape) - 1:
        return 1  # maps stacked behind their pixels, which a Gather puts there
    return max(math.prod(shape[:-3]), 1)


def _is_multiplied(value: ir.Value) -> bool:
    """Return whether a map goes into a product with another map, in another order at most."""
    for _ in range(2):
        found = next_node(value, "Cast", "Transpose", "MatMul")
        if found is None or found.op_type == "MatMul":
            return found is not None and all(one is None or one.const_value is None for one in found.inputs)
        value = found.outputs[0]
    return False


def one_core(layer: FusedLayer, target: str, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    """Return tasks, bytes of each and tensors of a layer that one core does."""
    fp16 = dtype == "fp16"
    if layer.kind == "table":
        return (2 if fp16 else 1) + (cores == 1), STAGE_BYTES, 1
    if layer.kind == "pool":
        return layer.parts, POOL_BYTES[cores], layer.parts
    if layer.kind == "norm":
        norms = group_norm(layer.node, target, dtype)
        maps = rows_apart(layer) or normed_maps(layer.node, batch_of(layer))
        tasks, bytes_, tensors = _norm(norms.count if norms else maps, cores, fp16=fp16)
        pixels = pixel_norm(layer.node)
        turned = 0 if pixels is None else pixels.turn_bytes(target, dtype)
        return tasks, bytes_ + turned // tasks, tensors
    if layer.kind in ("means", "back"):
        return _turned_for_means(layer, cores, fp16=fp16)
    if layer.kind in ("sums", "rows"):
        return _turned(layer, cores, fp16=fp16)
    if layer.node.op_type == "Sqrt" and fp16:
        return 31, 202, 1
    if layer.kind == "softmax":
        return _softmax(layer, cores, fp16=fp16)
    if layer.kind == "split":
        return _copied(layer)
    factor = factor_of(layer.node) if layer.kind == "resize" else None
    if factor is not None:
        tasks, bytes_ = enlarged_tasks(layer.node, factor, cores, dtype)
        return tasks, bytes_ // tasks, 2
    if layer.kind == "resize":
        shape = static_shape(layer.node.outputs[0])
        channels = shape[1] if shape is not None and len(shape) > 1 else 64
        tasks = max(2, channels // (8 if fp16 else 16))
        return tasks, 128 + 1024 // tasks, 2
    if layer.kind == "pad":
        return 5, 371, 2
    picked = picked_rows_of(layer.node) if layer.kind == "picked" else None
    if picked is not None:
        tasks, bytes_ = picked.effort(cores, fp16=fp16)
        return tasks, bytes_ // tasks, 4
    if layer.kind == "turn":
        return _turn(layer, cores, fp16=fp16)
    if layer.kind == "length":
        return _lengths(layer.node, cores, dtype)
    if layer.kind == "attention":
        return _attention(layer, cores, fp16=fp16)
    return _arithmetic(layer, cores, dtype)


def _arithmetic(layer: FusedLayer, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    pieces = stacked_pieces(layer.node)
    if pieces:
        alone, each = STACKED_BYTES[cores > 1][dtype]
        return pieces, (alone + (pieces - 1) * each) // pieces, 4
    spread = spread_tasks(layer.node, dtype)
    if spread:
        return spread, (SPREAD_BYTES + spread * 128) // spread, 2
    batch = batch_of(layer)
    constants = 4 if layer.node.op_type == "BatchNormalization" else 1
    return batch, STAGE_BYTES if batch == 1 else 192, 1 + constants * layer.vectors


def _softmax(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """A softmax over the maps of several windows takes tasks for each on several cores. Read from 2 to 49."""
    shape = static_shape(layer.node.inputs[0]) or ()
    windows = shape[0] if len(shape) == 4 and cores > 1 else 1
    if windows == 1:
        return (13, 320, 4) if fp16 else (15, 312, 4)
    tasks = 10 + windows * (9 if fp16 else 12)
    return tasks, (5_000 + windows * (1_560 if fp16 else 1_950)) // tasks, 4


def _copied(layer: FusedLayer) -> tuple[int, int, int]:
    """A Split copies every part of every map of a batch."""
    moved = layer.parts * batches(layer.node)
    each = (2 * STAGE_BYTES + 128 * (moved - 2)) // moved if moved > 2 else STAGE_BYTES
    return moved, each, layer.parts + 1


LENGTH_TASKS: dict[Dtype, int] = {"fp16": 13, "int8": 16}
LENGTH_BYTES: dict[bool, dict[Dtype, int]] = {
    False: {"fp16": 2_896, "int8": 3_472},
    True: {"fp16": 11_920, "int8": 13_712},
}
"""Commands of dividing the vectors of one head by their lengths, on one core and on several. Measured on 4
heads of 12 to 42 channels and 64 to 1,024 positions."""
TURN_LANES = {True: {True: 8, False: 16}, False: {True: 4, False: 8}}
"""Channels that one task moves, by whether there are several cores and whether it is fp16."""
TURN_BYTES = {True: 578, False: 240}
"""Commands of such a task on one core."""


def _lengths(node: ir.Node, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    """Vectors divided by their lengths: those of a window at once, of one map head by head.

    Heads that are not apart are normed at once, turned before. Measured on 4 to 64 windows of 2 to 8 heads.
    """
    tasks, bytes_ = LENGTH_TASKS[dtype], LENGTH_BYTES[cores > 1][dtype]
    shape = static_shape(node.inputs[0]) or (1, 1)
    windows = shape[0] if len(shape) > 2 else 1
    if windows > 1 or are_apart(node.inputs[0]):
        return (windows if windows > 1 else math.prod(shape[:-2])) * tasks, bytes_ // tasks, 6
    turned = turned_channels(node) // TURN_LANES[cores > 1][dtype == "fp16"]
    bytes_ = TOGETHER_BYTES[cores > 1][dtype]
    if turned:
        bytes_ += TURN_START[cores > 1] + turned * (128 if cores > 1 else TURN_BYTES[dtype == "fp16"])
    return tasks + turned, bytes_ // (tasks + turned), 6 + (turned > 0)


def _turned(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """A map turned for sums over its last axis takes a task for every few channels of every row. Rows are
    fetched by a task each. The rk3566/rk3568 turns small maps on its CPU."""
    if layer.kind == "rows":
        return layer.parts, 128 + 1024 // layer.parts, 2
    _, channels, height, _ = static_shape(layer.node.inputs[0]) or (1, 1, 1, 1)
    tasks = channels * height // TURN_LANES[cores > 1][fp16]
    return (tasks, TURN_BYTES[fp16], 2) if cores == 1 else (tasks + SUM_START_TASKS, 128, 2)


SUM_START_TASKS = 14


MEANS_START = {"means": (4, 1_800), "back": (3, 1_500)}
"""Tasks and bytes of turning a map for means over its rows or columns on several cores, and of turning the
means back ..."""
PIECE_BYTES = 148
"""... and the bytes of each piece more."""


def _turned_for_means(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """A map turned for means over its rows or columns, or the means turned back; a single core leaves it to
    the CPU."""
    lanes = TURN_LANES[True][fp16]
    pieces = mean_pieces(layer.node, lanes) if layer.kind == "means" else pieces_back(layer.node, lanes)
    start, size = MEANS_START[layer.kind]
    return (start + pieces) * (cores > 1), (size + pieces * PIECE_BYTES) // (start + pieces), 1


def _turn(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """Positions and channels of each head change places: a task for every few of what were channels.

    The rk3566/rk3568 leaves to its CPU what are no whole tasks both ways.
    """
    shape = static_shape(layer.node.inputs[0]) or (1, 1, 1, 1)
    lanes = TURN_LANES[cores > 1][fp16]
    known = turned_tasks(layer.node, lanes, cores)
    tasks = shape[0] * shape[1] * max(shape[2:]) // lanes if known is None else known
    product = layer.node if joins_heads(layer.node) else next_node(layer.node.outputs[0], "MatMul")
    if product is not None and meets_lengths(product):
        if cores == 1:
            return 0, 0, 1
        if product is not layer.node:
            return 10 + shape[1] * min(shape[2:]) // lanes, 129, 1
    if cores == 1:
        cpu = any(side % lanes for side in shape[-2:])
        return 0 if cpu else tasks, TURN_BYTES[fp16], 1
    return 10 + tasks, 129, 1


def _norm(batch: int, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """A norm of one sequence is one core's; those of a batch are cut for two, 480 bytes a task.

    Measured on 1 and 4 sequences.
    """
    tasks = 15 if fp16 else 17
    if batch == 1:
        return (16, 305, 6) if fp16 else (18, 295, 6)
    return (batch * tasks, 255, 6) if cores == 1 or batch % 2 else (batch * tasks, 960, 6)


def _attention(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """Two products of maps and a softmax, for each head; measured on 1 to 4 heads, 196 and 784 positions.

    One product alone takes some 40 tasks for 8 heads.
    """
    shape = static_shape(layer.node.outputs[0]) or (1, 1)
    heads, positions = math.prod(shape[:-2]), shape[-2] if len(shape) > 1 else 1
    if layer.parts == 1 and cores > 1:
        return heads * 5, 200, 3
    together = layer.parts > 1 and meets_lengths(layer.node)
    if cores == 1 and together:
        tasks, size = products_on_one_core(layer.node)
        return tasks, size // tasks, 12
    if cores == 1:
        return _products(layer, heads, positions, fp16=fp16)
    tasks = 10 + positions * 4 // 100
    channels = (static_shape(_last_product(layer).outputs[0]) or (1,))[-1]
    more = 0 if fp16 else max(1400, channels // 16 * 140)
    size = heads * (3900 + more + 66 * positions // 10)
    turned = 0
    if together and lies_as_a_map(_last_product(layer)):
        turned = heads * channels // TURN_LANES[True][fp16]
    return heads * tasks + turned, (size + turned * 131) // (heads * tasks + turned), 8


def _products(layer: FusedLayer, heads: int, rows: int, *, fp16: bool) -> tuple[int, int, int]:
    """Two products on one core, or one: a task for 8 rows; the map of the second is turned before it.

    The CPU computes the softmax between them. Measured on 1 to 16 heads of 8 to 64 channels.
    """
    inner = (static_shape(layer.node.inputs[0]) or (1,))[-1]
    wide = 1 + (inner > (16 if fp16 else 32))
    tasks = 5 + rows * wide // 8
    size = 128 * tasks + 350
    if layer.parts > 1:
        depth, channels = (static_shape(_last_product(layer).inputs[1]) or (1, 1))[-2:]
        second = 6 + depth // 48 + channels // 8
        turned = _turned_tasks(layer, depth, channels, fp16=fp16)
        tasks, size = tasks + second + turned, size + 128 * second + 500 + turned * TURN_BYTES[fp16]
    return heads * tasks, size // tasks, 12 if layer.parts > 1 else 3


def _last_product(layer: FusedLayer) -> ir.Node:
    return next(node for node in reversed(layer.nodes) if node.op_type in ("MatMul", "Gemm"))


def _turned_tasks(layer: FusedLayer, depth: int, channels: int, *, fp16: bool) -> int:
    """Return the tasks that turn the map of a second product; those of a Transpose behind it are its own."""
    joined = next_node(_last_product(layer).outputs[0], "Transpose")
    lanes = TURN_LANES[False][fp16]
    if depth % lanes or channels % lanes or (joined is not None and joins_heads(joined)):
        return 0
    return channels // lanes
