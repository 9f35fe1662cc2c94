"""Products of two maps: tasks and commands of each, and of a softmax between two.

Read from the files of toolkit 2.5.0 of all networks of the corpus. Several cores compute two products and the
softmax between them as one layer (124 forms of 1 to 2,000 heads of 2 to 4,096 channels, 4 to 4,096
positions: half are within 5 %, nine in ten within 16 %), one alone within 8 and 38 % (96 forms), the
rk3566/rk3568 each as a layer (367 forms, within 3 and 17 %).
"""

from __future__ import annotations

import math

import onnx_ir as ir

from rkbench.onnx.fusion.geometry import joins_heads
from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.fusion.over_channels import lies_as_a_map, meets_lengths, products_on_one_core
from rkbench.onnx.fusion.patterns import next_node
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

TURN_LANES = {True: {True: 8, False: 16}, False: {True: 4, False: 8}}
"""Channels that one task moves, by whether there are several cores and whether it is fp16."""
TURN_BYTES = {True: 578, False: 240}
"""Commands of such a task on one core."""
TASK_BYTES = 128
HEAD_BYTES = 85
"""Commands of each task of a product, and beside them of each head where one core computes it ..."""
START_BYTES = 1_900
"""... and of the layer."""
WIDE = 32
BLOCK = {"fp16": 16, "int8": 32}
PIXELS = 8
"""Columns of the second map that one task reads (rk3566/rk3568), for so many channels at a time."""
STEP_BYTES = {"fp16": 255, "int8": 300}
"""Commands of each task of two products and their softmax on several cores, but for these: """
ROWS, SCORES = 100, 36_000
"""Rows, and scores, that are a task more each."""


def attention(layer: FusedLayer, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    """Return tasks on one core, the bytes of each and tensors of a product, or two with a softmax between."""
    heads, rows = _heads(layer.node)
    together = layer.parts > 1 and meets_lengths(layer.node)
    if cores == 1 and together:
        tasks, size = products_on_one_core(layer.node)
        return tasks, size // tasks, 12
    if cores == 1:
        return _on_one_core(layer, heads, rows, dtype)
    if layer.parts == 1:
        tasks = heads * _tasks_of_one(*_sides(layer.node))
        return tasks, (TASK_BYTES * tasks + START_BYTES) // tasks, 3
    tasks, size = _together(layer, dtype)
    last, lanes = _last_product(layer), TURN_LANES[True][dtype == "fp16"]
    channels = (static_shape(last.outputs[0]) or (1,))[-1]
    turned = heads * channels // lanes if together and lies_as_a_map(last) else 0
    total = heads * tasks + turned
    return total, (heads * size + START_BYTES + turned * 131) // total, 8


def _sides(product: ir.Node) -> tuple[int, int]:
    """Return over how many channels a product sums, and the columns that it makes."""
    read, made = static_shape(product.inputs[0]) or (1,), static_shape(product.outputs[0]) or (1,)
    return read[-1], made[-1]


def _heads(product: ir.Node) -> tuple[int, int]:
    """Return how many products of two maps one is, and the rows of each: lone rows that all meet the same map
    are its rows."""
    made = _of_rows(static_shape(product.outputs[0]))
    heads, rows = max(math.prod(made[:-2]), 1), max(made[-2], 1)
    met = max(math.prod((static_shape(product.inputs[1]) or made)[:-2]), 1)
    return (met, heads // met) if rows == 1 and met < heads else (heads, rows)


def _of_rows(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return a product's shape; one row where it is a vector, or its shape is not known."""
    return (*(1,) * (2 - len(shape)), *shape) if shape is not None else (1, 1)


def _tasks_of_one(depth: int, columns: int) -> int:
    """Return the tasks of a product for each head on several cores: whole blocks are not copied before."""
    return 5 if depth % WIDE else 2 + (columns % WIDE != 0)


def _together(layer: FusedLayer, dtype: Dtype) -> tuple[int, int]:
    """Return the tasks and commands of two products and a softmax on several cores, for each head.

    What is no whole block is filled up before and cut behind; in int8 values are turned block by block.
    """
    depth, keys = _sides(layer.node)
    rows = _of_rows(static_shape(layer.node.outputs[0]))[-2]
    values = _sides(_last_product(layer))[1]
    more = rows / ROWS + rows * keys / SCORES
    if dtype == "fp16":
        steps = 12 + (0, 4, 5, 8)[2 * (depth % WIDE > 0) + (keys % WIDE > 0)]
    else:
        half = 0 < depth % WIDE <= WIDE // 2
        steps = 13 + 6 * half + (2 if half else 4) * (keys % WIDE > 0)
        more += 2 * math.ceil(values / WIDE)
    return round(steps + more), round(steps * STEP_BYTES[dtype] + more * TASK_BYTES)


def _on_one_core(layer: FusedLayer, heads: int, rows: int, dtype: Dtype) -> tuple[int, int, int]:
    """Two products on one core, or one; the map of the second is turned before it.

    The CPU computes the softmax between them. A product alone goes through the rows of the first map, one
    behind a softmax through rows or columns, whichever are fewer, and one before it through the columns.
    """
    depth, columns = _sides(layer.node)
    sides = [(depth, min(rows, columns) if _is_attended(layer.node) else rows)]
    if layer.parts > 1:
        keys, values = _sides(_last_product(layer))
        sides = [(depth, columns), (keys, min(rows, values))]
    tasks = sum(_tasks_on_one_core(*side, dtype) for side in sides)
    turned = _turned_tasks(layer, dtype) if layer.parts > 1 else 0
    size = heads * (TASK_BYTES * tasks + len(sides) * HEAD_BYTES) + len(sides) * START_BYTES
    size += heads * turned * TURN_BYTES[dtype == "fp16"]
    total = max(heads * (tasks + turned), 1)
    return total, size // total, 12 if layer.parts > 1 else 3


def _is_attended(product: ir.Node) -> bool:
    """Return whether a softmax made the first map of a product, with Casts between at most."""
    value = product.inputs[0]
    maker = value.producer() if value is not None else None
    while maker is not None and maker.op_type == "Cast" and maker.inputs[0] is not None:
        maker = maker.inputs[0].producer()
    return maker is not None and maker.op_type == "Softmax"


def _tasks_on_one_core(depth: int, columns: int, dtype: Dtype) -> int:
    """Return the tasks of a product for each head: a few columns at a time, and more for no whole blocks."""
    block, steps = BLOCK[dtype], math.ceil(columns / PIXELS)
    if dtype == "fp16":
        filled = 3 if depth % block else int(columns % PIXELS > 0)
        return 1 + (1 + (depth > block)) * steps + filled
    ragged = (depth % block > 0) + (columns % (2 * PIXELS) > 0)
    return 2 + (math.ceil(steps * 1.5) if depth > block else steps) + ragged + (ragged > 0)


def _last_product(layer: FusedLayer) -> ir.Node:
    return next(node for node in reversed(layer.nodes) if node.op_type in ("MatMul", "Gemm"))


def _turned_tasks(layer: FusedLayer, dtype: Dtype) -> int:
    """Return the tasks that turn the map of a second product; those of a Transpose behind it are its own."""
    depth, channels = _of_rows(static_shape(_last_product(layer).inputs[1]))[-2:]
    joined = next_node(_last_product(layer).outputs[0], "Transpose")
    lanes = TURN_LANES[False][dtype == "fp16"]
    if depth % lanes or channels % lanes or (joined is not None and joins_heads(joined)):
        return 0
    return channels // lanes
