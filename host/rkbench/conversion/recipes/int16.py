"""`int16`: weights and activations in 16 bits with a common exponent."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, dtype="int16")


RECIPE = Recipe("int16", "16 bits, fixed point with a scale for each tensor (w16a16i_dfp)", _apply)
