"""What the document of `bench inspect` says of an ONNX: `Inspection.onnx`. Sizes are in bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from rkbench.language.said import NOTHING, Said
from rkbench.onnx.prediction import PredictedSizes
from rkbench.rknn.targets import Dtype


@dataclass(frozen=True)
class OnnxNode:
    """One node of the ONNX: what its weights need, what was predicted, what it owns in the file."""

    name: str
    type: str
    becomes: Said
    needed_bytes: int
    predicted_bytes: int
    """Constants that the prediction gives it."""
    file_bytes: int | None
    """Bytes of the layers that came from it; None where no layer names it (fused or folded away)."""
    layers: tuple[str, ...]
    note: Said
    smaller_dtype: Dtype | None


@dataclass(frozen=True)
class PredictedFile(PredictedSizes):
    """What an ONNX will become on one target at one dtype; nothing was converted."""

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
    does: Said = field(default_factory=lambda: NOTHING)
    """The rewrites of these commands: their nodes, and what each is predicted to save; "" without any."""
