"""Writes the JSON Schemas of what rkbench writes, made from its dataclasses: `make schema`.

Types, names and descriptions are those of the dataclasses; what types do not say (which words a text may be,
what is never negative) stands here. A field without a default is `required`: every version has it.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from typing import Any, get_args, get_type_hints

import msgspec
from rkbench.catalogue.check import VERDICTS
from rkbench.catalogue.rows import SCOPES, SEVERITIES
from rkbench.inspection import diff_document, document, npu_document, onnx_document
from rkbench.inspection.document import Inspection
from rkbench.language.said import Said
from rkbench.results import latency_tests, model, night, profile
from rkbench.results.night import Night
from rkbench.results.side_by_side import SideBySide
from rkbench.schema import SCHEMAS
from rkbench.stats import gates, paired, slope
from rkbench.views.bisect import BisectDocument
from rkbench.views.demo import DemoDocument
from rkbench.views.doctor import CheckDocument
from rkbench.views.explain import ExplainDocument
from rkbench.views.history_files import HistoryDocument
from rkbench.views.predict import PredictDocument
from rkbench.views.push.stream_lines import LINES, StreamLine
from rkbench_agent.wire import caveats, words

# These types are there for mypy alone, so that `bench inspect` starts fast; msgspec looks for them too.
vars(document).update(
    FileDiff=diff_document.FileDiff,
    InspectedNpu=npu_document.InspectedNpu,
    OnnxComparison=onnx_document.OnnxComparison,
)

#: Which changes keep a reader working.
CONTRACT = """Unknown is null, never 0. Within this version fields are added, and words where a text is one of
    several; no field is removed, and none changes its meaning or unit: a reader ignores what it does not
    know. What rkbench writes has every field. A document of an earlier rkbench may lack those that are not
    required: they have their default."""


@dataclass(frozen=True)
class Schema:
    """One schema: its name, the dataclass of the document, and what is written into it besides its fields."""

    name: str
    document: type[Any]
    what: str
    computed: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: Mapping[str, type[Any]] = field(default_factory=dict)
    """Of a stream: what else a line holds, by its event."""

    @property
    def file_name(self) -> str:
        """Its file in the folder of the schemas."""
        return f"{self.name.replace('/', '-')}.schema.json"


DOCUMENTS = (
    Schema("rkbench/1", DemoDocument, "What `bench push --json` and `bench show --json` write."),
    Schema("rkbench-compare/1", SideBySide, "What `bench compare --json` writes."),
    Schema("rkbench-history/1", HistoryDocument, "What `bench history --json` writes."),
    Schema("rkbench-inspect/1", Inspection, "What `bench inspect --json` writes."),
    Schema("rkbench-check/1", CheckDocument, "What `bench boards check --json` writes."),
    Schema("rkbench-predict/1", PredictDocument, "What `bench predict --json` writes."),
    Schema("rkbench-bisect/1", BisectDocument, "What `bench bisect --json` writes."),
    Schema("rkbench-stream/1", StreamLine, "A line of what `bench push --jsonl` writes.", lines=LINES),
    Schema("rkbench-explain/1", ExplainDocument, "What `bench explain --json` writes."),
    Schema(
        "rkbench-nightly/1",
        Night,
        "What `bench nightly --json` writes. Values have the base unit of their gate: s, B, 0 to 1.",
        {
            "Night": {
                "schema": {"const": night.SCHEMA},
                "exit_code": {"enum": [night.GREEN, night.FAILED, night.RED]},
                "headline": {"type": "string"},
            },
            "CellResult": {"state": {"enum": list(gates.STATES)}},
        },
    ),
)

PROVENANCE = (
    words.MEASURED,
    words.VENDOR_SIMULATOR,
    words.COMPUTED,
    words.MODELLED,
    words.FROM_FILE,
    words.PREDICTED,
)
#: The words that a text may be, and the form of others, by dataclass and field.
WORDS: dict[str, tuple[str, ...]] = {
    **{f"Provenance.{name}": PROVENANCE for name in get_type_hints(model.Provenance)},
    "CheckDocument.verdict": VERDICTS,
    "Check.verdict": VERDICTS,
    "Caveat.weight": caveats.KINDS,
    "Diagnosis.scope": tuple(SCOPES),
    "Diagnosis.severity": SEVERITIES,  # harmless only where a row is asked for by its number
    "GateResult.state": gates.STATES,
    "Judgement.state": gates.STATES,
    "Latency.percentile_method": (model.PERCENTILE_METHOD,),
    "LatencyTest.judgement": (paired.FASTER, paired.SLOWER, paired.NO_DIFFERENCE, gates.CANNOT_TELL),
    "LatencyTest.unit": (latency_tests.LOAD, latency_tests.QUAD),
    "LayerTime.unit": profile.UNITS,
    "Leak.judgement": (slope.RISES, slope.NO_RISE, slope.TOO_FEW),
    "Leak.memory": ("rss", "dma_buf"),
    "PlanRecord.scenario": words.SCENARIOS,
    "Reference.stage": ("run", "call"),
}
DIGEST = "^[0-9a-f]{64}$"
FORMS = {
    "Check.code": "^[a-z0-9_]+$",
    "InspectedFile.sha256": DIGEST,
    "Variant.sha256": DIGEST,
}
#: Numbers that are never negative, by their names; differences may be.
AT_LEAST_0 = re.compile(
    r"(^|_)(bytes|s|hz|count|iterations|cores|cpus|cycles|cycle|resumed|index|number|node|case|in_push|version)$"
    r"|_per_s$|ratio|^share|_agreement$"
)
DIFFERENCE = re.compile(r"delta|difference|loss|^low_|^high_|^file_copy_|^bytes_per_cycle$")
AT_MOST_1 = re.compile(r"^share$|_agreement$|_load_ratio|^npu_load_ratio")


def main() -> None:
    """Write every schema."""
    for schema in DOCUMENTS:
        (SCHEMAS / schema.file_name).write_text(text(schema), encoding="utf-8")
    sys.stdout.write(f"{len(DOCUMENTS)} schemas in {SCHEMAS}\n")


def text(schema: Schema) -> str:
    """Return the schema as it is checked in."""
    return json.dumps(build(schema), indent=2, ensure_ascii=False) + "\n"


def build(schema: Schema) -> dict[str, Any]:
    """Return the JSON Schema of a document and of all that it holds."""
    whole = (schema.document, *schema.lines.values())
    _, parts = msgspec.json.schema_components(whole, schema_hook=_as_text, ref_template="#/$defs/{name}")
    classes = {cls.__name__: cls for kind in whole for cls in _dataclasses(kind)}
    told = {name: _part(classes[name], part, schema.computed.get(name, {})) for name, part in parts.items()}
    root = told.pop(schema.document.__name__)
    if schema.lines:
        root["properties"]["event"] = {"enum": list(schema.lines)}
        root["allOf"] = [_line(event, kind) for event, kind in schema.lines.items()]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:rkbench:schema:{schema.name.replace('/', '-')}",
        **root,
        "title": schema.name,
        "description": _prose(f"{schema.what} {root['description']} {CONTRACT}"),
        "$defs": dict(sorted(told.items())),
    }


def _as_text(kind: type[Any]) -> dict[str, Any]:
    """Return what a sentence is in JSON: text."""
    if kind is Said:
        return {"type": "string"}
    raise NotImplementedError


def _line(event: str, kind: type[Any]) -> dict[str, Any]:
    """Return that a line of an event holds what the event's dataclass says."""
    return {
        "if": {"properties": {"event": {"const": event}}},
        "then": {"$ref": f"#/$defs/{kind.__name__}"},
    }


