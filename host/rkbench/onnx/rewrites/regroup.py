"""Merge neighbouring groups of a convolution into block-diagonal ones that the compiler keeps grouped.

Exact: a merged group computes the same sums plus products with stored zeros. Which size is best is a trade of
zeros (they grow with the group) against commands (each group that stays costs a convolution of its own).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from rkbench.language.said import say
from rkbench.onnx import convolution as conv
from rkbench.onnx.convolution import Convolution, convolution_of
from rkbench.onnx.rewrites.proposal import (
    Proposal,
    Rewrite,
    RewriteContext,
    constant_array,
    estimated,
    is_stored,
    replace_constant,
)

NAME = "regroup"


def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """Propose the group size with the smallest predicted file; None if the convolution has none to offer.

    A convolution that is kept grouped already may still be better off with fewer, larger groups.
    """
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    if geometry is None or geometry.groups == 1 or not is_stored(node.inputs[1]):
        return None
    if conv.fate(geometry, context.target, context.dtype, context.toolkit_version) == conv.DEPTHWISE:
        return None
    best = min(_candidates(geometry), key=lambda factor: context.predicted_bytes(geometry.regrouped(factor)))
    after = geometry.regrouped(best)
    return estimated(
        node,
        NAME,
        (
            say(
                "{groups} groups of {channels_per_group} channels -> {new_groups} of {new_channels}",
                groups=geometry.groups,
                channels_per_group=geometry.channels_per_group,
                new_groups=after.groups,
                new_channels=after.channels_per_group,
            )
        ),
        context.predicted_bytes(geometry),
        context.predicted_bytes(after),
        lambda: apply(node, best, context.graph),
    )


def _candidates(geometry: Convolution) -> list[int]:
    """Return every number of groups that can be merged, 1 (no change) first; all of them is a dense one."""
    return [factor for factor in range(1, geometry.groups + 1) if geometry.groups % factor == 0]


def apply(node: ir.Node, factor: int, graph: ir.Graph) -> None:
    """Merge `factor` groups of a Conv node, in place."""
    weights = constant_array(node.inputs[1])
    if weights is None or factor == 1:
        return
    groups = node.attributes.get_int("group", 1)
    replace_constant(node, 1, block_diagonal(weights, groups, factor), graph)
    node.attributes["group"] = ir.AttrInt64("group", groups // factor)


def block_diagonal(weights: np.ndarray, groups: int, factor: int) -> np.ndarray:
    """Return weights (out, in / groups, *kernel) for `groups / factor` groups, zeros where none were."""
    outputs, inputs, *kernel = weights.shape
    per_group = outputs // groups
    merged = np.zeros((outputs, inputs * factor, *kernel), weights.dtype)
    for output in range(outputs):
        place = (output // per_group) % factor
        merged[output, place * inputs : (place + 1) * inputs] = weights[output]
    return merged


REWRITE = Rewrite(
    NAME,
    "neighbouring groups of a convolution become one block-diagonal group, of a size that is kept grouped",
    "13 blocks of 128 groups: 63.3 -> 8.8 MB (rk3588 fp16), 32.0 -> 7.45 (int8), 7.0 -> 4.6 (rk3568 fp16), "
    "31.5 -> 3.1 (int8)",
    propose,
)
