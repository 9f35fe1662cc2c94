"""`toolkit=VERSION`: another version of the converter."""

from __future__ import annotations

from dataclasses import replace

from rkbench.conversion.draft import Draft, Recipe
from rkbench.toolkit.versions import known_version


def _apply(draft: Draft, value: str) -> Draft:
    return replace(draft, toolkit=known_version(value))


RECIPE = Recipe("toolkit", "another version of rknn-toolkit2 than 2.5.0", _apply, form="toolkit=VERSION")
