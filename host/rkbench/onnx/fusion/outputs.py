"""What it takes to put the outputs of a network into the order that the host reads: NHWC blocks to NCHW."""

from __future__ import annotations

import math

from rkbench.onnx.fusion.taken import Effort
from rkbench.rknn.targets import Dtype

MOST_PIXELS = 8192
"""The NPU transposes maps up to this size."""


def output_effort(shape: tuple[int, ...] | None, target: str, dtype: Dtype) -> Effort:
    """Return what putting a 4-D output into its own order takes on the rk3566/rk3568, which do it by
    tasks."""
    if shape is None or len(shape) != 4 or not target.startswith("rk356") or target == "rk3562":
        return Effort(0, 0, 2)
    pixels = math.prod(shape[2:])
    fp16 = dtype == "fp16"
    if pixels > MOST_PIXELS:  # the CPU does it in fp16
        return Effort(0, 0, 2) if fp16 else Effort(100 * shape[1] + 3000, shape[1] // 4 + 10, 2)
    if fp16:
        return Effort(16 * pixels + 1280, pixels // 8 + 2, 2)
    if shape[3] % WHOLE_ROW:
        return Effort(16 * pixels + 1500, pixels // 8 + 2, 2)
    more = max(shape[1] - WHOLE_ROW_CHANNELS, 0)
    size = 16 * pixels + WHOLE_ROW_BYTES + 48 * more
    return Effort(size, pixels // 8 + 12 + more // 4, 2, more // 8)


WHOLE_ROW = 8
WHOLE_ROW_BYTES = 6_500
"""Commands beside those of every pixel where rows are whole blocks of pixels, in int8, ..."""
WHOLE_ROW_CHANNELS = 32
"""... for so many channels; a task moves four more."""
WHOLE_ROW_TABLE_BYTES = 5_120
"""The table that they are put in order by: the file has it among the compiler's own constants. Measured on
32 channels of 1 x 16 to 56 x 56, and 8 to 480 channels of 8 x 8 to 16 x 16."""


def output_table_bytes(shape: tuple[int, ...] | None, target: str, dtype: Dtype) -> int:
    """Return the constants that putting a 4-D output into its own order takes."""
    none = (
        dtype == "fp16" or shape is None or len(shape) != 4 or output_effort(shape, target, dtype).tasks == 0
    )
    if none or shape is None or shape[3] % WHOLE_ROW or math.prod(shape[2:]) > MOST_PIXELS:
        return 0
    return WHOLE_ROW_TABLE_BYTES
