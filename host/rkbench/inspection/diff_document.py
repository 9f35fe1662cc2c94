"""What the document of `bench inspect` says of another file: `Inspection.diff`. Sizes are in bytes."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.language.said import Said


@dataclass(frozen=True)
class ContentDiff:
    """A constant of both files, paired by name and place, whose bytes differ."""

    name: str
    kind: str
    before_bytes: int
    after_bytes: int


@dataclass(frozen=True)
class LayerChange:
    """A layer that differs; None where a file has none of that name."""

    name: str
    before_bytes: int | None
    after_bytes: int | None
    before_dtype: str | None
    after_dtype: str | None


@dataclass(frozen=True)
class NodeChange:
    """A node of the ONNX whose layers, summed (tiles, parts of a split), differ; None where a file has none.

    `before_layers` and `after_layers` are how many it became. Types and units are joined where layers differ.
    """

    name: str
    before_bytes: int | None
    after_bytes: int | None
    before_layers: int
    after_layers: int
    before_dtype: str | None
    after_dtype: str | None
    before_unit: str | None
    after_unit: str | None

    @property
    def change_bytes(self) -> int:
        """Bytes after, less those before."""
        return (self.after_bytes or 0) - (self.before_bytes or 0)


@dataclass(frozen=True)
class CauseChange:
    """One cause and the bytes that it owns before and after; None where a file does not have it."""

    code: str
    title: Said
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class FileDiff:
    """The inspected file (before) against another (after)."""

    other: str
    other_bytes: int
    sentence: Said
    size_difference_bytes: int
    same_weights: bool
    sections: dict[str, int]
    """Bytes after less bytes before, of every section that changed."""
    file: dict[str, tuple[str, str]]
    """What the files say of themselves and disagree on."""
    layers: tuple[LayerChange, ...]
    contents: tuple[ContentDiff, ...]
    """Constants whose bytes differ."""
    causes: tuple[CauseChange, ...]
    """Only those whose bytes differ, the largest change first."""
    nodes: tuple[NodeChange, ...] = ()
    """Nodes of the ONNX whose layers differ, the largest change first."""
