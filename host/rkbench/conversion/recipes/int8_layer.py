"""`int8-layer`: one scale for all channels of a layer's weights."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, dtype="int8").with_config(quantized_method="layer")


RECIPE = Recipe("int8-layer", "8 bits, one scale for all channels of a layer's weights", _apply)
