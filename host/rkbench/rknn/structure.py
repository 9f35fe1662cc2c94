"""What the structure bytes of a file are made of, as far as it is cheap to tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rkbench.rknn.flatbuffer import FlatBuffer, Table
from rkbench.rknn.model import RknnModel

RELOCATION_SLOTS = (7, 8, 9)
BUDGET_BYTES = 20_000_000


@dataclass(frozen=True)
class StructureParts:
    """Bytes of `Sections.structure` by what they are; they sum to it."""

    relocations: int
    """Lists that patch addresses into register commands when the model is loaded."""
    names: int
    """Names and types of tensors and nodes."""
    description: int
    """Mean, standard deviation and ranges of every input and output channel, as text."""
    other: int
    """Shapes, quantization, field lists, alignment."""


def structure_parts(model: RknnModel) -> StructureParts:
    """Return the parts of the structure; of mini files `relocations` is 0 (they hold none that is known)."""
    relocations = 0 if model.file.mini else _relocation_bytes(model)
    names = sum(_text_bytes(t.name) for t in model.tensors)
    names += sum(_text_bytes(n.name) + _text_bytes(n.type) for n in model.nodes)
    description = _text_bytes(model.file.description)
    other = model.sections.structure - relocations - names - description
    return StructureParts(relocations, names, description, other)


def _text_bytes(text: str) -> int:
    """Return what a string takes in a FlatBuffer: length word, text, terminator, alignment to four."""
    return (4 + len(text.encode("utf-8", "replace")) + 1 + 3) // 4 * 4 if text else 0


def _relocation_bytes(model: RknnModel) -> int:
    with payload_tables(model) as graphs:
        return sum(
            _entry_bytes(entry)
            for graph in graphs
            for slot in RELOCATION_SLOTS
            for entry in graph.tables(slot, "graph.relocations")
        )


@contextmanager
def payload_tables(model: RknnModel) -> Iterator[Iterator[Table]]:
    """Give the graphs of the FlatBuffer as tables, for what `Graph` does not hold; not of mini files."""
    start = model.sections.header
    size = model.file.size_bytes - start - model.sections.json - model.sections.trailing
    with memoryview(model.contents.mapping) as view, view[start : start + size] as payload:
        flat = FlatBuffer(payload, start, 2 * size + BUDGET_BYTES)
        yield flat.root("model").tables(2, "model.graphs")


def _entry_bytes(entry: Table) -> int:
    """Return the bytes of one entry: a tensor name, u64 positions, u64 values; 16 for table and offset."""
    total = 16
    for slot, item_bytes in ((0, 1), (1, 8), (2, 8)):
        if entry.at(slot):
            _, count = entry.buffer.vector(entry.at(slot), item_bytes, "relocation")
            total += 4 + count * item_bytes
    return total
