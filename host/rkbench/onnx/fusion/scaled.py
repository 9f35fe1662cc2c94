"""Scales and shifts by constants: what they are fused with, and what layer is left of one that is not.

Read from the layers of the fit half (toolkit 2.5.0): of 288 products with a vector or a number that are
layers of their own in files for the rk3588 in fp16 every one is a single core's task, 760 bytes with its
records, while of 130 sums with such a constant, or with a whole map, every one is cut for all cores.
"""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from rkbench.onnx.constants import is_zero_map, zeros_of
from rkbench.onnx.fusion.layer import FusedLayer, Kind
from rkbench.onnx.fusion.patterns import next_node, scalar
from rkbench.onnx.values import static_shape

SCALES = frozenset({"BatchNormalization", "Mul"})


def kind_of_scale(node: ir.Node) -> Kind:
    """Return what layer a scale or shift by a constant is that goes into no convolution."""
    return "narrow" if node.op_type in SCALES else "map"


def takes_a_scale(layer: FusedLayer) -> bool:
    """Return whether a scale or shift behind a layer becomes a part of it: of a convolution, a norm, or the
    scale of each channel before it."""
    return (
        layer.kind == "norm"
        or (layer.is_linear and layer.kind in ("convolution", "narrow"))
        or _scales(layer)
    )


def _scales(layer: FusedLayer) -> bool:
    """Return whether a layer does nothing but multiply each channel of a map by a number of its own."""
    bare = layer.kind == "narrow" and len(layer.nodes) == 1 and not layer.activated
    if not bare or layer.node.op_type != "Mul" or not layer.vectors:
        return False
    shapes = [static_shape(value) or () for value in layer.node.inputs]
    return any(len(shape) in (3, 4) and shape[-3] > 1 and prod(shape) == shape[-3] for shape in shapes)


def folds_forward(node: ir.Node, constants: set[ir.Value]) -> bool:
    """Return whether the one convolution behind takes a scale into its weights; a shift only without
    padding."""
    behind = next_node(node.outputs[0], "Conv", "Gemm", "MatMul", "Mul", "BatchNormalization", "Add")
    if behind is None:
        return False
    if behind.op_type == "Add":
        stored = [value for value in behind.inputs if value in constants]
        idle = len(stored) == 1 and does_nothing(behind, stored[0])
        return idle and node.op_type in ("Mul", "Div") and folds_forward(behind, constants)
    if behind.op_type in ("Mul", "BatchNormalization"):
        return any(value in constants for value in behind.inputs) and folds_forward(behind, constants)
    pads = any(behind.attributes.get_ints("pads", ()))
    return node.op_type in ("Mul", "Div") or (node.op_type == "BatchNormalization" and not pads)


def does_nothing(node: ir.Node, constant: ir.Value) -> bool:
    """Return whether zero is added, also as a map of zeros or a product with stored ones, or a product is by
    one: the converter leaves that out."""
    maker = constant.producer()
    sides = sum(size > 1 for size in static_shape(constant) or ())
    if node.op_type == "Add" and sides > 1 and is_zero_map(constant):
        return static_shape(node.outputs[0]) in map(static_shape, set(node.inputs) - {constant})
    if node.op_type == "Add" and maker is not None and (zeros := zeros_of(maker)) is not None:
        return zeros.producer() is None
    number = scalar(constant)
    return number == 0 if node.op_type in ("Add", "Sub") else number == 1 and node.op_type == "Div"
