"""Channels that are filled up to the NPU's blocks, and whose they are: a designer's, an image's, nobody's."""

from __future__ import annotations

from collections.abc import Iterable

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.cut_joins import narrow_chains
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.causes.weights import unpadded_bytes
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import Said, clause, say
from rkbench.rknn.contents import Tensor
from rkbench.rknn.placement import RENAMING
from rkbench.rknn.targets import padded_channels, weight_layout
from rkbench.units import format_bytes

FEW_CHANNELS = 4
"""Input channels of an image or a signal, which nobody can choose."""
_MOVES = (*RENAMING, "Transpose", "exDataConvert", "Slice", "Split", "Pad")
_SAFE_MULTIPLE = 16
_LEAST_SHARE = 0.05
"""Of the cause: what less of it is of one kind is not spoken of."""
Padded = tuple[int, Site, Tensor]
_FILLED = say("Input channels are filled up to blocks of 8, 16 or 32.")
_FILLED_IN_PAIRS = say(
    "Input channels are filled up to blocks of 8, 16 or 32, the filters to an even number."
)
_HALVED = Fix(
    "network",
    say(
        "a strided kernel over one channel: SpaceToDepth(2), then a kernel half as wide over 4 channels with "
        "half the stride (exact; 1.37 -> 1.05 MB on a network for rk3588 in float16)"
    ),
    rewrites=("halved_stride",),
)


