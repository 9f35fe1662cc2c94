"""What differs between two .rknn files of one model: sections, layers, dtypes, and bytes of equal size."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rkbench.inspection.diff_document import ContentDiff
from rkbench.rknn.contents import Layer, Sections, Tensor
from rkbench.rknn.model import RknnModel

_PIECE = 1 << 18
_TEMPORARY = ("tempMC", "fenceConv")
_CONTENT_KINDS = ("weight", "cpu_constant", "lookup_table", "compiler_constant", "command")


@dataclass(frozen=True)
class LayerDiff:
    """One layer in both files, paired by name within its graph; None where a file has none of that name."""

    name: str
    before: Layer | None
    after: Layer | None

    @property
    def size_difference_bytes(self) -> int:
        """Bytes that the layer owns after, less those before."""
        return (self.after.size_bytes if self.after else 0) - (self.before.size_bytes if self.before else 0)


@dataclass(frozen=True)
class ModelDiff:
    """`after` compared with `before`; differences only, so that empty tuples mean "the same"."""

    before_bytes: int
    """Size of the first file."""
    after_bytes: int
    sections: dict[str, int]
    """Bytes after less bytes before, of every section that changed."""
    layers: tuple[LayerDiff, ...]
    """Layers that one file lacks, or that own other bytes, compute in another dtype or run elsewhere."""
    contents: tuple[ContentDiff, ...]
    """Constants whose bytes differ, also where every size is equal."""
    file: dict[str, tuple[str, str]]
    """What the files say of themselves and disagree on: target, toolkit_version, ..."""

    @property
    def size_difference_bytes(self) -> int:
        """Bytes after less bytes before."""
        return self.after_bytes - self.before_bytes

    @property
    def same_weights(self) -> bool:
        """True where no constant differs: what is left differs in commands or metadata only."""
        return not self.contents

    @property
    def empty(self) -> bool:
        """True where nothing that is compared here differs."""
        return not (self.size_difference_bytes or self.sections or self.layers or self.contents or self.file)


def diff_models(before: RknnModel, after: RknnModel) -> ModelDiff:
    """Return what differs between two open models. Reads all constants of both; keeps none."""
    return ModelDiff(
        before_bytes=before.file.size_bytes,
        after_bytes=after.file.size_bytes,
        sections=_sections(before.sections, after.sections),
        layers=tuple(_layers(before, after)),
        contents=tuple(_contents(before, after)),
        file=_file(before, after),
    )


def _sections(before: Sections, after: Sections) -> dict[str, int]:
    sizes = vars(before)
    return {name: size - sizes[name] for name, size in vars(after).items() if size != sizes[name]}


def _file(before: RknnModel, after: RknnModel) -> dict[str, tuple[str, str]]:
    names = ("target", "toolkit_version", "compiler_version", "framework", "container_version", "mini")
    pairs = {name: (str(getattr(before.file, name)), str(getattr(after.file, name))) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


Key = tuple[int, str, int]


def _layers(before: RknnModel, after: RknnModel) -> Iterator[LayerDiff]:
    old, new = _layers_by_key(before), _layers_by_key(after)
    for key in {**old, **new}:
        a, b = old.get(key), new.get(key)
        if a is None or b is None or _what_counts(a) != _what_counts(b):
            yield LayerDiff(key[1], a, b)


def _layers_by_key(model: RknnModel) -> dict[Key, Layer]:
    return dict(zip(_keys((layer.graph, layer.name) for layer in model.layers), model.layers, strict=True))


def _keys(places: Iterable[tuple[int, str]]) -> Iterator[Key]:
    """Yield graph, name, and how often that name came before in that graph."""
    seen: Counter[tuple[int, str]] = Counter()
    for graph, name in places:
        yield (graph, name, seen[graph, name])
        seen[graph, name] += 1


def _what_counts(layer: Layer) -> tuple[object, ...]:
    return (layer.type, layer.dtype, layer.target, layer.sections(), layer.input_shapes, layer.output_shapes)


def _contents(before: RknnModel, after: RknnModel) -> Iterator[ContentDiff]:
    old, new = _constants(before), _constants(after)
    for key in [key for key in old if key in new]:
        a, b = old[key], new[key]
        if a.buffer_bytes != b.buffer_bytes or _digest(before, a) != _digest(after, b):
            yield ContentDiff(a.name, a.kind, a.buffer_bytes, b.buffer_bytes)


def _constants(model: RknnModel) -> dict[Key, Tensor]:
    """Key constants like layers, without the compiler's temporary buffers: those hold uninitialised bytes."""
    constants = [
        tensor
        for tensor in model.tensors
        if tensor.kind in _CONTENT_KINDS and tensor.buffer_bytes and not tensor.name.startswith(_TEMPORARY)
    ]
    return dict(zip(_keys((t.graph, t.name) for t in constants), constants, strict=True))


def _digest(model: RknnModel, tensor: Tensor) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with model.read_buffer(tensor.buffer_index) as view:
        for start in range(0, len(view), _PIECE):
            digest.update(view[start : start + _PIECE])
    return digest.digest()
