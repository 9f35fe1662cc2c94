"""The document of `bench inspect`, schema `rkbench-inspect/1`: what JSON, terminal, page and diff all show.

Its fields in their order are the JSON. Sizes are in bytes; None means unknown, or not asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rkbench.inspection.answers import FourAnswers
from rkbench.inspection.causes import Cause
from rkbench.inspection.myths import Myth
from rkbench.inspection.output_scales import CoarseOutput
from rkbench.language.said import Said
from rkbench.rknn.contents import Sections
from rkbench.rknn.targets import Precision

if TYPE_CHECKING:  # most files are inspected alone, and a dataclass takes half a millisecond to make
    from rkbench.inspection.diff_document import FileDiff
    from rkbench.inspection.npu_document import InspectedNpu
    from rkbench.inspection.onnx_document import OnnxComparison

SCHEMA: Literal["rkbench-inspect/1"] = "rkbench-inspect/1"


@dataclass(frozen=True)
class InspectedFile:
    """What the file says of itself."""

    path: str
    sha256: str | None
    size_bytes: int
    container_version: int
    mini: bool
    target: str | None
    toolkit_version: str | None
    compiler_version: str | None
    framework: str | None
    npu_generation: str | None
    dtype: Precision
    """What its layers compute in; `w4a16` computes in float."""
    task_count: int


@dataclass(frozen=True)
class InspectedMemory:
    """What loading takes on the NPU, as the file states it."""

    weight_bytes: int | None
    internal_bytes: int | None
    compiler_constant_bytes: int | None
    total_bytes: int | None
    """Weights and internal: what every loaded copy takes on the NPU."""
    share_of_2_gb_board: float | None
    provenance: Literal["from_file"]


@dataclass(frozen=True)
class InspectedTensor:
    """One input or output."""

    name: str
    dtype: str | None
    shape: tuple[int, ...]
    native_shape: tuple[int, ...]
    layout: str | None
    scale: tuple[float | None, ...]
    """None (null) where the file holds an infinity or no number."""
    zero_point: tuple[int, ...]


# Not derived from the reader's Layer: the JSON has its own order, between and without that one's fields.
@dataclass(frozen=True)
class InspectedLayer:
    """One layer with the bytes that it owns, its share of the structure, and the cause of most of them."""

    index: int
    graph: int
    name: str
    type: str
    dtype: str | None
    target: str
    onnx_node: str | None
    rewrite: str | None
    weight_bytes: int
    cpu_constant_bytes: int
    lookup_table_bytes: int
    kind7_bytes: int
    compiler_constant_bytes: int
    register_command_bytes: int
    register_command_bytes_by_core: tuple[int, ...]
    """In the order of task_counts."""
    task_bytes: int
    task_counts: tuple[int, ...]
    """NPU tasks: 1-core | 2-core c0, c1 | 3-core c0, c1, c2."""
    structure_bytes: int
    """An estimate: the structure shared out by proportion."""
    total_bytes: int
    input_shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    output_dtypes: tuple[str, ...]
    fed_by: tuple[int, ...]
    feeds: tuple[int, ...]
    cause: str | None
    """Code of the cause that owns most of the layer, a third of it at least."""


@dataclass(frozen=True)
class OrdinaryBytes:
    """What no cause owns, whole and by section."""

    bytes: int
    sections: dict[str, int]


@dataclass(frozen=True)
class Inspection:
    """One .rknn explained, or one .onnx predicted: what a converted file alone can tell is then empty."""

    schema: Literal["rkbench-inspect/1"]
    sentence: Said
    """The answer in one sentence with numbers."""
    verdict: Literal["healthy", "bloated", "predicted"]
    lead_cause: str | None
    """Code of the cause that is the answer."""
    file: InspectedFile | None
    sections: Sections | None
    """Sum to file.size_bytes."""
    memory: InspectedMemory | None
    inputs: tuple[InspectedTensor, ...]
    outputs: tuple[InspectedTensor, ...]
    layers: tuple[InspectedLayer, ...]
    unattributed: Sections | None
    """Bytes of no layer; with the layers they sum to the sections."""
    causes: tuple[Cause, ...]
    """Biggest first; with ordinary they sum to file.size_bytes."""
    ordinary: OrdinaryBytes | None
    answers: FourAnswers | None
    myths: tuple[Myth, ...]
    onnx: OnnxComparison | None
    diff: FileDiff | None
    npu: InspectedNpu | None = None
    """None where nobody asked for it: the plain view on a terminal does not show it."""
    coarse_outputs: tuple[CoarseOutput, ...] = ()
    """Outputs that one scale is too coarse for."""


class FileInspection(Inspection):
    """The inspection of a .rknn: what only a converted file can tell is there.

    The fields are those of Inspection: to decorate it anew would only cost `bench inspect` a millisecond.
    """

    file: InspectedFile
    sections: Sections
    memory: InspectedMemory
    unattributed: Sections
    ordinary: OrdinaryBytes
    answers: FourAnswers
