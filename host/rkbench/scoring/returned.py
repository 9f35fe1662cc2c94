"""The outputs that a board returns, piece by piece: kept in files for as long as a push needs them."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rkbench_agent.wire.outputs import OutputValues
from rkbench_agent.wire.plan import RunSpec

from rkbench.errors import ProtocolError
from rkbench.variants.npz import Array

_VALUE_BYTES = 4
#: More than any agent sends as one piece: nothing larger is unpacked.
LARGEST_PIECE_VALUES = 1 << 20


def case_bytes(spec: RunSpec) -> int:
    """Return how large the outputs of one case are, as float32."""
    return _VALUE_BYTES * sum(math.prod(tensor.shape) for tensor in spec.outputs)


@dataclass
class _Output:
    array: Array
    values_of_case: int
    received: int = field(default=0)

    @property
    def is_whole(self) -> bool:
        return self.received == self.array.size


class ReturnedOutputs:
    """The outputs of one run, in files of `folder`: (cases, *shape) each, float32."""

    def __init__(self, spec: RunSpec, folder: Path) -> None:
        cases = spec.returned_bytes // max(1, case_bytes(spec))
        self._run = spec.run
        self._outputs = [
            _Output(
                np.memmap(folder / f"{index}", "<f4", "w+", shape=(cases, *tensor.shape)),
                math.prod(tensor.shape),
            )
            for index, tensor in enumerate(spec.outputs)
        ]
        self._names = [tensor.name for tensor in spec.outputs]

    def add(self, piece: OutputValues) -> None:
        """Take a piece; raises ProtocolError for one that is not the next of its output."""
        if not 0 <= piece.output < len(self._outputs):
            raise self._senseless(piece, "there is no such output")
        output = self._outputs[piece.output]
        at = piece.case * output.values_of_case + piece.start
        room = min(output.values_of_case - piece.start, LARGEST_PIECE_VALUES)
        if at != output.received or at >= output.array.size or not 0 < piece.count <= room:
            raise self._senseless(piece, "it is not the next piece")
        output.array.reshape(-1)[at : at + piece.count] = self._values(piece)
        output.received += piece.count

    def arrays(self) -> Mapping[str, Array] | None:
        """Return all outputs by their names; None unless all cases came."""
        if not all(output.is_whole for output in self._outputs):
            return None
        return {name: output.array for name, output in zip(self._names, self._outputs, strict=True)}

    def _values(self, piece: OutputValues) -> Array:
        wanted = piece.count * _VALUE_BYTES
        try:
            unpacked = zlib.decompressobj().decompress(
                base64.b64decode(piece.data, validate=True), wanted + 1
            )
        except (zlib.error, binascii.Error, ValueError) as error:
            raise self._senseless(piece, str(error)) from error
        if len(unpacked) != wanted:
            raise self._senseless(piece, f"{len(unpacked)} bytes instead of {wanted}")
        return np.frombuffer(unpacked, "<f4")

    def _senseless(self, piece: OutputValues, reason: str) -> ProtocolError:
        place = f"output {piece.output}, case {piece.case}"
        return ProtocolError(f"no values of {place} of what was asked for: {reason}", run=self._run)
