"""CNA and CORE: the accumulators of a convolution, a few lines at a time so that they stay in the cache."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.cubes import AddressSpace, Values
from rkbench.npu.execute.features import Fetch, Window, read_window
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError, dtype_of, precision_name
from rkbench.npu.execute.weights import DenseWeights, Floats, dense_weights, depthwise_weights
from rkbench.npu.fields import BF16, FP16, INT8
from rkbench.npu.generations import Generation

DENSE, DEPTHWISE = 0, 3
MOST_LINE_BYTES = 1 << 28


@dataclass(frozen=True)
class Accumulators:
    """A task's convolution, ready to compute lines of its accumulators."""

    features: Values
    """(height, width, channels), padded, in the dtype of the file."""
    weights: DenseWeights | Floats
    """Depthwise: (kh, kw, channels)."""
    window: Window
    height: int
    width: int

    @property
    def line_bytes(self) -> int:
        """What computing one line takes."""
        if isinstance(self.weights, DenseWeights):
            return 4 * self.width * max(self.weights.seen, self.weights.kernels)
        return 4 * self.width * int(self.weights.shape[2])

    def lines(self, first: int, count: int, *, with_sums: bool) -> tuple[Floats, Floats | None]:
        """Return accumulators (count, width, channels) from output line `first` on.

        `with_sums`: and sums of the features under the kernel: (count, width, 1), depthwise of each channel.
        """
        if not isinstance(self.weights, DenseWeights):
            ones = np.ones_like(self.weights) if with_sums else None
            sums = None if ones is None else self._depthwise(first, count, ones)
            return self._depthwise(first, count, self.weights), sums
        seen = self._seen(first, count)
        shape, sums = (count, self.width, -1), None
        if with_sums:
            sums = seen.sum(axis=1, dtype=np.float64).reshape(shape)
        return self.weights.times(seen).reshape(shape), sums

    def _tap(self, first: int, count: int, row: int, column: int) -> Values:
        (sy, sx), (dy, dx) = self.window.stride, self.window.dilation
        top, left = first * sy + row * dy, column * dx
        bottom, right = top + (count - 1) * sy + 1, left + (self.width - 1) * sx + 1
        return self.features[top:bottom:sy, left:right:sx]

    def _seen(self, first: int, count: int) -> Floats:
        kh, kw, channels = self.window.height, self.window.width, self.features.shape[2]
        seen = np.empty((count, self.width, kh, kw, channels), np.float32)
        for row in range(kh):
            for column in range(kw):
                seen[:, :, row, column] = self._tap(first, count, row, column)
        return seen.reshape(count * self.width, -1)

    def _depthwise(self, first: int, count: int, weights: Floats) -> Floats:
        sums = np.zeros((count, self.width, weights.shape[2]), np.float32)
        product = np.empty_like(sums)
        for row in range(self.window.height):
            for column in range(self.window.width):
                tap = self._tap(first, count, row, column)
                np.multiply(tap, weights[row, column], out=product, casting="unsafe")
                sums += product
        return sums


def read_kind(registers: TaskRegisters) -> tuple[int, int]:
    """Return a convolution's mode and precision; raises UnmodelledError for others than are modelled."""
    mode, precision = registers["CNA.CONV_CON1.CONV_MODE"], registers["CNA.CONV_CON1.IN_PRECISION"]
    if precision not in (INT8, FP16, BF16):
        raise UnmodelledError(f"a convolution of {precision_name(precision)}")
    if mode not in (DENSE, DEPTHWISE) or (mode == DEPTHWISE and precision == BF16):
        raise UnmodelledError(f"convolution mode {mode}")
    return mode, precision


def read_accumulators(registers: TaskRegisters, memory: AddressSpace, generation: Generation) -> Accumulators:
    """Return the convolution of a task; raises UnmodelledError for what is not modelled."""
    mode, precision = read_kind(registers)
    dtype, window = dtype_of(precision, "convolution"), read_window(registers)
    size = "CORE.DATAOUT_SIZE_0.DATAOUT_"
    height, width = registers[f"{size}HEIGHT"] + 1, registers[f"{size}WIDTH"] + 1
    features = Fetch(registers, memory, generation, dtype).features(window, (height, width))
    if precision == BF16:
        features = bfloat16.widened(features)
    read = depthwise_weights if mode == DEPTHWISE else dense_weights
    weights = read(registers, memory, generation, features.shape[2], dtype)
    made = Accumulators(features, weights, window, height, width)
    if made.line_bytes > MOST_LINE_BYTES:
        raise UnmodelledError(f"a convolution that takes {made.line_bytes} bytes a line")
    return made
