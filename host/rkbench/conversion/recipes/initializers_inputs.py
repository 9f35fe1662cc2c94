"""`initializers=inputs`: weights are listed as inputs too (keep_initializers_as_inputs); popular advice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rkbench.conversion.draft import Draft, GraphChange, Recipe
from rkbench.conversion.graphs import counted, save
from rkbench.onnx.model import open_onnx

WORD = "initializers=inputs"


def _change(source: Path, _: Draft, target: Path) -> tuple[str, ...]:
    network = open_onnx(source)
    known = set(network.graph.inputs)
    added = [value for value in network.graph.initializers.values() if value not in known]
    if not added:
        return ()
    network.graph.inputs.extend(added)
    save(network, target)
    return (f"{counted(len(added), 'initializer')} listed as inputs",)


def _apply(draft: Draft, _: str) -> Draft:
    return replace(draft, changes=(*draft.changes, GraphChange(WORD, _change)))


RECIPE = Recipe(WORD, "popular advice: weights listed as inputs (keep_initializers_as_inputs)", _apply)
