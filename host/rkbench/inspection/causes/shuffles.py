"""Permutations without weights that the compiler writes as dense convolutions: of channels, of views."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.pads import is_border_kernel
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import clause, say
from rkbench.units import format_bytes

_PERMUTE = Fix(
    "network",
    say(
        "where the layer before a shuffle is a convolution that mixes all channels and feeds nothing else: "
        "permute its output channels (weights and bias) and drop the shuffle (exact, no retraining)"
    ),
    rewrites=("channel_shuffle", "shuffled_halves"),
)


def shuffle_dense(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A channel shuffle becomes a dense C x C convolution that copies channels."""
    layers = list(facts.shuffling)
    if not layers:
        return None
    kernels = [site.kernel for site in layers if site.kernel]
    widths = sorted({kernel.shape[0] for kernel in kernels})
    shuffles = _count_shuffles(layers)
    made = say("dense CxC") if shuffles == len(layers) else say("{layers} dense", layers=len(layers))
    return Finding(
        code="shuffle_dense",
        title=say("channel shuffles stored as dense 1x1 convolutions"),
        because=clause(
            "{shuffles} (C = {width}) {are_} stored as {made} 1x1 convolutions: {bytes} ({share})",
            shuffles=count(shuffles, "channel shuffle"),
            width=listing([str(width) for width in widths]),
            are_="is" if shuffles == 1 else "are",
            made=made,
        ),
        explanation=say(
            "Channels that only change places have no weights: a shuffle (Reshape, Transpose, Reshape), "
            "halves that are swapped (Slices and a Concat). The compiler writes it as a 1x1 convolution with "
            "C x C weights, one 1 in every row; fused with a Concat, as one for each part."
        ),
        layers=tuple(site.base for site in layers),
        claims=ledger.everything((site.index for site in layers), (*CONSTANT_SECTIONS, *COMMAND_SECTIONS)),
        evidence=(
            say(
                "{layers} kernels of {buffer_bytes}: every sampled output channel is one input channel, "
                "or nothing",
                layers=len(layers),
                buffer_bytes=format_bytes(sum(kernel.buffer_bytes for kernel in kernels)),
            ),
            *(say("{site}: {shape}", site=site.base, shape=_shape_of(site)) for site in layers[:3]),
        ),
        fixes=(
            _PERMUTE,
            Fix("network", say("train without shuffles: plain 1x1 convolutions mix channels too")),
        ),
    )


_ROLL = Fix(
    "network",
    say(
        "a roll (Slices and a Concat) of a map whose channels stand last: roll it with the channels on axis "
        "1 (exact; 97.4 -> 29.9 MB on a network for rk3568 in float16)"
    ),
    rewrites=("rolled_map",),
)

_FLATTEN = Fix(
    "network",
    say(
        "a Transpose before the Flatten or Reshape that makes a vector for a Gemm: leave it out and bring "
        "the rows of the Gemm's weight into the order of the map (exact; 3.53 -> 0.86 MB on MTCNN's ONet "
        "for rk3588 in float16)"
    ),
    rewrites=("flattened_order",),
)


def permuted_views(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A reshaped tensor that is brought into another order: a dense convolution, whatever it consists of."""
    layers = [site for site in facts.permuting if not is_border_kernel(facts, site)]
    if not layers:
        return None
    kernels = [site.kernel for site in layers if site.kernel]
    sizes = sorted({kernel.shape[0] for kernel in kernels})
    return Finding(
        code="permuted_views",
        title=say("reshaped tensors brought into another order by dense convolutions"),
        because=clause(
            "{views} (N = {sizes}) {are_} brought into another order by {layers} with an N x N kernel: "
            "{bytes} ({share})",
            views=count(_count_shuffles(layers), "reshaped tensor"),
            sizes=listing([str(size) for size in sizes]),
            are_="is" if _count_shuffles(layers) == 1 else "are",
            layers=count(len(layers), "convolution"),
        ),
        explanation=say(
            "An Einsum, a Transpose over other axes than channels or before a Flatten, or a roll is a "
            "permutation without weights. Where it fits into one axis of a view, the compiler writes it as a "
            "convolution over that axis, one 1 in every row: its size is the square of the axis."
        ),
        layers=tuple(site.base for site in layers),
        claims=ledger.everything((site.index for site in layers), (*CONSTANT_SECTIONS, *COMMAND_SECTIONS)),
        evidence=(
            say(
                "{layers} kernels of {buffer_bytes}: every sampled row reads one value, or nothing",
                layers=len(layers),
                buffer_bytes=format_bytes(sum(kernel.buffer_bytes for kernel in kernels)),
            ),
            *(say("{site}: {shape}", site=site.base, shape=_shape_of(site)) for site in layers[:3]),
        ),
        fixes=(
            _FLATTEN,
            _ROLL,
            Fix(
                "network",
                say("else give the operator before it the order of axes in which its result is read"),
            ),
        ),
    )


def _count_shuffles(layers: list[Site]) -> int:
    """Return how many shuffles there are: of parts the first alone sums nothing, halves read one map.

    The tiles of one kernel have its name.
    """
    first = [site for site in layers if "Add" not in site.node.type]
    tiled = {source for site in first for source, tile, _ in [site.base.partition("_tile")] if tile}
    whole = {site.node.inputs[0] for site in first if "_tile" not in site.base}
    return len(tiled) + len(whole) or len(layers)


def _shape_of(site: Site) -> str:
    kernel = site.kernel
    return f"{dims(kernel.shape)}, {format_bytes(kernel.buffer_bytes)}" if kernel else "?"
