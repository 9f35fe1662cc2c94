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
_SLICING = ("Slice", "Split")


_STRIDED: tuple[Fix, ...] = (
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
_SHORTER = Fix("network", say("a shorter kernel, or a stride"))


def one_channel_kernel(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Slices of one channel, each with a short convolution of its own, whose sums are the long one."""
    found = [members for members in _cut_convolutions(facts) if members]
    if not found:
        return None
    members = [site for group in found for site in group]
    kernels = [
        site for site in members if site.kernel and site.kernel.shape[1] == 1 and _reads_slice(facts, site)
    ]
    slices = sum(len(site.outputs) for site in members if site.node.type in _SLICING)
    sources = list(dict.fromkeys(site.base for group in found for site in facts.before(group[0])))
    claims = _claims(ledger, members, kernels)
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
        claims=claims,
        evidence=(
            say(
                "{slices} slices, {kernels} kernels of {shape}, {buffer_bytes} stored",
                slices=slices,
                kernels=len(kernels),
                shape=listing(sorted({dims(site.kernel.shape) for site in kernels if site.kernel})),
                buffer_bytes=format_bytes(sum(site.kernel.buffer_bytes for site in kernels if site.kernel)),
            ),
        ),
        fixes=_fixes(facts, found, claims),
    )


def _fixes(facts: ModelFacts, found: list[list[Site]], claims: tuple[Claim, ...]) -> tuple[Fix, ...]:
    """Return the cure of kernels with a stride, or of one without: a matrix, where that is smaller."""
    whole = [_at_every_position(facts, group) for group in found]
    if not any(whole):
        return _STRIDED
    size = _width(found[0][0]) * sum(each[0] * each[1] for each in whole if each)
    strided = () if all(whole) else _STRIDED
    if size >= sum(claim.size_bytes for claim in claims):
        return (*strided, _SHORTER)
    positions, out = next(each for each in whole if each)
    action = say(
        "the kernel as a matrix of {positions:,}x{out:,}, and a MatMul instead of the convolution: {size} "
        "(exact; 750 -> 420 kB on a network for rk3568 in int8, a kernel of 1,175 over 792 positions)",
        positions=positions,
        out=out,
        size=format_bytes(size),
    )
    return (Fix("network", action), *strided, _SHORTER)


def _width(site: Site) -> int:
    return ELEMENT_BYTES.get(site.layer.dtype, 2)


def _at_every_position(facts: ModelFacts, group: list[Site]) -> tuple[int, int] | None:
    """Return how many positions and results a kernel with a stride of 1 has; None of any other.

    The results are of all channels, the positions those before a Pad.
    """
    kernels = [site.kernel for site in group if site.kernel and _reads_slice(facts, site)]
    if group[0].node.type not in _SLICING or not kernels:
        return None
    axis = max((2, 3), key=lambda axis: kernels[0].shape[axis])
    taps = sum(kernel.shape[axis] for kernel in kernels)
    read, made = group[0].layer.input_shapes[0], group[-1].output_shape
    if len(read) != 4 or len(made) != 4 or read[axis] - taps + 1 != made[axis]:
        return None
    return prod(_unpadded(facts, group[0])) // max(read[0], 1), prod(made[1:])


def _unpadded(facts: ModelFacts, site: Site) -> tuple[int, ...]:
    """Return the shape of what a layer reads, before a Pad where one makes it."""
    read = site.layer.input_shapes[0]
    while (before := facts.before(site)) and before[0].node.type in ("Pad", "Transpose"):
        site = before[0]
        if site.node.type == "Pad" and len(site.layer.input_shapes[0]) == 4:
            return site.layer.input_shapes[0]
    return read


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
    slices: dict[tuple[int, str], list[Site]] = defaultdict(list)
    for site in facts.sites:
        shapes = site.layer.input_shapes
        if site.node.type in _SLICING and shapes and len(shapes[0]) > 2 and shapes[0][1] == 1:
            slices[site.node.inputs[0], site.node.type].append(site)
    found = []
    for (_, kind), group in slices.items():
        if sum(len(site.outputs) for site in group) < FEWEST_SLICES:
            continue
        readers = (facts.after(site) for site in group)
        # A Split makes several slices of one kernel; one Slice makes one, of every kernel that reads it.
        each = zip_longest(*readers) if kind == "Slice" else [[site for some in readers for site in some]]
        parts = [_until_one(facts, [site for site in heads if site]) for heads in each]
        if parts and all(parts):
            found += [[*group, *parts[0]], *parts[1:]]
    return found


def _until_one(facts: ModelFacts, heads: list[Site]) -> list[Site]:
    """Return what reads the slices and what follows, in order, up to the layer in which all are one again.

    The sums are layers of their own, or each convolution adds the one before it.
    """
    if not heads or not all(site.node.type.startswith(_PARTS) for site in heads):
        return []
    members = {site.index for site in heads}
    last = max(members)
    for site in facts.sites[min(members) :]:
        parents = set(site.layer.fed_by)
        if site.index not in members:
            if not parents or not parents <= members:
                continue
            if not site.node.type.startswith(_PARTS):
                return []
            members.add(site.index)
        if (
            site.index >= last
            and sum(not set(facts.sites[each].layer.feeds) <= members for each in members) < 2
        ):
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
    return any(before.node.type in _SLICING for before in facts.before(site))
