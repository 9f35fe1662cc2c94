"""A suite: what a nightly runs, in a `suite.toml` that people edit by hand.

    boards = ["rk3588", "shelf"]                 # names, SoCs or tags: every board that fits
    gates = ["p50 within 5%", "cosine >= 0.999"]

    [plans.usual]                                # without any: one plan `default`
    iterations = 300

    [[models]]
    files = ["models/*.rknn"]                    # relative to the suite
    golden = "golden.npz"
    gates = ["size <= 10MB"]                     # besides those above

Unknown keys are errors: a gate that is not read must not look green.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from rkbench_agent.wire.plan import RunSettings

from rkbench.campaign.settings import check_settings, setting_words, settings_of
from rkbench.errors import UsageError
from rkbench.stats.compare import MINIMUM_UNITS, SEGMENT_ITERATIONS
from rkbench.stats.gates import Gate, parse_gate

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def _setting_kinds() -> dict[str, type | tuple[type, ...]]:
    """Return which TOML types each setting may have, by the word that people write for it."""
    hints = get_type_hints(RunSettings)
    kinds: dict[str, type | tuple[type, ...]] = {}
    for word, name in setting_words().items():
        kind = next(arg for arg in (*get_args(hints[name]), hints[name]) if isinstance(arg, type))
        kinds[word] = (int, float) if kind is float else kind
    return {**kinds, "npu_clock": (int, str)}


TOP_KEYS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "boards": list,
    "gates": list,
    "plans": dict,
    "models": list,
}
MODEL_KEYS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "files": (str, list),
    "golden": str,
    "boards": list,
    "plans": list,
    "gates": list,
}
#: Settings of a plan by the words of the command line; `wait` for a held board.
PLAN_KEYS: dict[str, type | tuple[type, ...]] = {**_setting_kinds(), "wait": (int, float)}
_KINDS: dict[type | tuple[type, ...], str] = {
    str: "a string",
    int: "a whole number",
    list: "a list",
    dict: "a table",
    (str, list): "a string or a list",
    (int, float): "a number",
    bool: "true or false",
    (int, str): "a clock, as '600MHz'",
}
#: Fewer iterations cannot tell a relative latency.
LEAST_ITERATIONS = MINIMUM_UNITS * SEGMENT_ITERATIONS


#: Where a night's defaults differ from a push's: many runs, and nobody waits for a single one.
NIGHTLY = RunSettings(min_iterations=300, min_duration_s=1.0, warmup_iterations=10)


@dataclass(frozen=True)
class NightPlan:
    """How to run a model; `wait_s` for a board that is held."""

    name: str = "default"
    settings: RunSettings = NIGHTLY
    wait_s: float = 600.0


@dataclass(frozen=True)
class Entry:
    """One `[[models]]`: files with the same golden, boards, plans and gates."""

    name: str | None
    files: tuple[Path, ...]
    golden: Path | None
    boards: tuple[str, ...]
    plans: tuple[NightPlan, ...]
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class Suite:
    """What a suite.toml says, its globs resolved; `text` is the file as it is."""

    name: str
    path: Path
    text: str
    entries: tuple[Entry, ...]


def load_suite(path: Path) -> Suite:
    """Read `path`. Raises UsageError with the place and, for a key that is unknown, what was meant."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except FileNotFoundError as error:
        raise UsageError(f"no suite {path}", hint="how to write one: docs/nightly.md") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    return Suite(str(document.get("name", path.stem)), path, text, _Reader(path, document).entries())


