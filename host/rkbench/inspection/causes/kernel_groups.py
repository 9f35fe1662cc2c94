"""The pattern of zeros in stored weights, from a few sampled rows: was this dense kernel a grouped one?

A dense kernel that was made from a grouped convolution is block-diagonal: output channel o reads only the
input channels of its own group. The rest is filler, 0 in fp16; in int8 the filler is the channel's zero
point, so it is whatever value most of the row has. A row is one output channel; a few dozen are enough to
tell, and the 60 MB of a bloated file stay on disk.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from itertools import pairwise
from math import prod

from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel

ELEMENT_BYTES = {
    "FLOAT32": 4,
    "FLOAT16": 2,
    "BFLOAT16": 2,
    "INT8": 1,
    "UINT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
}

ROWS = 8
KERNEL_POINTS = 2
MOST_ROWS = 4096
"""Of a kernel with more a few rows have to do."""
NEIGHBOURS = 3
"""Rows side by side: of a shuffle in parts, every second or third row belongs to one of them."""

_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
"""The letters of unsigned integers of so many bytes."""


@dataclass(frozen=True)
class Groups:
    """The grouped convolution that a dense kernel was made from."""

    count: int
    channels: int
    """Input channels per group; 1 for a depthwise convolution."""
    outputs: int
    """Output channels per group; of a depthwise convolution its channel multiplier."""
    sampled: int
    """Rows that were looked at, all of which fit."""


def find_groups(model: RknnModel, kernels: Sequence[Tensor]) -> Groups | None:
    """Return the groups of a kernel that is stored in parts by input channel, in order; None if it has none.

    Every sampled row must lie in the block of its own group, and at least half of the groups' channels must
    be filler, else the kernel is taken for a dense one.
    """
    if not kernels or any(not is_packed(kernel) for kernel in kernels):
        return None
    outputs = kernels[0].shape[0]
    inputs = sum(kernel.shape[1] for kernel in kernels)
    spans = {}
    with model.file.path.open("rb", buffering=0) as stream:
        for channel in _spread(outputs, ROWS):
            span = _span(stream, model, kernels, channel)
            if span is None:
                continue
            if 2 * (span[1] - span[0] + 1) > inputs:
                return None
            spans[channel] = span
    return _fit(spans, inputs, outputs)


def moves_channels(model: RknnModel, kernel: Tensor) -> bool:
    """Return whether a 1x1 kernel only moves channels: each output is one input times the same, or nothing.

    One that hands every channel on to its own place moves none: weights may begin so. In int8 the same is
    the largest number of the row, which a row of one weight always has: there only the zeros tell, and
    learned kernels of one weight a row do not occur.
    """
    if not is_packed(kernel) or kernel.shape[2:] != (1, 1):
        return False
    sampled = {row + further for row in _spread(kernel.shape[0], ROWS) for further in range(NEIGHBOURS)}
    read: list[tuple[int, bytes]] = []
    moved = False
    with model.file.path.open("rb", buffering=0) as stream:
        for row in sorted(sampled):
            entries = _read_entries(stream, model, kernel, row) if row < kernel.shape[0] else {}
            if len(entries) > 1:
                return False
            read += entries.items()
            moved |= bool(entries.keys() - {row})
    channels, values = {channel for channel, _ in read}, {value for _, value in read}
    return moved and 2 * len(read) >= ROWS // 2 and len(channels) == len(read) and len(values) == 1


def copies_channels(model: RknnModel, kernel: Tensor) -> bool:
    """Return whether a 1x1 kernel repeats channels, or moves all of them by the same number of rows.

    Every row is read: of a permutation, or a part of one, no two rows read the same.
    """
    if not is_packed(kernel) or kernel.shape[2:] != (1, 1) or kernel.shape[0] > MOST_ROWS:
        return False
    with model.file.path.open("rb", buffering=0) as stream:
        rows = [_read_channels(stream, model, kernel, row) for row in range(kernel.shape[0])]
    read = [(row, channels[0]) for row, channels in enumerate(rows) if len(channels) == 1]
    if not read or any(len(channels) > 1 for channels in rows):
        return False
    moved = {row - channel for row, channel in read}
    return len({channel for _, channel in read}) < len(read) or (len(moved) == 1 and moved != {0})


def extends_border(model: RknnModel, kernel: Tensor) -> bool:
    """Return whether a 1x1 kernel hands all channels on in order and repeats some before or behind them.

    So a padding is written that mirrors or repeats the border of an axis that lies among the channels.
    """
    if not is_packed(kernel) or kernel.shape[2:] != (1, 1):
        return False
    outputs, inputs = kernel.shape[:2]
    if not inputs < outputs < min(2 * inputs, MOST_ROWS):
        return False
    with model.file.path.open("rb", buffering=0) as stream:
        rows = [_read_channels(stream, model, kernel, row) for row in range(outputs)]
    read, whole = [channels[0] for channels in rows if len(channels) == 1], list(range(inputs))
    return len(read) == outputs and any(
        read[first : first + inputs] == whole for first in range(outputs - inputs + 1)
    )


def copies_in_order(model: RknnModel, kernel: Tensor) -> bool:
    """Return whether a 1x1 kernel only moves channels apart: no sampled row reads more than one, in order.

    A row's channel never lies before the row, as it does where a channel is read by several rows.
    """
    if not is_packed(kernel) or kernel.shape[2:] != (1, 1):
        return False
    with model.file.path.open("rb", buffering=0) as stream:
        rows = _spread(kernel.shape[0], ROWS)
        spans = [(row, _span(stream, model, (kernel,), row)) for row in rows]
    read = [(row, span) for row, span in spans if span is not None]
    firsts = [first for _, (first, _) in read]
    return (
        len(read) > 1
        and all(row <= first == last for row, (first, last) in read)
        and all(one < other for one, other in pairwise(firsts))
    )


def read_row(stream: FileIO, model: RknnModel, kernel: Tensor, channel: int) -> tuple[array[int], ...]:
    """Return the weights of an output channel by input channel, at a few places of the kernel each."""
    width = ELEMENT_BYTES[kernel.dtype]
    block, parts, row = _read_block(stream, model, kernel, channel)
    runs = [block[start : start + inner * width] for _, start, inner in _runs(parts, row, width)]
    places = len(_spread(prod(kernel.shape[2:]), KERNEL_POINTS))
    rows = (array(_CODES[width], b"".join(runs[place::places])) for place in range(places))
    return tuple(row[: kernel.shape[1]] for row in rows)


def is_packed(kernel: Tensor) -> bool:
    """Return whether the native shape is one of packed weights, and describes all of the buffer."""
    blocks, width = kernel.native_shape, ELEMENT_BYTES.get(kernel.dtype, 0)
    if len(kernel.shape) != 4 or kernel.shape[0] < 2 or kernel.shape[1] < 1 or not kernel.buffer_bytes:
        return False
    if not width or not blocks or len(blocks) % 6 or min(blocks) < 0:
        return False
    if max(kernel.shape[:2]) * width > kernel.buffer_bytes:  # a claim that no such buffer can hold
        return False
    parts = [blocks[i : i + 6] for i in range(0, len(blocks), 6)]
    return sum(prod(part) for part in parts) * width == kernel.buffer_bytes


def _spread(count: int, samples: int) -> list[int]:
    """Return up to `samples` indices below `count`, first and last among them."""
    if count <= samples:
        return list(range(count))
    return [index * (count - 1) // (samples - 1) for index in range(samples)]


def _fit(spans: dict[int, tuple[int, int]], inputs: int, outputs: int) -> Groups | None:
    """Return the smallest groups that hold every span in the block of its own output channel."""
    if len(spans) < min(ROWS, outputs) // 2 or len(spans) < 2:
        return None
    widest = max(last - first + 1 for first, last in spans.values())
    for channels in range(widest, inputs // 2 + 1):
        count = inputs // channels
        if inputs % channels or outputs % count:
            continue
        each = outputs // count
        if all(first // channels == last // channels == row // each for row, (first, last) in spans.items()):
            return Groups(count, channels, each, len(spans))
    return None


def _span(
    stream: FileIO, model: RknnModel, kernels: Sequence[Tensor], channel: int
) -> tuple[int, int] | None:
    """Return (first, last) input channel that output channel `channel` reads; None if it reads nothing."""
    first = last = -1
    base = 0
    for kernel in kernels:
        found = _read_channels(stream, model, kernel, channel)
        if found:
            first = base + found[0] if first < 0 else first
            last = base + found[-1]
        base += kernel.shape[1]
    return (first, last) if first >= 0 else None


def _read_channels(stream: FileIO, model: RknnModel, kernel: Tensor, channel: int) -> list[int]:
    """Return the input channels whose weight differs from the row's filler, at a few kernel positions."""
    return sorted(_read_entries(stream, model, kernel, channel))


