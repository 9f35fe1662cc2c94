"""Convolutions over three axes: the compiler has two, and lays the third among the channels."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.depth_rows import DepthRows
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

_ONE_CHANNEL = Fix(
    "network",
    say("where it moves along the channels of a map alone: a 2-D one along rows, between Reshapes (exact)"),
    rewrites=("channel_rows",),
)
_SLICES = Fix(
    "network",
    say(
        "an axis along which the kernel is 1: lay it where the batch is and convolve over the other two in "
        "2-D (exact; 1.89 MB -> 200 kB on a sample of three layers with a depth of 8 for rk3588)"
    ),
)
_ROWS = Fix(
    "network",
    say(
        "a kernel along the depth alone: join height and width and convolve in 2-D over depth and positions "
        "(exact; 248 -> 56.0 kB on a sample of three layers with a depth of 8 for rk3588)"
    ),
)
_FACTORED = Fix(
    "network",
    say("one convolution over height and width and one over the depth, each in 2-D: another training"),
)


@dataclass(frozen=True)
class _Laid:
    """A convolution whose depth lies among its channels."""

    parts: tuple[Site, ...]
    rows: DepthRows

    @property
    def first(self) -> Site:
        return self.parts[0]

    @property
    def kernels(self) -> tuple[Tensor, ...]:
        return tuple(part.kernel for part in self.parts if part.kernel)

    @property
    def stored_bytes(self) -> int:
        return sum(kernel.buffer_bytes for kernel in self.kernels)

    @property
    def needed_bytes(self) -> int:
        return self.rows.needed_elements * ELEMENT_BYTES[self.kernels[0].dtype]

    @property
    def name(self) -> str:
        return self.first.base.partition("_tile")[0]

    @property
    def kernel(self) -> str:
        """The kernel of the network, `3x1x1`."""
        return dims((self.rows.taps, *self.kernels[0].shape[2:]))


def kernels_along_channels(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A 3-D convolution has its depth among the channels, and a dense kernel of all depths to all."""
    laid_out = [_Laid(parts, rows) for parts, rows in facts.along_channels]
    found = sorted(laid_out, key=lambda laid: laid.needed_bytes - laid.stored_bytes)
    claims = tuple(claim for laid in found for claim in _claims(ledger, laid))
    if not claims:
        return None
    worst = found[0]
    return Finding(
        code="kernels_along_channels",
        title=say("3-D convolutions stored as 2-D ones over all depths at once"),
        because=clause(
            "{found} along a third axis {are_} stored dense, the kernel anew for each of its positions: "
            "{bytes} ({share}), most {worst} ({stored} where {kernel} needs {needed})",
            found=count(len(found), "convolution"),
            are_="is" if len(found) == 1 else "are",
            worst=worst.name,
            stored=format_bytes(worst.stored_bytes),
            kernel=worst.kernel,
            needed=format_bytes(worst.needed_bytes),
        ),
        explanation=say(
            "The NPU's maps have channels, height and width. A third axis (depth, time, or channels that a "
            "kernel moves along) is laid among the channels: the kernel becomes one of all channels at all "
            "depths to the same, with the weights once for each depth and zeros between."
        ),
        layers=tuple(laid.name for laid in found),
        claims=claims,
        evidence=tuple(_shown(laid) for laid in found[:4]),
        fixes=_fixes(found),
    )


def _claims(ledger: Ledger, laid: _Laid) -> tuple[Claim, ...]:
    """Return the claims to what each part has beyond its share of the network's weights."""
    again = laid.stored_bytes - laid.needed_bytes
    claims = (
        Claim(section, part.index, min(left, again * part.kernel.buffer_bytes // laid.stored_bytes))
        for part in laid.parts
        if part.kernel and part.kernel in part.constants
        for section in [SECTION_OF[part.kernel.kind]]
        for left in [ledger.left(section, part.index)]
    )
    return tuple(claim for claim in claims if claim.size_bytes > 0)


def _shown(laid: _Laid) -> Said:
    return say(
        "{layer}: {kernel} at {positions} along the third axis, {stored} stored, {needed} needed",
        layer=laid.name,
        kernel=laid.kernel,
        positions=count(laid.rows.positions, "position"),
        stored=format_bytes(laid.stored_bytes),
        needed=format_bytes(laid.needed_bytes),
    )


def _fixes(found: list[_Laid]) -> tuple[Fix, ...]:
    """Return what makes these kernels smaller, by the axes that they move along."""
    axes = [(laid.rows.taps, *laid.kernels[0].shape[2:]) for laid in found]
    alone = [sides[0] > 1 and sides[1:] == (1, 1) for sides in axes]
    aside = [1 in sides and not along for sides, along in zip(axes, alone, strict=True)]
    return (
        *((_ONE_CHANNEL, _ROWS) if any(alone) else ()),
        *((_SLICES,) if any(aside) else ()),
        *((_FACTORED,) if any(1 not in sides for sides in axes) else ()),
    )