class _Reader:
    """Reads one document; every error names the file and the place."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._path = path
        self._check("the suite", document, TOP_KEYS)
        self._document = document
        self._plans = {name: self._plan(name, value) for name, value in document.get("plans", {}).items()}

    def entries(self) -> tuple[Entry, ...]:
        models = self._document.get("models", [])
        if not models:
            raise self._error("the suite has no models", 'add [[models]] with files = ["*.rknn"]')
        return tuple(self._entry(number, table) for number, table in enumerate(models, 1))

    def _entry(self, number: int, table: Any) -> Entry:
        place = f"[[models]] {number}"
        self._check(place, table, MODEL_KEYS)
        boards = self._words(place, table.get("boards", self._document.get("boards", [])), "boards")
        if not boards:
            raise self._error(f"{place} names no board", 'boards = ["rk3588"], here or at the top')
        plans = self._plans_of(place, table)
        gates = self._gates(place, [*self._document.get("gates", []), *table.get("gates", [])], plans)
        golden = self._beside(table["golden"]) if "golden" in table else None
        if golden is not None and not golden.is_file():
            raise self._error(f"{place}: no golden {golden}", "make one: bench golden MODEL.onnx")
        return Entry(table.get("name"), self._files(place, table), golden, boards, plans, gates)

    def _files(self, place: str, table: Mapping[str, Any]) -> tuple[Path, ...]:
        """Return the files of all patterns, in the order of the patterns, each once."""
        given = table.get("files", [])
        patterns = self._words(place, [given] if isinstance(given, str) else given, "files")
        if not patterns:
            raise self._error(f"{place} names no files", 'files = ["models/*.rknn"]')
        found: dict[Path, None] = {}
        for pattern in patterns:
            matches = _expand(self._path.parent, pattern)
            if not matches:
                raise self._error(
                    f"{place}: no model fits {pattern!r}", f"looked in {self._path.parent.absolute()}"
                )
            found.update(dict.fromkeys(matches))
        return tuple(found)

    def _plans_of(self, place: str, table: Mapping[str, Any]) -> tuple[NightPlan, ...]:
        names = self._words(place, table.get("plans", list(self._plans)), "plans")
        for name in names:
            if name not in self._plans:
                raise self._unknown(f"{place}: plan", name, self._plans)
        return tuple(self._plans[name] for name in names) or (NightPlan(),)

    def _plan(self, name: str, table: Any) -> NightPlan:
        place = f"[plans.{name}]"
        self._check(place, table, PLAN_KEYS)
        if table.get("wait", 0) < 0:
            raise self._error(f"{place}: wait {table['wait']:g}: must be 0 or more")
        try:
            settings = settings_of(table, NIGHTLY)
            check_settings(settings)
        except UsageError as error:
            raise self._error(f"{place}: {error.message.removeprefix('--')}", error.hint) from error
        return NightPlan(name, settings, table.get("wait", NightPlan.wait_s))

    def _gates(self, place: str, given: Sequence[Any], plans: Sequence[NightPlan]) -> tuple[Gate, ...]:
        try:
            gates = {gate.text: gate for gate in map(parse_gate, given)}
        except UsageError as error:
            raise self._error(f"{place}: {error.message}", error.hint) from error
        if not gates:
            raise self._error(f"{place} has no gates", 'gates = ["p50 within 5%"], here or at the top')
        for gate in gates.values():
            least = 100 if gate.quantity == "p99" else LEAST_ITERATIONS if gate.is_relative_latency else 1
            short = next((plan for plan in plans if plan.settings.min_iterations < least), None)
            if short is not None:
                hint = f"give it {least} or more: iterations = {least}"
                count = short.settings.min_iterations
                message = f"plan {short.name!r} has {count} iterations: too few for {gate.text!r}"
                raise self._error(f"{place}: {message}", hint)
        return tuple(gates.values())

    def _words(self, place: str, given: Any, what: str) -> tuple[str, ...]:
        if not isinstance(given, list) or not all(isinstance(word, str) and word for word in given):
            raise self._error(f"{place}: {what} must be a list of strings, not {given!r}")
        return tuple(given)

    def _check(self, place: str, table: Any, keys: Mapping[str, type | tuple[type, ...]]) -> None:
        if not isinstance(table, dict):
            raise self._error(f"{place} must be a table, not {table!r}")
        for key, value in table.items():
            if key not in keys:
                raise self._unknown(f"{place}: key", key, keys)
            if not isinstance(value, keys[key]) or isinstance(value, bool) != (keys[key] is bool):
                raise self._error(f"{place}: {key} must be {_KINDS[keys[key]]}, not {value!r}")

    def _beside(self, text: str) -> Path:
        return self._path.parent / Path(text).expanduser()

    def _unknown(self, what: str, word: str, known: Mapping[str, Any]) -> UsageError:
        close = difflib.get_close_matches(word, known, 2)
        hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known) or 'none'}"
        return self._error(f"{what} {word!r} is unknown", hint)

    def _error(self, text: str, hint: str = "") -> UsageError:
        return UsageError(f"{self._path}: {text}", hint=hint)


def _expand(folder: Path, pattern: str) -> list[Path]:
    """Return the files that `pattern` means, sorted; an absolute pattern is one too."""
    path = Path(pattern).expanduser()
    if not path.is_absolute():
        return sorted(found for found in folder.glob(str(path)) if found.is_file())
    return sorted(found for found in Path("/").glob(str(path.relative_to("/"))) if found.is_file())
