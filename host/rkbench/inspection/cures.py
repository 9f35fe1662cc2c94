"""Which causes `bench fix` cures in the ONNX at hand: what is said of it is what it does there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rkbench.inspection.causes import Cause, Fix
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import Said, listed, say
from rkbench.units import format_bytes

#: The rewrites that take bytes of a cause. A rewrite may be named by several causes: nodes tell them apart.
CURES: dict[str, tuple[str, ...]] = {
    "concat_realigned": ("padded_concat", "padded_chain", "constant_part", "mixed_depthwise"),
    "dead_taps": ("dead_taps",),
    "depthwise_multiplier": ("depthwise_multiplier", "regroup"),
    "dilation_commands": ("dead_taps", "dilated_rows"),
    "folded_constant": ("constant_part", "joined_constants", "zero_product", "taken_branch"),
    "depth_to_space_dense": ("pixel_shuffle",),
    "grouped_conv_dense": ("padded_groups", "regroup"),
    "groups_kept_apart": ("padded_groups", "regroup"),
    "merged_patches_dense": ("merged_patches",),
    "mergeable_layers": ("mixed_depthwise", "parallel_branches", "pointwise_pair"),
    "normalization_unrolled": ("pooled_norm",),
    "one_channel_kernel": ("strided_signal",),
    "patch_kernel": ("patchify", "halved_stride"),
    "expanded_maps": ("dropped_expand",),
    "pooling_convolution": ("pool_in_steps", "pooled_average", "two_means"),
    "repeated_constants": ("shared_weights", "shared_parts", "shared_products"),
    "plain_operands": ("channel_mean",),
    "resize_commands": ("bilinear",),
    "shuffle_dense": ("channel_shuffle", "shuffled_halves"),
    "stacked_sums": ("stacked_sum",),
    "padding": ("halved_stride",),
    "relayout_tables": ("pooled_norm",),
    "moved_channels": ("space_to_depth",),
    "kernels_along_channels": ("channel_rows",),
    "large_maps": ("space_to_depth",),
    "tap_copies": ("far_taps",),
    "permuted_views": ("rolled_map", "flattened_order"),
    "transpose_commands": ("unfold", "space_to_depth", "pooled_norm"),
}
#: Rewrites that take bytes of a cause too, in those of its layers that came from their nodes alone.
BY_LAYER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("repeated_constants", "compiler_constants"), ("pooled_norm",)),
    "normalization_unrolled": ("zero_product",),
}
_MADE_OF = re.compile(r"(#\d+|_2[a-z]+|_rs|_tp)+$")
"""What the compiler appends to the name of a node where one layer is made of it."""
SLIGHT_SHARE = 0.05
"""Of a cause: a rewrite that saves less than this is told behind what does more."""
Own = Mapping[str, tuple[str, ...]]
"""The nodes of a cause that each rewrite would change."""


class Rewritten(Protocol):
    """What a rewrite would do in an ONNX; the room of rewrites is loaded where there is one alone."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes that it would change."""

    @property
    def saved_bytes(self) -> int | None:
        """What it alone is predicted to save of the file; None where no prediction tells."""


Found = Mapping[str, Rewritten]
"""What each rewrite would do."""


def cured(causes: tuple[Cause, ...], found: Found, command: str, path: Path) -> tuple[Cause, ...]:
    """Return the causes with what `bench fix` does for each in the ONNX at `path`, and without what it does
    not.

    `command` runs it; "" where it finds nothing at all.
    """
    return tuple(_cured(cause, _own(cause, causes, found), found, command, path) for cause in causes)


def what_it_does(found: Found) -> Said:
    """Return the rewrites of one command, each with its nodes and what it is predicted to save."""
    return say("rewrite the ONNX: {found}", found=_places({name: found[name].nodes for name in found}, found))


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


def _own(cause: Cause, causes: Iterable[Cause], rewritten: Found) -> dict[str, tuple[str, ...]]:
    """Return the nodes that are of this cause: those that are layers of another one are not."""
    own = {}
    sources = _sources(cause)
    found = {name: each.nodes for name, each in rewritten.items()}
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


def _cured(cause: Cause, own: Own, found: Found, command: str, path: Path) -> Cause:
    fixes: list[Fix] = []
    dropped: list[str] = []
    told: set[str] = set()
    for fix in cause.fix:
        does = [rewrite for rewrite in fix.rewrites if rewrite in own and rewrite not in told]
        if does:
            fixes.append(_done(fix, {name: own[name] for name in does}, found, command))
            told.update(does)
        elif not fix.rewrites:
            fixes.append(fix)
        elif not set(fix.rewrites) & told:
            dropped += fix.rewrites
    if own:
        dropped = []  # the cause is cured, by another rewrite than that
    untold = {rewrite: own[rewrite] for rewrite in own if rewrite not in told}
    if untold:
        action = say("rewrite the ONNX, then convert it again: {found}", found=_places(untold, found))
        fixes.insert(0, Fix("command", action, command, tuple(untold), _saved(untold, found)))
    fixes.sort(key=lambda fix: fix.saved_bytes is not None and fix.saved_bytes < SLIGHT_SHARE * cause.bytes)
    return replace(
        cause, fix=tuple(fixes), not_helping=(*_useless(dropped, command, path), *cause.not_helping)
    )


def _done(fix: Fix, own: Own, found: Found, command: str) -> Fix:
    """Return a fix as what `bench fix` does."""
    action = say("{action}; bench fix does it: {found}", action=fix.action, found=_places(own, found))
    return replace(fix, kind="command", action=action, snippet=command, saved_bytes=_saved(own, found))


def _saved(own: Own, found: Found) -> int | None:
    known = [saved for name in own if (saved := found[name].saved_bytes) is not None]
    return sum(known) if len(known) == len(own) else None


def _places(own: Own, found: Found) -> Said:
    return listed([_place(name, nodes, found[name]) for name, nodes in own.items()])


def _place(name: str, nodes: tuple[str, ...], rewritten: Rewritten) -> Said:
    told: dict[str, object] = {"rewrite": name, "nodes": count(len(nodes), "node"), "names": listing(nodes)}
    if rewritten.saved_bytes is None:
        return say("{rewrite} in {nodes} ({names})", **told)
    told["saved"] = format_bytes(rewritten.saved_bytes)
    if len(nodes) == len(rewritten.nodes):
        return say("{rewrite} in {nodes} ({names}; predicted to save {saved})", **told)
    told["all"] = len(rewritten.nodes)
    return say("{rewrite} in {nodes} ({names}; in all {all} it is predicted to save {saved})", **told)


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
