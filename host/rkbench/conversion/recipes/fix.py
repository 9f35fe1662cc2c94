"""`fix`: every rewrite of `bench fix` that pays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench.conversion.draft import FLOAT, Draft, GraphChange, Recipe
from rkbench.conversion.graphs import counted

WORD = "fix"


def _change(source: Path, draft: Draft, target: Path) -> tuple[str, ...]:
    from rkbench.onnx import fix as fix_file

    dtype = "int8" if draft.dtype != FLOAT else draft.dtype
    report = fix_file(source, draft.target, dtype, target, toolkit_version=draft.toolkit)
    number: dict[str, int] = {}
    for change in report.changes:
        number[change.rewrite] = number.get(change.rewrite, 0) + 1
    return tuple(f"{name} on {counted(times, 'node')}" for name, times in number.items())


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change)))


RECIPE = Recipe(WORD, "every rewrite that `bench fix` knows and that pays; outputs stay the same", _apply)
