"""A small FlatBuffers writer for the tests: it can write 64-bit offsets, as container 6 has them.

Front to back: each table is followed by what it refers to, so every offset is positive, as the format
asks; field lists stand before their tables.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Scalar:
    """A number in a field; `code` is its `struct` format character."""

    code: str
    value: int


@dataclass(frozen=True)
class Vector:
    """A vector of numbers."""

    code: str
    items: tuple[float, ...]


@dataclass(frozen=True)
class Wide:
    """A byte vector behind a 64-bit offset, as the buffers of container 6."""

    data: bytes


@dataclass(frozen=True)
class Table:
    """A table: values by slot."""

    slots: dict[int, Value]


Value = Scalar | Vector | Wide | bytes | str | Table | list["Table"]


class FlatWriter:
    """Writes one FlatBuffer; `bytes(writer)` is the result."""

    def __init__(self, root: Table) -> None:
        self.out = bytearray(8)
        self.out[4:8] = b"RKNN"
        self._pending: deque[tuple[int, Value]] = deque()
        self._put_offset(0, self._table(root))
        while self._pending:
            self._refer(*self._pending.popleft())

    def __bytes__(self) -> bytes:
        return bytes(self.out)

    def _align(self, size: int, ahead: int = 0) -> None:
        self.out += bytes(-(len(self.out) + ahead) % size)

    def _put_offset(self, at: int, target: int) -> None:
        struct.pack_into("<I", self.out, at, target - at)

    def _table(self, table: Table) -> int:
        count = max(table.slots, default=-1) + 1
        self._align(2)
        vtable = len(self.out)
        self.out += bytes(4 + 2 * count)
        self._align(8, ahead=4)
        position = len(self.out)
        self.out += struct.pack("<i", position - vtable)
        for slot, value in sorted(table.slots.items(), key=lambda item: -_inline_bytes(item[1])):
            self._align(_inline_bytes(value))
            struct.pack_into("<H", self.out, vtable + 4 + 2 * slot, len(self.out) - position)
            self._field(value)
        struct.pack_into("<HH", self.out, vtable, 4 + 2 * count, len(self.out) - position)
        return position

    def _field(self, value: Value) -> None:
        if isinstance(value, Scalar):
            self.out += struct.pack("<" + value.code, value.value)
            return
        self._pending.append((len(self.out), value))
        self.out += bytes(_inline_bytes(value))

    def _refer(self, at: int, value: Value) -> None:
        if isinstance(value, Wide):
            self._align(4)
            struct.pack_into("<Q", self.out, at, len(self.out) - at)
            self.out += struct.pack("<I", len(value.data)) + value.data
        elif isinstance(value, Table):
            self._put_offset(at, self._table(value))
        else:
            self._align(8, ahead=4)
            self._put_offset(at, len(self.out))
            self._vector(value)

    def _vector(self, value: Vector | bytes | str | list[Table]) -> None:
        if isinstance(value, Vector):
            self.out += struct.pack(f"<I{len(value.items)}{value.code}", len(value.items), *value.items)
        elif isinstance(value, list):
            self.out += struct.pack("<I", len(value))
            self._pending += [(len(self.out) + 4 * i, table) for i, table in enumerate(value)]
            self.out += bytes(4 * len(value))
        else:
            data = value.encode() if isinstance(value, str) else value
            self.out += struct.pack("<I", len(data)) + data + (b"\0" if isinstance(value, str) else b"")


def _inline_bytes(value: Value) -> int:
    if isinstance(value, Scalar):
        return struct.calcsize("<" + value.code)
    return 8 if isinstance(value, Wide) else 4
