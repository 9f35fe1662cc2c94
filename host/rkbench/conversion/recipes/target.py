"""`target=SOC`: another SoC than that of `--target`."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe
from rkbench.rknn.targets import check_target


def _apply(draft: Draft, value: str) -> Draft:
    check_target(value, "fp16")  # which every target has
    return replace(draft, target=value)


RECIPE = Recipe("target", "another SoC than that of --target", _apply, form="target=SOC")