def padding(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Channels filled up to the NPU's blocks."""
    padded = [each for site in facts.sites for each in _padded(ledger, site)]
    if not padded:
        return None
    _, worst, widest = max(padded, key=lambda item: item[0])
    return Finding(
        code="padding",
        title=say("channels filled up to the NPU's blocks"),
        because=clause(
            "padding of channels takes {bytes} ({share}), most for {worst} ({kernel})",
            worst=worst.base,
            kernel=dims(widest.shape),
        ),
        explanation=_FILLED_IN_PAIRS if _filter_multiple(facts) > 1 else _FILLED,
        layers=(),
        claims=tuple(Claim(SECTION_OF[each.kind], site.index, extra) for extra, site, each in padded),
        evidence=(
            say(
                "{claims} padded, most {worst} by {times:.2f}x",
                claims=count(len({site.index for _, site, _ in padded}), "layer"),
                worst=worst.base,
                times=widest.buffer_bytes / unpadded_bytes(widest),
            ),
        ),
        fixes=_padding_fixes(facts, padded),
    )


def _padded(ledger: Ledger, site: Site) -> list[Padded]:
    """Return the constants of a layer that are filled up, and by how much: its kernel, and stored maps."""
    filled = list[Padded]()
    for each in site.constants:
        if site.is_recurrent or not (each is site.kernel or _is_stored_map(each)):
            continue
        section, needed = SECTION_OF[each.kind], unpadded_bytes(each)
        beside = sum(
            other.buffer_bytes
            for other in site.constants
            if other is not each and SECTION_OF[other.kind] == section
        )
        extra = min(each.buffer_bytes, ledger.left(section, site.index) - beside) - needed
        if needed > 0 and extra > 0:
            filled.append((extra, site, each))
    return filled


def _is_stored_map(tensor: Tensor) -> bool:
    """Return whether a constant lies in blocks of channels, as maps do: an operand of a sum or product."""
    return tensor.kind == "cpu_constant" and tensor.layout == IN_BLOCKS


def _padding_fixes(facts: ModelFacts, padded: list[Padded]) -> tuple[Fix, ...]:
    """Return what can be done about each kind of channels, that with most bytes first."""
    cut = {part.index for chain in narrow_chains(facts) for part in chain}
    parts: dict[str, list[Padded]] = {}
    for each in (each for each in padded if not _can_be_halved(*each[1:])):
        parts.setdefault(_whose(facts, each[1], each[2], cut), []).append(each)
    least = _LEAST_SHARE * sum(extra for extra, _, _ in padded)
    halved = any(_can_be_halved(site, kernel) for _, site, kernel in padded)
    return (
        *((_HALVED,) if halved else ()),
        *(
            Fix(
                "network" if whose in ("chosen", "positions", "operands") else "nothing",
                _told(facts, whose, own),
            )
            for whose, own in sorted(parts.items(), key=lambda part: -_bytes(part[1]))
            if _bytes(own) >= least
        ),
    )


def _bytes(padded: Iterable[Padded]) -> int:
    return sum(extra for extra, _, _ in padded)


def _whose(facts: ModelFacts, site: Site, kernel: Tensor, parts: set[int]) -> str:
    """Return whose the channels are: the compiler's, an input's, a product's operand's, or to be chosen.

    Where inputs fill their blocks it is the filters that do not. The layers of `parts` read narrow parts of
    a Concat.
    """
    if kernel.kind == "compiler_constant" or site.index in {other.index for other in facts.averages}:
        return "made"
    if _is_stored_map(kernel):
        return "operands"
    if not site.node.type.startswith("Conv"):
        return "positions"
    if _fills_filters(facts, site, kernel):
        return "filters"
    if site.index in parts:
        return "parts"
    return "given" if kernel.shape[1] <= FEW_CHANNELS and reads_input(facts, site) else "chosen"


def _fills_filters(facts: ModelFacts, site: Site, kernel: Tensor) -> bool:
    """Return whether more of a dense kernel is filled up at its filters than at the channels it reads."""
    layout = weight_layout(facts.model.file.target, facts.dtype)
    grouped = site.node.convolution is not None and site.node.convolution.groups > 1
    if layout is None or layout.output_multiple == 1 or grouped:
        return False
    filters, channels = kernel.shape[:2]
    stored = padded_channels(channels, layout.input_block, layout.minimum_input)
    return -filters % layout.output_multiple * stored > filters * (stored - channels)


def reads_input(facts: ModelFacts, site: Site) -> bool:
    """Return whether a layer reads an input of the model, or one that was only moved or converted."""
    for _ in facts.sites:  # a damaged file may feed a layer by itself
        before = facts.before(site)
        kinds = {tensor.kind for tensor in site.inputs}
        if "input" in kinds or any(other.node.type == "InputOperator" for other in before):
            return True
        moved = next((other for other in before if other.node.type in _MOVES), None)
        if moved is None:
            return False
        site = moved
    return False


def _told(facts: ModelFacts, whose: str, padded: list[Padded]) -> Said:
    size, layers = format_bytes(_bytes(padded)), count(len(padded), "layer")
    if whose == "made":
        return say(
            "{size} in {layers}: constants of the compiler's own, nobody's to choose",
            size=size,
            layers=layers,
        )
    if whose == "given":
        return say(
            "{size} in {layers}: the network's input has 1 to 4 channels, not yours to choose",
            size=size,
            layers=layers,
        )
    if whose == "operands":
        return say(
            "{size} in {layers}: stored operands of sums and products lie in blocks of their second axis: a "
            "multiple of {block} there fills them",
            size=size,
            layers=layers,
            block=_multiple(facts),
        )
    if whose == "parts":
        return say(
            "{size} in {layers}: each reads one narrow part of a Concat, filled up by itself",
            size=size,
            layers=layers,
        )
    if whose == "filters":
        return say(
            "{size} in {layers}: int8 filters are stored in pairs, and there is an odd number of them: zeros "
            "come with the last",
            size=size,
            layers=layers,
        )
    if whose == "positions":
        return say(
            "{size} in {layers}: rows of stored operands of products; a multiple of {block} of them "
            "(positions of a window, where it is attention) fills the blocks",
            size=size,
            layers=layers,
            block=_multiple(facts),
        )
    return say(
        "{size} in {layers}: channels that are a multiple of {block} fill the blocks",
        size=size,
        layers=layers,
        block=_multiple(facts),
    )


def _multiple(facts: ModelFacts) -> int:
    """Return of what multiples channels need no padding: the last part of a block is half of one at least."""
    layout = weight_layout(facts.model.file.target, facts.dtype)
    return layout.input_block // 2 if layout else _SAFE_MULTIPLE


def _filter_multiple(facts: ModelFacts) -> int:
    layout = weight_layout(facts.model.file.target, facts.dtype)
    return layout.output_multiple if layout else 1


def _can_be_halved(site: Site, kernel: Tensor) -> bool:
    strides = site.node.convolution.strides if site.node.convolution else ()
    return (
        kernel.shape[1] == 1
        and len(strides) == 2
        and all(stride % 2 == 0 for stride in strides)
        and min(kernel.shape[2:], default=0) > 2
    )
