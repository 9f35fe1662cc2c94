"""Layers that one layer could do: parallel branches that are summed, 1x1 after 1x1, kernels side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import NamedTuple

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, listing
from rkbench.language.said import Said, clause, say


class Merge(NamedTuple):
    """Layers that one could do: what would be gone, and the layer that stays."""

    gone: tuple[Site, ...]
    into: Site
    how: Said
    grows_bytes: int = 0
    """What the kernel of the layer that stays grows by: it reads or makes more channels then."""


_SUMMED = say("parallel branches that are summed")
_CHAINED = say("1x1 convolutions one after the other without an activation")
_BESIDE = say("depthwise convolutions between a Split and a Concat")
_CURES = {
    _SUMMED: say(
        "sum the branches into one kernel: a 1x1 is the centre of a 3x3, a BatchNormalization of "
        "the input a 1x1 of one weight a channel (exact; 75.0 -> 32.8 kB on a sample for rk3588)"
    ),
    _CHAINED: say("multiply the two kernels into one (exact; 40.2 -> 18.7 kB on a sample for rk3588)"),
    _BESIDE: say(
        "make them one depthwise convolution, the smaller kernels filled up with zeros (exact; "
        "110 -> 51.4 kB on a sample for rk3588)"
    ),
}
_REWRITES = {_SUMMED: "parallel_branches", _CHAINED: "pointwise_pair", _BESIDE: "mixed_depthwise"}
_SUMS = ("Add", "AddRelu", "ConvAdd", "ConvAddRelu")
_LINEAR = ("Conv", "BatchNormalization")
_TILE = re.compile(r"_tile\d+$")
"""What the compiler appends to the name of a convolution for each part along its inputs."""


def mergeable_layers(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Each layer has commands, tasks and structure of its own, whether or not the network needs it."""
    rules: tuple[Callable[[ModelFacts, Site], Merge | None], ...] = (_branches, _chain, _side_by_side)
    merges: list[Merge] = []
    taken: set[int] = set()
    for site in reversed(facts.sites):
        for rule in rules:
            merge = rule(facts, site)
            if merge and not taken & {other.index for other in (*merge.gone, merge.into)}:
                merges.insert(0, merge)
                taken.update(other.index for other in (*merge.gone, merge.into))
    if not merges:
        return None
    gone = [site for merge in merges for site in merge.gone]
    kinds = list(dict.fromkeys(merge.how for merge in merges))
    return Finding(
        code="mergeable_layers",
        title=say("layers that one layer could do"),
        because=clause(
            "{gone} could be part of {merges} ({kinds}): {bytes} ({share}) of their commands, "
            "structure and constants",
            gone=count(len(gone), "layer"),
            merges=count(len(merges), "other layer"),
            kinds=listing(kinds),
        ),
        explanation=say(
            "The compiler merges some of such layers itself; these stayed apart, each with commands of its "
            "own."
        ),
        layers=tuple(site.base for site in gone[:10]),
        claims=_claims(ledger, merges),
        evidence=tuple(
            say(
                "{site} into {into}: {how}",
                site=listing([site.base for site in merge.gone], 4),
                into=merge.into.base,
                how=merge.how,
            )
            for merge in merges[:4]
        ),
        fixes=tuple(Fix("network", _CURES[kind], rewrites=(_REWRITES[kind],)) for kind in kinds),
    )


def _claims(ledger: Ledger, merges: list[Merge]) -> tuple[Claim, ...]:
    """Return all of the layers that go, without what the layers that they go into grow by."""
    claims: list[Claim] = []
    for merge in merges:
        own = ledger.everything((site.index for site in merge.gone), (*CONSTANT_SECTIONS, *COMMAND_SECTIONS))
        left = merge.grows_bytes
        for claim in own:
            kept = min(left, claim.size_bytes) if claim.section == "weights" else 0
            left -= kept
            claims.append(replace(claim, size_bytes=claim.size_bytes - kept))
    return tuple(claim for claim in claims if claim.size_bytes)


def _branches(facts: ModelFacts, site: Site) -> Merge | None:
    """Return the branches of a sum that all are linear in one map: they are one convolution of it."""
    if site.node.type not in _SUMS:
        return None
    tree: list[Site] = []
    root = _linear_root(facts, site, tree)
    kernels = [other for other in tree if other.is_convolution and other.kernel]
    if root is None or len(tree) < 2 or not kernels:
        return None
    into = max(kernels, key=lambda other: prod(other.kernel.shape[2:]) if other.kernel else 0)
    if any(_is_depthwise(other) != _is_depthwise(into) for other in kernels):
        return None
    stays = _TILE.sub("", into.base)
    gone = tuple(other for other in tree if _TILE.sub("", other.base) != stays)
    return Merge(gone, into, _SUMMED) if gone else None


