"""`int8-kl`: ranges by the divergence of Kullback and Leibler."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, dtype="int8").with_config(quantized_algorithm="kl_divergence")


RECIPE = Recipe("int8-kl", "8 bits, ranges by the divergence of Kullback and Leibler", _apply)