def _part(cls: type[Any], part: dict[str, Any], computed: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one dataclass, with what msgspec cannot know of it."""
    notes = _field_notes(cls)
    properties = dict(computed)
    for name, given in part["properties"].items():
        note = {"description": notes[name]} if name in notes else {}
        properties[name] = {**_constrained(f"{cls.__name__}.{name}", _plain(given)), **note}
    return {
        "title": part["title"],
        "description": _prose(cls.__doc__ or ""),
        "type": "object",
        "properties": properties,
        "required": [*computed, *part["required"]],
    }


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """Return a type or null as one type, where it can be said so; one word as a constant."""
    kinds = given.get("anyOf", [])
    if (
        len(kinds) == 2
        and kinds[1] == {"type": "null"}
        and set(kinds[0]) <= {"type", "items", "additionalProperties"}
    ):
        rest = {key: value for key, value in given.items() if key != "anyOf"}
        return {**kinds[0], "type": [kinds[0]["type"], "null"], **rest}
    if len(given.get("enum", [])) == 1:
        return {"const": given["enum"][0]}
    return given


def _constrained(place: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field with the words that it may be, its form and its least value."""
    name = place.partition(".")[2]
    kinds = given.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if place in WORDS:
        default = {"default": given["default"]} if "default" in given else {}
        return {"enum": [*WORDS[place], *([None] if "null" in kinds else [])], **default}
    if place in FORMS:
        return {**given, "pattern": FORMS[place]}
    if {"integer", "number"} & {*kinds} and AT_LEAST_0.search(name) and not DIFFERENCE.search(name):
        return {**given, "minimum": 0, **({"maximum": 1} if AT_MOST_1.search(name) else {})}
    return given


def _dataclasses(kind: Any) -> Iterator[type[Any]]:
    """Yield every dataclass that a type holds, however deep."""
    if isinstance(kind, type) and is_dataclass(kind):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from _dataclasses(hint)
    for part in get_args(kind):
        yield from _dataclasses(part)


def _field_notes(cls: type[Any]) -> dict[str, str]:
    """Return the text that stands below a field, by its name; those of a base class too."""
    notes: dict[str, str] = {}
    for base in reversed([base for base in cls.__mro__ if is_dataclass(base)]):
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for line, below in zip(body.body, body.body[1:], strict=False):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                note = below.value if isinstance(below, ast.Expr) else None
                if isinstance(note, ast.Constant) and isinstance(note.value, str):
                    notes[line.target.id] = _prose(note.value)
    return notes


def _prose(docstring: str) -> str:
    """Return a docstring as one paragraph, in the words of JSON."""
    return re.sub(r"\bNone\b", "null", " ".join(docstring.split()))


if __name__ == "__main__":
    main()
