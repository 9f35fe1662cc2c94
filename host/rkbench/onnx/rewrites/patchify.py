"""Turn a convolution of whole patches (kernel = stride) into SpaceToDepth and a 1x1.

Exact. The compiler pads the few channels of such a kernel and unrolls it. Measured on patches of 2, 4,
8, 14, 16 and 32 pixels: from 8 on it pays on rk3588 and rk3568, fp16 and int8; 2 and 4 grow by 1 to 40 %.
"""

from __future__ import annotations

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.rewrites.geometry import axes_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace
from rkbench.onnx.values import static_shape

NAME = "patchify"
LEAST_PATCH = 8


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose a 1x1 over the pixels of each patch as channels."""
    geometry = _patches(node) if context.has_fixed_sizes else None
    if geometry is None or geometry.kernel[0] < LEAST_PATCH:
        return None
    patch = geometry.kernel[0]
    channels = geometry.input_channels * patch * patch
    description = say(
        "patches of {patch}x{patch} -> SpaceToDepth and a 1x1 over {channels} channels",
        patch=patch,
        channels=channels,
    )
    return measured(node, NAME, description, lambda: _apply(node, patch, context.graph))


def _patches(node: ir.Node) -> Convolution | None:
    """Return the geometry of an ordinary convolution whose square windows tile the map."""
    geometry, axes = convolution_of(node) if node.op_type == "Conv" else None, axes_of(node)
    if geometry is None or axes is None or len(axes) != 2 or geometry.groups != 1:
        return None
    tiles = all(
        axis.kernel == axis.stride == axes[0].kernel
        and axis.dilation == 1
        and axis.before == axis.after == axis.size % axis.kernel == 0
        for axis in axes
    )
    return geometry if tiles and is_stored(node.inputs[1]) else None


def _apply(node: ir.Node, patch: int, graph: ir.Graph) -> None:
    weights, shape = constant_array(node.inputs[1]), static_shape(node.inputs[0])
    assert weights is not None and shape is not None
    size = (shape[0], shape[1] * patch * patch, *(side // patch for side in shape[2:]))
    name, out = node.name or "patches", node.outputs[0]
    blocks: dict[str, int | float | str | list[int]] = {"blocksize": patch}
    depth = make_node(
        graph, "SpaceToDepth", [node.inputs[0]], blocks, name=f"{name}_depth", shape=size, like=out
    )
    flat = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1, 1, 1)
    inputs = [depth.outputs[0], add_constant(graph, f"{name}_pixels", flat), *node.inputs[2:]]
    single: dict[str, int | float | str | list[int]] = {"kernel_shape": [1, 1]}
    one = make_node(graph, "Conv", inputs, single, name=name, shape=static_shape(out), like=out)
    replace(graph, [node], [depth, one])


REWRITE = Rewrite(
    NAME,
    "a convolution of whole patches becomes SpaceToDepth and a 1x1",
    "16x16 patches, 192 channels: 869,810 -> 332,978 bytes (rk3588 fp16), 880,012 -> 182,860 (int8), "
    "411,506 -> 317,746 (rk3568 fp16), 416,076 -> 168,396 (int8)",
    propose,
)