def _read_entries(stream: FileIO, model: RknnModel, kernel: Tensor, channel: int) -> dict[int, bytes]:
    """Return input channel -> the weight that differs from the row's filler; all of a row without filler."""
    width = ELEMENT_BYTES[kernel.dtype]
    block, parts, row = _read_block(stream, model, kernel, channel)
    runs = [(first, block[start : start + inner * width]) for first, start, inner in _runs(parts, row, width)]
    filler, share = filler_of(b"".join(data for _, data in runs), width)
    if share < 0.5:
        return dict.fromkeys(range(kernel.shape[1]), b"")
    found: dict[int, bytes] = {}
    for first, data in runs:
        if data != filler * (len(data) // width):
            elements = (data[i : i + width] for i in range(0, len(data), width))
            found.update((first + i, element) for i, element in enumerate(elements) if element != filler)
    return {index: value for index, value in found.items() if index < kernel.shape[1]}


def filler_of(row: bytes, width: int) -> tuple[bytes, float]:
    """Return the most frequent element of a row, and its share of the row."""
    elements: array[int] = array(_CODES[width], row)
    value, seen = Counter(elements).most_common(1)[0]
    return value.to_bytes(width, sys.byteorder), seen * width / len(row)


Part = tuple[int, ...]


def _read_block(
    stream: FileIO, model: RknnModel, kernel: Tensor, channel: int
) -> tuple[bytes, list[Part], int]:
    """Return the output block that holds a channel, its parts, and the row in it.

    It is read from the file, not over the map: pages of a map stay in the process's memory.
    """
    offset, size, parts, row = _block_of(kernel, channel, ELEMENT_BYTES[kernel.dtype])
    stream.seek(model.buffers[kernel.buffer_index].offset + offset)
    return stream.read(size), parts, row


def _block_of(kernel: Tensor, channel: int, width: int) -> tuple[int, int, list[Part], int]:
    """Return (offset, bytes) of the output block that holds a channel, its parts, and the row in it.

    The native shape is a list of parts [outer Cout, outer Cin, kh, kw, inner Cout, inner Cin]; parts with the
    same output blocking hold the main input channels and their tail, and lie interleaved by output block.
    """
    parts = [kernel.native_shape[i : i + 6] for i in range(0, len(kernel.native_shape), 6)]
    offset = first_output = 0
    while parts:
        blocks, inner = parts[0][0], parts[0][4]
        same = [part for part in parts if (part[0], part[4]) == (blocks, inner)]
        parts = [part for part in parts if (part[0], part[4]) != (blocks, inner)]
        size = sum(prod(part[1:]) for part in same) * width
        if channel < first_output + blocks * inner or not parts:
            block, row = divmod(channel - first_output, max(inner, 1))
            return offset + block * size, size, same, row
        offset += blocks * size
        first_output += blocks * inner
    raise AssertionError("a packed kernel has parts")


def _runs(parts: list[Part], row: int, width: int) -> list[tuple[int, int, int]]:
    """Return (input channel, byte offset in the block, elements) of the runs that hold one row."""
    runs = []
    offset = first_input = 0
    for _, outer, height, kernel_width, inner_out, inner_in in parts:
        area = height * kernel_width
        for block in range(outer):
            for point in _spread(area, KERNEL_POINTS):
                start = offset + ((block * area + point) * inner_out + row) * inner_in * width
                runs.append((first_input + block * inner_in, start, inner_in))
        offset += outer * area * inner_out * inner_in * width
        first_input += outer * inner_in
    return runs
