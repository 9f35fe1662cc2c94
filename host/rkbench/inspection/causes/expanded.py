"""Values that an Expand writes out for every position, for what broadcasts by itself or for a Div."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.cut_layers import shapes_of
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say

_ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")
_DROPPED = Fix("network", say("drop the Expand: x * y instead of x * y.expand_as(x), the same values"))
_DIVIDED = Fix(
    "nothing",
    say(
        "before a Div the compiler needs it: x * (1 / y) broadcasts, but 1 / y is then a layer on the "
        "CPU (174 -> 171 kB on a sample for rk3588, no smaller on others)"
    ),
)


def expanded_maps(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """An Expand before an operator on two maps: values of channels are written out for all positions.

    What adds or multiplies broadcasts without it; before a Div the compiler puts one where none was.
    """
    layers = [site for site in facts.sites if site.node.type == "Expand" and _only_broadcast(facts, site)]
    claims = ledger.everything((site.index for site in layers), COMMAND_SECTIONS)
    if not claims:
        return None
    worst = max(layers, key=lambda site: site.map_tasks)
    return Finding(
        code="expanded_maps",
        title=say("values written out for every position"),
        because=clause(
            "{layers} {write_} the same values out for every position: {bytes} ({share}), most {worst} "
            "({shapes}, {tasks:,} tasks on 1 core)",
            layers=count(len(layers), "Expand"),
            write_="writes" if len(layers) == 1 else "write",
            worst=worst.base,
            shapes=shapes_of(worst),
            tasks=worst.map_tasks,
        ),
        explanation=say(
            "An Expand (y.expand_as(x)) is a layer of its own, with tasks for some channels each. Additions "
            "and multiplications broadcast without it; before a Div that broadcasts the compiler makes one."
        ),
        layers=tuple(site.base for site in layers),
        claims=claims,
        evidence=tuple(
            say(
                "{site}: {shapes}, {tasks:,} tasks on 1 core, read by {reader}",
                site=site.base,
                shapes=shapes_of(site),
                tasks=site.map_tasks,
                reader=facts.after(site)[0].base,
            )
            for site in layers[:4]
        ),
        fixes=_fixes(facts, layers),
    )


def _fixes(facts: ModelFacts, layers: list[Site]) -> tuple[Fix, ...]:
    divided = [any(other.node.type.startswith("Div") for other in facts.after(site)) for site in layers]
    return (*(() if all(divided) else (_DROPPED,)), *((_DIVIDED,) if any(divided) else ()))


def _only_broadcast(facts: ModelFacts, site: Site) -> bool:
    """Return whether nothing but operators on two maps reads a layer."""
    after = facts.after(site)
    return len(after) > 0 and all(other.node.type.startswith(_ELEMENTWISE) for other in after)
