"""An inspection as the JSON of schema `rkbench-inspect/1`."""

from __future__ import annotations

import json
from typing import Any

from rkbench.inspection.document import Inspection
from rkbench.results import serialize


def to_json(inspection: Inspection) -> dict[str, Any]:
    """Return the fields by name, in the order of the schema; a number that is none is null."""
    document: dict[str, Any] = serialize.to_json(inspection)
    return document


def render_json(inspection: Inspection) -> str:
    """Return the document as text, indented, with a newline at its end."""
    return json.dumps(to_json(inspection), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
