"""`fp16`: nothing is quantized."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, dtype="fp16")


RECIPE = Recipe("fp16", "nothing is quantized; the default", _apply)
