"""Which causes `bench fix` cures in the ONNX at hand: what is said of it is what it does there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from rkbench.inspection.causes import Cause, Fix
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import Said, listed, say

#: The rewrites that take bytes of a cause. A rewrite may be named by several causes: nodes tell them apart.
CURES: dict[str, tuple[str, ...]] = {
    "concat_realigned": ("padded_concat", "constant_part", "mixed_depthwise"),
    "dead_taps": ("dead_taps",),
    "depthwise_multiplier": ("depthwise_multiplier", "regroup"),
    "dilation_commands": ("dead_taps", "dilated_rows"),
    "folded_constant": ("constant_part", "zero_product"),
    "depth_to_space_dense": ("pixel_shuffle",),
    "grouped_conv_dense": ("padded_groups", "regroup"),
    "groups_kept_apart": ("padded_groups", "regroup"),
    "mergeable_layers": ("mixed_depthwise", "parallel_branches", "pointwise_pair"),
    "normalization_unrolled": ("pooled_norm", "zero_product"),
    "one_channel_kernel": ("strided_signal",),
    "patch_kernel": ("patchify", "halved_stride"),
    "pooling_convolution": ("pool_in_steps", "two_means"),
    "repeated_constants": ("shared_weights",),
    "plain_operands": ("channel_mean",),
    "resize_commands": ("bilinear",),
    "shuffle_dense": ("channel_shuffle", "shuffled_halves"),
    "stacked_sums": ("stacked_sum",),
    "padding": ("halved_stride",),
    "relayout_tables": ("pooled_norm",),
    "moved_channels": ("space_to_depth",),
    "large_maps": ("space_to_depth",),
    "permuted_views": ("rolled_map",),
    "transpose_commands": ("unfold", "space_to_depth", "pooled_norm"),
}
#: Rewrites that take bytes of a cause too, in those of its layers that came from their nodes alone.
BY_LAYER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("repeated_constants", "compiler_constants"), ("pooled_norm",)),
}
_MADE_OF = re.compile(r"(#\d+|_2[a-z]+)+$")
"""What the compiler appends to the name of a node where one layer is made of it."""
Found = Mapping[str, tuple[str, ...]]
"""The nodes that each rewrite would change."""


def cured(causes: tuple[Cause, ...], found: Found, command: str, path: Path) -> tuple[Cause, ...]:
    """Return the causes with what `bench fix` does for each in the ONNX at `path`, and without what it does
    not.

    `command` runs it; "" where it finds nothing at all.
    """
    return tuple(_cured(cause, _own(cause, causes, found), command, path) for cause in causes)


def without_bench_fix(causes: tuple[Cause, ...], path: Path) -> tuple[Cause, ...]:
    """Return the causes without the commands that run it: for an ONNX that it does not change."""
    why = say("bench fix: it changes nothing in {path}, whose graph is quantized already", path=path.name)
    kept = {cause.code: tuple(fix for fix in cause.fix if not _runs_it(fix)) for cause in causes}
    return tuple(
        cause
        if len(kept[cause.code]) == len(cause.fix)
        else replace(cause, fix=kept[cause.code], not_helping=(why, *cause.not_helping))
        for cause in causes
    )


def _runs_it(fix: Fix) -> bool:
    return fix.kind == "command" and bool(fix.rewrites)


def _own(cause: Cause, causes: Iterable[Cause], found: Found) -> dict[str, tuple[str, ...]]:
    """Return the nodes that are of this cause: those that are layers of another one are not."""
    own = {}
    sources = _sources(cause)
    for rewrite in _rewrites(cause):
        others = {
            name
            for other in causes
            if other is not cause and rewrite in _rewrites(other)
            for name in _sources(other)
        }
        nodes = tuple(node for node in found.get(rewrite, ()) if node in sources or node not in others)
        if nodes:
            own[rewrite] = nodes
    for rewrite in BY_LAYER.get(cause.code, ()):
        nodes = tuple(node for node in found.get(rewrite, ()) if node in sources)
        if nodes:
            own[rewrite] = nodes
    return own


def _rewrites(cause: Cause) -> dict[str, None]:
    """Return the rewrites that may take bytes of a cause: those of its kind, and those that it speaks of."""
    spoken_of = (name for fix in cause.fix for name in fix.rewrites)
    return dict.fromkeys((*CURES.get(cause.code, ()), *spoken_of))


def _sources(cause: Cause) -> set[str]:
    """Return the names of a cause's layers, as they are and as the nodes are called that they came from."""
    return {name for layer in cause.layers for name in (layer, _MADE_OF.sub("", layer))}


def _cured(cause: Cause, own: Found, command: str, path: Path) -> Cause:
    fixes: list[Fix] = []
    dropped: list[str] = []
    told: set[str] = set()
    for fix in cause.fix:
        does = [rewrite for rewrite in fix.rewrites if rewrite in own and rewrite not in told]
        if does:
            action = say("{action}; bench fix does it: {found}", action=fix.action, found=_places(own, does))
            fixes.append(replace(fix, kind="command", action=action, snippet=command))
            told.update(does)
        elif not fix.rewrites:
            fixes.append(fix)
        elif not set(fix.rewrites) & told:
            dropped += fix.rewrites
    if own:
        dropped = []  # the cause is cured, by another rewrite than that
    untold = [rewrite for rewrite in own if rewrite not in told]
    if untold:
        action = say("rewrite the ONNX, then convert it again: {found}", found=_places(own, untold))
        fixes.insert(0, Fix("command", action, command, tuple(untold)))
    return replace(
        cause, fix=tuple(fixes), not_helping=(*_useless(dropped, command, path), *cause.not_helping)
    )


def _places(own: Found, rewrites: Iterable[str]) -> Said:
    return listed(
        [
            say(
                "{rewrite} in {nodes} ({names})",
                rewrite=rewrite,
                nodes=count(len(own[rewrite]), "node"),
                names=listing(own[rewrite]),
            )
            for rewrite in rewrites
        ]
    )


def _useless(dropped: Iterable[str], command: str, path: Path) -> tuple[Said, ...]:
    names = list(dict.fromkeys(dropped))
    if not names:
        return ()
    if not command:
        return (say("bench fix: it finds nothing to change in {path}", path=path.name),)
    return (
        say(
            "bench fix: {rewrites} would make none of these layers of {path} smaller",
            rewrites=listing(names),
            path=path.name,
        ),
    )
