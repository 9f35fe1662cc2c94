"""Two .rknn files of one model side by side: sections, layers, contents, and which causes came or went."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rkbench.inspect.causes import Diagnosis
from rkbench.inspect.diff import LayerDiff, ModelDiff
from rkbench.units import format_bytes


@dataclass(frozen=True)
class CauseChange:
    """One cause and the bytes that it owns before and after; None where a file does not have it."""

    code: str
    title: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class DiffView:
    """The inspected file (before) against another (after)."""

    other: Path
    other_bytes: int
    diff: ModelDiff
    causes: tuple[CauseChange, ...]
    """Only those whose bytes differ."""

    @property
    def sentence(self) -> str:
        """The comparison in one sentence."""
        diff = self.diff
        if diff.empty:
            return "The same model: nothing that is compared differs."
        change = diff.size_difference_bytes
        if change:
            size = f"{self.other.name} is {format_bytes(abs(change))} {'larger' if change > 0 else 'smaller'}"
        else:
            size = f"{self.other.name} is of equal size"
        if diff.same_weights:
            return f"{size}; the constants are the same, {len(diff.layers)} layers differ."
        return f"{size}; {len(diff.contents)} constants hold other bytes, {len(diff.layers)} layers differ."

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; bytes after less bytes before where one number stands for both."""
        return {
            "other": str(self.other),
            "other_bytes": self.other_bytes,
            "sentence": self.sentence,
            "size_difference_bytes": self.diff.size_difference_bytes,
            "same_weights": self.diff.same_weights,
            "sections": self.diff.sections,
            "file": {name: list(pair) for name, pair in self.diff.file.items()},
            "layers": [_layer(layer) for layer in self.diff.layers],
            "contents": [asdict(content) for content in self.diff.contents],
            "causes": [asdict(cause) for cause in self.causes],
        }


def compare_files(
    before: Diagnosis, after: Diagnosis, diff: ModelDiff, other: Path, other_bytes: int
) -> DiffView:
    """Return the comparison of two diagnosed files."""
    old = {cause.code: cause for cause in before.causes}
    new = {cause.code: cause for cause in after.causes}
    changes = []
    for code in dict.fromkeys([*old, *new]):
        first, second = old.get(code), new.get(code)
        sizes = (first.bytes if first else None, second.bytes if second else None)
        if sizes[0] != sizes[1]:
            title = (first or second or before.causes[0]).title
            changes.append(CauseChange(code, title, *sizes))
    changes.sort(key=lambda change: -abs((change.after_bytes or 0) - (change.before_bytes or 0)))
    return DiffView(other, other_bytes, diff, tuple(changes))


def _layer(layer: LayerDiff) -> dict[str, Any]:
    before, after = layer.before, layer.after
    return {
        "name": layer.name,
        "before_bytes": before.size_bytes if before else None,
        "after_bytes": after.size_bytes if after else None,
        "before_dtype": before.dtype if before else None,
        "after_dtype": after.dtype if after else None,
    }
