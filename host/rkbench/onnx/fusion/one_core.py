"""What one core does of a layer that is not cut for several: tasks, the bytes of each, tensors.

Read from files of toolkit 2.5.0, as all of `effort.py`.
"""

from __future__ import annotations

import math

from rkbench.onnx.fusion.batch import are_rows, batch_of, batches, is_multiplied
from rkbench.onnx.fusion.enlarged import enlarged_tasks, factor_of
from rkbench.onnx.fusion.gathered import picked_rows_of
from rkbench.onnx.fusion.geometry import joins_heads, rows_apart
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.normed import group_norm, normed_maps, pixel_norm
from rkbench.onnx.fusion.over_channels import (
    TOGETHER_BYTES,
    TURN_START,
    are_apart,
    meets_lengths,
    turned_channels,
)
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.fusion.products import TURN_BYTES, TURN_LANES, attention
from rkbench.onnx.fusion.reduced import (
    SPREAD_BYTES,
    STACKED_BYTES,
    mean_pieces,
    pieces_back,
    spread_tasks,
    stacked_pieces,
)
from rkbench.onnx.fusion.rolled import positions_apart
from rkbench.onnx.fusion.turned import turned_tasks
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

STAGE_BYTES = 640
"""Commands of one task of the output stage alone: arithmetic, copies."""
NEXT_BYTES = 128
"""The same of a task that goes on with the registers of the one before."""
POOL_BYTES = {1: 320, 2: 256, 3: 256}


def one_core(layer: FusedLayer, target: str, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    """Return tasks, bytes of each and tensors of a layer that one core does."""
    fp16 = dtype == "fp16"
    if layer.kind == "table":
        return (2 if fp16 else 1) + (cores == 1), STAGE_BYTES, 1
    if layer.kind == "pool":
        return layer.parts, POOL_BYTES[cores], layer.parts
    if layer.kind == "norm":
        norms = group_norm(layer.node, target, dtype)
        maps = positions_apart(layer.node) or rows_apart(layer) or normed_maps(layer.node, batch_of(layer))
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
        return _lengths(layer, cores, dtype)
    if layer.kind == "attention":
        return attention(layer, cores, dtype)
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
    size = STAGE_BYTES * min(batch, 2) + NEXT_BYTES * max(batch - 2, 0)
    return batch, size // batch, 1 + constants * layer.vectors


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


def _lengths(layer: FusedLayer, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    """Vectors divided by their lengths: those of a window at once, of one map head by head.

    Heads that are not apart are normed at once, turned before. Measured on 4 to 64 windows of 2 to 8 heads.
    """
    node, tasks, bytes_ = layer.node, LENGTH_TASKS[dtype], LENGTH_BYTES[cores > 1][dtype]
    shape = static_shape(node.inputs[0]) or (1, 1)
    one_map = are_rows(shape) and not is_multiplied(layer.nodes[-1].outputs[0])
    windows = shape[0] if len(shape) > 2 and not one_map else 1
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


RAGGED_TURN = (4, 448, 1)
"""Tasks, bytes of each and tensors of turning back on several cores what is no whole block of channels."""


def _turn(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """Positions and channels of each head change places: a task for every few of what were channels.

    The rk3566/rk3568 leaves to its CPU what are no whole tasks both ways.
    """
    shape = static_shape(layer.node.inputs[0]) or (1, 1, 1, 1)
    lanes = TURN_LANES[cores > 1][fp16]
    known = turned_tasks(layer.node, lanes, cores)
    tasks = shape[0] * shape[1] * max(shape[2:]) // lanes if known is None else known
    product = layer.node if joins_heads(layer.node) else next_node(layer.node.outputs[0], "MatMul")
    lengths = product is not None and meets_lengths(product)
    if cores > 1 and not lengths and product is not None and product.inputs[-1] is layer.node.outputs[0]:
        return 0, 0, 1  # several cores read the second map of a product as it lies
    if lengths:
        if cores == 1:
            return 0, 0, 1
        if product is not layer.node:
            return 10 + shape[1] * min(shape[2:]) // lanes, 129, 1
        if shape[1] * min(shape[2:]) % lanes:
            return RAGGED_TURN
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
