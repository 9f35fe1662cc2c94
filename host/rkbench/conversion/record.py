"""What is kept of a conversion, beside its .rknn: how it was made, of what, and what the converter said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rkbench.decoding.documents import read_document
from rkbench.errors import DocumentError
from rkbench.files import write_whole

SCHEMA = "rkbench-conversion/1"


@dataclass(frozen=True)
class OnnxSource:
    """The ONNX: `sha256` as it was given, `converted_sha256` after the changes, which are told in words."""

    name: str
    sha256: str
    converted_sha256: str
    changes: tuple[str, ...] = ()


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
class ConversionRecord:
    """One conversion. `config` are keywords of `rknn.config`; `key` names all that decided its result."""

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
        found = read_document(ConversionRecord, path.read_bytes(), str(path))
    except (OSError, DocumentError):
        return None
    return found if found.schema == SCHEMA else None
