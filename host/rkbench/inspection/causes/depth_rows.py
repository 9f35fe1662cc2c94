"""The pattern of a dense kernel that was a convolution along channels: its rows are one another's, moved on.

The compiler lays a map of (C, D, H, W) out as C x D channels. A kernel that moves along D then has D rows for
each output channel, and in every row the same weights, one step of the kernel further on.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from math import prod
from typing import TypeAlias

from rkbench.inspection.causes.kernel_groups import (
    ELEMENT_BYTES,
    Groups,
    filler_of,
    find_groups,
    is_packed,
    read_row,
)
from rkbench.rknn.contents import Tensor
from rkbench.rknn.model import RknnModel

SMALLEST_FILLER = 0.25
"""Of the first row: a convolution along three positions or more has so much, a learned kernel has none."""
FEWEST_VALUES = 3
"""Different values of a row, filler among them: permutations, sums and averages have two."""
LAID_SUFFIX = "_2d"
"""The compiler's, of a convolution or an average that had three axes."""
FEWEST_POSITIONS, MOST_POSITIONS = 3, 512
_LONGEST_STEP = 2
Row: TypeAlias = "tuple[array[int], ...]"
"""The elements of an output channel by input channel, at each of a few places of the kernel."""


@dataclass(frozen=True)
class DepthRows:
    """A convolution along some positions that are stored as channels."""

    positions: int
    """Of its output, along the axis that it moves on."""
    taps: int
    """Of the kernel along that axis."""
    needed_elements: int
    """Of the kernel as the network has it."""


def find_depth_rows(model: RknnModel, kernels: Sequence[Tensor], layer: str = "") -> DepthRows | None:
    """Return how a kernel that is stored in parts by input channel moves on; None if it does not.

    Where the compiler calls the `layer` laid flat two positions are enough, and groups are those of a
    depthwise convolution or an average over its depths.
    """
    is_laid = layer.partition("_tile")[0].endswith(LAID_SUFFIX)
    if not kernels or any(not is_packed(kernel) for kernel in kernels):
        return None
    groups = find_groups(model, kernels) if is_laid else None
    with model.file.path.open("rb", buffering=0) as stream:
        rows = _Rows(stream, model, kernels)
        if groups is not None and groups.outputs == 1:
            return rows.of_groups(groups)
        fewest = 2 if is_laid else FEWEST_POSITIONS
        counts = (count for count in _divisors(rows.outputs) if count >= fewest) if rows.may_move() else ()
        found = filter(None, map(rows.moved_by, counts))
        # One position more may move on as well, where the next output begins: that needs more weights.
        moved = min(found, key=lambda depth_rows: depth_rows.needed_elements, default=None)
        return moved or (rows.of_groups(groups) if groups is not None else None)


class _Rows:
    """The rows of a kernel, read once each."""

    def __init__(self, stream: FileIO, model: RknnModel, kernels: Sequence[Tensor]) -> None:
        self._stream, self._model, self._kernels = stream, model, kernels
        self._read: dict[int, tuple[Row, list[bool]]] = {}
        self.outputs = kernels[0].shape[0]
        self.inputs = sum(kernel.shape[1] for kernel in kernels)

    def may_move(self) -> bool:
        """Return whether the first row has filler and weights enough to tell."""
        row, used = self._row(0)
        # In a damaged file the places of a row may hold more or fewer channels than one another.
        values = set(zip(*row, strict=False))
        return sum(used) <= (1 - SMALLEST_FILLER) * len(used) and len(values) >= FEWEST_VALUES

    def of_groups(self, groups: Groups) -> DepthRows:
        """Return the convolution of each channel over its depths: a group's outputs are its positions."""
        taps = max(sum(self._row(index)[1]) for index in range(groups.outputs))
        return DepthRows(groups.outputs, taps, groups.count * taps * prod(self._kernels[0].shape[2:]))

    def moved_by(self, positions: int) -> DepthRows | None:
        """Return the convolution if the output channels are so many positions each."""
        first = positions // 4
        if positions > MOST_POSITIONS or not self._is_alike(first):
            return None
        found = [
            self._taps(positions, depth, step)
            for step in range(1, _LONGEST_STEP + 1)
            for depth in _divisors(self.inputs)
            if depth > step * (positions - 1) and self._moves(positions, depth, step)
        ]
        if not found:
            return None
        taps, weights = min(found)  # several depths in one, where the kernel has a single tap: more taps
        area = prod(self._kernels[0].shape[2:])
        return DepthRows(positions, taps, self.outputs // positions * weights * area)

    def _is_alike(self, row: int) -> bool:
        """Return whether a row and the next have the same number of weights: most kernels end here."""
        return sum(self._row(row)[1]) == sum(self._row(row + 1)[1]) > 0

    def _moves(self, positions: int, depth: int, step: int) -> bool:
        """Return whether each row is the one before it, a step on; at the border it may lack some weights.

        In int8 a row that lacks the largest weight has another scale: there only its zeros tell.
        """
        inner = range(positions // 4, positions - 1 - positions // 4)
        for index in range(positions - 1):
            (before, used), (after, used_after) = self._row(index), self._row(index + 1)
            if not _is_moved([used], [used_after], depth, step):
                return False
            if index in inner and not _is_moved(before, after, depth, step):
                return False
        return True

    def _taps(self, positions: int, depth: int, step: int) -> tuple[int, int]:
        """Return the taps that any of the rows of an output reads, of all its input channels and together.

        At the border some lie beyond the map.
        """
        read = {
            (channel // depth, channel % depth - step * index)
            for index in range(positions)
            for channel, is_used in enumerate(self._row(index)[1])
            if is_used
        }
        return len({tap for _, tap in read}), len(read)

    def _row(self, index: int) -> tuple[Row, list[bool]]:
        """Return a row and which of its input channels have a weight.

        In int8 a part that is all filler has another one than the part beside it.
        """
        if index not in self._read:
            parts = [read_row(self._stream, self._model, kernel, index) for kernel in self._kernels]
            row = tuple(sum(places[1:], places[0]) for places in zip(*parts, strict=False))
            self._read[index] = row, [used for part in parts for used in self._used(part)]
        return self._read[index]

    def _used(self, part: Row) -> list[bool]:
        filler = self._filler(part)
        return [any(value != filler for value in values) for values in zip(*part, strict=False)]  # as above

    def _filler(self, row: Row) -> int | None:
        width = ELEMENT_BYTES[self._kernels[0].dtype]
        data = b"".join(place.tobytes() for place in row)
        if not data:  # a damaged file's kernel without elements
            return None
        value, share = filler_of(data, width)
        return int.from_bytes(value, sys.byteorder) if share >= SMALLEST_FILLER / 2 else None


def _is_moved(before: Sequence[Sequence[int]], after: Sequence[Sequence[int]], depth: int, step: int) -> bool:
    """Return whether every channel's positions are those of the row before, moved on by `step`."""
    return all(
        now[start + step : start + depth] == then[start : start + depth - step]
        for then, now in zip(before, after, strict=True)
        for start in range(0, len(now), depth)
    )


def _divisors(number: int) -> Iterator[int]:
    """Return the divisors of a number, the largest first."""
    return (divisor for divisor in range(number, 0, -1) if number % divisor == 0)
