"""Operators without weights that the compiler writes as kernels of zeros and ones: DepthToSpace, copies."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from math import prod

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.kernel_groups import ELEMENT_BYTES
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.padding import reads_input
from rkbench.inspection.causes.pads import is_border_kernel
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import Said, clause, say
from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel
from rkbench.units import format_bytes

_INTEGERS = {1: "B", 2: "H"}
_JOINED = Fix(
    "network",
    say(
        "a 1x1 convolution before it can be joined with it to one ConvTranspose whose kernel and stride "
        "are the factor, 2 for 2x2 (exact; 1.32 MB -> 955 kB on a network for rk3568 in int8)"
    ),
    rewrites=("pixel_shuffle",),
)
_ONE_STEP = Fix(
    "network",
    say(
        "an unfold written as Slices and a Concat is one Reshape, Transpose, Reshape, or SpaceToDepth "
        "(exact; 1.26 -> 1.10 MB on a network for rk3588 in int8)"
    ),
    rewrites=("space_to_depth",),
)
_MERGED = Fix(
    "network",
    say(
        "merge patches by Transpose, SpaceToDepth, Transpose (its channels have the pixels of a row side by "
        "side: the norm and the weights behind take that order; exact; 557 -> 254 kB on a sample for rk3588 "
        "in float16, 286 -> 134 for rk3568 in int8)"
    ),
    rewrites=("merged_patches",),
)


def depth_to_space(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A DepthToSpace becomes a transposed convolution with one 1 for each of its input channels."""
    layers = [site for site in facts.sites if _is_depth_to_space(facts.model, site)]
    if not layers:
        return None
    found = Finding(
        code="depth_to_space_dense",
        title=say("DepthToSpace stored as dense transposed convolutions"),
        because=_does(layers, count(len(layers), "transposed convolution"), "DepthToSpace"),
        explanation=say(
            "DepthToSpace (PixelShuffle) only moves channels to positions. The compiler writes it as a "
            "transposed convolution whose kernel has a single 1 for each input channel: it grows with the "
            "square of the channels."
        ),
        layers=(),
        claims=(),
        evidence=(),
        fixes=(_JOINED, Fix("network", say("DepthToSpace on fewer channels"))),
    )
    return _of_ones(ledger, layers, found)


