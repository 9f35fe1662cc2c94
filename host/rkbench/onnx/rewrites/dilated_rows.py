"""Turn a depthwise 3x3 of large dilation into the sum of its rows, convolved over shifted maps.

Exact up to rounding. Pays on the three cores of rk3588 in fp16 only, and only where the compiler cuts the
map into hundreds of tasks. Measured: dilation 18 and 24 on 56x56 (1,865,074 -> 161,330 and 519,985 -> 118,961
bytes); not 12 on 56x56, nor 18 on 28x28 and 40x40, nor 18 in int8 or on rk3568 (all grow).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.convolution import convolution_of
from rkbench.onnx.rewrites.geometry import Axis, axes_of
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

NAME = "dilated_rows"
LEAST_DILATION = 18
LEAST_SIDE = 56
PADDING_OPSET = 11
CORES = 3


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the rows of a depthwise kernel that is dilated far on a large map."""
    if context.cores != CORES or context.dtype != "fp16" or context.opset < PADDING_OPSET:
        return None
    axes = _dilated(node) if context.has_fixed_sizes else None
    if axes is None:
        return None
    rows = axes[0].kernel
    description = say(
        "depthwise kernel, dilation {dilation} -> {rows} rows, added", dilation=axes[0].dilation, rows=rows
    )
    return measured(node, NAME, description, lambda: _apply(node, axes, context.graph))


def _dilated(node: ir.Node) -> tuple[Axis, ...] | None:
    axes = axes_of(node)
    geometry = convolution_of(node) if axes is not None else None
    if axes is None or geometry is None or len(axes) != 2 or not is_stored(node.inputs[1]):
        return None
    plain = geometry.groups == geometry.input_channels == geometry.output_channels
    wide = all(axis.dilation >= LEAST_DILATION and axis.size >= LEAST_SIDE for axis in axes)
    fits = all(axis.stride == 1 and axis.kernel == 3 for axis in axes)
    return axes if plain and wide and fits else None


def _apply(node: ir.Node, axes: tuple[Axis, ...], graph: ir.Graph) -> None:
    name, out, source = node.name or "dilated", node.outputs[0], node.inputs[0]
    shape, size = static_shape(source), static_shape(out)
    assert source is not None and shape is not None and size is not None
    rim = np.array([0, 0, axes[0].before, 0, 0, 0, axes[0].after, 0], "int64")
    tall = (*shape[:2], shape[2] + axes[0].before + axes[0].after, shape[3])
    inputs = [source, add_constant(graph, f"{name}_rim", rim)]
    new = [make_node(graph, "Pad", inputs, name=f"{name}_padded", shape=tall, like=out)]
    padded, total = new[0].outputs[0], None
    for row in range(axes[0].kernel):
        new += _row(node, padded, row, axes, graph)
        one = new[-1].outputs[0]
        if total is not None:
            new.append(make_node(graph, "Add", [total, one], name=f"{name}_sum{row}", shape=size, like=out))
        total = new[-1].outputs[0]
    replace(graph, [node], new)


def _row(node: ir.Node, padded: ir.Value, row: int, axes: tuple[Axis, ...], graph: ir.Graph) -> list[ir.Node]:
    """Return the shifted map and the convolution of one row; the first row has the bias."""
    name, out, weights = f"{node.name}_row{row}", node.outputs[0], constant_array(node.inputs[1])
    size, tall = static_shape(out), static_shape(padded)
    assert weights is not None and size is not None and tall is not None
    start, shape = row * axes[0].dilation, (*tall[:2], size[2], tall[3])
    places = [np.array([number], "int64") for number in (start, start + size[2], 2)]
    ends = [add_constant(graph, f"{name}_end{place}", array) for place, array in enumerate(places)]
    shifted = make_node(graph, "Slice", [padded, *ends], name=f"{name}_map", shape=shape, like=out)
    kernel = add_constant(graph, f"{name}_kernel", weights[:, :, row : row + 1])
    attributes: dict[str, int | float | str | list[int]] = {
        "group": len(weights),
        "kernel_shape": [1, axes[1].kernel],
        "dilations": [1, axes[1].dilation],
        "pads": [0, axes[1].before, 0, axes[1].after],
    }
    inputs = [shifted.outputs[0], kernel, *(node.inputs[2:] if row == 0 else [])]
    return [shifted, make_node(graph, "Conv", inputs, attributes, name=name, shape=size, like=out)]


REWRITE = Rewrite(
    NAME,
    "a depthwise 3x3 of large dilation becomes three row convolutions that are added",
    "128 channels, dilation 18, 56x56: 1,865,074 -> 161,330 bytes (rk3588 fp16); elsewhere not proposed",
    propose,
)