def _linear_root(facts: ModelFacts, site: Site, tree: list[Site]) -> tuple[int, int] | None:
    """Return the tensor in which a layer is linear with the stride, and add the layers between; else None.

    The sum itself may end in an activation; what it sums may not, and may feed nothing else.
    """
    is_end, kind = not tree, site.node.type
    if not is_end and (kind.endswith("Relu") or len(site.layer.feeds) != 1):
        return None
    if kind not in (*_SUMS, *_LINEAR) or len(facts.sites) < len(tree):
        return None
    tree.append(site)
    maps = _maps(site)
    if len(maps) < (2 if kind in _SUMS else 1):
        return None  # a stored offset is added: no branch
    if kind in _LINEAR or kind.startswith("ConvAdd"):
        others = maps[1:]
        roots: set[tuple[int, int] | None] = {(_read_map(facts, site), _stride(site))}
    else:
        others, roots = maps, set()
    for tensor in others:
        makers = [before for before in facts.before(site) if tensor in before.node.outputs]
        roots |= {_linear_root(facts, makers[0], tree) if makers else None}
    return roots.pop() if len(roots) == 1 else None


def _read_map(facts: ModelFacts, site: Site) -> int:
    """Return the map that a layer reads first; of one cut along its inputs, the map that was split."""
    tensor = _maps(site)[0]
    makers = [before for before in facts.before(site) if tensor in before.node.outputs]
    is_cut = _TILE.search(site.base) and makers and makers[0].node.type == "Split"
    return _maps(makers[0])[0] if is_cut else tensor


def _chain(facts: ModelFacts, site: Site) -> Merge | None:
    """Return a 1x1 convolution that only feeds another: with fewer weights together than apart."""
    before = facts.before(site)
    if not (_is_pointwise(site) and len(before) == 1 and _is_pointwise(before[0])):
        return None
    first, second = before[0], site
    if first.node.type != "Conv" or first.layer.feeds != (second.index,) or len(_maps(second)) != 1:
        return None
    if not first.kernel or not second.kernel or _stride(first) != 1:
        return None
    one = second.kernel.shape[0] * first.kernel.shape[1]
    if one > prod(first.kernel.shape) + prod(second.kernel.shape):
        return None
    added = (one - prod(second.kernel.shape)) * second.kernel.buffer_bytes // prod(second.kernel.shape)
    return Merge((first,), second, _CHAINED, max(0, added))


def _side_by_side(facts: ModelFacts, site: Site) -> Merge | None:
    """Return depthwise convolutions of one stride between a Split and the Concat of all of them."""
    parts = facts.before(site)
    if site.node.type != "Concat" or len(parts) < 2:
        return None
    splits = {before.index for part in parts for before in facts.before(part)}
    if len(splits) != 1 or any(not _is_depthwise(part) or len(part.layer.feeds) != 1 for part in parts):
        return None
    split = facts.sites[splits.pop()]
    is_whole = split.node.type == "Split" and set(split.layer.feeds) == {part.index for part in parts}
    if not is_whole or len({_stride(part) for part in parts}) != 1:
        return None
    into = max(parts, key=lambda part: prod(part.kernel.shape[2:]) if part.kernel else 0)
    return Merge((split, *(part for part in parts if part is not into), site), into, _BESIDE)


def _maps(site: Site) -> list[int]:
    """Return the indices of the maps that a layer reads."""
    return [
        tensor.index
        for tensor in site.inputs
        if tensor.kind in ("input", "activation", "output") and "_exSecondary" not in tensor.name
    ]


def _stride(site: Site) -> int:
    return max(site.node.convolution.strides, default=1) if site.node.convolution else 1


def _is_depthwise(site: Site) -> bool:
    options = site.node.convolution
    return site.is_convolution and site.node.type == "Conv" and options is not None and options.groups > 1


def _is_pointwise(site: Site) -> bool:
    kernel, options = site.kernel, site.node.convolution
    is_one = kernel is not None and kernel.kind == "weight" and kernel.shape[2:] == (1, 1)
    return site.is_convolution and is_one and options is not None and options.groups == 1
