"""What a campaign does with what stands beside the clean numbers: conditions, sweeps, profiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rkbench_agent.wire.board import Pinning

from rkbench.campaign.settings import PushOptions, told_of_quick
from rkbench.results.collect import Collected
from rkbench.results.extras import held_text
from rkbench.results.fallback import with_fallback_costs
from rkbench.results.profile import map_layers
from rkbench.rknn import open_model
from rkbench.variants.variant import PreparedVariant


def describe_conditions(told: Pinning) -> str:
    """Return what the agent says of the clocks, in words."""
    if not told.pinned:
        return f"the clocks are not pinned: {told.message}"
    if told.restored is None:
        return f"clocks held still by {held_text(told.clocks)}; they are given back afterwards"
    if told.restored:
        return "clocks given back" + (f" ({told.message})" if told.message else "")
    return f"the clocks were NOT all given back: {told.message}; the next push tries again"


def name_layers(collected: Collected, models: Mapping[str, Path]) -> Collected:
    """Return `collected` with the layers of its profile mapped to the nodes of its .rknn (by digest).

    And with what those that compute elsewhere than the rest cost.
    """
    run = collected.run
    path = models.get(run.variant.sha256)
    if run.profile is None or not run.profile.layers or path is None:
        return collected
    with open_model(path) as model:
        names = [node.name for node in model.nodes]
    profile = with_fallback_costs(map_layers(run.profile, names), run.variant.fallbacks)
    return replace(collected, run=replace(run, profile=profile))


def notes_of(options: PushOptions, variants: Sequence[PreparedVariant]) -> list[str]:
    """Return what is to be told before the board is asked."""
    goldens = dict.fromkeys(f"golden: {told}" for variant in variants for told in variant.golden_notes)
    return [note for note in (told_of_quick(options), *goldens) if note]
