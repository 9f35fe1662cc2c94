"""Changes to an ONNX graph that keep its results and shrink its .rknn: one module each.

A rewrite is a `Rewrite`: name, words for `bench fix --list`, and a function `propose(node, context)`, which
returns a Proposal for a node that it can change, or None. A proposal states the predicted bytes of the node
before and after, or none where a rule that was measured, in the module's docstring, says that it pays; it
applies itself when asked. `rewriting.py` takes the best proposal of each node, until none is left. To add
one: a module here, its `REWRITE` in `ALL`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.errors import UsageError
from rkbench.onnx.rewrites import (
    bilinear,
    boxes_cut_first,
    channel_mean,
    channel_rows,
    channel_shuffle,
    constant_part,
    dead_taps,
    depthwise_multiplier,
    dilated_rows,
    dropped_expand,
    far_taps,
    flattened_order,
    halved_stride,
    joined_constants,
    merged_patches,
    mixed_depthwise,
    older_opset,
    output_padding,
    padded_chain,
    padded_concat,
    padded_groups,
    parallel_branches,
    patchify,
    pixel_shuffle,
    pointwise_pair,
    pool_in_steps,
    pooled_average,
    pooled_norm,
    regroup,
    rolled_map,
    shared_parts,
    shared_products,
    shared_weights,
    shuffled_halves,
    space_to_depth,
    spelled_out,
    stacked_sum,
    strided_signal,
    taken_branch,
    two_means,
    unfold,
    zero_product,
)
from rkbench.onnx.rewrites.proposal import Rewrite

ALL: tuple[Rewrite, ...] = (
    constant_part.REWRITE,
    joined_constants.REWRITE,
    dead_taps.REWRITE,
    strided_signal.REWRITE,
    mixed_depthwise.REWRITE,
    channel_rows.REWRITE,
    unfold.REWRITE,
    space_to_depth.REWRITE,
    merged_patches.REWRITE,
    rolled_map.REWRITE,
    flattened_order.REWRITE,
    channel_shuffle.REWRITE,
    shuffled_halves.REWRITE,
    parallel_branches.REWRITE,
    pointwise_pair.REWRITE,
    pixel_shuffle.REWRITE,
    patchify.REWRITE,
    halved_stride.REWRITE,
    dilated_rows.REWRITE,
    far_taps.REWRITE,
    bilinear.REWRITE,
    pooled_norm.REWRITE,
    pool_in_steps.REWRITE,
    pooled_average.REWRITE,
    two_means.REWRITE,
    channel_mean.REWRITE,
    stacked_sum.REWRITE,
    dropped_expand.REWRITE,
    shared_weights.REWRITE,
    shared_parts.REWRITE,
    shared_products.REWRITE,
    padded_concat.REWRITE,
    padded_chain.REWRITE,
    padded_groups.REWRITE,
    regroup.REWRITE,
    depthwise_multiplier.REWRITE,
    spelled_out.REWRITE,
    older_opset.REWRITE,
    boxes_cut_first.REWRITE,
    output_padding.REWRITE,
    zero_product.REWRITE,
    taken_branch.REWRITE,
)


def chosen(only: Sequence[str] = (), without: Sequence[str] = ()) -> tuple[Rewrite, ...]:
    """Return the rewrites with these names, or all but those; raises UsageError for a name that none has."""
    names = {rewrite.name for rewrite in ALL}
    for name in (*only, *without):
        if name not in names:
            raise UsageError(f"no rewrite is called {name!r}", hint="bench fix --list shows them")
    wanted = set(only or names) - set(without)
    return tuple(rewrite for rewrite in ALL if rewrite.name in wanted)
