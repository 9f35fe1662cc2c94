"""Join the depthwise convolutions between a Split and a Concat into one: small kernels get a rim of zeros.

Exact. Pays where one layer with the largest kernel takes less than all of them, their Split and their Concat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import commands
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.fusion.added import joining_kernel, unaligned_split
from rkbench.onnx.rewrites.geometry import Axis, axes_of, set_axes
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, only_feeds, replace
from rkbench.onnx.values import static_shape
from rkbench.rknn import targets

NAME = "mixed_depthwise"


@dataclass(frozen=True)
class DepthwisePart:
    """One of the depthwise convolutions."""

    node: ir.Node
    geometry: Convolution
    axes: tuple[Axis, ...]


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose one depthwise convolution for a Concat of those of a Split's parts, in their order."""
    parts = _parts(node) if node.op_type == "Concat" and context.has_fixed_sizes else None
    if parts is None:
        return None
    axes = common_axes([part.axes for part in parts])
    channels = sum(part.geometry.output_channels for part in parts)
    if axes is None:
        return None
    kernel = tuple(axis.kernel for axis in axes)
    wide = {"output_channels": channels, "input_channels": channels, "groups": channels}
    whole = Convolution(**{**vars(parts[0].geometry), **wide, "kernel": kernel})
    kernels = ", ".join("x".join(map(str, part.geometry.kernel)) for part in parts)
    around = 2 * commands.other_bytes(context.target) + _joining_bytes(node, parts, context)
    return estimated(
        node,
        NAME,
        say(
            "{parts} depthwise convolutions ({kernels}) -> one, {kernel}",
            parts=len(parts),
            kernels=kernels,
            kernel="x".join(map(str, kernel)),
        ),
        sum(context.predicted_bytes(part.geometry) for part in parts) + around,
        context.predicted_bytes(whole),
        lambda: _apply(node, parts, axes, context.graph),
    )


def _joining_bytes(concat: ir.Node, parts: list[DepthwisePart], context: RewriteContext) -> int:
    """Return the constants of the 1x1s that cut and join parts that are no whole blocks."""
    layout = targets.weight_layout(context.target, context.dtype)
    source = parts[0].node.inputs[0]
    split = source.producer() if source is not None else None
    if layout is None or split is None:
        return 0
    joint = joining_kernel(concat, layout)
    joined = 0 if joint is None else joint.elements * targets.ELEMENT_BYTES[context.dtype]
    return joined + unaligned_split(split, layout)


def _parts(concat: ir.Node) -> list[DepthwisePart] | None:
    """Return the depthwise convolutions that a Concat joins, if they take a Split's outputs as they come."""
    nodes = [value.producer() if value is not None else None for value in concat.inputs]
    if concat.attributes.get_int("axis", 1) != 1 or len(nodes) < 2:
        return None
    found = [_part(node, concat) for node in nodes]
    parts = [part for part in found if part is not None]
    if len(parts) < len(nodes):
        return None
    split = parts[0].node.inputs[0].producer() if parts[0].node.inputs[0] is not None else None
    if split is None or split.op_type != "Split" or split.attributes.get_int("axis", 0) != 1:
        return None
    same = [part.node.inputs[0] for part in parts] == list(split.outputs)
    alone = all(len(value.uses()) == 1 and not value.is_graph_output() for value in split.outputs)
    return parts if same and alone else None


def _part(node: ir.Node | None, concat: ir.Node) -> DepthwisePart | None:
    axes = axes_of(node) if node is not None else None
    geometry = convolution_of(node) if node is not None and axes is not None else None
    if node is None or axes is None or geometry is None or not only_feeds(node, concat):
        return None
    plain = geometry.groups == geometry.input_channels == geometry.output_channels
    stored = all(is_stored(value) for value in node.inputs[1:] if value is not None)
    return DepthwisePart(node, geometry, axes) if plain and stored else None


def common_axes(each: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
    """Return axes whose kernel holds all kernels, each where it was relative to the map."""
    found = []
    for axes in zip(*each, strict=True):
        if len({(axis.stride, axis.dilation, axis.outputs, axis.size) for axis in axes}) > 1:
            return None
        if axes[0].dilation != 1 and len({(axis.kernel, axis.before) for axis in axes}) > 1:
            return None
        one, before = axes[0], max(axis.before for axis in axes)
        kernel = max(before - axis.before + axis.kernel for axis in axes)
        after = one.end_padding(kernel, one.dilation, before)
        found.append(Axis(one.size, kernel, one.stride, one.dilation, before, after))
        if found[-1].outputs != one.outputs:
            return None
    return tuple(found)


def _apply(concat: ir.Node, parts: list[DepthwisePart], axes: tuple[Axis, ...], graph: ir.Graph) -> None:
    split = parts[0].node.inputs[0]
    source = split.producer().inputs[0] if split is not None else None  # type: ignore[union-attr] # a Split's
    weights = np.concatenate([_widened(part, axes) for part in parts])
    name = parts[0].node.name or "depthwise"
    inputs = [source, add_constant(graph, f"{name}_joined", weights)]
    if any(len(part.node.inputs) > 2 for part in parts):
        biases = [_bias(part, weights.dtype) for part in parts]
        inputs.append(add_constant(graph, f"{name}_joined_bias", np.concatenate(biases)))
    out = concat.outputs[0]
    attributes: dict[str, int | float | str | list[int]] = {
        "group": len(weights),
        "strides": [axis.stride for axis in axes],
    }
    joined = make_node(graph, "Conv", inputs, attributes, name=name, shape=static_shape(out), like=out)
    set_axes(joined, axes)
    replace(graph, [concat], [joined])


def _widened(part: DepthwisePart, axes: tuple[Axis, ...]) -> np.ndarray:
    weights = constant_array(part.node.inputs[1])
    assert weights is not None
    return np.pad(weights, rims(part.axes, axes))


def rims(own: tuple[Axis, ...], wide: tuple[Axis, ...]) -> list[tuple[int, int]]:
    """Return how many zeros a kernel gets around it, per axis of its weights, to stand in a wider one."""
    found = [(0, 0), (0, 0)]
    for one, other in zip(own, wide, strict=True):
        front = other.before - one.before
        found.append((front, other.kernel - one.kernel - front))
    return found


def _bias(part: DepthwisePart, dtype: np.dtype) -> np.ndarray:
    bias = constant_array(part.node.inputs[2]) if len(part.node.inputs) > 2 else None
    return np.zeros(part.geometry.output_channels, dtype) if bias is None else bias


REWRITE = Rewrite(
    NAME,
    "Split, depthwise convolutions and Concat become one depthwise convolution with the largest kernel",
    "MixNet-S: 19.34 -> 12.43 MB (rk3588 fp16), 12.03 -> 7.86 (int8), 11.14 -> 10.71 (rk3568 fp16), "
    "10.12 -> 6.68 (int8)",
    propose,
)
