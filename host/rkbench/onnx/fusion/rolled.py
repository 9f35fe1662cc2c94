"""Maps put together of windows and rolled back: a dense kernel over all positions.

Read from files of toolkit 2.5.0: SwinIR, and 47 graphs of one shifted window each, 14 to 64 pixels, 8 to 96
channels. None: windows that never stood as a batch or of one Reshape alone, a roll over one side, and
positions that become a map again, that are normed, or that a vector or an activation changes first; windows
whose heads a Transpose has just joined (GRL). Positions that are normed are a map each, rolled or not
(Swin2SR).
"""

from __future__ import annotations

from math import prod

import onnx_ir as ir

from rkbench.onnx.fusion.kinds import PLAIN_ACTIVATIONS
from rkbench.onnx.fusion.patterns import TABLES, next_node, users
from rkbench.onnx.values import static_shape


def rolled_positions(node: ir.Node) -> int:
    """Return the positions that a roll over both sides of a map of windows moves, if it ends here; else 0."""
    shape = static_shape(node.outputs[0]) if node.op_type == "Concat" else None
    if shape is None or len(shape) != 4 or shape[0] != 1 or not _becomes_positions(node, shape):
        return 0
    turned = _turned(node)
    first = turned.producer() if turned is not None else None
    source = _turned(first) if first is not None else None
    sides = {each.attributes.get_int("axis", 0) for each in (node, first) if each is not None}
    return shape[1] * shape[2] if sides == {1, 2} and _joins_windows(source) else 0


def positions_apart(norm: ir.Node) -> int:
    """Return the positions that a norm takes for a map each: those of windows just put together; else 0."""
    shape = static_shape(norm.inputs[0]) if norm.inputs else None
    view = norm.inputs[0].producer() if norm.inputs and norm.inputs[0] is not None else None
    if shape is None or len(shape) != 3 or shape[0] != 1 or view is None or view.op_type != "Reshape":
        return 0
    value = view.inputs[0]
    before = static_shape(value)
    if before is None or before != (1, *before[1:3], shape[2]) or prod(before[1:3]) != shape[1]:
        return 0
    while value is not None and (maker := value.producer()) is not None and maker.op_type == "Concat":
        value = _turned(maker)
    return shape[1] if _joins_windows(value) else 0


def _turned(node: ir.Node) -> ir.Value | None:
    """Return the map whose two ends a Concat joins the other way round, or as they were."""
    axis = node.attributes.get_int("axis", 0) if node.op_type == "Concat" else 0
    pieces = [piece for value in node.inputs if value is not None and (piece := value.producer()) is not None]
    if axis not in (1, 2) or [piece.op_type for piece in pieces] != ["Slice", "Slice"]:
        return None
    source = pieces[0].inputs[0]
    shapes = [static_shape(value) for value in (source, *node.inputs)]
    sizes = [shape[axis] for shape in shapes if shape is not None and len(shape) == 4]
    whole = len(sizes) == 3 and sizes[0] == sizes[1] + sizes[2]
    return source if whole and pieces[1].inputs[0] is source else None


def _becomes_positions(node: ir.Node, shape: tuple[int, ...]) -> bool:
    """Return whether all that reads a map makes one axis of its height and width, for what stays so."""
    found = users(node.outputs[0])
    after = static_shape(found[0].outputs[0]) if [each.op_type for each in found] == ["Reshape"] else None
    if after is None or after[-2:] != (shape[1] * shape[2], shape[3]) or prod(after[:-2]) != 1:
        return False
    readers = users(found[0].outputs[0])
    return not readers or any(_reads_positions(each, after) for each in readers)


def _reads_positions(node: ir.Node, shape: tuple[int, ...]) -> bool:
    """Return whether a node takes positions as they are: no activation, no vector, no map made of them."""
    if node.op_type in ("Add", "Sub", "Mul", "Div"):
        return all(static_shape(value) == shape for value in node.inputs)
    if node.op_type == "Transpose":
        return next_node(node.outputs[0], "Reshape") is None
    if node.op_type in ("ReduceMean", "LayerNormalization"):
        return False
    return node.op_type not in PLAIN_ACTIVATIONS and node.op_type not in TABLES


def _joins_windows(value: ir.Value | None) -> bool:
    """Return whether a map is put together of windows: before the Transpose they stand as a batch, two
    Reshapes away."""
    turned, maker = 0, value.producer() if value is not None else None
    while maker is not None and maker.op_type in ("Reshape", "Transpose"):
        turned = 1 if maker.op_type == "Transpose" else turned + bool(turned)
        value = maker.inputs[0]
        shape = static_shape(value)
        if turned > 2 and shape is not None and shape[0] > 1:
            return not _joins_heads(value)
        maker = value.producer() if value is not None else None
    return False


def _joins_heads(value: ir.Value | None) -> bool:
    """Return whether windows are the heads of an attention, brought together by a Transpose alone."""
    maker = value.producer() if value is not None else None
    while maker is not None and maker.op_type == "Reshape":
        maker = maker.inputs[0].producer() if maker.inputs[0] is not None else None
    return maker is not None and maker.op_type == "Transpose"
