"""Kernels over one axis whose taps lie far apart: the compiler fetches the columns of every tap one by one.

A Pad adds a column of zeros, a Gather fetches what each tap meets at each output, and a convolution whose
stride is its kernel reads that. Read from files of toolkit 2.5.0: dilation 32 and more (31 is ordinary),
25 and 64 channels, 3 to 7 taps, 128 to 1,024 positions, both targets and dtypes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import onnx_ir as ir

from rkbench.onnx.convolution import Convolution, convolution_of

LARGEST_STEP = 31
"""Pixels between two taps that a convolution over one axis does by itself."""
COLUMN_BYTES, COLUMNS_START_BYTES = 128, 1024
"""Commands of each column that is fetched, and around all of them."""
PLACE_BYTES = 8
"""Stored for each column: where it is fetched from."""
PAD_BYTES = 1280
PAD_CONSTANT_BYTES = 64


@dataclass(frozen=True)
class FarTaps:
    """A convolution of far taps as the compiler writes it."""

    columns: int
    """That are fetched: those of each tap that meets the map, at each output."""
    convolution: Convolution
    """What reads them: its stride is its kernel."""

    @property
    def constant_bytes(self) -> int:
        """Where the columns are, and what is padded."""
        return self.columns * PLACE_BYTES + PAD_CONSTANT_BYTES


def spread_of(node: ir.Node) -> FarTaps | None:
    """Return what a Conv over one axis becomes whose taps lie too far apart; None for all others."""
    geometry = convolution_of(node) if node.op_type == "Conv" else None
    if geometry is None or len(geometry.kernel) != 1 or geometry.dilations[0] <= LARGEST_STEP:
        return None
    if geometry.input_size is None or geometry.output_size is None or geometry.kernel[0] == 1:
        return None
    taps, outputs = _living_taps(node, geometry), geometry.output_size[0]
    columns = taps * outputs
    read = replace(
        geometry,
        kernel=(1, taps),
        strides=(1, taps),
        dilations=(1, 1),
        input_size=(1, columns),
        output_size=(1, outputs),
    )
    return FarTaps(columns, read)


def _living_taps(node: ir.Node, geometry: Convolution) -> int:
    """Return how many taps meet the map at some output: the compiler leaves out those that never do."""
    assert geometry.input_size is not None
    assert geometry.output_size is not None
    before, step, stride = _before(node), geometry.dilations[0], geometry.strides[0]
    last = (geometry.output_size[0] - 1) * stride
    meets = [
        tap
        for tap in range(geometry.kernel[0])
        if tap * step - before + last >= 0 and tap * step - before < geometry.input_size[0]
    ]
    return max(len(meets), 1)


def _before(node: ir.Node) -> int:
    """Return the padding in front of the map; SAME is not asked for such kernels."""
    pads = node.attributes.get_ints("pads", (0, 0))
    return pads[0] if node.attributes.get_string("auto_pad", "NOTSET") == "NOTSET" else 0
