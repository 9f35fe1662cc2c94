"""Cut off the taps of a dilated kernel that never reach the map: they only ever see padding.

Exact. Pays wherever there is one: 4 of 4 cases (rk3588 and rk3568, fp16 and int8) became 2 to 5 times
smaller, and no weight or command is added.
"""

from __future__ import annotations

from dataclasses import replace

import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.rewrites.geometry import Axis, axes_of, set_axes
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    is_stored,
    measured,
    replace_constant,
)

NAME = "dead_taps"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the kernel without its dead rows and columns."""
    axes = axes_of(node) if context.has_fixed_sizes else None
    if axes is None or not is_stored(node.inputs[1]):
        return None
    kept = [_living(axis) for axis in axes]
    if all(len(taps) == axis.kernel for taps, axis in zip(kept, axes, strict=True)):
        return None
    after = [_cut(axis, taps) for axis, taps in zip(axes, kept, strict=True)]
    if any(axis is None for axis in after):
        return None
    cut = tuple(axis for axis in after if axis is not None)
    sizes = [f"{'x'.join(str(axis.kernel) for axis in each)}" for each in (axes, cut)]
    return measured(
        node,
        NAME,
        say(
            "kernel {before} -> {after}: the other taps lie outside the map",
            before=sizes[0],
            after=sizes[1],
        ),
        lambda: _apply(node, kept, cut, context.graph),
    )


def _living(axis: Axis) -> range:
    """Return the taps between the first and the last one that meet the map at some output."""
    positions = range(0, axis.outputs * axis.stride, axis.stride)
    met = [
        tap
        for tap in range(axis.kernel)
        if any(0 <= place + tap * axis.dilation - axis.before < axis.size for place in positions)
    ]
    return range(met[0], met[-1] + 1) if met else range(0)


def _cut(axis: Axis, taps: range) -> Axis | None:
    """Return the axis with these taps only; None where it would need less than no padding."""
    before = axis.before - taps.start * axis.dilation
    if not taps or before < 0:
        return None
    dilation = axis.dilation if len(taps) > 1 else 1
    cut = replace(axis, kernel=len(taps), dilation=dilation, before=before)
    cut = replace(cut, after=axis.end_padding(len(taps), dilation, before))
    return cut if cut.outputs == axis.outputs else None


def _apply(node: ir.Node, kept: list[range], axes: tuple[Axis, ...], graph: ir.Graph) -> None:
    weights = constant_array(node.inputs[1])
    assert weights is not None
    cut = (slice(None), slice(None), *(slice(each.start, each.stop) for each in kept))
    replace_constant(node, 1, weights[cut], graph)
    set_axes(node, axes)


REWRITE = Rewrite(
    NAME,
    "taps of a dilated kernel that lie outside the map are cut off; often only the centre is left",
    "DeepLabV3-MobileNetV3 at 320 pixels: 52.29 -> 16.15 MB (rk3588 fp16), 47.32 -> 10.93 (int8), "
    "39.77 -> 15.70 (rk3568 fp16), 33.32 -> 8.98 (int8)",
    propose,
)
