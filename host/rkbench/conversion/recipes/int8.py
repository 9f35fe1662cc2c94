"""`int8`: weights and activations in 8 bits, a scale for each channel of the weights."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, dtype="int8")


RECIPE = Recipe("int8", "8 bits, ranges as calibration saw them (w8a8, normal, per channel)", _apply)
