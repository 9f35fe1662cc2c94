"""A convolution over one channel with a long kernel, as in a Fourier transform: cut into short ones."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from math import prod

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import clause, say
from rkbench.units import format_bytes

FEWEST_SLICES = 4
_PARTS = ("Slice", "Conv", "Add")


_TAP_FIXES: tuple[Fix, ...] = (
    Fix(
        "network",
        say(
            "Reshape the signal to `stride` channels, then a kernel of kernel / stride, filled up with zeros "
            "where the stride does not divide it (exact; 486 -> 51.4 kB on a sample, kernel 256, stride 128, "
            "rk3588)"
        ),
        rewrites=("strided_signal",),
    ),
    Fix("network", say("compute the transform outside the model")),
)


def one_channel_kernel(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Slices of one channel, each with a short convolution of its own, whose sums are the long one."""
    found = [members for members in _cut_convolutions(facts) if members]
    if not found:
        return None
    members = [site for group in found for site in group]
    kernels = [
        site for site in members if site.kernel and site.kernel.shape[1] == 1 and _reads_slice(facts, site)
    ]
    slices = sum(site.node.type == "Slice" for site in members)
    sources = list(dict.fromkeys(site.base for group in found for site in facts.before(group[0])))
    return Finding(
        code="one_channel_kernel",
        title=say("a long kernel over one channel, cut into short ones"),
        because=clause(
            "{found} over one channel ({sources}) {are_} cut into {slices} slices with a short "
            "kernel each ({members} layers): {bytes} ({share})",
            found=count(len(found), "convolution"),
            sources=listing(sources),
            are_="is" if len(found) == 1 else "are",
            slices=slices,
            members=len(members),
        ),
        explanation=say(
            "The NPU's kernels are short and its blocks have several channels. A kernel longer than "
            "that over one channel becomes slices, convolutions, steps of the stride, and their "
            "sums; every kernel is padded to a block."
        ),
        layers=tuple(site.base for site in members[:10]),
        claims=_claims(ledger, members, kernels),
        evidence=(
            say(
                "{slices} slices, {kernels} kernels of {shape}, {buffer_bytes} stored",
                slices=slices,
                kernels=len(kernels),
                shape=listing(sorted({dims(site.kernel.shape) for site in kernels if site.kernel})),
                buffer_bytes=format_bytes(sum(site.kernel.buffer_bytes for site in kernels if site.kernel)),
            ),
        ),
        fixes=_TAP_FIXES,
    )


def _claims(ledger: Ledger, members: list[Site], kernels: list[Site]) -> tuple[Claim, ...]:
    """Return all but what the short kernels need without padding, and the commands of one layer."""
    needed = {
        site.index: prod(site.kernel.shape) * ELEMENT_BYTES.get(site.kernel.dtype, 2)
        for site in kernels
        if site.kernel
    }
    constants = tuple(
        Claim(section, site.index, left)
        for site in members
        for section in ("weights", "cpu_constants", "compiler_constants")
        if (
            left := ledger.left(section, site.index)
            - (needed.get(site.index, 0) if section == "weights" else 0)
        )
        > 0
    )
    return (*constants, *ledger.everything((site.index for site in members[1:]), COMMAND_SECTIONS))


def _cut_convolutions(facts: ModelFacts) -> list[list[Site]]:
    """Return the layers of each cut convolution; slices that several share stand in the first of them."""
    slices: dict[int, list[Site]] = defaultdict(list)
    for site in facts.sites:
        shapes = site.layer.input_shapes
        if site.node.type == "Slice" and shapes and len(shapes[0]) > 2 and shapes[0][1] == 1:
            slices[site.node.inputs[0]].append(site)
    found = []
    for group in (group for group in slices.values() if len(group) >= FEWEST_SLICES):
        readers = zip_longest(*(facts.after(site) for site in group))
        parts = [_until_one(facts, [site for site in each if site]) for each in readers]
        if parts and all(parts):
            found += [[*group, *parts[0]], *parts[1:]]
    return found


def _until_one(facts: ModelFacts, heads: list[Site]) -> list[Site]:
    """Return what reads the slices and what follows, in order, up to the layer in which all are one again."""
    members = {site.index for site in heads}
    last, open_ends = max(members), set(members)
    if not all(site.node.type.startswith(_PARTS) for site in heads):
        return []
    for site in facts.sites[min(members) :]:
        parents = set(site.layer.fed_by)
        if site.index in members or not parents or not parents <= members:
            continue
        if not site.node.type.startswith(_PARTS):
            return []
        members.add(site.index)
        open_ends = {index for index in open_ends if not set(facts.sites[index].layer.feeds) <= members}
        open_ends.add(site.index)
        if site.index > last and len(open_ends) == 1:
            return [facts.sites[index] for index in sorted(members)] + _zeros_behind(facts, site)
    return []


def _zeros_behind(facts: ModelFacts, site: Site) -> list[Site]:
    """Return the sums with maps of zeros: what the compiler makes of short kernels that are zero."""
    found: list[Site] = []
    after = facts.after(site)
    while len(after) == 1 and after[0].node.type == "Add" and _adds_zeros(facts, after[0]):
        found.append(after[0])
        after = facts.after(after[0])
    return found


def _adds_zeros(facts: ModelFacts, site: Site) -> bool:
    if len(site.constants) != 1 or site.constants[0].shape != site.output_shape:
        return False
    with facts.model.read_buffer(site.constants[0].buffer_index) as view:
        return not any(view)


def _reads_slice(facts: ModelFacts, site: Site) -> bool:
    return any(before.node.type == "Slice" for before in facts.before(site))
