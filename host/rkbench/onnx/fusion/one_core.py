"""What one core does of a layer that is not cut for several: tasks, the bytes of each, tensors.

Read from files of toolkit 2.5.0, as all of `effort.py`.
"""

from __future__ import annotations

import math

from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.values import static_shape
from rkbench.rknn.targets import Dtype

STAGE_BYTES = 640
"""Commands of one task of the output stage alone: arithmetic, copies."""
POOL_BYTES = {1: 320, 2: 256, 3: 256}


def batch_of(layer: FusedLayer) -> int:
    """Return how many maps a layer computes one after the other: the first size of three or four."""
    shape = static_shape(layer.node.outputs[0])
    return max(shape[0], 1) if shape is not None and len(shape) in (3, 4) else 1


def one_core(layer: FusedLayer, cores: int, dtype: Dtype) -> tuple[int, int, int]:
    """Return tasks, bytes of each and tensors of a layer that one core does."""
    fp16 = dtype == "fp16"
    if layer.kind == "table":
        return (2 if fp16 else 1) + (cores == 1), STAGE_BYTES, 1
    if layer.kind == "pool":
        return layer.parts, POOL_BYTES[cores], layer.parts
    if layer.kind == "norm":
        return _norm(batch_of(layer), cores, fp16=fp16)
    if layer.node.op_type == "Sqrt" and fp16:
        return 31, 202, 1
    if layer.kind == "softmax":
        return (13, 320, 4) if fp16 else (15, 312, 4)
    if layer.kind == "split":
        return layer.parts, STAGE_BYTES, layer.parts + 1
    if layer.kind == "resize":
        shape = static_shape(layer.node.outputs[0])
        channels = shape[1] if shape is not None and len(shape) > 1 else 64
        tasks = max(2, channels // (8 if fp16 else 16))
        return tasks, 128 + 1024 // tasks, 2
    if layer.kind == "pad":
        return 5, 371, 2
    if layer.kind == "turn":
        shape = static_shape(layer.node.inputs[0]) or (1, 1, 1, 1)
        return 10 + shape[0] * shape[1] * max(shape[2:]) // 8, 129, 1
    if layer.kind == "attention":
        return _attention(layer, cores, fp16=fp16)
    batch = batch_of(layer)
    return batch, STAGE_BYTES if batch == 1 else 192, 1 + 4 * layer.vectors


def _norm(batch: int, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """A norm of one sequence is one core's; those of a batch are cut for two, 480 bytes a task.

    Measured on 1 and 4 sequences.
    """
    tasks = 15 if fp16 else 17
    if batch == 1:
        return (16, 305, 6) if fp16 else (18, 295, 6)
    return (batch * tasks, 255, 6) if cores == 1 else (batch * tasks, 960, 6)


def _attention(layer: FusedLayer, cores: int, *, fp16: bool) -> tuple[int, int, int]:
    """Two products of maps and a softmax, for each head; measured on 1 to 4 heads, 196 and 784 positions.

    One product alone takes some 40 tasks for 8 heads.
    """
    shape = static_shape(layer.node.outputs[0]) or (1, 1)
    heads, positions = math.prod(shape[:-2]), shape[-2] if len(shape) > 1 else 1
    if layer.parts == 1:
        return heads * 5, 200, 3
    if cores == 1:
        bytes_ = 4000 + 21 * positions
        return heads * (30 + positions // 8), max(bytes_ // (30 + positions // 8), 1), 12
    tasks = 10 + positions * 4 // 100
    return heads * tasks, ((3900 if fp16 else 5300) + 66 * positions // 10) // tasks, 8
