"""A push as the JSON of schema `rkbench/1`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rkbench.results.across_boards import AcrossBoards
from rkbench.results.comparison import Comparison
from rkbench.results.model import SCHEMA, RunResult
from rkbench.results.pushed_boards import PushedBoard
from rkbench.results.serialize import to_json
from rkbench.schema import SCHEMAS

SCHEMA_FILE = SCHEMAS / "rkbench-1.schema.json"


@dataclass(frozen=True)
class PushDocument:
    """The runs of a push and their comparison.

    Of a push on several boards `boards` has what came of each, with a comparison of its own, and
    `across_boards` how far the boards lie apart; `comparison` is of all runs, and refuses other boards'.
    """

    schema: Literal["rkbench/1"]
    runs: tuple[RunResult, ...]
    comparison: Comparison
    boards: tuple[PushedBoard, ...] = ()
    across_boards: tuple[AcrossBoards, ...] = ()


def push_document(
    runs: Sequence[RunResult],
    comparison: Comparison,
    boards: Sequence[PushedBoard] = (),
    across: Sequence[AcrossBoards] = (),
) -> dict[str, Any]:
    """Return runs and their comparison as one JSON value; unknown is null, NaN never occurs."""
    made = PushDocument(SCHEMA, tuple(runs), comparison, tuple(boards), tuple(across))
    document: dict[str, Any] = to_json(made)
    return document


def render_json(
    runs: Sequence[RunResult],
    comparison: Comparison,
    boards: Sequence[PushedBoard] = (),
    across: Sequence[AcrossBoards] = (),
) -> str:
    """Return the document as text, indented, with a newline at its end."""
    document = push_document(runs, comparison, boards, across)
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
