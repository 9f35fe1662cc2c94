"""Layers over many maps at once (windows, heads, patches): the NPU takes them one after the other."""

from __future__ import annotations

from rkbench.inspection.causes.cause import Finding, Fix
from rkbench.inspection.causes.command_lists import beyond_plain
from rkbench.inspection.causes.ledger import Ledger
from rkbench.inspection.causes.many_maps import is_batched, largest_map, maps_of
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.formatting import count, dims
from rkbench.language.said import clause, say


def batched_layers(facts: ModelFacts, ledger: Ledger) -> Finding | None:
    """A layer whose maps are many has a task for each of them at least, however small; but for norms."""
    found = [site for site in facts.sites if is_batched(site) and not site.is_norm]
    layers = [site for site in found if beyond_plain(ledger, [site])]
    claims = beyond_plain(ledger, layers)
    if not claims:
        return None
    layers = sorted(layers, key=lambda site: -ledger.left("register_commands", site.index))
    worst = layers[0]
    return Finding(
        code="batched_layers",
        title=say("layers over many maps at once, with tasks for each of them"),
        because=clause(
            "{layers} over many maps at once {take_} tasks for each of them: {bytes} ({share}) of commands, "
            "most {worst} ({maps:,} maps of {shape}, {tasks:,} tasks on 1 core)",
            layers=count(len(layers), "layer"),
            take_="takes" if len(layers) == 1 else "take",
            worst=worst.base,
            maps=maps_of(worst),
            shape=dims(largest_map(worst)[1:]),
            tasks=worst.map_tasks,
        ),
        explanation=say(
            "The NPU knows one map at a time. What stands where a batch does (windows, heads, patches, "
            "groups, rows, pixels) is worked through one after the other, each map with commands of its own, "
            "however small it is."
        ),
        layers=tuple(site.base for site in layers[:10]),
        claims=claims,
        evidence=tuple(
            say(
                "{site} ({type}): {maps:,} maps of {shape}, {tasks:,} tasks on 1 core",
                site=site.base,
                type=site.node.type,
                maps=maps_of(site),
                shape=dims(largest_map(site)[1:]),
                tasks=site.map_tasks,
            )
            for site in layers[:4]
        ),
        fixes=(
            Fix(
                "network",
                say("fewer and larger of these maps, whatever they are here: tasks follow their number"),
            ),
        ),
    )
