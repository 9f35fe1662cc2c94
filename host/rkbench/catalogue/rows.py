"""The rows of the failure catalogue, out of rows.toml."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RK35XX = "rk35xx"
#: Whose messages a row is about; the others are other chips and runtimes of the same vendor.
SCOPES = (RK35XX, "rv11xx", "rknn1", "rkllm")
#: From worst to none.
SEVERITIES = ("fatal", "error", "warning", "harmless")
#: From most to least telling.
RANKS = ("cause", "symptom", "tail")


@dataclass(frozen=True)
class Row:
    """One known message. `pattern` is None where no log line shows the condition.

    `also` are patterns that some other line of the same log has to match. `example` holds lines as
    they were seen.
    """

    number: int
    severity: str
    scope: str
    rank: str
    pattern: re.Pattern[str] | None
    also: tuple[re.Pattern[str], ...]
    cause: str
    advice: str
    source: str
    example: tuple[str, ...]


@cache
def rows() -> tuple[Row, ...]:
    """Return all rows, in the order of their numbers."""
    text = Path(__file__).with_name("rows.toml").read_text(encoding="utf-8")
    return tuple(_row(value) for value in tomllib.loads(text)["row"])


def _row(value: dict[str, Any]) -> Row:
    pattern = value.get("pattern")
    return Row(
        number=value["number"],
        severity=value["severity"],
        scope=value["scope"],
        rank=value["rank"],
        pattern=re.compile(pattern) if pattern else None,
        also=tuple(re.compile(item) for item in value.get("also", ())),
        cause=value["cause"],
        advice=value["advice"],
        source=value["source"],
        example=tuple(value.get("example", ())),
    )
