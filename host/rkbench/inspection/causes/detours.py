"""Maps that leave their blocks of channels for an operator: sums over a stack, products with a plain map."""

from __future__ import annotations

from math import prod

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain, command_bytes
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, CONSTANT_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import IN_BLOCKS, Site
from rkbench.inspection.formatting import count, dims, listing
from rkbench.language.said import clause, say
from rkbench.rknn.contents import Tensor

_ELEMENTWISE = ("Mul", "Add", "Sub", "Div", "Max", "Min")
_POSITIONS_OF_A_TASK = 8
_MEAN = Fix(
    "network",
    say(
        "where a mean over channels makes that map: a 1x1 convolution of equal weights instead "
        "(exact; 366 -> 60.7 kB on a sample of 32 channels, 64x128, for rk3588)"
    ),
    rewrites=("channel_mean",),
)


def stacked_sums(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """Maps that are stacked along a new axis and summed over it: a matrix product over one long row."""
    stacks = facts.stacked
    if not stacks:
        return None
    members = list({site.index: site for stack in stacks for site in stack if not _weighs(site)}.values())
    sums = [next(site for site in stack if site.is_convolution) for stack in stacks]
    return Finding(
        code="stacked_sums",
        title=say("sums over stacked maps"),
        because=clause(
            "{sums} of maps that are stacked first ({first}) {are_} laid out as one long row and multiplied "
            "by ones: {bytes} ({share})",
            sums=count(len(stacks), "sum"),
            first=listing([dims(stack[0].output_shape) for stack in stacks[:1]]),
            are_="is" if len(stacks) == 1 else "are",
        ),
        explanation=say(
            "A stack has five dimensions, the NPU's maps have four: the compiler joins the maps, lays them "
            "out anew and sums by a convolution over the long row, a task for each piece of it. Additions "
            "are fused with the convolutions before them."
        ),
        layers=tuple(site.base for site in sums),
        claims=ledger.everything((site.index for site in members), (*CONSTANT_SECTIONS, *COMMAND_SECTIONS)),
        evidence=tuple(
            say(
                "{site}: {stack} in {layers}, {tasks:,} NPU tasks",
                site=one.base,
                stack=dims(stack[0].output_shape),
                layers=count(len(stack), "layer"),
                tasks=sum(sum(site.tasks) for site in stack),
            )
            for one, stack in list(zip(sums, stacks, strict=True))[:4]
        ),
        fixes=(
            Fix(
                "network",
                say(
                    "add the maps one to the other, a + b + c, instead of stack and sum (exact; 115 -> 76.6 "
                    "kB on a sample of three maps for rk3588)"
                ),
                rewrites=("stacked_sum",),
            ),
        ),
    )


def _weighs(site: Site) -> bool:
    """Return whether a layer weighs the maps of a stack: that has to be done anyway."""
    return site.node.type == "Mul"


def plain_operands(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A product of a map with one of a single channel that does not lie in blocks: a task for 8 positions."""
    found = [(site, operand) for site in facts.sites if (operand := _plain_operand(site))]
    claims = beyond_plain(ledger, [site for site, _ in found])
    if not claims:
        return None
    worst, operand = max(found, key=lambda pair: command_bytes(pair[0]))
    return Finding(
        code="plain_operands",
        title=say("maps combined with a map of one channel that lies in plain order"),
        because=clause(
            "{layers} {combine_} a map with one of a single channel in plain order, a task for every "
            "{positions} positions: {bytes} ({share}), most {worst} ({shape} with {operand}, {tasks:,} tasks "
            "on 1 core)",
            layers=count(len(found), "layer"),
            combine_="combines" if len(found) == 1 else "combine",
            positions=_POSITIONS_OF_A_TASK,
            worst=worst.base,
            shape=dims(worst.output_shape),
            operand=dims(operand.shape),
            tasks=worst.tasks[0],
        ),
        explanation=say(
            "The NPU keeps maps in blocks of channels. What a mean over channels or the CPU made lies in "
            "plain order, and is brought to its place a few positions at a time."
        ),
        layers=tuple(site.base for site, _ in found),
        claims=claims,
        evidence=tuple(
            say(
                "{site} ({type}): {shape} with {operand}, {tasks:,} tasks on 1 core",
                site=site.base,
                type=site.node.type,
                shape=dims(site.output_shape),
                operand=dims(other.shape),
                tasks=site.tasks[0],
            )
            for site, other in found[:4]
        ),
        fixes=(_MEAN,),
    )


def _plain_operand(site: Site) -> Tensor | None:
    """Return the map of one channel that a layer reads in plain order, where that costs a task a piece."""
    if not site.node.type.startswith(_ELEMENTWISE) or len(site.output_shape) != 4 or site.output_shape[1] < 2:
        return None
    positions = prod(site.output_shape[2:])
    if not any(tensor.layout == IN_BLOCKS for tensor in site.inputs):
        return None
    if site.tasks[0] * _POSITIONS_OF_A_TASK < positions or positions <= _POSITIONS_OF_A_TASK:
        return None
    maps = (each for each in site.inputs if each.kind in ("input", "activation") and each.layout != IN_BLOCKS)
    return next((each for each in maps if each.shape[1:] == (1, *site.output_shape[2:])), None)
