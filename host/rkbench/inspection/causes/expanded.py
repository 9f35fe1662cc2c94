"""Values that an Expand writes out for every position, though what reads them broadcasts."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.cut_layers import shapes_of
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.model_facts import COMMAND_SECTIONS, ModelFacts
from rkbench.inspection.causes.site import Site
from rkbench.inspection.formatting import count
from rkbench.language.said import clause, say

_ELEMENTWISE = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow")


def expanded_maps(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """An Expand before an operator that broadcasts: values of channels are written out for all positions."""
    layers = [site for site in facts.sites if site.node.type == "Expand" and _only_broadcast(facts, site)]
    claims = ledger.everything((site.index for site in layers), COMMAND_SECTIONS)
    if not claims:
        return None
    worst = max(layers, key=lambda site: site.map_tasks)
    return Finding(
        code="expanded_maps",
        title=say("values written out for every position"),
        because=clause(
            "{layers} {write_} out for every position what the operator behind broadcasts by itself: {bytes} "
            "({share}), most {worst} ({shapes}, {tasks:,} tasks on 1 core)",
            layers=count(len(layers), "Expand"),
            write_="writes" if len(layers) == 1 else "write",
            worst=worst.base,
            shapes=shapes_of(worst),
            tasks=worst.map_tasks,
        ),
        explanation=say(
            "An Expand (y.expand_as(x)) is a layer of its own, with a task for every one or two blocks of "
            "channels, whatever the size of the map. Additions and multiplications broadcast without it."
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
        fixes=(Fix("network", say("drop the Expand: x * y instead of x * y.expand_as(x), the same values")),),
    )


def _only_broadcast(facts: ModelFacts, site: Site) -> bool:
    """Return whether nothing but operators that broadcast by themselves reads a layer."""
    after = facts.after(site)
    return len(after) > 0 and all(other.node.type.startswith(_ELEMENTWISE) for other in after)
