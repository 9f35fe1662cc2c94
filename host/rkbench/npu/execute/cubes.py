"""Cubes of features in NPU memory: NC1HWC2, read as (pixels, channels) and written back.

C2 is an atom: 16 bytes (RK3588) or 8 (RK3566/68), of 32-bit values 16 bytes on both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute.fields import UnmodelledError

Bytes = NDArray[np.uint8]
Values = NDArray[np.generic]
ATOM_32BIT_BYTES = 16
ATOM_DTYPES: dict[int, type[np.generic]] = {8: np.uint64, 16: np.complex128}
"""A dtype of an atom's size, so that numpy moves an atom as one element."""
STORED_BITS: dict[int, type[np.generic]] = {1: np.uint8, 2: np.uint16, 4: np.uint32}


@dataclass(frozen=True)
class AddressSpace:
    """The NPU's address space as bytes; `lowest` is the first address that anything may use."""

    data: Bytes
    atom_bytes: int
    lowest: int

    def read(self, address: int, size_bytes: int) -> Bytes:
        """Return a view; raises UnmodelledError where it would leave the address space."""
        if address < self.lowest or size_bytes < 0 or address + size_bytes > len(self.data):
            raise UnmodelledError(f"address {address:#x} + {size_bytes} bytes, outside of the model's memory")
        return self.data[address : address + size_bytes]

    def unit_bytes(self, item_bytes: int) -> int:
        """Return the bytes of one pixel of one surface."""
        return ATOM_32BIT_BYTES if item_bytes == 4 else self.atom_bytes


@dataclass(frozen=True)
class Cube:
    """Where a cube of features lies; strides and address in bytes."""

    address: int
    channels: int
    height: int
    width: int
    dtype: np.dtype[np.generic]
    line: int
    """From one line to the next."""
    surface: int
    """From one surface of C2 channels to the next."""

    @property
    def pixels(self) -> int:
        """Pixels of one surface."""
        return self.height * self.width


def atoms(memory: AddressSpace, cube: Cube) -> Values:
    """Return a view of the cube's memory: (surfaces, height, width), an element an atom.

    Raises UnmodelledError where the cube leaves the address space.
    """
    unit = memory.unit_bytes(cube.dtype.itemsize)
    surfaces = -(-cube.channels * cube.dtype.itemsize // unit)
    if min(surfaces, cube.height, cube.width) < 1:
        raise UnmodelledError(f"a cube of {cube.channels} x {cube.height} x {cube.width}")
    if cube.line < 0 or (cube.surface < 0 and surfaces > 1):
        raise UnmodelledError(f"a stride of {min(cube.line, cube.surface)} bytes")
    extent = (surfaces - 1) * cube.surface + (cube.height - 1) * cube.line + cube.width * unit
    shape, strides = (surfaces, cube.height, cube.width), (cube.surface, cube.line, unit)
    view: Values = np.ndarray(
        shape, ATOM_DTYPES[unit], memory.read(cube.address, extent).data, strides=strides
    )
    return view


def load(memory: AddressSpace, cube: Cube) -> Values:
    """Return a copy of the cube as (height, width, channels)."""
    view = atoms(memory, cube)
    packed = np.ascontiguousarray(view.transpose(1, 2, 0)).view(cube.dtype)
    values: Values = packed[..., : cube.channels]
    return values


def load_padded(
    memory: AddressSpace, cube: Cube, shape: tuple[int, int], corner: tuple[int, int], value: float
) -> Values:
    """Return a copy of the cube from line and column `corner` on in (lines, columns) of `value`."""
    view = atoms(memory, cube)
    per_atom = memory.unit_bytes(cube.dtype.itemsize) // cube.dtype.itemsize
    whole = np.empty((*shape, view.shape[0] * per_atom), cube.dtype)
    (top, left), bottom, right = corner, corner[0] + cube.height, corner[1] + cube.width
    whole[:top], whole[bottom:] = value, value
    whole[top:bottom, :left], whole[top:bottom, right:] = value, value
    whole.view(view.dtype)[top:bottom, left:right] = view.transpose(1, 2, 0)
    values: Values = whole[..., : cube.channels]
    return values


def store(memory: AddressSpace, cube: Cube, first_line: int, values: Values, fill: int = 0) -> None:
    """Write (lines, width, channels) from `first_line` on; `fill`, as stored, fills up the last atom."""
    view = atoms(memory, cube)
    view[:, first_line : first_line + len(values)] = packed(
        memory, values.astype(cube.dtype, copy=False), fill
    )


def packed(memory: AddressSpace, values: Values, fill: int = 0) -> Values:
    """Return (lines, width, channels) as atoms: (surfaces, lines, width); the last surface is filled up."""
    unit, item_bytes = memory.unit_bytes(values.dtype.itemsize), values.dtype.itemsize
    lines, width, channels = values.shape
    stored = -(-channels * item_bytes // unit) * (unit // item_bytes)
    if channels != stored or not values.flags.c_contiguous:
        whole = np.empty((lines, width, stored), values.dtype)
        whole[..., :channels] = values
        whole[..., channels:] = np.array(fill, STORED_BITS[item_bytes]).view(values.dtype)
        values = whole
    made: Values = values.view(ATOM_DTYPES[unit]).transpose(2, 0, 1)
    return made
