"""`int8-mmse`: ranges that make the squared error of each layer least."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, dtype="int8").with_config(quantized_algorithm="mmse")


RECIPE = Recipe(
    "int8-mmse", "8 bits, ranges of the least squared error; converting takes up to 30 times as long", _apply
)
