"""A convolution of whole patches (kernel = stride) over few channels: padded, and in steps of 4 at most."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.causes.weights import unpadded_bytes
from rkbench.inspection.formatting import dims
from rkbench.language.said import clause, say
from rkbench.units import format_bytes

FEW_CHANNELS = 4
"""Input channels of which a block of the NPU is mostly padding."""
LEAST_PATCH = 8
"""Smaller ones are smaller as they are (measured on patches of 2 to 32 pixels)."""


def patch_kernels(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """The NPU steps by 4 at most: a depthwise 1x1 convolution behind it takes every nth position."""
    found = [(site, step) for site in facts.sites if (step := _patch(facts, site)) >= LEAST_PATCH]
    if not found:
        return None
    layers = [site for site, _ in found]
    thinning = [after for site in layers for after in facts.after(site) if after.thinning > 1]
    claims = tuple(claim for site in layers for claim in _padding(ledger, site))
    claims += ledger.everything((site.index for site in thinning), COMMAND_SECTIONS)
    claims += beyond_plain(ledger, layers)
    if not claims:
        return None
    site, step = found[0]
    kernel = site.kernel
    assert kernel is not None
    return Finding(
        code="patch_kernel",
        title=say("a kernel of whole patches over few channels"),
        because=clause(
            "{site} has kernel = stride = {step} over {channels} channels: {bytes} ({share}) pad its "
            "channels to a block and take it in smaller steps",
            site=site.base,
            step=step,
            channels=kernel.shape[1],
        ),
        explanation=say(
            "Every position of the kernel holds a block of channels, most of it padding, and the NPU steps "
            "by 4 at most: it computes more positions than are wanted, and a second convolution takes "
            "every nth."
        ),
        layers=tuple(site.base for site in (*layers, *thinning)),
        claims=claims,
        evidence=(
            say(
                "{site}: kernel {shape} of {stored}, {needed} without padding",
                site=site.base,
                shape=dims(kernel.shape),
                stored=format_bytes(kernel.buffer_bytes),
                needed=format_bytes(unpadded_bytes(kernel)),
            ),
        ),
        fixes=(_as_depth(site, step),),
    )


def _as_depth(site: Site, step: int) -> Fix:
    return Fix(
        "network",
        say(
            "{site} has kernel = stride = {step}: SpaceToDepth({step}), then a 1x1 convolution "
            "(exact; 98.1 -> 46.4 kB in int8 on a sample for rk3588)",
            site=site.base,
            step=step,
        ),
        rewrites=("patchify",),
    )


def _patch(facts: ModelFacts, site: Site) -> int:
    """Return the side of the patches of a learned kernel over few channels; 0 of anything else."""
    kernel, options = site.kernel, site.node.convolution
    if not kernel or not options or kernel.kind != "weight" or not 1 < kernel.shape[1] <= FEW_CHANNELS:
        return 0
    step = max(options.strides, default=1) * max((after.thinning for after in facts.after(site)), default=1)
    return step if kernel.shape[2:] == (step, step) else 0


def _padding(ledger: Ledger, site: Site) -> tuple[Claim, ...]:
    kernel = site.kernel
    if kernel is None or kernel not in site.constants:
        return ()
    needed = unpadded_bytes(kernel)
    extra = min(kernel.buffer_bytes - needed, ledger.left("weights", site.index))
    return (Claim("weights", site.index, extra),) if needed and extra > 0 else ()
