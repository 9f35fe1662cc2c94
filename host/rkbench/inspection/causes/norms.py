"""Normalizations that the compiler writes as sums, squares and roots, and what stands before them."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain, command_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.many_maps import ONE_SIDE, could_be_joined, has_rows, is_batched
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.single_core import single_core
from rkbench.inspection.causes.site import Site
from rkbench.inspection.causes.unrolled import shape_of
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say
from rkbench.units import format_bytes

POOLED = Fix(
    "network",
    say(
        "an InstanceNormalization written as GlobalAveragePool, Sub, Mul, GlobalAveragePool, Sqrt, Mul "
        "(exact; 181 -> 80.9 kB in float16, 358 -> 56.5 in int8 on a sample for rk3588)"
    ),
    rewrites=("pooled_norm",),
)
_FEWER_GROUPS = Fix("network", say("fewer groups in a norm, where they are its maps"))


def _normalization_fixes(facts: ModelFacts, layers: list[Site]) -> tuple[Fix, ...]:
    """Return the cures that fit what stands before the norms: a convolution, an input, or something else."""
    paths = {site.index: _path(facts, site) for site in layers}
    means = {site.index for site in facts.averages}
    norms = [site for site in layers if not _is_length(site)]
    folded = [site for site in norms if _takes_a_scaling(facts, paths[site.index], means)]
    first = [site for site in layers if _from_input(paths[site.index])]
    return (
        POOLED,
        *((_FEWER_GROUPS,) if any(is_batched(site) and not has_rows(site) for site in layers) else ()),
        *((ONE_SIDE,) if could_be_joined(facts, layers) else ()),
        *(_folded(len(folded), len(norms)) if folded else ()),
        *(_outside(site) for site in first[:1]),
    )


def _folded(count_of: int, layers: int) -> tuple[Fix, ...]:
    action = say(
        "train with BatchNormalization instead: {folded} of {layers} stand behind a convolution that feeds "
        "nothing else, into which it is folded",
        folded=count_of,
        layers=layers,
    )
    return (Fix("network", action),)


def _outside(site: Site) -> Fix:
    return Fix("network", say("{layer} normalizes an input: do that before the model", layer=site.base))


_MOVING = ("Transpose", "Reshape", "exDataConvert")


def _lays_out(site: Site) -> bool:
    """Return whether it is a convolution of the compiler's own that lays out an input: it has no name."""
    return site.is_convolution and not site.is_named


def _path(facts: ModelFacts, site: Site) -> list[Site]:
    """Return what only moves the map that a norm reads, and the layer that computes it, if one does."""
    path = list(facts.before(site)[:1])
    while path and (path[-1].node.type in _MOVING or _lays_out(path[-1])):
        before = facts.before(path[-1])[:1]
        if not before:
            break
        path += before
    return path


def _from_input(path: list[Site]) -> bool:
    last = path[-1] if path else None
    return last is None or last.node.type in (*_MOVING, "InputOperator") or _lays_out(last)


def _is_length(site: Site) -> bool:
    """Return whether a layer only divides by a length (ReduceL2): no mean, and no variance either."""
    return "_2lpnorm" in site.base


def _takes_a_scaling(facts: ModelFacts, path: list[Site], means: set[int]) -> bool:
    """Return whether a convolution of the network, none of the compiler's, makes the map for the norm alone.

    What others read too has to stay as it is.
    """
    if not path or path[-1].index in means or any(len(site.layer.feeds) != 1 for site in path):
        return False
    kernel = path[-1].kernel
    is_plain = path[-1].node.type == "Conv" or _sums_its_own_parts(facts, path[-1])
    return is_plain and kernel is not None and kernel.kind == "weight"


def _sums_its_own_parts(facts: ModelFacts, site: Site) -> bool:
    """Return whether what a convolution adds is only the rest of itself: it is cut by input channels."""
    source, _, part = site.base.partition("_tile")
    rest = [before for before in facts.before(site) if before.base.partition("_tile")[0] == source]
    maps = [tensor for tensor in site.inputs if tensor.kind in ("activation", "input")]
    return site.node.type == "ConvAdd" and bool(part) and len(rest) == 1 and len(maps) == 2


def normalization(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Normalizations over a map are written as sums, squares and roots, with constants for each of them."""
    layers = [site for site in facts.sites if site.is_norm]
    claims = beyond_plain(ledger, layers)
    claims += ledger.everything((site.index for site in layers), ("compiler_constants",))
    if not claims:
        return None
    worst = max(layers, key=lambda site: site.layer.size_bytes)
    return Finding(
        code="normalization_unrolled",
        title=say("normalizations written as sums, squares and roots"),
        because=clause(
            "{layers} over a map {take_} {bytes} ({share}) of commands and constants, most {worst} "
            "({shape}, {tasks:,} NPU tasks)",
            layers=count(len(layers), "normalization"),
            take_="takes" if len(layers) == 1 else "take",
            worst=worst.base,
            shape=shape_of(worst.inputs),
            tasks=sum(worst.tasks),
        ),
        explanation=say(
            "The NPU has no mean and variance over a map: the compiler writes them as convolutions and "
            "tables, whose constants grow with the number of values that a mean is taken over (channels or "
            "positions), up to a limit, and are stored anew for each normalization. One over many maps "
            "(groups, windows) has tasks for each of them."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site} ({type}): {shape}, {tasks:,} tasks, {command_bytes} of commands, "
                "{compiler_constant_bytes} of constants",
                site=site.base,
                type=site.node.type,
                shape=shape_of(site.inputs),
                tasks=sum(site.tasks),
                command_bytes=format_bytes(command_bytes(site)),
                compiler_constant_bytes=format_bytes(site.layer.compiler_constant_bytes),
            )
            for site in sorted(layers, key=lambda site: -site.layer.size_bytes)[:4]
        ),
        fixes=(
            *_normalization_fixes(facts, layers),
            *single_core(facts, layers, claims),
        ),
    )
