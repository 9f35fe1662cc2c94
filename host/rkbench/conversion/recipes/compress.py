"""`compress`: weights compressed in the file."""

from __future__ import annotations

from rkbench.conversion.draft import Draft, Recipe


def _apply(draft: Draft, _: str) -> Draft:
    return draft.with_config(compress_weight=True)


RECIPE = Recipe(
    "compress", "weights compressed: 7 % smaller on rk3568 int8, nothing on rk3588 (measured)", _apply
)
