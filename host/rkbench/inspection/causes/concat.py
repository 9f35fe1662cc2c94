"""Concat whose parts do not fill whole blocks of channels: a convolution realigns what it joins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.inspection.causes.cause import Claim, Finding, Fix
from rkbench.inspection.causes.filling import filling_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, SECTION_OF, ModelFacts
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import NOTHING, Said, clause, say
from rkbench.rknn.targets import kept_group_alignment
from rkbench.units import format_bytes

BLOCK = 16
"""A multiple of this fits on every SoC whose alignment is known, at either dtype."""
_AS_MUCH = 0.8
"""From this share of what it saves on, a cure that adds as much is none."""
_NOTED = 0.1


def concat_realigned(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """The compiler adds 1x1 convolutions that move channels, dense, to a Concat that is not aligned."""
    layers = facts.realigning
    if not layers:
        return None
    concats = _concats(facts)
    channels = sorted({size for concat in concats for size in _parts(facts, concat)})
    file = facts.model.file
    block = kept_group_alignment(file.target, facts.dtype, file.toolkit_version) or BLOCK
    uneven = [size for size in channels if size % block]
    claims = _claims(facts, ledger)
    return Finding(
        code="concat_realigned",
        title=say("Concat whose parts are no whole blocks of channels"),
        because=clause(
            "the compiler added {layers} (1x1) to realign parts of {sizes} channels in {concat}: "
            "{bytes} ({share})",
            layers=count(len(layers), "convolution"),
            sizes=_sizes(uneven or channels),
            concat=listing([concat.base for concat in concats]),
        ),
        explanation=say(
            "A Concat joins whole blocks of channels. Where a part ends inside a block, a dense 1x1 "
            "convolution moves the channels to where they belong: one weight in each row, the rest "
            "is filler."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=(
            *(
                say(
                    "{site}: {kernel}, every sampled row reads one channel",
                    site=site.base,
                    kernel=_kernel(site),
                )
                for site in layers[:3]
            ),
            *((say("no multiple of {block}: {sizes}", block=block, sizes=_sizes(uneven)),) if uneven else ()),
        ),
        fixes=_fixes(facts, concats, block, claims),
    )


def _fixes(
    facts: ModelFacts, concats: Sequence[Site], block: int, claims: tuple[Claim, ...]
) -> tuple[Fix, ...]:
    """Return the cure of the Concats where it pays, and what it would cost at the others."""
    if _joins_views(facts, concats):
        return (Fix("network", _AS_OUTPUTS),)
    if _is_turned(facts, concats):
        return (Fix("nothing", _POSITIONS),)
    filled = [_filled(facts, concat, block, claims) for concat in concats]
    paying = [each for each in filled if each.grown_bytes < _AS_MUCH * each.owned_bytes]
    vain = [each for each in filled if each not in paying]
    return (
        *((Fix("network", _cure(facts, paying, block)),) if paying else ()),
        *((Fix("nothing", _in_vain(facts, vain, block)),) if vain else ()),
    )


@dataclass(frozen=True)
class _Filled:
    """A Concat whose parts are filled up: what of the cause goes then, and what other layers grow by."""

    concat: Site
    owned_bytes: int
    grown_bytes: int


def _filled(facts: ModelFacts, concat: Site, block: int, claims: tuple[Claim, ...]) -> _Filled:
    near = {concat.index, *concat.layer.fed_by, *concat.layer.feeds}
    owned = sum(claim.size_bytes for claim in claims if claim.layer in near)
    added = [(concat, index, -size % block) for index, size in _places(facts, concat) if size % block]
    return _Filled(concat, owned, filling_bytes(facts, added))


def _cure(facts: ModelFacts, filled: list[_Filled], block: int) -> Said:
    grown = sum(each.grown_bytes for each in filled)
    told: dict[str, object] = {"block": block, "wider": _wider(facts, filled, block)}
    if grown < _NOTED * sum(each.owned_bytes for each in filled):
        return say(
            "give every input of the Concat a multiple of {block} channels{wider}: "
            "it needs no convolution then",
            **told,
        )
    return say(
        "give every input of the Concat a multiple of {block} channels{wider}: it needs no convolution then, "
        "the layers that make and read them about {grown} more",
        grown=format_bytes(grown),
        **told,
    )


def _in_vain(facts: ModelFacts, filled: list[_Filled], block: int) -> Said:
    return say(
        "{owned} of {concats}: no cure that pays; a multiple of {block} channels in every input{wider} would "
        "need no such convolution, but about {grown} more in the layers that make and read them",
        owned=format_bytes(sum(each.owned_bytes for each in filled)),
        concats=listing([each.concat.base for each in filled]),
        block=block,
        wider=_wider(facts, filled, block),
        grown=format_bytes(sum(each.grown_bytes for each in filled)),
    )


def _wider(facts: ModelFacts, filled: list[_Filled], block: int) -> Said:
    sizes = {size for each in filled for size in _parts(facts, each.concat) if size % block}
    wider = _sizes([f"{size} -> {-(-size // block) * block}" for size in sorted(sizes)])
    return say(" ({wider})", wider=wider) if wider else NOTHING


_AS_OUTPUTS = say(
    "the parts are reshaped maps, whose sizes are numbers of positions: return each as an output of its "
    "own and join them outside the model"
)


_POSITIONS = say(
    "no cure known: what is joined is turned before a layer mixes it, so its channels are positions of the "
    "network, and more of them would change the result"
)


def _is_turned(facts: ModelFacts, concats: Sequence[Site]) -> bool:
    """Return whether a Transpose or Reshape reads what is joined, and no convolution of the network does."""
    moving = {site.index for site in (*facts.realigning, *facts.moving)}
    ahead, seen, turned = list(concats), set[int](), False
    while ahead:
        for site in facts.after(ahead.pop()):
            if site.index in seen:
                continue
            seen.add(site.index)
            if site.node.type in ("Transpose", "Reshape"):
                turned = True
            elif site.kernel and site.kernel.kind == "weight" and site.index not in moving:
                return False
            else:
                ahead.append(site)
    return turned


def _joins_views(facts: ModelFacts, concats: Sequence[Site]) -> bool:
    """Return whether all that is joined comes out of a Reshape or Transpose: no layer chose its size."""
    parts = [part for concat in concats for part in facts.before(concat)]
    return bool(parts) and all(part.node.type in ("Reshape", "Transpose") for part in parts)


def _sizes(sizes: Sequence[int | str]) -> Said:
    return listing([str(size) for size in sizes], 6)


def _concats(facts: ModelFacts) -> tuple[Site, ...]:
    sites = facts.realigning
    near = (
        other
        for site in sites
        for other in ((site,) if "Concat" in site.node.type else (*facts.before(site), *facts.after(site)))
    )
    return tuple({site.index: site for site in near if "Concat" in site.node.type}.values())


def _parts(facts: ModelFacts, concat: Site) -> list[int]:
    """Return the channels of what a Concat joined in the source model, before any part was filled up."""
    return [size for _, size in _places(facts, concat)]


def _places(facts: ModelFacts, concat: Site) -> list[tuple[int, int]]:
    """Return the same, each with the index of the input."""
    filled = {
        tensor.name: site.kernel.shape[1]
        for site in facts.realigning
        if site.kernel and concat in facts.after(site)
        for tensor in site.outputs
    }
    return [
        (index, filled.get(tensor.name, tensor.shape[1]))
        for index, tensor in enumerate(concat.inputs)
        if tensor.kind in ("input", "activation", "output")
        if len(tensor.shape) > 1 and "_exSecondary" not in tensor.name
    ]


def _claims(facts: ModelFacts, ledger: Ledger) -> tuple[Claim, ...]:
    """Everything of a convolution that was added; of a Concat its kernel and that one's task.

    Maps that it joins are another cause's.
    """
    added = [site.index for site in facts.realigning if site.is_convolution]
    joined = [site for site in facts.realigning if not site.is_convolution]
    return (
        *ledger.everything(added, (*CONSTANT_SECTIONS, *COMMAND_SECTIONS)),
        *(_beside_maps(ledger, site, section) for site in joined for section in CONSTANT_SECTIONS),
        *(claim for site in joined for claim in _beyond_parts(facts, ledger, site)),
    )


def _beside_maps(ledger: Ledger, concat: Site, section: str) -> Claim:
    """Return what of a Concat's constants is no map that it joins: its convolution's."""
    maps = [
        each for each in concat.constants if each.layout == IN_BLOCKS and SECTION_OF[each.kind] == section
    ]
    stored = sum(each.buffer_bytes for each in maps)
    return Claim(section, concat.index, max(0, ledger.left(section, concat.index) - stored))


def _beyond_parts(facts: ModelFacts, ledger: Ledger, concat: Site) -> tuple[Claim, ...]:
    """Return what of a Concat's commands is its convolution: each part of each map has a task besides."""
    maps = max(concat.output_shape[:1], default=1)
    tasks, parts = concat.tasks[0], len(_parts(facts, concat)) * max(maps, 1)
    share = max(0, tasks - parts) / max(tasks, 1)
    return tuple(
        Claim(section, concat.index, int(ledger.left(section, concat.index) * share))
        for section in COMMAND_SECTIONS
    )


def _kernel(site: Site) -> str:
    kernel = site.kernel
    return f"{dims(kernel.shape)}, {format_bytes(kernel.buffer_bytes)}" if kernel else "?"
