"""What rkbench writes, held against its schemas more strictly than a reader would: every field, and no other.

The schemas let fields come later; a test is to see each of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

#: Fields that only some documents have.
SOMETIMES = {"demo"}


def strict_validator(path: Path) -> Any:
    """Return a validator of the schema at `path` for a document of today."""
    return jsonschema.Draft202012Validator(closed(json.loads(path.read_text(encoding="utf-8"))))


def closed(schema: Any) -> Any:
    """Return a schema in which every field is required and no other is allowed."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(item) for key, item in schema.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        required = [name for name in found["properties"] if name not in SOMETIMES]
        found.update(required=required, additionalProperties=False)
    return found