def merged_patches(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Pixels of each block that become channels, as Swin merges patches: a convolution with a 1 for each."""
    layers = [site for site in facts.sites if _merges_patches(facts.model, site)]
    if not layers:
        return None
    found = Finding(
        code="merged_patches_dense",
        title=say("patches merged to channels by dense convolutions"),
        because=_does(layers, count(len(layers), "strided convolution"), "SpaceToDepth"),
        explanation=say(
            "Slices and a Concat that make channels of the pixels of each block only move numbers. The "
            "compiler writes them as a convolution whose kernel has a single 1 for each channel that it "
            "makes: it grows with the square of the channels."
        ),
        layers=(),
        claims=(),
        evidence=(),
        fixes=(_MERGED,),
    )
    return _of_ones(ledger, layers, found)


def _does(layers: list[Site], counted: Said, operator: str) -> Callable[..., Said]:
    worst = max(layers, key=lambda site: site.layer.weight_bytes)
    return clause(
        "{layers} of zeros and ones {do_} what {operator} does without weights: {bytes} ({share}), "
        "most {worst} ({kernel})",
        layers=counted,
        do_="does" if len(layers) == 1 else "do",
        operator=operator,
        worst=worst.base,
        kernel=_shape_of(worst),
    )


def _of_ones(ledger: Ledger, layers: list[Site], finding: Finding) -> Finding:
    """Return a finding with what layers of zeros and ones own."""
    return replace(
        finding,
        layers=tuple(site.base for site in layers),
        claims=ledger.everything((site.index for site in layers), CONSTANT_SECTIONS),
        evidence=tuple(
            say("{site}: {kernel}, a single one in each row", site=site.base, kernel=_shape_of(site))
            for site in layers[:4]
        ),
    )


def _merges_patches(model: RknnModel, site: Site) -> bool:
    kernel, options = site.kernel, site.node.convolution
    if kernel is None or options is None or not site.is_convolution or kernel not in site.constants:
        return False
    area = prod(kernel.shape[2:])
    tiles = area > 1 and options.strides == kernel.shape[2:] and options.groups == 1
    return tiles and kernel.shape[0] == kernel.shape[1] * area and _is_one_hot(model, kernel)


def _is_depth_to_space(model: RknnModel, site: Site) -> bool:
    kernel = site.kernel
    if kernel is None or not site.node.type.startswith("ConvTranspose") or kernel not in site.constants:
        return False
    outputs, area = kernel.shape[1], prod(kernel.shape[2:])
    return area > 1 and outputs > 1 and kernel.shape[0] <= outputs * area and _is_one_hot(model, kernel)


def _is_one_hot(model: RknnModel, kernel: Tensor) -> bool:
    """Return whether a kernel has two values only, one of them as often as its first side is long.

    That side is the inputs of a transposed convolution, the outputs of another.
    """
    elements = elements_of(model, kernel)
    if elements is None:
        return False
    low, high = min(elements), max(elements)
    counts = (elements.count(low), elements.count(high))
    return low != high and sum(counts) == len(elements) and min(counts) == kernel.shape[0]


def elements_of(model: RknnModel, tensor: Tensor) -> array[int] | None:
    """Return the elements of a constant, and what it is filled up with; None where they are wider than two
    bytes, or fewer than its shape says. A damaged file may hold a part of one more."""
    width = ELEMENT_BYTES.get(tensor.dtype, 0)
    if width not in _INTEGERS or tensor.buffer_bytes < max(1, prod(tensor.shape)) * width:
        return None
    with model.read_buffer(tensor.buffer_index) as view:
        return array(_INTEGERS[width], bytes(view[: len(view) // width * width]))


def moved_channels(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Channels that are repeated, filled up or unfolded: a dense 1x1 convolution that is no shuffle."""
    layers = [site for site in facts.copying if not is_border_kernel(facts, site)]
    if not layers:
        return None
    kernels = [site.kernel for site in layers if site.kernel]
    unfolds = any(facts.is_unfold(site) for site in layers)
    return Finding(
        code="moved_channels",
        title=say("channels repeated, filled up or put into another order by dense 1x1 convolutions"),
        because=clause(
            "{layers} only {put_} channels into another place or order ({kernels}): {bytes} ({share})",
            layers=count(len(layers), "1x1 convolution"),
            put_="puts" if len(layers) == 1 else "put",
            kernels=listing(sorted({dims(kernel.shape[:2]) for kernel in kernels})),
        ),
        explanation=say(
            "A Pad or Expand of channels, or an unfold by Slices and a Concat, has no weights. The compiler "
            "writes it as a 1x1 convolution with no more than one 1 in a row."
        ),
        layers=tuple(site.base for site in layers),
        claims=ledger.everything((site.index for site in layers), (*CONSTANT_SECTIONS, *COMMAND_SECTIONS)),
        evidence=tuple(say("{site}: {shape}", site=site.base, shape=_shape_of(site)) for site in layers[:4]),
        fixes=(_ONE_STEP,) if unfolds else _without_copies(facts, layers),
    )


_NO_COPY = Fix(
    "network", say("let the convolution before it make as many channels as are wanted, in their order")
)


_IN_INPUT = Fix("network", say("let the model's input have as many channels as are wanted, in their order"))


_UNKNOWN = Fix("nothing", say("no cure known: no convolution makes what is copied"))


def _without_copies(facts: ModelFacts, layers: list[Site]) -> tuple[Fix, ...]:
    """Return who makes the channels that are copied: whoever feeds the model, a convolution, or another
    layer.
    """
    fed = [site for site in layers if reads_input(facts, site)]
    made = [site for site in layers if any(each.is_convolution for each in facts.before(site))]
    return (
        *((_NO_COPY,) if made else ()),
        *((_IN_INPUT,) if fed else ()),
        *((_UNKNOWN,) if len(made) + len(fed) < len(layers) else ()),
    )


def _shape_of(site: Site) -> Said | str:
    kernel = site.kernel
    return f"{dims(kernel.shape)}, {format_bytes(kernel.buffer_bytes)}" if kernel else "?"
