"""Tensors of a graph in NPU memory: written and read as the source model has them.

What the runtime does on the CPU before and after: quantize, lay out in NC1HWC2, and back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rkbench.npu.execute.cubes import AddressSpace, Bytes, Cube, load, store
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.rknn.contents import Tensor

Array = NDArray[Any]
DTYPES: dict[str, type[np.generic]] = {
    "FLOAT32": np.float32,
    "UINT8": np.uint8,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "BOOL": np.bool_,
    "FLOAT16": np.float16,
}
SURFACE_PIXELS = 4
"""Surfaces begin at a multiple of so many pixels; those of one pixel, and an input's, follow one another."""
PART_VALUES = 1 << 16


class Tensors:
    """The tensors of a graph; `addresses` by index, `lines` the pitch in bytes of inputs in packed pixels."""

    def __init__(
        self, memory: AddressSpace, addresses: Mapping[int, int], lines: Mapping[int, int] | None = None
    ) -> None:
        self._memory = memory
        self._addresses = addresses
        self._lines = lines or {}

    def read(self, tensor: Tensor) -> Array:
        """Return a tensor as float32 in the source model's shape; INT32 and INT64 without a scale, which are
        indices and shapes, as they are stored."""
        stored = self.stored(tensor)
        whole = stored.dtype.kind in "iu"
        if whole and stored.dtype.itemsize >= 4 and not tensor.scale:
            return stored
        values = stored.astype(np.float32)
        if whole and tensor.scale:  # constants that are floats have a scale as well, which they do not take
            scale, zero_point = quantization(tensor)
            values -= zero_point
            values *= scale
        return values

    def write(self, tensor: Tensor, values: Array) -> None:
        """Write real values (source model's shape), quantized where the tensor is; rounded to even.

        What is infinite becomes the largest step where a layer of the CPU yields it; of inputs it is refused.
        """
        dtype = dtype_of_tensor(tensor)
        if dtype.kind in "iu" and tensor.scale:
            _refuse_no_numbers(dtype, ~np.isfinite(values) if tensor.kind == "input" else np.isnan(values))
            values = _quantized(values, dtype, *quantization(tensor))
        elif dtype.kind in "iu" and values.dtype.kind in "iu" and not _holds(dtype, values):
            raise UnmodelledError(f"numbers beyond {dtype}")
        with np.errstate(all="ignore"):  # beyond fp16's range is infinite there too
            self.write_stored(tensor, values.astype(dtype, copy=False))

    def stored(self, tensor: Tensor) -> Array:
        """Return a tensor's values as they lie in memory, in the source model's shape."""
        dtype = dtype_of_tensor(tensor)
        if self._is_packed(tensor) or not _is_surfaces(tensor):
            count = math.prod(tensor.shape)
            flat = self._bytes(tensor, count * dtype.itemsize).view(dtype)
            plain: Array = flat.reshape(tensor.shape).copy()
            return plain
        cubes = [load(self._memory, cube) for cube in self._cubes(tensor, dtype)]
        return np.stack([cube.transpose(2, 0, 1) for cube in cubes]).reshape(tensor.shape)

    def write_stored(self, tensor: Tensor, values: Array) -> None:
        """Write values of the tensor's own dtype, in the source model's shape."""
        if not _is_surfaces(tensor):
            self._write_flat(tensor, values)
        elif self._is_packed(tensor):
            self._write_pixels(tensor, values)
        else:
            whole = values.reshape(-1, *_chw(tensor))
            for cube, part in zip(self._cubes(tensor, values.dtype), whole, strict=True):
                store(self._memory, cube, 0, np.ascontiguousarray(part.transpose(1, 2, 0)))

    def _write_flat(self, tensor: Tensor, values: Array) -> None:
        raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
        self._bytes(tensor, raw.size)[:] = raw

    def _write_pixels(self, tensor: Tensor, values: Array) -> None:
        """Write pixel by pixel, line by line, with the pitch that the first layer reads."""
        channels, height, width = _chw(tensor)
        packed = np.ascontiguousarray(values.reshape(channels, height, width).transpose(1, 2, 0))
        raw = packed.view(np.uint8).reshape(height, -1)
        line = self._lines.get(tensor.index, raw.shape[1])
        target = self._bytes(tensor, (height - 1) * line + raw.shape[1])
        np.lib.stride_tricks.as_strided(target, raw.shape, (line, 1))[:] = raw

    def _is_packed(self, tensor: Tensor) -> bool:
        """Say whether its channels lie together, as an input's of a picture do."""
        item_bytes = dtype_of_tensor(tensor).itemsize
        return _is_surfaces(tensor) and tensor.native_shape[4] * item_bytes != self._memory.unit_bytes(
            item_bytes
        )

    def _cubes(self, tensor: Tensor, dtype: np.dtype[Any]) -> list[Cube]:
        """Return where each picture of the batch lies: as many surfaces apart as its own channels take."""
        batch, surfaces, height, width, per_surface = tensor.native_shape
        unit, pixels = self._memory.unit_bytes(dtype.itemsize), height * width
        aligned = -(-pixels // SURFACE_PIXELS) * SURFACE_PIXELS
        if tensor.kind != "input" and pixels > 1 and tensor.size_bytes >= batch * surfaces * aligned * unit:
            pixels = aligned
        channels = _chw(tensor)[0]
        step = -(-channels // per_surface) * pixels * unit
        self._bytes(tensor, batch * step)
        address = self._addresses[tensor.index]
        return [
            Cube(address + i * step, channels, height, width, dtype, width * unit, pixels * unit)
            for i in range(batch)
        ]

    def _bytes(self, tensor: Tensor, size_bytes: int) -> Bytes:
        """Return the first bytes of a tensor; UnmodelledError where it has less memory than that, or none."""
        if tensor.index not in self._addresses:
            raise UnmodelledError(f"tensor {tensor.name!r} without memory")
        held = max(tensor.size_bytes, tensor.buffer_bytes)
        if size_bytes > held:
            raise UnmodelledError(f"tensor {tensor.name!r} of {size_bytes} bytes in {held}")
        return self._memory.read(self._addresses[tensor.index], size_bytes)


def _refuse_no_numbers(dtype: np.dtype[Any], wrong: NDArray[np.bool_]) -> None:
    if wrong.any():
        first = [int(place) for place in np.unravel_index(np.argmax(wrong), wrong.shape)]
        raise UnmodelledError(
            f"{dtype} of NaN or infinity ({int(wrong.sum())} of {wrong.size} values, the first at {first})"
        )


def _holds(dtype: np.dtype[Any], values: Array) -> bool:
    """Return whether whole numbers fit into a dtype."""
    limits = np.iinfo(dtype)
    return not values.size or bool(limits.min <= values.min() and values.max() <= limits.max)


def _quantized(values: Array, dtype: np.dtype[Any], scale: np.float32, zero_point: int) -> Array:
    """Return integers, rounded to even; in parts, for the steps between are eight times as large."""
    flat, limits = values.reshape(-1), np.iinfo(dtype)
    result = np.empty(flat.shape, dtype)
    for first in range(0, flat.size, PART_VALUES):
        part = flat[first : first + PART_VALUES].astype(np.float64)
        with np.errstate(all="ignore"):
            part /= scale
            np.rint(part, out=part)
        part += zero_point
        result[first : first + PART_VALUES] = np.clip(part, limits.min, limits.max, out=part)
    return result.reshape(values.shape)


def _is_surfaces(tensor: Tensor) -> bool:
    return tensor.layout == "NC1HWC2" and len(tensor.native_shape) == 5


def _chw(tensor: Tensor) -> tuple[int, int, int]:
    """Return channels, height and width of one picture; refuse a shape that its memory does not have."""
    batch, surfaces, height, width, per_surface = tensor.native_shape
    channels = math.prod(tensor.shape) // max(1, batch * height * width)
    if math.prod(tensor.shape) != batch * channels * height * width or channels > surfaces * per_surface:
        raise UnmodelledError(f"tensor {tensor.name!r} of {tensor.shape} in {tensor.native_shape}")
    if len(tensor.shape) > 1 and channels != tensor.shape[1]:
        raise UnmodelledError(f"tensor {tensor.name!r} of {tensor.shape} in {tensor.native_shape}")
    return channels, height, width


def dtype_of_tensor(tensor: Tensor) -> np.dtype[Any]:
    """Return its dtype in memory; UnmodelledError names what numpy, or this model, does not have."""
    if tensor.dtype not in DTYPES:
        raise UnmodelledError(f"tensor {tensor.name!r} of {tensor.dtype or 'no dtype'}")
    return np.dtype(DTYPES[tensor.dtype])


def quantization(tensor: Tensor) -> tuple[np.float32, int]:
    """Return scale and zero point of a tensor that has one of each."""
    if len(tensor.scale) != 1 or len(tensor.zero_point) > 1:
        raise UnmodelledError(f"tensor {tensor.name!r} with {len(tensor.scale)} scales")
    scale, zero_point = np.float32(tensor.scale[0]), tensor.zero_point[0] if tensor.zero_point else 0
    limits = np.iinfo(dtype_of_tensor(tensor)) if dtype_of_tensor(tensor).kind in "iu" else None
    if not 0 < scale < np.inf or (limits is not None and not limits.min <= zero_point <= limits.max):
        raise UnmodelledError(f"tensor {tensor.name!r} of steps of {scale} around {zero_point}")
    return scale, zero_point
