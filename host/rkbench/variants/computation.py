"""Outputs of a .rknn computed on this computer, by rkbench's model of the NPU: provenance `computed`.

Cases come as a board would be fed: 4-D inputs NHWC, before mean and standard deviation. They leave in a
replay (`outputs/NAME`, `digests`, `source`), by the same names and shapes as the vendor simulator's.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rkbench_agent.wire.words import COMPUTED_SOURCE

from rkbench.npu.execute.executor import Executor
from rkbench.rknn import RknnModel, Tensor
from rkbench.rknn.contents import Node
from rkbench.rknn.graph_shape import GraphShape, graph_shape
from rkbench.variants.golden_file import finite_cases, layout_of, members_of
from rkbench.variants.golden_fit import Wanted
from rkbench.variants.golden_match import match
from rkbench.variants.normalisation import Normalisation, normalisations
from rkbench.variants.npz import INPUTS, ArchiveWords, Array, NpzReader, NpzWriter

Case = tuple[Array, ...]


@dataclass(frozen=True)
class TensorRange:
    """What a computed tensor holds, over all cases; NaN and infinite values are counted, not ranged."""

    name: str
    layer: str
    """"" for an output of the model."""
    shape: tuple[int, ...]
    """Of one case, as in the source model."""
    minimum: float | None
    """None where no value is finite."""
    maximum: float | None
    not_finite: int


@dataclass(frozen=True)
class Computation:
    """What was computed of a model, and where it was written."""

    model: Path
    target: str
    cases: int
    duration_s: float
    """Of the computing alone, all cases."""
    outputs: tuple[TensorRange, ...]
    layers: tuple[TensorRange, ...]
    """() unless they were asked for."""
    written: Path | None
    shape: GraphShape | None = None
    """Which of several input shapes was computed; None where the file holds one."""


def compute(
    model: RknnModel,
    inputs: Path,
    out: Path | None = None,
    *,
    layers: bool = False,
    graph: int = 0,
    words: ArchiveWords = INPUTS,
) -> Computation:
    """Return what the model makes of the cases in `inputs` (an .npz), and write it to `out`.

    `graph` says which shape of a model with dynamic inputs, `words` what errors call `inputs`.
    Raises GoldenError where the inputs do not fit, ModelError and NotModelledError as `Executor` does.
    """
    executor = Executor(model, graph)
    with NpzReader(inputs, words) as source, tempfile.TemporaryDirectory(prefix="rkbench-run-") as folder:
        spool = _Spool(Path(folder), keeps=out is not None)
        duration_s = 0.0
        for case in fed_cases(source, model, graph):
            spool.begin(case)
            begun = time.perf_counter()
            outputs = executor.run(network_inputs(model, case, graph), spool.add_layer if layers else None)
            duration_s += time.perf_counter() - begun
            for name, values in outputs.items():
                spool.add(f"outputs/{name}", "", values)
        if out is not None:
            spool.write(out)
        ranges = tuple(spool.ranges())
    return Computation(
        model.file.path,
        model.file.target,
        len(spool.digests),
        duration_s,
        tuple(each for each in ranges if not each.layer),
        tuple(each for each in ranges if each.layer),
        out,
        graph_shape(model, graph),
    )


def fed_cases(source: NpzReader, model: RknnModel, graph: int = 0) -> Iterator[Case]:
    """Yield the cases of an archive as a board is fed, in the order of the graph; raises GoldenError."""
    shape, inputs = graph_shape(model, graph), model.graphs[graph].inputs
    which = f" for {shape} (another: bench run --graph N)" if shape else ""
    sides = f"inputs {source.path} do not fit {model.file.path.name}{which}"
    wanted, held = [_wanted(tensor) for tensor in inputs], members_of(source)
    found = match(wanted, held, layout_of(source), sides=sides, words=source.words)
    with ExitStack() as stack:
        streams = [stack.enter_context(closing(finite_cases(source, fit))) for fit in found.fits]
        yield from zip(*streams, strict=True)


def _wanted(tensor: Tensor) -> Wanted:
    is_picture = len(tensor.shape) == 4
    return Wanted("inputs", tensor.name, tensor.shape, tensor.dtype.lower(), is_picture, tensor.step)


def network_inputs(model: RknnModel, case: Case, graph: int = 0) -> dict[str, Array]:
    """Return a case as the network takes it: NCHW, after the mean and deviation that the file names."""
    known = normalisations(model)
    return {
        tensor.name: _network_input(values, known.get(tensor.name))
        for tensor, values in zip(model.graphs[graph].inputs, case, strict=True)
    }


def _network_input(values: Array, normalisation: Normalisation | None) -> Array:
    values = values.transpose(0, 3, 1, 2) if values.ndim == 4 else values
    return values if normalisation is None else normalisation.done(values, channel_axis=1)


def case_digest(case: Case) -> str:
    """Return the digest under which a replay keeps the outputs of a case."""
    digest = hashlib.sha256()
    for values in case:
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


@dataclass
class _Spool:
    """Arrays of one case after the other, each tensor in a file of its own until the archive is written."""

    folder: Path
    keeps: bool
    digests: list[str] = field(default_factory=list)
    _seen: dict[str, TensorRange] = field(default_factory=dict)

    def begin(self, case: Case) -> None:
        self.digests.append(case_digest(case))

    def add_layer(self, node: Node, tensors: Mapping[str, Array]) -> None:
        for name, values in tensors.items():
            self.add(f"layers/{name}", node.name, values)

    def add(self, member: str, layer: str, values: Array) -> None:
        finite = values[np.isfinite(values)]
        bounds = [float(finite.min()), float(finite.max())] if finite.size else []
        before = self._seen.get(member)
        known = [each for each in (before.minimum, before.maximum) if each is not None] if before else []
        wrong = values.size - finite.size + (before.not_finite if before else 0)
        low, high = (min(bounds + known), max(bounds + known)) if bounds + known else (None, None)
        self._seen[member] = TensorRange(member.split("/", 1)[1], layer, values.shape, low, high, wrong)
        if self.keeps:
            with self._file(member).open("ab") as stream:
                stream.write(np.ascontiguousarray(values, np.float32).tobytes())

    def ranges(self) -> Iterator[TensorRange]:
        yield from self._seen.values()

    def write(self, out: Path) -> None:
        with NpzWriter(out, compress=True) as writer:
            for member, each in self._seen.items():
                writer.add(
                    member, (len(self.digests), *each.shape), np.dtype(np.float32), self._parts(member)
                )
            digests = np.array(self.digests, "<U64")
            writer.add("digests", digests.shape, digests.dtype, [digests])
            writer.add_text("source", COMPUTED_SOURCE)

    def _parts(self, member: str) -> Iterator[Array]:
        size = int(np.prod(self._seen[member].shape, dtype=np.int64)) * 4
        with self._file(member).open("rb") as stream:
            while part := stream.read(size):
                yield np.frombuffer(part, np.float32)

    def _file(self, member: str) -> Path:
        return self.folder / str(list(self._seen).index(member))
