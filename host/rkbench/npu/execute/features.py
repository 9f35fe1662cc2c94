"""What the convolution fetches: features in lines, padded, spread out for a deconvolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rkbench.npu.execute import bfloat16
from rkbench.npu.execute.cubes import AddressSpace, Cube, Values, load, load_padded
from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError
from rkbench.npu.generations import LITE, Generation

FIRST_ARGB = 8
"""ARGB_IN of one channel, in pixels that lie one behind the other; 9 of two, and so on."""
MOST_PADDING_BYTES = 1 << 26


@dataclass(frozen=True)
class Window:
    """The kernel's steps over the features."""

    height: int
    width: int
    stride: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def reach(self) -> tuple[int, int]:
        """Lines and columns that one output pixel sees."""
        return (self.height - 1) * self.dilation[0] + 1, (self.width - 1) * self.dilation[1] + 1

    def needs(self, output: tuple[int, int]) -> tuple[int, int]:
        """Return the lines and columns that `output` lines and columns see."""
        (sy, sx), reach = self.stride, self.reach
        return (output[0] - 1) * sy + reach[0], (output[1] - 1) * sx + reach[1]


def read_window(registers: TaskRegisters) -> Window:
    """Return the kernel's steps; raises UnmodelledError where there is none."""
    con, size = "CNA.CONV_CON3.", "CNA.WEIGHT_SIZE2.WEIGHT_"
    kernel = registers[f"{size}HEIGHT"], registers[f"{size}WIDTH"]
    stride = registers[f"{con}CONV_Y_STRIDE"], registers[f"{con}CONV_X_STRIDE"]
    dilation = registers[f"{con}ATROUS_Y_DILATION"] + 1, registers[f"{con}ATROUS_X_DILATION"] + 1
    if min(*kernel, *stride) < 1:
        raise UnmodelledError(f"a kernel of {kernel[0]}x{kernel[1]}, stride {stride[0]}x{stride[1]}")
    return Window(*kernel, stride, dilation)


