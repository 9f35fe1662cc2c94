"""`single-core`: commands for one NPU core alone."""

from __future__ import annotations

from rkbench.conversion.draft import Draft, Recipe
from rkbench.rknn.targets import TARGETS


def _apply(draft: Draft, _: str) -> Draft:
    return draft.with_config(single_core_mode=True)


def _objection(draft: Draft) -> str:
    known = TARGETS.get(draft.target)
    if known is not None and known.npu_cores < 2:
        return f"{draft.target} has one NPU core, and the toolkit refuses single_core_mode for it"
    return ""


RECIPE = Recipe(
    "single-core",
    "commands for one NPU core alone: smaller files where there are several",
    _apply,
    _objection,
)
