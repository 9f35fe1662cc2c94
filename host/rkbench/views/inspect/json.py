"""An inspection as the JSON of schema `rkbench-inspect/1`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rkbench.inspect.document import Inspection


def to_json(inspection: Inspection) -> dict[str, Any]:
    """Return the fields by name, in the order of the schema."""
    return asdict(inspection)


def render_json(inspection: Inspection) -> str:
    """Return the document as text, indented, with a newline at its end."""
    return json.dumps(to_json(inspection), indent=2, allow_nan=False, ensure_ascii=False) + "\n"
