"""Two .rknn files of one model side by side: sections, layers, contents, and which causes came or went."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rkbench.inspection.causes import Cause
from rkbench.inspection.diff import LayerDiff, ModelDiff
from rkbench.inspection.diff_document import CauseChange, FileDiff, LayerChange
from rkbench.inspection.document import FileInspection
from rkbench.inspection.node_diff import diff_nodes
from rkbench.language.said import Said, say
from rkbench.units import format_bytes


def diff_files(other: Path, diff: ModelDiff, before: FileInspection, after: FileInspection) -> FileDiff:
    """Return the comparison of an inspected file with `other`, whose inspection is `after`."""
    return FileDiff(
        other=str(other),
        other_bytes=diff.after_bytes,
        sentence=_sentence(diff, other.name),
        size_difference_bytes=diff.size_difference_bytes,
        same_weights=diff.same_weights,
        sections=diff.sections,
        file=diff.file,
        layers=tuple(_layer(layer) for layer in diff.layers),
        contents=diff.contents,
        causes=_causes(before.causes, after.causes),
        nodes=diff_nodes(before.layers, after.layers),
    )


def _difference(change: int, name: str) -> Said:
    if not change:
        return say("{name} is of equal size", name=name)
    if change > 0:
        return say("{name} is {change} larger", name=name, change=format_bytes(change))
    return say("{name} is {change} smaller", name=name, change=format_bytes(-change))


def _sentence(diff: ModelDiff, name: str) -> Said:
    if diff.empty:
        return say("The same model: nothing that is compared differs.")
    size, layers = _difference(diff.size_difference_bytes, name), len(diff.layers)
    if diff.same_weights:
        return say("{size}; the constants are the same, {layers} layers differ.", size=size, layers=layers)
    return say(
        "{size}; {constants} constants hold other bytes, {layers} layers differ.",
        size=size,
        constants=len(diff.contents),
        layers=layers,
    )


def _causes(before: Iterable[Cause], after: Iterable[Cause]) -> tuple[CauseChange, ...]:
    old = {cause.code: cause for cause in before}
    new = {cause.code: cause for cause in after}
    titles = {code: cause.title for code, cause in {**new, **old}.items()}
    changes = []
    for code in dict.fromkeys([*old, *new]):
        sizes = [causes[code].bytes if code in causes else None for causes in (old, new)]
        if sizes[0] != sizes[1]:
            changes.append(CauseChange(code, titles[code], *sizes))
    return tuple(sorted(changes, key=_size, reverse=True))


def _size(change: CauseChange) -> int:
    return abs((change.after_bytes or 0) - (change.before_bytes or 0))


def _layer(layer: LayerDiff) -> LayerChange:
    before, after = layer.before, layer.after
    return LayerChange(
        name=layer.name,
        before_bytes=before.size_bytes if before else None,
        after_bytes=after.size_bytes if after else None,
        before_dtype=before.dtype if before else None,
        after_dtype=after.dtype if after else None,
    )
