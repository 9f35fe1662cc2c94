"""What all cases together say of the outputs: constant or not, repeatable or not, and what their parts do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, Set

from rkbench_agent.run.part_sums import PartSums
from rkbench_agent.wire.outputs import OutputCheck, OutputParts

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array


class OutputWatch:
    """Watches the outputs over all cases for being constant or not repeatable, part by part."""

    def __init__(self) -> None:
        self._inputs: Set[bytes] = set()
        self._outputs: Dict[int, Set[bytes]] = {}
        self._uniform: Dict[int, bool] = {}
        self._deterministic: Dict[int, bool] = {}
        self._parts: Dict[int, PartSums] = {}

    def add(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        expected: Optional[Mapping[int, Array]] = None,
    ) -> None:
        """Take the outputs of one case into account, and what was expected of those that the golden holds."""
        self._inputs.add(_digest(inputs))
        for index, array in enumerate(outputs):
            self._outputs.setdefault(index, set()).add(_digest([array]))
            uniform = array.size > 1 and bool((array == array.reshape(-1)[0]).all())
            self._uniform[index] = self._uniform.get(index, True) and uniform
            parts = self._parts.setdefault(index, PartSums(array.shape))
            parts.add(array, (expected or {}).get(index))

    def repeat(self, first: Sequence[Array], second: Sequence[Array]) -> None:
        """Compare two outputs of one input, bit by bit."""
        for index, (one, other) in enumerate(zip(first, second)):
            self._deterministic[index] = one.tobytes() == other.tobytes()

    def checks(self, run: str, names: Sequence[str]) -> List[OutputCheck]:
        """Return one check per output that was seen.

        An output is constant if unequal inputs never changed it, or if every value in it was equal in
        every case. With one input and unequal values nothing is known: None.
        """
        return [
            OutputCheck(
                run,
                index,
                names[index],
                deterministic=self._deterministic.get(index),
                constant=self._constant(index),
            )
            for index in sorted(self._outputs)
        ]

    def parts(self, run: str) -> List[OutputParts]:
        """Return what the parts of each output do."""
        return [self._parts[index].message(run, index) for index in sorted(self._parts)]

    def _constant(self, index: int) -> Optional[bool]:
        if self._uniform[index]:
            return True
        if len(self._inputs) < 2:
            return None
        return len(self._outputs[index]) == 1


def _digest(arrays: Sequence[Array]) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()
