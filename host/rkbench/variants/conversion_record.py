"""What is kept of a conversion, beside its .rknn: how it was made, of what, and what the converter said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rkbench.decoding.documents import read_document
from rkbench.errors import DocumentError
from rkbench.files import read_small, write_whole
from rkbench.results.records import MadeFrom, SimulatorError

SCHEMA = "rkbench-conversion/1"
LARGEST_BYTES = 4_000_000


@dataclass(frozen=True)
class OutputPart:
    """A part of a joined output: `size` places along the axis of the join."""

    name: str
    size: int


@dataclass(frozen=True)
class JoinedOutput:
    """An output of the ONNX that the .rknn has in parts: `shape` of the whole, joined along `axis`."""

    name: str
    shape: tuple[int, ...]
    axis: int
    parts: tuple[OutputPart, ...]


@dataclass(frozen=True)
class OnnxSource:
    """The ONNX: `sha256` as it was given, `converted_sha256` after the changes, which are told in words.

    `joined` are its outputs that the changed one has in parts.
    """

    name: str
    sha256: str
    converted_sha256: str
    changes: tuple[str, ...] = ()
    joined: tuple[JoinedOutput, ...] = ()


@dataclass(frozen=True)
class CalibratedWith:
    """The inputs of the calibration; random ones are told as such wherever outputs are."""

    source: str
    is_random: bool
    sha256: str


@dataclass(frozen=True)
class VendorMemory:
    """Bytes that the converter itself says the model takes on the board."""

    weight_bytes: int
    internal_bytes: int
    provenance: str = "vendor toolkit"


@dataclass(frozen=True)
class VendorLayerError:
    """A layer in the vendor's `accuracy_analysis`: its simulator against its own float inference, one case.

    Cosine and Euclidean distance of the layer's output, from the inputs on; `own_`: of the layer alone.
    """

    name: str
    op: str
    cosine: float
    distance: float
    own_cosine: float
    own_distance: float


@dataclass(frozen=True)
class ConversionRecord:
    """One conversion. `config` are keywords of `rknn.config`; `key` names all that decided its result.

    `simulator`: what the vendor's simulator makes of the golden, against its outputs; `layers`: of its first
    case, where that was asked for.
    """

    recipe: str
    target: str
    dtype: str
    toolkit_version: str
    source: OnnxSource
    key: str
    rknn_sha256: str
    size_bytes: int
    duration_s: Mapping[str, float]
    peak_rss_bytes: int
    config: Mapping[str, Any]
    hybrid: Mapping[str, str] | str | None = None
    calibration: CalibratedWith | None = None
    input_shapes: Mapping[str, tuple[int, ...]] | None = None
    golden_sha256: str | None = None
    memory: VendorMemory | None = None
    simulator: tuple[SimulatorError, ...] = ()
    layers: tuple[VendorLayerError, ...] = ()
    log: str = ""
    schema: str = SCHEMA


def record_beside(rknn: Path) -> Path:
    """Return where the record of an .rknn stands: MODEL.json."""
    return rknn.with_suffix(".json")


def write_conversion(path: Path, record: ConversionRecord) -> None:
    """Write a record; raises OSError."""
    write_whole(path, json.dumps(asdict(record), indent=2) + "\n")


def read_conversion(rknn: Path) -> ConversionRecord | None:
    """Return how an .rknn was made; None where no record of ours stands beside it."""
    path = record_beside(rknn)
    try:
        found = read_document(ConversionRecord, read_small(path, LARGEST_BYTES), str(path))
    except (OSError, DocumentError):
        return None
    return found if found.schema == SCHEMA else None


def made_from(rknn: Path, sha256: str, golden_sha256: str | None = None) -> MadeFrom | None:
    """Return how the file of this digest was made; None where no record speaks of it.

    What the simulator said is only kept where it was asked the very golden that will be pushed.
    """
    record = read_conversion(rknn)
    if record is None or record.rknn_sha256 != sha256:
        return None
    used = record.calibration
    return MadeFrom(
        recipe=record.recipe,
        key=record.key,
        onnx_sha256=record.source.sha256,
        calibration=used.source if used else None,
        is_calibrated_on_noise=used is not None and used.is_random,
        simulator=record.simulator if golden_sha256 and golden_sha256 == record.golden_sha256 else (),
    )
