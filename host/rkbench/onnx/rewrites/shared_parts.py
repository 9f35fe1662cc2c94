"""Cut weights that several convolutions share along their inputs, once, and share the parts.

Exact up to rounding: a Slice of the channels and a convolution for each part, and their sum; the last part
has the bias. The compiler cuts weights of more bytes an output channel than it holds at a time (3,072 on the
rk3588, 6,144 on the rk3568) so itself, in int8 with sums of int8 too, but stores what it cut for each layer
again (heads of RetinaNet and FCOS, which read every level); what the ONNX cuts and shares it stores once.
Toolkit 2.5.0: 9 of 9 pairs of files smaller, by 38 to 73 %, on rk3588 and rk3568 in fp16 and int8.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as changed

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import convolution_of, fate
from rkbench.onnx.fusion.tasks import PART_CHANNELS, input_parts
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.values import static_shape

NAME = "shared_parts"
SLICE_OPSET = 10
"""From which on a Slice takes its ends as inputs."""


@dataclass(frozen=True)
class WeightPart:
    """Input channels from `start` up to `end`, and their weights."""

    start: int
    end: int
    weights: ir.Value


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose parts for the weights of a convolution, the first of several that share them."""
    fits = node.op_type == "Conv" and context.has_fixed_sizes
    shared = _sharing(node) if fits and context.opset >= SLICE_OPSET else []
    geometry = convolution_of(node) if shared else None
    if geometry is None or geometry.groups != 1 or shared[0] is not node:
        return None
    becomes = fate(geometry, context.target, context.dtype, context.toolkit_version)
    count = input_parts(geometry, becomes, context.cores, context.dtype)
    if count < 2:
        return None
    width = -(-geometry.input_channels // count // PART_CHANNELS) * PART_CHANNELS
    description = say(
        "its weights and those of {others} more layers, cut into {parts} along the inputs -> stored once",
        others=len(shared) - 1,
        parts=count,
    )
    whole = context.predicted_bytes(geometry)
    part = context.predicted_bytes(changed(geometry, input_channels=width))
    return estimated(
        node,
        NAME,
        description,
        whole * len(shared),
        part * count,
        lambda: _apply(node, shared, width, context.graph),
    )


def _sharing(node: ir.Node) -> list[ir.Node]:
    """Return the convolutions that share a node's weights, in their order; none where it is alone, or where
    anything else reads them."""
    weights = node.inputs[1]
    if weights is None or not is_stored(weights) or weights.is_graph_output():
        return []
    found = {user for user, index in weights.uses() if index == 1 and user.op_type == "Conv"}
    fits = len(found) == len(weights.uses()) and all(_is_alike(each, node) for each in found)
    return [each for each in node.graph or () if each in found] if fits and len(found) > 1 else []


def _is_alike(node: ir.Node, other: ir.Node) -> bool:
    known = static_shape(node.inputs[0]) is not None and static_shape(node.outputs[0]) is not None
    in_groups = node.attributes.get_int("group", 1) > 1  # the same weights over twice as many channels
    return node.graph is other.graph and known and not in_groups


def _apply(node: ir.Node, shared: list[ir.Node], width: int, graph: ir.Graph) -> None:
    weights = constant_array(node.inputs[1])
    assert weights is not None and node.inputs[1] is not None
    called, parts = node.inputs[1].name or "weights", []
    for start in range(0, weights.shape[1], width):
        end = min(start + width, weights.shape[1])
        part = np.ascontiguousarray(weights[:, start:end])
        parts.append(WeightPart(start, end, add_constant(graph, f"{called}_from{start}", part)))
    axis = add_constant(graph, f"{called}_axis", np.array([1]))
    for each in shared:
        _cut(each, parts, axis, graph)


def _part(
    node: ir.Node, part: WeightPart, axis: ir.Value, graph: ir.Graph, *, is_last: bool
) -> list[ir.Node]:
    """Return a Slice of a convolution's input and the convolution of it."""
    source, out = node.inputs[0], node.outputs[0]
    before = static_shape(source)
    assert source is not None and before is not None
    name, size = f"{node.name or 'parts'}_from{part.start}", (before[0], part.end - part.start, *before[2:])
    ends = [add_constant(graph, f"{name}_at", np.array([at])) for at in (part.start, part.end)]
    piece = make_node(graph, "Slice", [source, *ends, axis], name=f"{name}_slice", shape=size, like=source)
    inputs = [piece.outputs[0], part.weights, *(node.inputs[2:] if is_last else ())]
    made = make_node(graph, "Conv", inputs, name=name, shape=static_shape(out), like=out)
    for attribute in node.attributes.values():
        made.attributes[attribute.name] = attribute
    return [piece, made]


def _cut(node: ir.Node, parts: list[WeightPart], axis: ir.Value, graph: ir.Graph) -> None:
    """Put a convolution of each part, and their sum, in the place of one."""
    name, out, new = node.name or "parts", node.outputs[0], list[ir.Node]()
    size, total = static_shape(out), None
    for place, part in enumerate(parts):
        new += _part(node, part, axis, graph, is_last=part is parts[-1])
        made = new[-1].outputs[0]
        if total is not None:
            new.append(
                make_node(graph, "Add", [total, made], name=f"{name}_sum{place}", shape=size, like=out)
            )
        total = new[-1].outputs[0]
    replace(graph, [node], new)


REWRITE = Rewrite(
    NAME,
    "weights that several layers share and that are cut along their inputs are cut once",
    "256 to 80 channels, 3x3, over 5 levels: 2,054,882 -> 581,474 bytes (rk3588 fp16); 512 to 64 over 3: "
    "1,052,284 -> 460,796 (int8), 1,964,168 -> 783,432 (rk3568 fp16); 768 to 48 over 2: 824,321 -> 491,649 "
    "(rk3568 int8)",
    propose,
)
