"""Weights as the convolution reads them: [co][ci][kh][kw][co_in][ci_in], blocks with exact tails."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.cubes import AddressSpace, Values
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.generations import LITE, Generation

Floats = NDArray[np.floating]
EXACT_FLOAT32 = 1 << 24
"""float32 holds every integer up to here, so sums that stay below are exact in any order."""
LARGEST_INT8 = 128
MOST_FLOATS_BYTES = 1 << 22
"""Kernels beyond that are made floats a part at a time, and again for the next lines."""


@dataclass(frozen=True)
class DenseWeights:
    """The kernels of a dense convolution as they lie in memory; floats are made where they are needed."""

    packed: Values
    height: int
    width: int
    kernels: int
    stored: int
    """Channels that lie in memory."""
    channels: int
    """Channels that are read."""
    rows: int
    """Kernels of a block."""
    block: int
    """Channels of a block."""

    @property
    def seen(self) -> int:
        """Values that one output sees."""
        return self.height * self.width * self.channels

    def times(self, seen: Floats) -> Floats:
        """Return exact sums (pixels, kernels) of what outputs see: (pixels, kh * kw * channels)."""
        if self._step >= self.kernels:
            return _product(seen, *self._whole)
        parts = [self._times(seen, first) for first in range(0, self.kernels, self._step)]
        return np.concatenate(parts, axis=1)

    def _times(self, seen: Floats, first: int) -> Floats:
        matrix = self.floats(first, min(self._step, self.kernels - first))
        return _product(seen, matrix, _pieces(matrix, self.packed.dtype))

    def floats(self, first: int, count: int) -> Floats:
        """Return `count` kernels from `first` on, the start of a block, as (kh * kw * channels, count)."""
        weights = np.empty((self.height, self.width, self.stored, count), np.float32)
        at = first * self.height * self.width * self.stored
        for start in range(0, count, self.rows):
            part = weights[..., start : start + self.rows]
            at = _kernel_block(self.packed, at, part, self.block)
        return weights[:, :, : self.channels].reshape(self.seen, count)

    @cached_property
    def _whole(self) -> tuple[Floats, int]:
        matrix = self.floats(0, self.kernels)
        return matrix, _pieces(matrix, self.packed.dtype)

    @property
    def _step(self) -> int:
        """Kernels whose floats are of a bounded size."""
        block_bytes = 4 * self.height * self.width * self.stored * self.rows
        return max(1, MOST_FLOATS_BYTES // block_bytes) * self.rows


def dense_weights(
    registers: TaskRegisters,
    memory: AddressSpace,
    generation: Generation,
    channels: int,
    dtype: np.dtype[np.generic],
) -> DenseWeights:
    """Return a task's kernels; raises UnmodelledError where they do not fit what is read."""
    kh, kw, kernels = _kernel(registers)
    stored = registers["CNA.WEIGHT_SIZE1.WEIGHT_BYTES_PER_KERNEL"] // (kh * kw * dtype.itemsize)
    flat = _flat(registers, memory, dtype)
    if kernels < 1 or stored < channels or kernels * stored * kh * kw > len(flat):
        raise UnmodelledError(
            f"{len(flat)} weights for {kernels} kernels of {stored} channels, {channels} read"
        )
    if dtype == bfloat16.STORED:
        flat = bfloat16.widened(flat)
    rows = generation.kernels_int8 // dtype.itemsize
    block = generation.channels_int8 // dtype.itemsize if generation is LITE else generation.channels_int8
    return DenseWeights(flat, kh, kw, kernels, stored, channels, rows, block)


def _kernel_block(flat: Values, at: int, target: Floats, block: int) -> int:
    """Fill (kh, kw, channels, count): whole blocks of channels, what is left; return where they end."""
    kh, kw, stored, count = target.shape
    whole = stored // block * block
    for start, end, size in ((0, whole, block), (whole, stored, stored - whole)):
        if start < end:
            blocks, span = (end - start) // size, kh * kw * count * (end - start)
            part = flat[at : at + span].reshape(blocks, kh, kw, count, size)
            target[:, :, start:end] = part.transpose(1, 2, 0, 4, 3).reshape(kh, kw, end - start, count)
            at += span
    return at


def depthwise_weights(
    registers: TaskRegisters,
    memory: AddressSpace,
    generation: Generation,
    channels: int,
    dtype: np.dtype[np.generic],
) -> Floats:
    """Return (kh, kw, channels); they lie in blocks of channels, of which the last may be short."""
    kh, kw, _ = _kernel(registers)
    flat = _flat(registers, memory, dtype)
    stored, block = len(flat) // (kh * kw), generation.group_bytes // dtype.itemsize
    if stored < channels:
        raise UnmodelledError(f"{len(flat)} weights for {channels} channels")
    weights = np.empty((kh, kw, stored), np.float32)
    for first in range(0, stored, block):
        count = min(block, stored - first)
        part = flat[first * kh * kw : (first + count) * kh * kw]
        weights[..., first : first + count] = part.reshape(kh, kw, count)
    return weights[..., :channels]


def _kernel(registers: TaskRegisters) -> tuple[int, int, int]:
    name = "CNA.WEIGHT_SIZE2.WEIGHT_"
    kh, kw = registers[f"{name}HEIGHT"], registers[f"{name}WIDTH"]
    if min(kh, kw) < 1:
        raise UnmodelledError(f"a kernel of {kh}x{kw}")
    return kh, kw, registers[f"{name}KERNELS"]


def _flat(registers: TaskRegisters, memory: AddressSpace, dtype: np.dtype[np.generic]) -> Values:
    address = registers.aligned("CNA.DCOMP_ADDR0", memory.atom_bytes)
    raw = memory.read(address, registers.aligned("CNA.WEIGHT_SIZE0", dtype.itemsize))
    return raw.view(dtype)


def _product(seen: Floats, matrix: Floats, pieces: int) -> Floats:
    """Return seen @ matrix: float32 sums over each piece of the rows, added up in float64."""
    if pieces == 1:
        whole: Floats = seen @ matrix
        return whole
    total = np.zeros((len(seen), matrix.shape[1]))
    for rows in np.array_split(np.arange(len(matrix)), pieces):
        piece = slice(rows[0], rows[-1] + 1)
        total += seen[:, piece] @ matrix[piece]
    return total


def _pieces(matrix: Floats, dtype: np.dtype[np.generic]) -> int:
    """Return in how many pieces float32 sums of integer products are exact; floats are summed in one."""
    if dtype != np.int8 or len(matrix) * LARGEST_INT8**2 < EXACT_FLOAT32:
        return 1
    columns = (matrix[:, first : first + 32] for first in range(0, matrix.shape[1], 32))
    largest = max(float(np.abs(some).sum(axis=0).max()) for some in columns)
    if largest * LARGEST_INT8 < EXACT_FLOAT32:
        return 1
    return -(-len(matrix) * LARGEST_INT8**2 // EXACT_FLOAT32) + 1
