"""Sigmoids that are not fused with the convolution before them, so that int8 scores come in coarse steps."""

from __future__ import annotations

from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import listing
from rkbench.language.said import NOTHING, Said, say

STEEPEST = 1 / 4
"""Largest slope of a sigmoid, at 0: steps of s before it are up to s / 4 behind it."""
COARSE = 2
"""Steps of this many times the output's own are told."""


def coarse_sigmoids(facts: ModelFacts) -> tuple[tuple[Site, Said], ...]:
    """Return int8 sigmoids of a map that the convolution before also gives to another layer, and why.

    Fused, the NPU takes the sigmoid of the sums, before they are rounded to int8. Seen with rknn-toolkit2
    2.5.0 for rk3568, rk3576 and rk3588: 59 values in 65,536 instead of 256.
    """
    told = ((site, _why(facts, site)) for site in facts.sites if site.node.type == "Sigmoid")
    return tuple((site, why) for site, why in told if why)


def _why(facts: ModelFacts, site: Site) -> Said:
    before = facts.before(site)
    step = next((tensor.step for tensor in site.inputs if tensor.kind == "activation"), None)
    own = site.outputs[0].step if site.outputs else None
    if len(before) != 1 or before[0].node.type != "Conv" or not step or not own:
        return NOTHING
    others = [other.base for other in facts.after(before[0]) if other.index != site.index]
    if not others or step * STEEPEST <= COARSE * own:
        return NOTHING
    read = "reads" if len(others) == 1 else "read"
    return say(
        "not fused with {before}, which {others} {read_} too: steps of {step:.2g} before it "
        "become up to {behind:.2g}, the output has {own:.2g}; a copy of the convolution for the "
        "sigmoid alone is fused (exact; its weights are stored twice)",
        before=before[0].base,
        others=listing(others, 2),
        read_=read,
        step=step,
        behind=step * STEEPEST,
        own=own,
    )
