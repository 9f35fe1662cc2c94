"""The golden cases of one variant, checked against its tensors and read one by one.

Members `inputs/<tensor>` and `outputs/<tensor>`; the first axis counts the cases and stands on top of
the tensor's own batch axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Sequence

from rkbench_agent.errors import NpzError
from rkbench_agent.runtimes.npz import NpzFile
from rkbench_agent.wire.plan import TensorSpec

if TYPE_CHECKING:
    from rkbench_agent.runtimes.base import Array


@dataclass(frozen=True)
class Case:
    """One input example, and the expected outputs by the output's index."""

    index: int
    inputs: List[Array]
    expected: Dict[int, Array]


class Golden:
    """The cases of an open .npz; raises NpzError where it does not fit the tensors."""

    def __init__(self, file: NpzFile, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self._file = file
        self._inputs = ["inputs/" + tensor.name for tensor in inputs]
        known = set(file.names("outputs/"))
        self._outputs = {
            index: "outputs/" + tensor.name for index, tensor in enumerate(outputs) if tensor.name in known
        }
        self._check_names(inputs, known)
        self._check_shapes(inputs)
        self.count = self._count_cases()

    def case(self, index: int) -> Case:
        """Return one case."""
        inputs = [self._file.row(name, index) for name in self._inputs]
        expected = {output: self._file.row(name, index) for output, name in self._outputs.items()}
        return Case(index, inputs, expected)

    def cases(self) -> Iterator[Case]:
        """Yield all cases; only one is in memory at a time."""
        for index in range(self.count):
            yield self.case(index)

    def expected(self, output: int, case: int) -> Array:
        """Return what one output is expected to be in one case."""
        return self._file.row(self._outputs[output], case)

    def _check_names(self, inputs: Sequence[TensorSpec], known: Any) -> None:
        there = self._file.names("inputs/")
        wanted = [tensor.name for tensor in inputs]
        if sorted(there) != sorted(wanted):
            raise NpzError(f"the golden has the inputs {there}, the model wants {wanted}")
        if not self._outputs:
            raise NpzError(f"the golden has the outputs {sorted(known)}, none is an output of the model")

    def _check_shapes(self, inputs: Sequence[TensorSpec]) -> None:
        for name, tensor in zip(self._inputs, inputs):
            shape = self._file.header(name).shape
            if list(shape[1:]) != list(tensor.shape):
                raise NpzError(
                    f"{name}: the golden has {list(shape[1:])} per case, the model wants {tensor.shape}"
                )

    def _count_cases(self) -> int:
        names = [*self._inputs, *self._outputs.values()]
        counts = {name: self._file.header(name).shape[:1] for name in names}
        if len(set(counts.values())) != 1 or () in counts.values():
            raise NpzError(f"the golden's members differ in their number of cases: {counts}")
        return int(counts[names[0]][0])
