"""Resizes as the NPU does them: pixels repeated block by block of channels, or many small copies and sums."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain, command_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.single_core import single_core
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.causes.unrolled import shape_of
from rkbench.inspection.formatting import count
from rkbench.language.said import NOTHING, Said, clause, say, together
from rkbench.rknn.contents import Tensor
from rkbench.units import format_bytes

_REPEATED = say("A Resize that repeats pixels copies some channels at a time, each time with a task.")
_SUMMED = say(
    "One that interpolates, or enlarges by no whole number, is made of copies and sums, each with tasks."
)
_LISTS = say("A task list is stored for each core mode.")
_FEWER = Fix("network", say("resize after the channels are reduced, or outside the model"))
_SMALL_STEPS = Fix(
    "network",
    say(
        "factors of 2, several in a row, instead of one that is large or no whole number; mode='nearest', "
        "where it interpolates"
    ),
)
_NEAREST = Fix("network", say("mode='nearest', where it interpolates"))


def resize(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A Resize is cut into many tasks: one for each block of channels, or one for each piece of a sum."""
    layers = [site for site in facts.sites if site.node.type.startswith(("Resize", "Upsample"))]
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    cut = {claim.layer for claim in claims}
    layers = [site for site in layers if site.index in cut]
    claims += ledger.everything((site.index for site in layers), ("compiler_constants",))
    summed = [site for site in layers if not _repeats_pixels(site)]
    return Finding(
        code="resize_commands",
        title=say("resize layers cut into many NPU tasks"),
        because=clause(
            "{layers} {are_} cut into {tasks:,} NPU tasks: {bytes} ({share}) of commands",
            layers=count(len(layers), "Resize"),
            are_="is" if len(layers) == 1 else "are",
            tasks=sum(sum(site.tasks) for site in layers),
        ),
        explanation=together(
            _REPEATED if len(summed) < len(layers) else NOTHING,
            _SUMMED if summed else NOTHING,
            _LISTS if any(sum(site.tasks[1:]) for site in layers) else NOTHING,
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(_shown(site) for site in sorted(layers, key=command_bytes, reverse=True)[:4]),
        fixes=(*_other_modes(summed), _FEWER, *single_core(facts, layers, claims)),
    )


def _shown(site: Site) -> Said:
    return say(
        "{site}: {shape} -> {after}, {tasks:,} tasks, {command_bytes} of commands",
        site=site.base,
        shape=shape_of(site.inputs),
        after=shape_of(site.outputs),
        tasks=sum(site.tasks),
        command_bytes=format_bytes(command_bytes(site)),
    )


def _other_modes(summed: list[Site]) -> tuple[Fix, ...]:
    """Return what Resizes that are summed could be instead; those that repeat pixels are that already."""
    if not summed:
        return ()
    return (_SMALL_STEPS,) if any(_factor(site) > 2 for site in summed) else (_NEAREST,)


def _repeats_pixels(site: Site) -> bool:
    """Return whether a Resize has a task for each block of channels and nothing to multiply by."""
    blocks = [tensor.native_shape[1] for tensor in site.inputs if _in_blocks(tensor)]
    return bool(blocks) and not site.layer.compiler_constant_bytes and site.tasks[0] == blocks[0]


def _in_blocks(tensor: Tensor) -> bool:
    return tensor.layout == IN_BLOCKS and len(tensor.native_shape) == 5


def _factor(site: Site) -> float:
    """Return by how much a Resize enlarges the longer side; 1 where its shapes are not known."""
    shapes = (*site.layer.input_shapes[:1], site.output_shape)
    if any(len(shape) != 4 or not min(shape) for shape in shapes) or len(shapes) != 2:
        return 1.0
    return max(after / before for before, after in zip(shapes[0][2:], shapes[1][2:], strict=True))
