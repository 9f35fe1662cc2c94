"""Lay a map's channels out as rows: a 3-D convolution that moves along channels alone becomes a 2-D one.

A kernel of (F, 1, K, 1, 1) over a map that was made one channel of depth C (ChannelNet). Exact: a Reshape to
(1, C, H x W) and back. The compiler makes a dense 1x1 of all channels to all of it, of which K in C are not
zero. Two of 512 channels on 14x14: 9,114,990 -> 8,057,518 bytes (rk3568 fp16).
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution, convolution_of, moves_along_channels
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

NAME = "channel_rows"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the flat convolution for one that moves along the channels of a map."""
    dense = convolution_of(node) if context.has_fixed_sizes and moves_along_channels(node) else None
    if dense is None or not is_stored(node.inputs[1]) or "auto_pad" in node.attributes:
        return None
    kernel, after = static_shape(node.inputs[1]) or (), static_shape(node.outputs[0]) or ()
    positions = math.prod(after[3:])
    sizes = (dense.input_channels, positions), (after[2], positions)
    flat = Convolution(
        kernel[0],
        1,
        kernel=(kernel[2], 1),
        input_size=sizes[0],
        output_size=sizes[1],
        has_bias=len(node.inputs) > 2,
        batch=dense.batch,
    )
    description = say(
        "kernel {kernel} along {channels} channels (3-D) -> along rows, between Reshapes",
        kernel=kernel[2],
        channels=dense.input_channels,
    )
    before, then = context.predicted_bytes(dense), context.predicted_bytes(flat)
    return estimated(node, NAME, description, before, then, lambda: _apply(node, sizes, context.graph))


def _apply(node: ir.Node, sizes: tuple[tuple[int, int], ...], graph: ir.Graph) -> None:
    source, weights, out = node.inputs[0], constant_array(node.inputs[1]), node.outputs[0]
    before, after, name = static_shape(source), static_shape(out), node.name or "moved"
    assert source is not None and weights is not None and before is not None and after is not None
    rows = _reshape(graph, source, (before[0], 1, *sizes[0]), f"{name}_rows")
    kernel = add_constant(graph, f"{name}_kernel", weights.reshape(*weights.shape[:3], 1))
    step, hole = (node.attributes.get_ints(key, (1, 1, 1))[0] for key in ("strides", "dilations"))
    pads = node.attributes.get_ints("pads", (0,) * 6)
    attributes: dict[str, int | float | str | list[int]] = {
        "kernel_shape": [weights.shape[2], 1],
        "strides": [step, 1],
        "dilations": [hole, 1],
        "pads": [pads[0], 0, pads[3], 0],
    }
    inputs = [rows.outputs[0], kernel, *node.inputs[2:]]
    flat = make_node(graph, "Conv", inputs, attributes, name=name, shape=(*after[:2], *sizes[1]), like=out)
    back = _reshape(graph, flat.outputs[0], after, f"{name}_back")
    replace(graph, [node], [rows, flat, back])


def _reshape(graph: ir.Graph, source: ir.Value, shape: tuple[int, ...], name: str) -> ir.Node:
    """Return a Reshape that takes the batch as it comes."""
    target = add_constant(graph, f"{name}_shape", np.array([0, *shape[1:]], "int64"))
    return make_node(graph, "Reshape", [source, target], name=name, shape=shape, like=source)


REWRITE = Rewrite(
    NAME,
    "a 3-D convolution along the channels of a map becomes a 2-D one between Reshapes",
    "ChannelNet, two of 512: 9,505,838 -> 8,476,142 bytes (rk3588 fp16), 5,129,032 -> 4,625,928 (int8), "
    "9,114,990 -> 8,057,518 (rk3568 fp16), 4,749,256 -> 4,222,088 (int8)",
    propose,
)
