"""`gap=staged`: GlobalAveragePool in steps of at most 7 pixels; popular advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench.conversion.draft import Draft, GraphChange, Recipe
from rkbench.conversion.graphs import change_nodes
from rkbench.conversion.recipes.gap_avgpool import pooled

WORD = "gap=staged"
LARGEST_WINDOW = 7


def steps_of(side: int) -> list[int]:
    """Return windows of at most seven pixels whose product is `side`; a larger prime stays one window."""
    steps = []
    for window in range(LARGEST_WINDOW, 1, -1):
        while side % window == 0:
            steps.append(window)
            side //= window
    return [*steps, side] if side > 1 or not steps else steps


def _change(source: Path, _: Draft, target: Path) -> tuple[str, ...]:
    return change_nodes(source, target, lambda node, graph: pooled(node, graph, steps_of))


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change)))


RECIPE = Recipe(WORD, "popular advice: GlobalAveragePool in steps of at most 7x7", _apply)
