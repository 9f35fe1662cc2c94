"""What Splits and Slices make of the channels of a map or the columns of a product: which begins where."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import onnx_ir as ir

from rkbench.onnx.rewrites.proposal import RewriteContext
from rkbench.onnx.values import static_shape


@dataclass(frozen=True)
class Cut:
    """One piece of a value along an axis."""

    value: ir.Value
    maker: ir.Node
    start: int
    count: int


def cuts_of(value: ir.Value, context: RewriteContext, axis: int = 1) -> list[Cut]:
    """Return all pieces that are made of a value along an axis; [] where something else reads it too.

    Shape nodes do not count: what they say is known where the bounds are.
    """
    users = [user for user in value.consumers() if user.op_type != "Shape"]
    if value.is_graph_output() or not users:
        return []
    found = [_cuts_by(user, context, axis) for user in users]
    return [cut for cuts in found for cut in cuts] if all(found) else []


def _cuts_by(cutter: ir.Node, context: RewriteContext, axis: int) -> list[Cut]:
    shapes = [static_shape(value) for value in cutter.outputs]
    counts = [shape[axis] for shape in shapes if shape is not None and len(shape) > axis]
    if cutter.graph is not context.graph or len(counts) < len(shapes):
        return []
    axes = (axis, axis - len(shapes[0] or ()))
    if cutter.op_type == "Split" and cutter.attributes.get_int("axis", 0) in axes:
        starts = [0, *accumulate(counts)][:-1]
    elif cutter.op_type == "Slice" and (start := _first(cutter, context, axes)) is not None:
        starts = [start]
    else:
        return []
    return [Cut(*each) for each in zip(cutter.outputs, (cutter,) * len(starts), starts, counts, strict=True)]


def _first(cutter: ir.Node, context: RewriteContext, axes: tuple[int, int]) -> int | None:
    """Return where a Slice of an axis, by either of its numbers, in steps of one begins; None for others."""
    start, _, axis, *step = [context.number(value) for value in (*cutter.inputs[1:], None, None)][:4]
    steps = step if len(cutter.inputs) > 4 else []
    return start if start is not None and start >= 0 and axis in axes and steps in ([], [1]) else None
