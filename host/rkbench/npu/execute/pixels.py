"""Packed pixels, held against the tensors of the layer that fetches them.

The host lays inputs of packed pixels down with the pitch that tasks fetch them with: a damaged one would have
it write over weights, or fetch what it did not write. In all such tasks at hand (1,054 in 375 graphs) a fetch
lies in one tensor that its layer reads, and of an input it takes lines that the input has, with all columns
and channels. On the RK3568 their pitch is what LINE_STRIDE says: their size, or the next multiple of 8 bytes.
On the RK3588 files say there that nothing lies between two lines, but lay out memory, and begin further tasks
of the layer, for a pitch by which a line of each channel is a multiple of 16 bytes; the runtime sets that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rkbench.npu.execute.features import Fetch
from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.generations import LITE
from rkbench.rknn.contents import Tensor

LITE_UNIT_BYTES = 8
CHANNEL_LINE_BYTES = 16
LINES = "CNA.DATA_SIZE0.DATAIN_HEIGHT"


def fetched_tensor(fetch: Fetch, read: Sequence[Tensor], addresses: Mapping[int, int]) -> Tensor:
    """Return which of the tensors that a layer reads a fetch lies in; UnmodelledError where in none."""
    first = fetch.registers["CNA.FEATURE_DATA_ADDR"]
    for tensor in read:
        address = addresses.get(tensor.index)
        if (
            address is not None
            and address <= first
            and first + fetch.packed_bytes <= address + tensor.size_bytes
        ):
            return tensor
    raise UnmodelledError(
        f"{fetch.packed_bytes} bytes of packed pixels at {first:#x}, outside of what the layer reads,"
    )


def pitch_of(fetch: Fetch, tensor: Tensor, address: int) -> int:
    """Return the bytes from line to line of an input; UnmodelledError where a fetch takes it otherwise."""
    height, width, channels = tensor.native_shape[2:] if len(tensor.native_shape) == 5 else (0, 0, 0)
    packed = fetch.packed_line_bytes
    if packed != width * channels * fetch.dtype.itemsize:
        raise UnmodelledError(f"packed pixels of {tensor.native_shape}, {packed} bytes of each line,")
    if fetch.line not in _pitches(fetch):
        raise UnmodelledError(f"packed pixels of {packed} bytes a line, {fetch.line} apart,")
    pitch = fetch.line if fetch.generation is LITE else _laid_out(fetch, width)
    offset, lines = fetch.registers["CNA.FEATURE_DATA_ADDR"] - address, fetch.registers[LINES]
    if height * pitch > tensor.size_bytes or offset % pitch or offset // pitch + lines > height:
        raise UnmodelledError(
            f"{lines} lines of packed pixels from byte {offset} on of {height}, {pitch} bytes apart,"
        )
    return pitch


def line_stride(fetch: Fetch, pitch: int) -> int:
    """Return what LINE_STRIDE has to say for a pitch."""
    unit = LITE_UNIT_BYTES if fetch.generation is LITE else fetch.argb_channels * fetch.dtype.itemsize
    return pitch // unit


def _laid_out(fetch: Fetch, width: int) -> int:
    """Return the pitch for which the RK3588's files lay out an input."""
    step = CHANNEL_LINE_BYTES // fetch.dtype.itemsize
    return -(-width // step) * step * fetch.argb_channels * fetch.dtype.itemsize


def _pitches(fetch: Fetch) -> tuple[int, ...]:
    """Return the pitches that files state."""
    packed = fetch.packed_line_bytes
    aligned = -(-packed // LITE_UNIT_BYTES) * LITE_UNIT_BYTES
    return (packed, aligned) if fetch.generation is LITE else (packed,)
