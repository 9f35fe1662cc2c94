"""Sum parallel branches of one map into one convolution: an Add of two convolutions, or of one and a scaling.

Exact up to rounding (RepVGG and MobileOne as trained). A batch normalization beside a convolution is a 1x1
with one weight a channel. Pays wherever it applies: a layer less (4 of 4 cases).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.rewrites.geometry import Axis, axes_of, set_axes
from rkbench.onnx.rewrites.mixed_depthwise import common_axes, rims
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, only_feeds, replace
from rkbench.onnx.values import static_shape

NAME = "parallel_branches"


@dataclass(frozen=True)
class Branch:
    """A convolution, or a normalization as the 1x1 that it is."""

    node: ir.Node
    groups: int | None
    """None for a normalization, which fits any number of groups."""
    axes: tuple[Axis, ...]


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose one convolution for an Add of two branches of the same map."""
    if node.op_type != "Add" or len(node.inputs) != 2 or not context.has_fixed_sizes:
        return None
    found = [_branch(value.producer() if value is not None else None, node) for value in node.inputs]
    branches = [branch for branch in found if branch is not None]
    groups = {branch.groups for branch in branches} - {None}
    if len(branches) != 2 or len(groups) != 1 or branches[0].node.inputs[0] is not branches[1].node.inputs[0]:
        return None
    axes = common_axes([branch.axes for branch in branches])
    if axes is None or static_shape(branches[0].node.outputs[0]) != static_shape(branches[1].node.outputs[0]):
        return None
    (count,) = groups
    description = say(
        "sum of two branches ({op_type}, {other_op_type}) -> one",
        op_type=branches[0].node.op_type,
        other_op_type=branches[1].node.op_type,
    )
    return measured(node, NAME, description, lambda: _apply(node, branches, axes, count or 1, context.graph))


def _branch(node: ir.Node | None, add: ir.Node) -> Branch | None:
    if node is None or not only_feeds(node, add):
        return None
    if not all(is_stored(value) for value in node.inputs[1:] if value is not None):
        return None
    if node.op_type == "BatchNormalization":
        shape = static_shape(node.inputs[0])
        if shape is None or len(shape) != 4:
            return None
        return Branch(node, None, tuple(Axis(size, 1, 1, 1, 0, 0) for size in shape[2:]))
    axes, geometry = axes_of(node), convolution_of(node) if node.op_type == "Conv" else None
    return Branch(node, geometry.groups, axes) if geometry is not None and axes is not None else None


def _apply(
    add: ir.Node, branches: list[Branch], axes: tuple[Axis, ...], groups: int, graph: ir.Graph
) -> None:
    kernels = [_kernel(branch, groups) for branch in branches]
    wide = [
        np.pad(kernel, rims(branch.axes, axes)) for (kernel, _), branch in zip(kernels, branches, strict=True)
    ]
    name, out = add.name or "branches", add.outputs[0]
    weights = add_constant(graph, f"{name}_kernel", wide[0] + wide[1])
    bias = add_constant(graph, f"{name}_bias", kernels[0][1] + kernels[1][1])
    attributes: dict[str, int | float | str | list[int]] = {
        "group": groups,
        "strides": [axis.stride for axis in axes],
    }
    inputs = [branches[0].node.inputs[0], weights, bias]
    merged = make_node(graph, "Conv", inputs, attributes, name=name, shape=static_shape(out), like=out)
    set_axes(merged, axes)
    replace(graph, [add], [merged])


def _kernel(branch: Branch, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and bias of a branch."""
    arrays = [constant_array(value) for value in branch.node.inputs[1:]]
    if branch.groups is not None:
        weights = arrays[0]
        assert weights is not None
        bias = (
            arrays[1] if len(arrays) > 1 and arrays[1] is not None else np.zeros(len(weights), weights.dtype)
        )
        return weights, bias
    scale, offset, mean, variance = (np.asarray(array) for array in arrays)
    factor = scale / np.sqrt(variance + branch.node.attributes.get_float("epsilon", 1e-5))
    channels = len(scale)
    diagonal = np.zeros((channels, channels // groups, 1, 1), scale.dtype)
    diagonal[np.arange(channels), np.arange(channels) % (channels // groups), 0, 0] = factor
    return diagonal, offset - mean * factor


REWRITE = Rewrite(
    NAME,
    "parallel branches of one map become one convolution",
    "RepVGG, 64 channels, 3 blocks: 339,953 -> 251,568 bytes (rk3588 fp16), 221,003 -> 146,570 (int8), "
    "295,665 -> 250,736 (rk3568 fp16), 179,659 -> 144,138 (int8)",
    propose,
)