@dataclass(frozen=True)
class Fetch:
    """A task's reading of features."""

    registers: TaskRegisters
    memory: AddressSpace
    generation: Generation
    dtype: np.dtype[np.generic]

    def features(self, window: Window, output: tuple[int, int]) -> Values:
        """Return (height, width, channels) with the padding that `output` lines and columns see."""
        if self.argb_channels:
            return self._pad(self._spread(self._read_argb()), window, output)
        if self.registers["CNA.CONV_CON1.DECONV"]:
            if self.converts:
                raise UnmodelledError("an input conversion of a deconvolution's features")
            return self._pad(self._spread(load(self.memory, self._cube)), window, output)
        cube = self._cube
        needed = self._padded_size((cube.height, cube.width, cube.channels), window, output)
        corner = self.registers["CNA.PAD_CON0.PAD_TOP"], self.registers["CNA.PAD_CON0.PAD_LEFT"]
        features = load_padded(self.memory, cube, needed, corner, self._pad_value())
        if self.converts:
            if needed != (cube.height, cube.width):
                raise UnmodelledError("an input conversion of padded features")
            features = self._requantized(features)
        features[..., self.real_channels :] = 0  # what lies behind them in memory is no feature
        return features

    @property
    def argb_channels(self) -> int:
        """Channels of pixels that lie one behind the other; 0 where the features are NC1HWC2."""
        code = self.registers["CNA.CONV_CON1.ARGB_IN"]
        return code - FIRST_ARGB + 1 if code else 0

    @property
    def real_channels(self) -> int:
        """Channels that are features."""
        if self.argb_channels:
            return self.argb_channels
        size = "CNA.DATA_SIZE1.DATAIN_CHANNEL"
        return self.generation.real_channels(self.registers[size], self.registers[f"{size}_REAL"])

    @property
    def line(self) -> int:
        """Bytes from line to line."""
        stride = self.registers["CNA.DMA_CON1.LINE_STRIDE"]
        if self.generation is LITE:
            return stride * 8
        if self.argb_channels:
            return stride * self.argb_channels * self.dtype.itemsize
        return stride * (16 if self.registers["CNA.CONV_CON1.GROUP_LINE_OFF"] else 4)

    @property
    def surface(self) -> int:
        """Bytes from surface to surface; the RK3588 counts from the end of the line, or four, it fetches."""
        if self.generation is LITE:
            return self.registers["CNA.DMA_CON2.SURF_STRIDE"] * 8
        lines = 1 if self.registers["CNA.CONV_CON1.GROUP_LINE_OFF"] else 4
        fetched = self.registers["CNA.FC_DATA_SIZE0.DMA_WIDTH"] * lines
        return (self.registers.signed("CNA.DMA_CON2.SURF_STRIDE") + fetched) * 16

    @property
    def _cube(self) -> Cube:
        size = "CNA.DATA_SIZE0.DATAIN_"
        return Cube(
            self.registers["CNA.FEATURE_DATA_ADDR"],
            self.registers["CNA.DATA_SIZE1.DATAIN_CHANNEL"],
            self.registers[f"{size}HEIGHT"],
            self.registers[f"{size}WIDTH"],
            self.dtype,
            self.line,
            self.surface,
        )

    @property
    def packed_line_bytes(self) -> int:
        """Bytes of a line of packed pixels, without a gap behind them."""
        return self.registers["CNA.DATA_SIZE0.DATAIN_WIDTH"] * self.argb_channels * self.dtype.itemsize

    @property
    def packed_bytes(self) -> int:
        """Bytes from the first packed pixel to the end of the last."""
        return (self.registers["CNA.DATA_SIZE0.DATAIN_HEIGHT"] - 1) * self.line + self.packed_line_bytes

    def _read_argb(self) -> Values:
        cube, channels, packed = self._cube, self.argb_channels, self.packed_line_bytes
        if self.converts and self.dtype != np.int8:
            raise UnmodelledError(f"an input conversion to {self.dtype}")
        if not 1 <= channels <= 4 or min(cube.height, cube.width) < 1 or cube.line < packed:
            raise UnmodelledError(
                f"{cube.height} lines of {cube.width} pixels of {channels} channels in {cube.line} bytes"
            )
        raw = self.memory.read(cube.address, self.packed_bytes)
        view = np.lib.stride_tricks.as_strided(raw, (cube.height, packed), (cube.line, 1))
        pixels = np.ascontiguousarray(view)
        shape = (cube.height, cube.width, channels)
        if self.converts:
            return self._converted(pixels.reshape(shape))
        return pixels.view(self.dtype).reshape(shape)

    @property
    def converts(self) -> bool:
        """Whether the NPU quantizes what it fetches: a picture of bytes, laid down as it is."""
        return not self.registers["CNA.CVT_CON0.CVT_BYPASS"]

    def _requantized(self, features: Values) -> Values:
        """Return int8 features as (x + offset) * scale >> shift, all channels alike: attention's queries."""
        registers = self.registers
        steps = {
            (
                registers.signed(f"CNA.CVT_CON{i + 1}.CVT_SCALE{i}"),
                registers.signed(f"CNA.CVT_CON{i + 1}.CVT_OFFSET{i}"),
                registers[f"CNA.CVT_CON0.CVT_TRUNCATE_{i}"],
            )
            for i in range(4)
        }
        if self.dtype != np.int8 or len(steps) > 1 or not registers["CNA.CVT_CON0.CVT_TYPE"]:
            raise UnmodelledError("an input conversion of features of several kinds")
        ((scale, offset, shift),) = steps
        # What becomes of the 256 values that there are.
        results = np.rint((np.arange(-128, 128) + offset) * (scale * 2.0**-shift))
        made: Values = np.clip(results, -128, 127).astype(np.int8)[features.astype(np.intp) + 128]
        return made

    def _converted(self, pixels: Values) -> Values:
        """Return int8 of bytes: x * scale >> shift + offset, of each channel its own."""
        registers = self.registers
        if registers["CNA.CVT_CON0.CVT_TYPE"]:
            raise UnmodelledError("an input conversion that adds first")
        channels = range(pixels.shape[2])
        scale, offset = (
            [registers.signed(f"CNA.CVT_CON{i + 1}.CVT_{what}{i}") for i in channels]
            for what in ("SCALE", "OFFSET")
        )
        down = [2.0 ** -registers[f"CNA.CVT_CON0.CVT_TRUNCATE_{i}"] for i in channels]
        signed = registers["CNA.CVT_CON0.DATA_SIGN"]
        values = pixels.view(np.int8 if signed else np.uint8) * (np.array(scale) * down)
        return np.clip(np.rint(values) + offset, -128, 127).astype(np.int8)

    def _spread(self, features: Values) -> Values:
        """Return the features of a deconvolution: with zeros between the pixels it is a convolution."""
        if not self.registers["CNA.CONV_CON1.DECONV"]:
            return features
        height, width, channels = features.shape
        zy = self.registers["CNA.CONV_CON3.DECONV_Y_STRIDE"] + 1
        zx = self.registers["CNA.CONV_CON3.DECONV_X_STRIDE"] + 1
        size = (height - 1) * zy + 1, (width - 1) * zx + 1, channels
        spread = np.full(size, self._pad_value(), features.dtype)
        spread[::zy, ::zx] = features
        return spread

    def _pad(self, features: Values, window: Window, output: tuple[int, int]) -> Values:
        needed = self._padded_size(features.shape, window, output)
        height, width, channels = features.shape
        top, left = self.registers["CNA.PAD_CON0.PAD_TOP"], self.registers["CNA.PAD_CON0.PAD_LEFT"]
        padded = np.full((*needed, channels), self._pad_value(), self.dtype)
        padded[top : top + height, left : left + width] = features
        padded[..., self.real_channels :] = 0
        return padded

    def _padded_size(
        self, shape: tuple[int, ...], window: Window, output: tuple[int, int]
    ) -> tuple[int, int]:
        """Return lines and columns with padding; refuse far more than there are features."""
        height, width, channels = shape
        top, left = self.registers["CNA.PAD_CON0.PAD_TOP"], self.registers["CNA.PAD_CON0.PAD_LEFT"]
        needs = window.needs(output)
        lines, columns = max(needs[0], top + height), max(needs[1], left + width)
        features_bytes = height * width * channels * self.dtype.itemsize
        added_bytes = lines * columns * channels * self.dtype.itemsize - features_bytes
        if added_bytes > 3 * features_bytes + MOST_PADDING_BYTES:
            raise UnmodelledError(f"{output[0]}x{output[1]} outputs of {height}x{width} features")
        return lines, columns

    def _pad_value(self) -> float:
        value = self.registers["CNA.PAD_CON1"]
        if self.dtype == np.int8:
            return float(np.uint8(value & 0xFF).view(np.int8))
        if self.dtype == bfloat16.STORED:
            return float(value & 0xFFFF)  # as stored
        return float(np.uint16(value & 0xFFFF).view(np.float16))
