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
_REPEAT = Fix(
    "network",
    say(
        "where a Tile repeats the channels before the shuffle: repeat the outputs of the convolution before "
        "it instead, weights and bias, each beside its own (exact, no retraining; 41.5 -> 37.5 MB on a "
        "network for rk3568 in int8)"
    ),
)
_PLAIN = Fix("network", say("train without shuffles: plain 1x1 convolutions mix channels too"))
_ROTATED = Fix(
    "nothing",
    say(
        "a rotary position embedding swaps the halves of every head: no smaller form is known, its kernel is "
        "the square of a head's channels"
    ),
)


def shuffle_dense(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A channel shuffle becomes a dense C x C convolution that copies channels."""
    layers = list(facts.shuffling)
    if not layers:
        return None
    kernels = [site.kernel for site in layers if site.kernel]
    widths = sorted({kernel.shape[0] for kernel in kernels})
    shuffles = _count_shuffles(layers)
    rotated = [site for site in layers if _is_rotated(facts, site)]
    made = say("dense CxC") if shuffles == len(layers) else say("{layers} dense", layers=len(layers))
    return Finding(
        code="shuffle_dense",
        title=_SWAPS if len(rotated) == len(layers) else _SHUFFLES,
        because=clause(
            "{shuffles} (C = {width}) {are_} stored as {made} 1x1 convolutions: {bytes} ({share})",
            shuffles=(
                count(shuffles, "half-swap")
                if len(rotated) == len(layers)
                else count(shuffles, "channel shuffle")
            ),
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
        fixes=_shuffle_fixes(facts, layers, rotated),
    )


_SHUFFLES = say("channel shuffles stored as dense 1x1 convolutions")
_SWAPS = say("halves of channels that change places, stored as dense 1x1 convolutions")


def _shuffle_fixes(facts: ModelFacts, layers: list[Site], rotated: list[Site]) -> tuple[Fix, ...]:
    """Return the cure of each kind: of shuffles, of those of repeated channels, of rotated heads."""
    shuffled = [site for site in layers if site not in rotated]
    repeated = [site for site in shuffled if any(each.node.type == "Tile" for each in facts.before(site))]
    return (
        *((_REPEAT,) if repeated else ()),
        *((_PERMUTE, _PLAIN) if len(repeated) < len(shuffled) else ()),
        *((_ROTATED,) if rotated else ()),
    )


def _is_rotated(facts: ModelFacts, site: Site) -> bool:
    """Return whether a layer adds the swapped halves of a weighed map to the same map, weighed otherwise.

    So a rotary position embedding turns queries and keys: x * cos + swapped(x * sin).
    """
    before = facts.before(site)
    if "Add" not in site.node.type or [each.node.type for each in before] != ["Mul", "Mul"]:
        return False
    one, other = (set(each.node.inputs) for each in before)
    return bool(one & other)


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
