"""The JSON Schemas are those of the dataclasses, and say which changes keep a reader working."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rkbench.schema import SCHEMAS

TOOL = runpy.run_path(str(Path(__file__).parents[3] / "tools/schemas.py"))
DOCUMENTS = {schema.name: schema for schema in TOOL["DOCUMENTS"]}


def checked_in(name: str) -> dict[str, Any]:
    """Return a schema as it lies in the project."""
    schema: dict[str, Any] = json.loads((SCHEMAS / DOCUMENTS[name].file_name).read_text(encoding="utf-8"))
    return schema


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_schema_is_that_of_the_dataclasses(name: str) -> None:
    there = (SCHEMAS / DOCUMENTS[name].file_name).read_text(encoding="utf-8")
    assert TOOL["text"](DOCUMENTS[name]) == there, "run: make schema"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_schema_is_one_and_says_what_may_change(name: str) -> None:
    schema = checked_in(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    first = schema["$defs"]["BeginLine"] if DOCUMENTS[name].lines else schema
    assert first["properties"]["schema"] == {"const": name}
    assert "a reader ignores what it does not know" in schema["description"]
    assert '"additionalProperties": false' not in json.dumps(schema)


def test_every_schema_is_made() -> None:
    assert {path.name for path in SCHEMAS.glob("*.json")} == {
        schema.file_name for schema in DOCUMENTS.values()
    }


def test_what_types_do_not_say_is_said_of_fields_that_are_there() -> None:
    parts = [part for name in DOCUMENTS for part in checked_in(name)["$defs"].items()]
    roots = [(DOCUMENTS[name].document.__name__, checked_in(name)) for name in DOCUMENTS]
    fields = {f"{title}.{name}" for title, part in [*parts, *roots] for name in part["properties"]}
    assert {*TOOL["WORDS"], *TOOL["FORMS"]} - fields == set()


def test_a_part_is_described_and_a_later_field_is_not_required() -> None:
    caveat = checked_in("rkbench/1")["$defs"]["Caveat"]
    assert caveat["description"].startswith(
        "A doubt about a good result, with what to do about it. `weight` says"
    )
    assert caveat["required"] == ["code", "message"]
    assert caveat["properties"]["weight"] == {"enum": ["information", "doubt", "clocks"], "default": "doubt"}


def test_a_text_below_a_field_describes_it() -> None:
    inspection = checked_in("rkbench-inspect/1")
    assert inspection["properties"]["sections"]["description"] == "Sum to file.size_bytes."


def test_what_may_be_unknown_may_be_null_and_is_never_negative() -> None:
    load = checked_in("rkbench/1")["$defs"]["Load"]["properties"]
    assert load["npu_total_bytes"] == {"type": ["integer", "null"], "default": None, "minimum": 0}
    assert load["system_delta_bytes"] == {"type": ["integer", "null"], "default": None}
