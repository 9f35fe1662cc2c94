"""`hybrid(...)`: an int8 model in which some layers stay in 16-bit floats."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import AUTO, Draft, Recipe
from rkbench.errors import UsageError

FLOAT16 = "float16"


def _apply(draft: Draft, value: str) -> Draft:
    if value == AUTO:
        return replace(draft, dtype="int8", hybrid="auto")
    layers = [name.strip() for name in value.split(";") if name.strip()]
    if not layers:
        raise UsageError("hybrid needs its layers", hint="hybrid(auto), or hybrid(Conv_71;Conv_80)")
    return replace(draft, dtype="int8", hybrid=dict.fromkeys(layers, FLOAT16))


RECIPE = Recipe(
    "hybrid",
    "int8, with some layers left in float: those that you name, or (auto) that the toolkit chooses",
    _apply,
    form="hybrid(auto|LAYER;LAYER;...)",
)
