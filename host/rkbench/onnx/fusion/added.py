"""Constants that the compiler adds for a layer, in bytes: tables of norms, softmax and activations."""

from __future__ import annotations

from rkbench.onnx.fusion.layer import FusedLayer
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets

# Bytes a channel, measured on 24 to 64 channels; in whole lines of 64 bytes (32 on the rk3566/rk3568).
NORM_BYTES = {"RKNPU lite": 20}
OTHER_NORM_BYTES = 36
SOFTMAX_BYTES = 34
TABLES_BYTES = {"RKNPU lite": 9_344, "RKNPU v2": 8_776}
OTHER_TABLE_BYTES = 8_936
"""One lookup table; layers with the same activation share it."""


def added_constant_bytes(layer: FusedLayer, target: str) -> int:
    """Return what a norm or a softmax stores beside the weights of the network."""
    generation = _generation(target)
    lite = generation == "RKNPU lite"
    channels = _channels(layer)
    if layer.kind == "norm":
        return _lines(channels * NORM_BYTES.get(generation, OTHER_NORM_BYTES), 32 if lite else 64)
    if layer.kind == "softmax" and not lite:
        return _lines(channels * SOFTMAX_BYTES, 64)
    if layer.kind == "attention" and layer.parts > 1 and not lite:
        return _lines((static_shape(layer.node.outputs[0]) or (1,))[-1] * SOFTMAX_BYTES, 64)
    return 0


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
