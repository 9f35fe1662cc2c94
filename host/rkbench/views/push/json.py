"""A push as the JSON of schema `rkbench/1`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rkbench.results.comparison import Comparison
from rkbench.results.model import SCHEMA, RunResult
from rkbench.results.serialize import to_json
from rkbench.schema import SCHEMAS

SCHEMA_FILE = SCHEMAS / "rkbench-1.schema.json"


@dataclass(frozen=True)
class PushDocument:
    """The runs of a push and their comparison."""

    schema: Literal["rkbench/1"]
    runs: tuple[RunResult, ...]
    comparison: Comparison


def push_document(runs: Sequence[RunResult], comparison: Comparison) -> dict[str, Any]:
    """Return runs and their comparison as one JSON value; unknown is null, NaN never occurs."""
    document: dict[str, Any] = to_json(PushDocument(SCHEMA, tuple(runs), comparison))
    return document


def render_json(runs: Sequence[RunResult], comparison: Comparison) -> str:
    """Return the document as text, indented, with a newline at its end."""
    return json.dumps(push_document(runs, comparison), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
