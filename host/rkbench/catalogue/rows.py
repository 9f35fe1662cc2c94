"""The rows of the failure catalogue, out of messages/*.toml; its README.md says what each field means."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rkbench.catalogue.facts import BoardState
from rkbench.errors import UsageError
from rkbench.language.said import Said, clause, listed, say
from rkbench.versions import parse_version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

RK35XX = "rk35xx"
#: Who says a message, and how it is told of those that are not of the board itself.
SCOPES = {
    RK35XX: "",
    "rv11xx": say("RV1103 and RV1106"),
    "rknn1": "RKNN1",
    "rkllm": "rkllm",
    "converter": say("rknn-toolkit2 on a PC"),
    "server": say("a PC with rknn_server"),
}
HARMLESS = "harmless"
#: From worst to none.
SEVERITIES = ("fatal", "error", "warning", HARMLESS)
TAIL = "tail"
#: From most to least telling.
RANKS = ("cause", "symptom", TAIL)

#: What a condition of a circumstance is, in words.
_WORDS: dict[str, Callable[..., Said]] = {
    "driver_below": clause("driver below {value}"),
    "driver_from": clause("driver {value} or newer"),
    "runtime_below": clause("librknnrt below {value}"),
    "runtime_from": clause("librknnrt {value} or newer"),
    "socs": clause("{value}"),
    "memory_above_gb": clause("more than {value} GB of memory"),
    "iommu": lambda value: say("the NPU's iommu on") if value else say("the NPU's iommu off"),
    "several_runtimes": clause("several librknnrt"),
}


@dataclass(frozen=True)
class Circumstance:
    """What a message means where facts are known: `conditions` by name, all of which must hold."""

    conditions: tuple[tuple[str, Any], ...]
    cause: str
    advice: str

    def words(self) -> Said:
        """Return the conditions in words: `driver below 0.9.6, librknnrt 1.6.0 or newer`."""
        return listed([_WORDS[name](value=_spelled(value)) for name, value in self.conditions])

    def holds(self, state: BoardState) -> bool:
        """Tell whether every condition is known to hold."""
        return all(_holds(name, value, state) for name, value in self.conditions)


@dataclass(frozen=True)
class Row:
    """One known message. `pattern` is None where no log line shows the condition.

    `also` are patterns that some line of the same log has to match, `unless` those that none may.
    `example` holds lines as they were seen, `seen` the versions and boards that said them.
    """

    number: int
    severity: str
    scope: str
    rank: str
    pattern: re.Pattern[str] | None
    also: tuple[re.Pattern[str], ...]
    unless: tuple[re.Pattern[str], ...]
    cause: str
    advice: str
    seen: str
    source: str
    example: tuple[str, ...]
    when: tuple[Circumstance, ...]

    def meaning(self, state: BoardState) -> tuple[str, str]:
        """Return cause and advice, as the facts have it."""
        for circumstance in self.when:
            if circumstance.holds(state):
                words = state.words()
                cause, advice = circumstance.cause or self.cause, circumstance.advice or self.advice
                return say(cause, **words), say(advice, **words)
        return self.cause, self.advice


@cache
def rows() -> tuple[Row, ...]:
    """Return all rows, in the order of their numbers."""
    files = sorted(Path(__file__).with_name("messages").glob("*.toml"))
    values = [value for file in files for value in tomllib.loads(file.read_text("utf-8"))["row"]]
    return tuple(sorted(map(_row, values), key=lambda row: row.number))


def find_row(number: int) -> Row | None:
    """Return the row of that number, or None."""
    return next((row for row in rows() if row.number == number), None)


def named_row(word: str) -> Row:
    """Return the row that a user names by its number; raises UsageError."""
    row = find_row(int(word)) if len(word) <= 6 else None
    if row is None:
        highest = rows()[-1].number
        hint = f"its rows are 1 to {highest}; a file of that name: bench explain ./{word[:80]}"
        raise UsageError(f"the catalogue has no row {word[:80]}", hint=hint)
    return row


def _row(value: dict[str, Any]) -> Row:
    pattern = value.get("pattern")
    return Row(
        number=value["number"],
        severity=value["severity"],
        scope=value["scope"],
        rank=value["rank"],
        pattern=re.compile(pattern) if pattern else None,
        also=_patterns(value.get("also", ())),
        unless=_patterns(value.get("unless", ())),
        cause=value["cause"],
        advice=value["advice"],
        seen=value["seen"],
        source=value["source"],
        example=tuple(value.get("example", ())),
        when=tuple(_circumstance(item) for item in value.get("when", ())),
    )


def _patterns(values: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(map(re.compile, values))


def _circumstance(value: dict[str, Any]) -> Circumstance:
    texts = ("cause", "advice")
    conditions = tuple((name, item) for name, item in value.items() if name not in texts)
    return Circumstance(conditions, value.get("cause", ""), value.get("advice", ""))


def _spelled(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    told = say("{item}", item=value[0])
    for item in value[1:]:
        told = say("{items} or {item}", items=told, item=item)
    return told


def _holds(name: str, value: Any, state: BoardState) -> bool:
    """Tell whether the condition is known to hold; KeyError for a name that is none."""
    known: dict[str, Callable[[], bool]] = {
        "driver_below": lambda: _is_below(state.driver_version, value) is True,
        "driver_from": lambda: _is_below(state.driver_version, value) is False,
        "runtime_below": lambda: _is_below(state.runtime_version, value) is True,
        "runtime_from": lambda: _is_below(state.runtime_version, value) is False,
        "socs": lambda: (state.soc or "").lower().startswith(tuple(value)),
        "memory_above_gb": lambda: (state.memory_total_bytes or 0) > value * 1e9,
        "iommu": lambda: state.iommu is value,
        "several_runtimes": lambda: (len(state.runtimes) > 1) is value,
    }
    return known[name]()


def _is_below(version: str | None, limit: str) -> bool | None:
    ours, theirs = parse_version(version), parse_version(limit)
    return None if ours is None or theirs is None else ours < theirs
