"""Bounded reads of one FlatBuffer in place: nothing is copied but the numbers that are asked for.

Every position is checked against the end of the buffer, every count against the bytes that are left,
and every decoded thing is charged to a budget, so that a hostile file (tables that point at each other,
counts of four billion) costs no more than a small multiple of its own size. Offsets in errors are
offsets in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NoReturn

from rkbench.errors import ModelError

HINT = "the file is damaged or was cut off: copy or convert it again"

_U8 = struct.Struct("<B")
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_VTABLE = struct.Struct("<HH")

# What a decoded thing costs in Python, roughly, in bytes: the budget is a promise about memory.
TABLE_COST = 400
ITEM_COST = 40
STRING_COST = 64


class FlatBuffer:
    """One FlatBuffer that lies at `base` of its file; `budget_bytes` bounds what may be decoded."""

    __slots__ = ("_slots", "base", "left", "size", "view")

    def __init__(self, view: memoryview, base: int, budget_bytes: int) -> None:
        self.view = view
        self.size = len(view)
        self.base = base
        self.left = budget_bytes
        self._slots: dict[int, tuple[int, ...]] = {}

    def fail(self, position: int, field: str, problem: str) -> NoReturn:
        """Raise the ModelError of `field`, which stands at `position` of this buffer."""
        offset = self.base + position
        raise ModelError(
            f"{field} at byte {offset}: {problem}", hint=HINT, offset=offset, field=field
        ) from None

    def charge(self, cost: int, position: int, field: str) -> None:
        """Take `cost` bytes from the budget; raises ModelError when it is used up."""
        self.left -= cost
        if self.left < 0:
            self.fail(position, field, "the file claims more content than a file of its size can hold")

    def root(self, field: str) -> Table:
        """Return the root table, whose offset stands in the first four bytes."""
        return self.table(self.follow(0, field), field)

    def follow(self, position: int, field: str) -> int:
        """Return the position that the 32-bit offset at `position` points to."""
        if position < 0 or position + 4 > self.size:
            self.fail(position, field, "lies outside the model")
        target: int = position + _U32.unpack_from(self.view, position)[0]
        if target + 4 > self.size:
            self.fail(position, field, f"points {target + 4 - self.size} bytes past the end of the model")
        return target

    def table(self, position: int, field: str) -> Table:
        """Return the table at `position`."""
        self.charge(TABLE_COST, position, field)
        if position < 0 or position + 4 > self.size:
            self.fail(position, field, "lies outside the model")
        vtable = position - _I32.unpack_from(self.view, position)[0]
        slots = self._slots.get(vtable)
        if slots is None:
            slots = self._slots[vtable] = self._read_vtable(position, vtable, field)
        return Table(self, position, slots)

    def _read_vtable(self, position: int, vtable: int, field: str) -> tuple[int, ...]:
        if vtable < 0 or vtable + 4 > self.size:
            self.fail(position, field, "its field list lies outside the model")
        length, _ = _VTABLE.unpack_from(self.view, vtable)
        if length < 4 or length % 2 or vtable + length > self.size:
            self.fail(vtable, field, f"its field list claims {length} bytes")
        self.charge(length * 4, vtable, field)
        return struct.unpack_from(f"<{length // 2 - 2}H", self.view, vtable + 4)

    def vector(self, position: int, item_bytes: int, field: str) -> tuple[int, int]:
        """Return (position of the first item, count) of the vector whose offset stands at `position`."""
        start = self.follow(position, field)
        count: int = _U32.unpack_from(self.view, start)[0]
        if start + 4 + count * item_bytes > self.size:
            self.fail(start, field, f"claims {count} items of {item_bytes} bytes, past the end of the model")
        return start + 4, count


class Table:
    """One table: its fields by slot number. A slot that is not stored reads as its default."""

    __slots__ = ("buffer", "position", "slots")

    def __init__(self, buffer: FlatBuffer, position: int, slots: tuple[int, ...]) -> None:
        self.buffer = buffer
        self.position = position
        self.slots = slots

    def at(self, slot: int) -> int:
        """Return the position of a stored slot, 0 where it is not stored."""
        if slot < len(self.slots) and self.slots[slot]:
            return self.position + self.slots[slot]
        return 0

    def _scalar(self, kind: struct.Struct, slot: int, default: int, field: str) -> int:
        position = self.at(slot)
        if not position:
            return default
        if position + kind.size > self.buffer.size:
            self.buffer.fail(position, field, "lies outside the model")
        value: int = kind.unpack_from(self.buffer.view, position)[0]
        return value

    def u8(self, slot: int, field: str, default: int = 0) -> int:
        """Return an 8-bit number."""
        return self._scalar(_U8, slot, default, field)

    def u32(self, slot: int, field: str, default: int = 0) -> int:
        """Return an unsigned 32-bit number."""
        return self._scalar(_U32, slot, default, field)

    def u64(self, slot: int, field: str, default: int = 0) -> int:
        """Return an unsigned 64-bit number."""
        return self._scalar(_U64, slot, default, field)

    def string(self, slot: int, field: str) -> str:
        """Return a string, "" where it is not stored; bytes that are no UTF-8 are shown as `\\xNN`."""
        position = self.at(slot)
        if not position:
            return ""
        start, count = self.buffer.vector(position, 1, field)
        self.buffer.charge(STRING_COST + count, position, field)
        return str(self.buffer.view[start : start + count], "utf-8", "backslashreplace")

    def numbers(self, slot: int, code: str, field: str) -> tuple[int, ...]:
        """Return a vector of integers; `code` is a `struct` format character such as `i` or `Q`."""
        return self._items(slot, code, field)

    def floats(self, slot: int, field: str) -> tuple[float, ...]:
        """Return a vector of 32-bit floats."""
        return self._items(slot, "f", field)

    def _items(self, slot: int, code: str, field: str) -> tuple[int, ...]:
        position = self.at(slot)
        if not position:
            return ()
        start, count = self.buffer.vector(position, struct.calcsize("<" + code), field)
        self.buffer.charge(ITEM_COST * count, position, field)
        return struct.unpack_from(f"<{count}{code}", self.buffer.view, start)

    def raw(self, slot: int, item_bytes: int, field: str) -> bytes:
        """Return a copy of the bytes of a vector, b"" where it is not stored."""
        position = self.at(slot)
        if not position:
            return b""
        start, count = self.buffer.vector(position, item_bytes, field)
        self.buffer.charge(item_bytes * count, position, field)
        return bytes(self.buffer.view[start : start + item_bytes * count])

    def tables(self, slot: int, field: str) -> Iterator[Table]:
        """Yield the tables of a vector of tables."""
        position = self.at(slot)
        if not position:
            return
        start, count = self.buffer.vector(position, 4, field)
        for index in range(count):
            entry = start + 4 * index
            yield self.buffer.table(self.buffer.follow(entry, field), field)
