"""The document of `bench inspect`, schema `rkbench-inspect/1`: what JSON, terminal, page and diff all show.

Its fields in their order are the JSON. Sizes are in bytes; None means unknown, or not asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rkbench.inspect.answers import FourAnswers
from rkbench.inspect.causes import Cause
from rkbench.inspect.diff import ContentDiff
from rkbench.inspect.myths import Myth
from rkbench.rknn.contents import Sections
from rkbench.rknn.targets import Dtype

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
    dtype: Dtype
    """What its layers compute in."""
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
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]


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
class OnnxNode:
    """One node of the ONNX: what its weights need, what was predicted, what it owns in the file."""

    name: str
    type: str
    becomes: str
    needed_bytes: int
    predicted_bytes: int
    """Constants that the prediction gives it."""
    file_bytes: int | None
    """Bytes of the layers that came from it; None where no layer names it (fused or folded away)."""
    layers: tuple[str, ...]
    note: str
    smaller_dtype: Dtype | None


@dataclass(frozen=True)
class PredictedNode:
    """What one ONNX node will own in the .rknn."""

    name: str
    type: str
    becomes: str
    weight_bytes: int
    needed_bytes: int
    weight_bytes_fp16: int
    weight_bytes_int8: int
    command_bytes: int | None
    note: str
    smaller_dtype: Dtype | None


@dataclass(frozen=True)
class PredictedFile:
    """What an ONNX will become on one target at one dtype; nothing was converted."""

    target: str
    dtype: Dtype
    toolkit_version: str | None
    """None means the newest."""
    onnx_bytes: int
    elements: dict[str, int]
    """Elements of the stored weights by ONNX dtype."""
    nodes: tuple[PredictedNode, ...]
    weight_bytes: int
    needed_weight_bytes: int
    command_bytes: int
    weight_bytes_fp16: int
    weight_bytes_int8: int
    command_bytes_fp16: int
    command_bytes_int8: int
    notes: tuple[str, ...]
    file_bytes: int
    file_bytes_is_estimate: bool
    ratio: float | None
    """Constants against what the stored weights need."""
    smaller_dtype: Dtype
    provenance: Literal["predicted"]


@dataclass(frozen=True)
class OnnxComparison:
    """An ONNX with its prediction, and beside the file that it became where there is one."""

    path: str
    file_bytes: int | None
    ratio_to_onnx: float | None
    """File bytes against ONNX bytes; None without a file."""
    ratio_to_needed: float | None
    """File bytes against what the weights need at the file's dtype; None without a file or weights."""
    nodes: tuple[OnnxNode, ...]
    prediction: PredictedFile
    fix: tuple[str, ...]
    """Commands that rewrite the network."""


@dataclass(frozen=True)
class LayerChange:
    """A layer that differs; None where a file has none of that name."""

    name: str
    before_bytes: int | None
    after_bytes: int | None
    before_dtype: str | None
    after_dtype: str | None


@dataclass(frozen=True)
class CauseChange:
    """One cause and the bytes that it owns before and after; None where a file does not have it."""

    code: str
    title: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True)
class FileDiff:
    """The inspected file (before) against another (after)."""

    other: str
    other_bytes: int
    sentence: str
    size_difference_bytes: int
    same_weights: bool
    sections: dict[str, int]
    """Bytes after less bytes before, of every section that changed."""
    file: dict[str, tuple[str, str]]
    """What the files say of themselves and disagree on."""
    layers: tuple[LayerChange, ...]
    contents: tuple[ContentDiff, ...]
    """Constants whose bytes differ."""
    causes: tuple[CauseChange, ...]
    """Only those whose bytes differ, the largest change first."""


@dataclass(frozen=True)
class Inspection:
    """One .rknn explained, or one .onnx predicted: what a converted file alone can tell is then empty."""

    schema: Literal["rkbench-inspect/1"]
    sentence: str
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


@dataclass(frozen=True)
class FileInspection(Inspection):
    """The inspection of a .rknn: what only a converted file can tell is there."""

    file: InspectedFile
    sections: Sections
    memory: InspectedMemory
    unattributed: Sections
    ordinary: OrdinaryBytes
    answers: FourAnswers
