"""Lay a signal in rows as long as the dilation: taps that lie far apart become neighbours of one column.

Exact: position t is row t // d and column t % d, and a tap d before it is the row before, so a kernel over
one axis with dilation d is one of k x 1 over rows without any. What a Slice cuts off behind (as causal
networks pad both sides and cut one) is not computed. The compiler fetches the columns of each tap by a task
of their own from a dilation of 32 on; below it does not, and there this is not proposed.
"""

from __future__ import annotations

from dataclasses import replace as changed

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.fusion.spread import LARGEST_STEP
from rkbench.onnx.rewrites.geometry import Axis, axes_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
)
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace, sole_user
from rkbench.onnx.values import static_shape

NAME = "far_taps"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose rows for a convolution over one axis whose length its dilation divides."""
    signal = _signal(node) if context.has_fixed_sizes else None
    if signal is None:
        return None
    cut = _cut_behind(node, signal)
    axis = signal if cut is None else _shortened(signal, (static_shape(cut.outputs[0]) or (0,))[-1])
    rows = _in_rows(axis) if axis is not None else None
    if rows is None:
        return None
    described = say(
        "kernel {kernel}, dilation {dilation} -> {taps} x 1 over rows of {dilation}",
        kernel=signal.kernel,
        dilation=signal.dilation,
        taps=len(_living(rows)),
    )
    return measured(node, NAME, described, lambda: _apply(node, cut, signal.dilation, rows, context.graph))


def _signal(node: ir.Node) -> Axis | None:
    """Return the axis of a convolution over one, of stride 1 and far taps."""
    axes = axes_of(node)
    if axes is None or len(axes) != 1:
        return None
    (axis,) = axes
    is_far = axis.dilation > LARGEST_STEP and axis.kernel > 1 and axis.stride == 1
    return axis if is_far and is_stored(node.inputs[1]) else None


def _cut_behind(node: ir.Node, axis: Axis) -> ir.Node | None:
    """Return the Slice that alone reads a convolution and keeps its first positions."""
    cut = sole_user(node.outputs[0])
    if cut is None or cut.op_type != "Slice" or len(cut.inputs) < 4:
        return None
    starts, _, places, *steps = [constant_array(value) for value in cut.inputs[1:] if value is not None]
    ordinary = all(_numbers(step) == [1] for step in steps)
    if _numbers(starts) != [0] or _numbers(places) not in ([2], [-1]) or not ordinary:
        return None
    kept = (static_shape(cut.outputs[0]) or (0,))[-1]
    return cut if 0 < kept < axis.outputs else None


def _numbers(array: np.ndarray | None) -> list[int]:
    return [] if array is None else array.ravel().tolist()


def _shortened(axis: Axis, outputs: int) -> Axis | None:
    """Return the axis with so many outputs, by less padding behind; None where it cuts into the map."""
    after = axis.after - (axis.outputs - outputs)
    return changed(axis, after=after) if after >= 0 else None


def _in_rows(axis: Axis) -> Axis | None:
    """Return the axis over rows; None where its sizes are no whole rows, or no tap meets the map."""
    step = axis.dilation
    if axis.size % step or axis.before % step or axis.after % step:
        return None
    rows = Axis(axis.size // step, axis.kernel, 1, 1, axis.before // step, axis.after // step)
    taps = _living(rows)
    if not taps or rows.before < taps.start or rows.after < axis.kernel - taps.stop:
        return None
    return rows


def _living(rows: Axis) -> range:
    """Return the taps from the first to the last one that meet the map."""
    first = max(rows.before - rows.outputs + 1, 0)
    return range(first, min(rows.before + rows.size, rows.kernel))


def _apply(node: ir.Node, cut: ir.Node | None, step: int, rows: Axis, graph: ir.Graph) -> None:
    last = cut if cut is not None else node
    name, source, out = node.name or "far_taps", node.inputs[0], last.outputs[0]
    before, after = static_shape(source), static_shape(out)
    weights = constant_array(node.inputs[1])
    assert source is not None and before is not None and after is not None and weights is not None
    laid, made = (*before[:2], rows.size, step), (*after[:2], rows.outputs, step)
    shapes = [
        add_constant(graph, f"{name}_{end}", np.array([0, *shape[1:]], "int64"))  # 0: any batch
        for end, shape in (("rows", laid), ("signal", after))
    ]
    reshape = make_node(graph, "Reshape", [source, shapes[0]], name=f"{name}_laid", shape=laid, like=source)
    taps = _living(rows)
    kernel = add_constant(graph, f"{name}_column", weights[:, :, taps.start : taps.stop, None])
    pads = [rows.before - taps.start, 0, rows.after - (rows.kernel - taps.stop), 0]
    inputs = [reshape.outputs[0], kernel, *node.inputs[2:]]
    groups = node.attributes.get_int("group", 1)
    attributes: dict[str, int | float | str | list[int]] = {
        "kernel_shape": [len(taps), 1],
        "pads": pads,
        "group": groups,
    }
    short = make_node(graph, "Conv", inputs, attributes, name=name, shape=made, like=out)
    back = make_node(
        graph, "Reshape", [short.outputs[0], shapes[1]], name=f"{name}_back", shape=after, like=out
    )
    replace(graph, [node] if cut is None else [node, cut], [reshape, short, back])


REWRITE = Rewrite(
    NAME,
    "a convolution over one axis whose taps lie 32 or more apart reads rows of that length instead",
    "TCN, six dilations of 32 to 128: 7,380,648 -> 309,992 bytes (rk3588 fp16), 4,894,978 -> 159,362 (rk3568 "
    "int8)",
    propose,
)
