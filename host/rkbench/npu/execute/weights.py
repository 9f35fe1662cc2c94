"""Weights as the convolution reads them: [co][ci][kh][kw][co_in][ci_in], blocks with exact tails."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute.cubes import AddressSpace, Values
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.generations import LITE, Generation

Floats = NDArray[np.floating]
EXACT_FLOAT32 = 1 << 24
"""float32 holds every integer up to here, so sums that stay below are exact in any order."""
LARGEST_INT8 = 128


def dense_weights(
    registers: TaskRegisters,
    memory: AddressSpace,
    generation: Generation,
    channels: int,
    dtype: np.dtype[np.generic],
) -> Floats:
    """Return (kh * kw * channels, kernels) in a dtype whose sums are exact."""
    kh, kw, kernels = _kernel(registers)
    stored = registers["CNA.WEIGHT_SIZE1.WEIGHT_BYTES_PER_KERNEL"] // (kh * kw * dtype.itemsize)
    flat = _flat(registers, memory, dtype)
    if kernels < 1 or stored < channels or kernels * stored * kh * kw > len(flat):
        raise UnmodelledError(
            f"{len(flat)} weights for {kernels} kernels of {stored} channels, {channels} read"
        )
    rows = generation.kernels_int8 // dtype.itemsize
    block = generation.channels_int8 // dtype.itemsize if generation is LITE else generation.channels_int8
    weights = np.empty((kh, kw, stored, kernels), np.float32)
    at = 0
    for first in range(0, kernels, rows):
        count = min(rows, kernels - first)
        at = _kernel_block(flat, at, weights[..., first : first + count], block)
    packed = weights[:, :, :channels].reshape(kh * kw * channels, kernels)
    return packed if _exact(packed, dtype) else packed.astype(np.float64)


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
    address = registers["CNA.DCOMP_ADDR0"] // memory.atom_bytes * memory.atom_bytes
    raw = memory.read(address, registers["CNA.WEIGHT_SIZE0"] // dtype.itemsize * dtype.itemsize)
    return raw.view(dtype)


def _exact(weights: Floats, dtype: np.dtype[np.generic]) -> bool:
    """Say whether float32 sums of the products are exact (integers), or as good as the NPU's own (floats)."""
    if dtype != np.int8 or len(weights) * LARGEST_INT8**2 < EXACT_FLOAT32:
        return True
    return bool(np.abs(weights).sum(axis=0).max() * LARGEST_INT8 < EXACT_FLOAT32)
