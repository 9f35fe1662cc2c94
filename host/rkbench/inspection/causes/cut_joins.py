"""A convolution over a Concat of many narrow maps: cut into one for each, whose results are summed."""

from __future__ import annotations

import re
from math import prod

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import clause, say
from rkbench.rknn.targets import weight_layout

FEWEST_PARTS = 4
"""Two or three parts cost no more than the Concat that is spared."""
NARROW = 16
"""Channels of a block on a SoC that nobody has measured."""
_CUT = re.compile(r"_conv(#\d+)?$")
"""What the compiler appends to the name of a map for the part of a convolution that reads it."""


def cut_joins(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Each narrow part of a Concat has a convolution of its own, with commands as for a whole block."""
    chains = narrow_chains(facts)
    if not chains:
        return None
    further = [site.index for chain in chains for site in chain[1:]]
    largest = max(chains, key=len)
    kernel = largest[0].kernel
    parts = sum(len(chain) for chain in chains)
    return Finding(
        code="cut_joins",
        title=say("convolutions over a Concat of narrow maps, cut into one for each"),
        because=clause(
            "{chains} over a Concat of narrow maps {are_} cut into one for each of them, {parts} in all: "
            "{bytes} ({share}) of commands beyond the first of each, most for {site} ({kernel})",
            chains=count(len(chains), "convolution"),
            are_="is" if len(chains) == 1 else "are",
            parts=parts,
            site=largest[0].base,
            kernel=dims(kernel.shape) if kernel else "",
        ),
        explanation=say(
            "Where the parts of a Concat are no whole blocks of channels, the compiler leaves it out: each "
            "part has a convolution of its own that adds the result of the one before it, with the commands "
            "of a whole layer and a kernel filled up to a block."
        ),
        layers=tuple(site.base for chain in chains for site in chain)[:10],
        claims=ledger.everything(further, COMMAND_SECTIONS),
        evidence=tuple(
            say(
                "{parts} parts (channels: {channels}): {sites}",
                parts=len(chain),
                channels=listing(sorted({str(_channels(site)) for site in chain})),
                sites=listing([site.base for site in chain], 2),
            )
            for chain in chains[:4]
        ),
        fixes=(Fix("network", _WIDER),),
    )


_WIDER = say(
    "fewer and wider parts: compute what is joined together, several channels in one layer (a product of "
    "stacked maps instead of one for each channel)"
)


def narrow_chains(facts: ModelFacts) -> list[list[Site]]:
    """Return the convolutions that are cut along narrow parts of a Concat, each as its layers in order."""
    following = {
        site.index: after[0]
        for site in facts.sites
        if _is_part(site) and len(after := facts.after(site)) == 1 and _adds(site, after[0])
    }
    later = {site.index for site in following.values()}
    chains = []
    for index in sorted(following.keys() - later):
        chain = [facts.sites[index]]
        while chain[-1].index in following:
            chain.append(following[chain[-1].index])
        if len(chain) >= FEWEST_PARTS and _is_narrow(facts, chain):
            chains.append(chain)
    return chains


def _is_part(site: Site) -> bool:
    """Return whether a convolution is called after a map."""
    return site.is_convolution and site.kernel is not None and bool(_CUT.search(site.base))


def _adds(site: Site, other: Site) -> bool:
    """Return whether a part adds another one's result to its own, with a kernel of the same form."""
    if not _is_part(other) or "Add" not in other.node.type or other.kernel is None or site.kernel is None:
        return False
    ours, theirs = site.kernel.shape, other.kernel.shape
    return (ours[0], *ours[2:]) == (theirs[0], *theirs[2:]) and site.node.outputs[0] != other.node.inputs[0]


def _is_narrow(facts: ModelFacts, chain: list[Site]) -> bool:
    """Return whether the parts are less than a block of channels on average, and no slices of one map."""
    layout = weight_layout(facts.model.file.target, facts.dtype)
    block = layout.minimum_input if layout else NARROW
    sliced = any(before.node.type in ("Slice", "Split") for before in facts.before(chain[0]))
    return not sliced and sum(_channels(site) for site in chain) < block * len(chain)


def _channels(site: Site) -> int:
    return site.kernel.shape[1] if site.kernel and prod(site.kernel.shape) else 0
