"""Cut the sides of boxes before they are reshaped, as every YOLO from 8 on decodes them.

A 1x1 to one channel over bins makes (N, 1, 4, A), a Reshape (N, 4, A) of it, and that is cut in two: the
converter then cuts the convolution instead of its output, and stops (toolkit 2.5.0). Here it is cut first,
and each part reshaped. Exact. The file as it is does not convert, so there is no size before.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx.foreseen import Asked
from rkbench.onnx.refusals import split_expectation
from rkbench.onnx.rewrites.cuts import Cut, cuts_of
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, is_stored, measured
from rkbench.onnx.rewrites.surgery import add_constant, make_node, replace, sole_user
from rkbench.onnx.values import static_shape

NAME = "boxes_cut_first"
SPLIT_INPUT_OPSET = 13
"""From here on the sizes of a Split are an input."""


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose a Split before the Reshape behind a convolution that the converter would cut."""
    reshape = sole_user(node.outputs[0]) if _is_refused(node, context) else None
    before = static_shape(node.outputs[0]) if reshape is not None else None
    after = static_shape(reshape.outputs[0]) if reshape is not None else None
    if reshape is None or before is None or after != (before[0], *before[2:]) or before[1] != 1:
        return None
    cuts = sorted(cuts_of(reshape.outputs[0], context), key=lambda cut: cut.start)
    whole = sum(cut.count for cut in cuts) == after[1]
    if not whole or any(one.start + one.count != two.start for one, two in pairwise(cuts)):
        return None
    return measured(
        node,
        NAME,
        say("boxes reshaped, then cut in {parts} -> cut, then reshaped", parts=len(cuts)),
        lambda: _apply(node, cuts, before, context),
    )


def _is_refused(node: ir.Node, context: RewriteContext) -> bool:
    """Return whether the converter stumbles over this convolution."""
    if node.op_type != "Conv" or not is_stored(node.inputs[1]):
        return False
    weights = {value for value in node.inputs[1:] if value is not None}
    asked = Asked(context.graph, context.opset, weights, context.target)
    return any(True for _ in split_expectation(node, asked))


def _apply(node: ir.Node, cuts: list[Cut], before: tuple[int, ...], context: RewriteContext) -> None:
    graph, source, name = context.graph, node.outputs[0], f"{node.name}_cut"
    counts = [cut.count for cut in cuts]
    split = ir.node("Split", [source], {"axis": 2}, num_outputs=len(cuts), name=name)
    if context.opset < SPLIT_INPUT_OPSET:
        split.attributes["split"] = ir.AttrInt64s("split", counts)
    else:
        split.resize_inputs(2)
        split.replace_input_with(1, add_constant(graph, f"{name}_sizes", np.array(counts)))
    for place, (value, count) in enumerate(zip(split.outputs, counts, strict=True)):
        value.name, value.type = f"{name}_{place}", source.type
        value.shape = ir.Shape([*before[:2], count, *before[3:]])
    graph.insert_after(node, [split])
    for place, (cut, value) in enumerate(zip(cuts, split.outputs, strict=True)):
        shape = (before[0], cut.count, *before[3:])
        sizes = add_constant(graph, f"{name}_{place}_shape", np.array(shape))
        flat = make_node(
            graph, "Reshape", [value, sizes], name=f"{name}_{place}_flat", shape=shape, like=source
        )
        replace(graph, [cut.maker], [flat], cut.value)


REWRITE = Rewrite(
    NAME,
    "the sides of boxes are cut before they are reshaped: after it the converter refuses (YOLO 8 on)",
    "YOLOv8n at 320: refused -> 7,675,377 bytes (rk3588 fp16), 4,108,555 (rk3568 int8)",
    propose,
    lifts_refusal=True,
)
