"""Add groups of zeros to a grouped convolution, so that their number can be divided: then groups are merged.

Exact: the added channels come from filters of zeros, and the layers behind multiply them by zero. Pays where
the prediction says so for the wider convolution with merged groups, its wider neighbours included. Where a
prime number of groups is kept apart or made dense, `regroup` alone has nothing to offer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.rewrites.channels import ChannelClass, channel_class
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
    replace_constant,
)
from rkbench.onnx.rewrites.regroup import block_diagonal

NAME = "padded_groups"
MOST_ADDED = 4
"""Groups; 55 become 56, 11 become 12. More of them cost more than they divide better."""


@dataclass(frozen=True)
class GroupPlan:
    """How many groups are added, and how many neighbours are merged then."""

    groups: int
    factor: int


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the added and merged groups with the smallest predicted file."""
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    sides = _sides(node, geometry) if geometry is not None else None
    if geometry is None or sides is None:
        return None
    best = min(_plans(geometry.groups), key=lambda plan: context.predicted_bytes(_after(geometry, plan)))
    after, added = _after(geometry, best), best.groups - geometry.groups
    around = added * (_widening(sides[0], geometry, context) + _widening(sides[1], geometry, context))
    return estimated(
        node,
        NAME,
        say(
            "{groups} groups, {added} of zeros added -> {new_groups} of {channels_per_group}",
            groups=geometry.groups,
            added=added,
            new_groups=after.groups,
            channels_per_group=after.channels_per_group,
        ),
        context.predicted_bytes(geometry),
        context.predicted_bytes(after) + around,
        lambda: _apply(node, sides, best, geometry, context.graph),
    )


def _sides(node: ir.Node, geometry: Convolution) -> tuple[ChannelClass, ChannelClass] | None:
    stored = all(is_stored(value) for value in node.inputs[1:] if value is not None)
    if not stored or geometry.groups == 1 or geometry.channels_per_group == 1 or node.inputs[0] is None:
        return None
    before = channel_class(node.inputs[0], geometry.input_channels, node)
    after = channel_class(node.outputs[0], geometry.output_channels, node)
    if before is None or after is None or node.outputs[0] in before.values:
        return None
    return (before, after) if before.takes_zeros and after.takes_zeros else None


def _plans(groups: int) -> list[GroupPlan]:
    return [
        GroupPlan(more, factor)
        for more in range(groups + 1, groups + MOST_ADDED + 1)
        for factor in range(2, more + 1)
        if more % factor == 0
    ]


def _after(geometry: Convolution, plan: GroupPlan) -> Convolution:
    wider = replace(
        geometry,
        groups=plan.groups,
        input_channels=geometry.channels_per_group * plan.groups,
        output_channels=geometry.output_channels // geometry.groups * plan.groups,
    )
    return wider.regrouped(plan.factor)


def _widening(side: ChannelClass, geometry: Convolution, context: RewriteContext) -> int:
    """Return the bytes that one more group adds to the constants around, without padding."""
    element = conv.needed_bytes(Convolution(1, 1), context.dtype)
    found = 0
    for edit in side.edits:
        value = edit.node.inputs[edit.index]
        tensor = ir.convenience.get_const_tensor(value) if value is not None else None
        found += tensor.size // tensor.shape.numpy()[edit.axis] if tensor is not None else 0
    return found * geometry.channels_per_group * element


def _apply(
    node: ir.Node,
    sides: tuple[ChannelClass, ChannelClass],
    plan: GroupPlan,
    geometry: Convolution,
    graph: ir.Graph,
) -> None:
    added = plan.groups - geometry.groups
    outputs = geometry.output_channels // geometry.groups
    for side, size in zip(sides, (geometry.channels_per_group, outputs), strict=True):
        side.change(graph, partial(widened, more=added * size), size * plan.groups)
    weights = constant_array(node.inputs[1])
    assert weights is not None
    merged = block_diagonal(widened(weights, 0, added * outputs), plan.groups, plan.factor)
    replace_constant(node, 1, merged, graph)
    bias = constant_array(node.inputs[2]) if len(node.inputs) > 2 else None
    if bias is not None:
        replace_constant(node, 2, widened(bias, 0, added * outputs), graph)
    node.attributes["group"] = ir.AttrInt64("group", plan.groups // plan.factor)


def widened(array: np.ndarray, axis: int, more: int) -> np.ndarray:
    """Return an array with `more` zeros at the end of an axis."""
    return np.pad(array, [(0, more if place == axis else 0) for place in range(array.ndim)])


REWRITE = Rewrite(
    NAME,
    "groups of zeros are added to a convolution, so that its groups can be merged",
    "440 channels in 55 groups: 909,745 -> 590,577 bytes (rk3588 fp16), 1,890,251 -> 410,571 (int8), "
    "369,265 -> 353,777 (rk3568 fp16), 294,987 -> 238,603 (int8)",
    propose,
)
