"""The outputs of a case on their way to the host, which asked for them: in pieces, compressed."""

from __future__ import annotations

import base64
import zlib
from typing import Any, Iterator, Sequence

import numpy as np

from rkbench_agent.wire.outputs import OutputValues

#: A piece that does not shrink is a line of 1.4 MB: far below what a host takes for nonsense.
PIECE_VALUES = 1 << 18
#: The fastest: a board has better things to do.
_LEVEL = 1


def output_values(run: str, case: int, outputs: Sequence[Any]) -> Iterator[OutputValues]:
    """Yield all outputs of a case, one after the other."""
    for index, output in enumerate(outputs):
        flat = np.ascontiguousarray(output, "<f4").reshape(-1)
        for start in range(0, flat.size, PIECE_VALUES):
            piece = flat[start : start + PIECE_VALUES]
            data = base64.b64encode(zlib.compress(piece.tobytes(), _LEVEL)).decode("ascii")
            yield OutputValues(run, case, index, start, piece.size, data)
