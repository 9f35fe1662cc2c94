"""The registers of the NPU's blocks: names and fields, as data.

Source: the RK3588 TRM part 1, chapter 36, as Mesa's `rocket` driver spells it (`registers.xml`, MIT licence):
blocks, offsets, names and bit ranges, nothing else. The RK3566 and RK3568 have no public map; where their
registers differ, `generations.py` says how, from comparing what the compiler writes for one ONNX on both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

TABLE = Path(__file__).with_name("registers.tsv")


@dataclass(frozen=True)
class Field:
    """Bits `low` to `high`, both included, of the register at `register`."""

    name: str
    register: int
    low: int
    high: int

    @cached_property
    def mask(self) -> int:
        """As many ones as the field has bits."""
        return (1 << (self.high - self.low + 1)) - 1


@dataclass(frozen=True)
class Register:
    """One 32-bit register; bits that no field names are reserved."""

    offset: int
    block: str
    name: str
    fields: tuple[Field, ...]

    @property
    def reserved(self) -> int:
        """The bits that no field names, as a mask."""
        named = 0
        for field in self.fields:
            named |= field.mask << field.low
        return ~named & 0xFFFF_FFFF


@cache
def register_map() -> dict[int, Register]:
    """Return the documented registers by offset."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {item.offset: item for item in map(_register, lines) if item is not None}


def _register(line: str) -> Register | None:
    if line.startswith("#"):
        return None
    offset_text, block, name, fields_text = line.split("\t")
    offset = int(offset_text, 16)
    return Register(offset, block, name, tuple(_field(offset, text) for text in fields_text.split()))


def _field(offset: int, text: str) -> Field:
    name, _, span = text.partition(":")
    low, _, high = span.partition("-")
    return Field(name, offset, int(low), int(high))


@cache
def named_fields() -> dict[str, Field]:
    """Return every field as `BLOCK.REGISTER.FIELD`, and every register, whole, as `BLOCK.REGISTER`."""
    found: dict[str, Field] = {}
    for item in register_map().values():
        name = f"{item.block}.{item.name}"
        found[name] = Field(item.name, item.offset, 0, 31)
        found |= {f"{name}.{part.name}": part for part in item.fields}
    return found


def field(name: str) -> Field:
    """Return one field by its documented name, `BLOCK.REGISTER.FIELD`; KeyError where there is none."""
    return named_fields()[name]


def register_name(offset: int) -> str:
    """Return `CNA.CONV_CON1`, or the offset in hexadecimal where no name is known."""
    known = register_map().get(offset)
    return f"{known.block}.{known.name}" if known else f"{offset:#06x}"
