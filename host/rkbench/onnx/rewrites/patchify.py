"""Turn a convolution of whole patches (kernel = stride) into SpaceToDepth and a 1x1.

Exact. The compiler pads the few channels of such a kernel and unrolls it. Measured on patches of 2, 4,
8, 14, 16 and 32 pixels: from 8 on it pays on rk3588 and rk3568, fp16 and int8; 2 and 4 grow by 1 to 40 %.
Patches of three axes (VideoMAE) are those of a map that is as many times as high as there are patches along
the first axis: 20 of 20 files of patches of 2x8x8 and 1, 2 and 4 x16x16 smaller, by 73 to 99 %; of 8x8x8 one
of four grew (108,341 -> 108,405 bytes, rk3568 fp16).
"""

from __future__ import annotations

from math import prod

import numpy as np
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
LEAST_RATIO = 4
"""Of the sides of a patch of three axes to its depth."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose a 1x1 over the pixels of each patch as channels."""
    if (kernel := _deep_patches(node)) and context.has_fixed_sizes:
        words = say(
            "patches of {kernel} -> SpaceToDepth and a 1x1 over {channels} channels",
            kernel="x".join(str(side) for side in kernel[2:]),
            channels=prod(kernel[1:]),
        )
        return measured(node, NAME, words, lambda: _apply_deep(node, kernel, context.graph))
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


def _deep_patches(node: ir.Node) -> tuple[int, ...]:
    """Return the shape of a kernel of three axes whose windows tile the input, the last two of them square
    and large enough; () for others."""
    if node.op_type != "Conv" or not is_stored(node.inputs[1]):
        return ()
    kernel, before = static_shape(node.inputs[1]), static_shape(node.inputs[0])
    if kernel is None or before is None or len(kernel) != 5 or kernel[1] != before[1]:
        return ()
    read = node.attributes
    whole = read.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID") and not any(
        read.get_ints("pads", ())
    )
    tiles = tuple(read.get_ints("strides", ())) == kernel[2:] and max(read.get_ints("dilations", (1,))) == 1
    sides = zip(before[2:], kernel[2:], strict=True)
    square = kernel[3] == kernel[4] >= max(LEAST_PATCH, LEAST_RATIO * kernel[2])
    fits = square and not any(size % side for size, side in sides)
    return kernel if whole and tiles and fits else ()


def _apply_deep(node: ir.Node, kernel: tuple[int, ...], graph: ir.Graph) -> None:
    """Lay the patches along the first axis one below the other; the pixels of each are channels."""
    weights, before = constant_array(node.inputs[1]), static_shape(node.inputs[0])
    after, name, new = static_shape(node.outputs[0]), node.name or "patches", list[ir.Node]()
    assert weights is not None and before is not None and after is not None
    outputs, channels, depth, patch, _ = kernel
    count, height, width = before[2] // depth, *before[3:]
    value = node.inputs[0]

    def add(
        kind: str, inputs: list[ir.Value | None], size: tuple[int, ...], **attributes: int | list[int]
    ) -> None:
        nonlocal value
        called = f"{name}_{kind.lower()}{len(new)}"
        given = [value, *inputs]
        new.append(
            make_node(graph, kind, given, {**attributes}, name=called, shape=size, like=node.outputs[0])
        )
        value = new[-1].outputs[0]

    def sized(*size: int) -> ir.Value:
        return add_constant(graph, f"{name}_size{len(new)}", np.array(size))

    slices = (count, depth, height * width)
    add("Reshape", [sized(-1, *slices)], (before[0] * channels, *slices))  # -1: any batch
    add("Transpose", [], (before[0] * channels, depth, count, height * width), perm=[0, 2, 1, 3])
    high = (channels * depth, count * height, width)
    add("Reshape", [sized(-1, *high)], (before[0], *high))
    small = (count * height // patch, width // patch)
    add("SpaceToDepth", [], (before[0], prod(kernel[1:]), *small), blocksize=patch)
    flat = weights.reshape(outputs, channels * depth, patch, patch).transpose(0, 2, 3, 1)
    single = add_constant(graph, f"{name}_pixels", flat.reshape(outputs, -1, 1, 1))
    add("Conv", [single, *node.inputs[2:]], (before[0], outputs, *small), kernel_shape=[1, 1])
    add("Reshape", [sized(-1, *after[1:])], after)
    replace(graph, [node], new)


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
