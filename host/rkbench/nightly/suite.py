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

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from rkbench_agent.wire.plan import RunSettings

from rkbench.campaign.askable import Given, check_gates
from rkbench.campaign.demands import carrying, reads_of
from rkbench.campaign.scenarios import with_calls_of_search
from rkbench.campaign.settings import check_settings, settings_of
from rkbench.conversion.words import ConvertWords
from rkbench.decoding.tables import Word, read_table, typed_values, unknown
from rkbench.decoding.toml import read_toml
from rkbench.errors import UsageError
from rkbench.nightly.judge import is_by_pairs
from rkbench.nightly.suite_beside import other_of
from rkbench.nightly.suite_convert import converting_of
from rkbench.nightly.suite_files import expand
from rkbench.nightly.suite_lines import located
from rkbench.nightly.suite_words import PLAN_TYPES, WORDS, OwnMetric, check_words, own_metric
from rkbench.results.gating import meant
from rkbench.results.measures import QUANTITIES
from rkbench.results.night import HISTORY, PAIRED, Compared
from rkbench.scoring.own import read_metric
from rkbench.stats.gates import Gate, parse_gate
from rkbench.stats.paired import CONFIDENCE, QUADS_OF_ONE_LOAD
from rkbench.stats.signed_rank import fewest_differences

T = TypeVar("T")

#: No model answers faster: what is given less time than its iterations of this length never has them.
SHORTEST_CALL_S = 1e-4
_HINT = "how to write one: docs/nightly.md"


@dataclass(frozen=True)
class SuiteTable:
    """What stands at the top of a suite.toml."""

    name: str | None = None
    boards: tuple[Word, ...] = ()
    gates: tuple[Any, ...] = ()
    plans: dict[str, Any] = field(default_factory=dict)
    models: tuple[Any, ...] = ()
    #: Without it: paired where that is possible.
    compare: Word | None = None


@dataclass(frozen=True)
class ModelTable:
    """What stands in a `[[models]]`; without `boards` those at the top, without `plans` all."""

    name: str | None = None
    files: Word | tuple[Word, ...] = ()
    #: Instead of files: it is converted by each of `recipes`; how, with the words of `bench convert`.
    onnx: Path | None = None
    recipes: Annotated[tuple[Word, ...], "a list of recipes, as ['fp16', 'int8,toolkit=2.3.2']"] = ()
    calibration: Path | None = None
    random_calibration: bool = False
    mean: str | None = None
    std: str | None = None
    fit: str = ConvertWords.fit
    bgr: bool = False
    input_shape: tuple[Word, ...] | None = None
    time_limit: float = ConvertWords.time_limit
    memory_limit: float = ConvertWords.memory_limit
    golden: Path | None = None
    labels: Path | None = None
    metric: OwnMetric | None = None
    boards: tuple[Word, ...] | None = None
    plans: tuple[Word, ...] | None = None
    gates: tuple[Any, ...] = ()


#: Where a night's defaults differ from a push's: many runs, and nobody waits for a single one.
NIGHTLY = RunSettings(min_iterations=300, min_duration_s=1.0, warmup_iterations=10)


@dataclass(frozen=True)
class NightPlan:
    """How to run a model; `wait_s` for a board that is held, `other` a second model that it has beside it."""

    name: str = "default"
    settings: RunSettings = NIGHTLY
    wait_s: float = 600.0
    other: Path | None = None


@dataclass(frozen=True)
class Entry:
    """One `[[models]]`: files with the same golden, boards, plans and gates; or an ONNX that is converted as
    `converting` says."""

    name: str | None
    files: tuple[Path, ...]
    golden: Path | None
    boards: tuple[str, ...]
    plans: tuple[NightPlan, ...]
    gates: tuple[Gate, ...]
    labels: Path | None = None
    metric: str | None = None
    onnx: Path | None = None
    converting: ConvertWords = field(default_factory=ConvertWords)


@dataclass(frozen=True)
class Suite:
    """What a suite.toml says, its globs resolved; `text` is the file as it is."""

    name: str
    path: Path
    text: str
    entries: tuple[Entry, ...]
    compare: Compared = PAIRED

    @property
    def wait_s(self) -> float:
        """The longest that one of its plans waits for a board."""
        return max(plan.wait_s for entry in self.entries for plan in entry.plans)


def load_suite(path: Path) -> Suite:
    """Read `path`. Raises UsageError with the line, the place and, for an unknown key, what was meant."""
    try:
        text, document = read_toml(path, UsageError, hint=_HINT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"no suite {path}", hint=_HINT) from error
    try:
        return _Reader(path, document).suite(text)
    except UsageError as error:
        raise located(error, path, text) from error


class _Reader:
    """Reads one document; every error names the file and the place."""

    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._path = path
        self._table = read_table(SuiteTable, document, f"{path}: the suite", UsageError)
        self._plans = {name: self._plan(name, value) for name, value in self._table.plans.items()}

    def suite(self, text: str) -> Suite:
        """Return the whole suite, whose file holds `text`."""
        compare = self._table.compare or PAIRED
        if compare not in (PAIRED, HISTORY):
            raise unknown(f"{self._path}: compare", compare, (PAIRED, HISTORY), UsageError)
        name = self._table.name or self._path.stem
        return Suite(name, self._path, text, self._entries(), PAIRED if compare == PAIRED else HISTORY)

    def _entries(self) -> tuple[Entry, ...]:
        if not self._table.models:
            raise self._error("the suite has no models", 'add [[models]] with files = ["*.rknn"]')
        return tuple(self._entry(number, table) for number, table in enumerate(self._table.models, 1))

    def _entry(self, number: int, value: Any) -> Entry:
        place = f"[[models]] {number}"
        self._refuse(value, get_type_hints(ModelTable), place, of_plan=False)
        table = read_table(ModelTable, value, f"{self._path}: {place}", UsageError)
        boards = self._table.boards if table.boards is None else table.boards
        if not boards:
            raise self._error(f"{place} names no board", 'boards = ["rk3588"], here or at the top')
        plans = self._plans_of(place, table)
        gates = self._gates(place, [*self._table.gates, *table.gates], labelled=table.labels is not None)
        plans = tuple(self._carrying(place, plan, gates) for plan in plans)
        golden = self._file(place, "golden", table.golden, "bench golden MODEL.onnx -o {}")
        labels = self._file(place, "labels", table.labels, "a line NAME CLASS for each picture: {}")
        metric = None if table.metric is None else own_metric(self._path.parent, table.metric)
        given = Given(golden is not None, labels is not None, metric is not None)
        if golden is None and (labels or metric):
            text = f"{place}: labels and metric score the outputs of a golden, and there is none"
            raise self._error(text, 'golden = "FILE.npz"')
        if metric is not None:
            self._checked(place, lambda: read_metric(metric))
        self._checked(place, lambda: _check_plans(plans, gates, given))
        onnx = self._file(place, "onnx", table.onnx, "{} is to be an ONNX file")
        converting = self._checked(place, lambda: converting_of(vars(table), self._path.parent))
        files = () if onnx else self._files(place, table)
        told = (golden, boards, plans, gates, labels, metric, onnx, converting)
        return Entry(table.name, files, *told)

    def _file(self, place: str, word: str, told: Path | None, make: str) -> Path | None:
        """Return a file as seen from the suite; raises UsageError where it is not there."""
        found = None if told is None else self._path.parent / told
        if found is not None and not found.is_file():
            raise self._error(f"{place}: no {word} {found}", f"make it: {make.format(found)}")
        return found

    def _checked(self, place: str, check: Callable[[], T]) -> T:
        """Return what `check` does; its UsageError names the suite and the place."""
        try:
            return check()
        except UsageError as error:
            raise self._error(f"{place}: {error.message}", error.hint) from error

    def _refuse(self, value: Any, known: Collection[str], place: str, *, of_plan: bool) -> None:
        found = check_words(value, known, place, of_plan=of_plan)
        if found is not None:
            raise self._error(*found)

    def _files(self, place: str, table: ModelTable) -> tuple[Path, ...]:
        """Return the files of all patterns, in the order of the patterns, each once."""
        patterns = (table.files,) if isinstance(table.files, str) else table.files
        if not patterns:
            raise self._error(f"{place} names no files", 'files = ["models/*.rknn"]')
        found: dict[Path, None] = {}
        for pattern in patterns:
            try:
                matches = expand(self._path.parent, pattern)
            except OSError as error:
                raise self._error(f"{place}: {pattern!r}: {error.strerror}", "name folders closer") from error
            if not matches:
                raise self._error(
                    f"{place}: no model fits {pattern!r}", f"looked in {self._path.parent.absolute()}"
                )
            found.update(dict.fromkeys(matches))
        return tuple(found)

    def _plans_of(self, place: str, table: ModelTable) -> tuple[NightPlan, ...]:
        names = tuple(self._plans) if table.plans is None else table.plans
        for name in names:
            if name not in self._plans:
                raise unknown(f"{self._path}: {place}: plan", name, self._plans, UsageError)
        return tuple(self._plans[name] for name in names) or (NightPlan(),)

    def _plan(self, name: str, value: Any) -> NightPlan:
        place = f"[plans.{name}]"
        self._refuse(value, PLAN_TYPES, place, of_plan=True)
        values = typed_values(value, PLAN_TYPES, f"{self._path}: {place}", UsageError)
        wait_s = values.get("wait", NightPlan.wait_s)
        if not 0 <= wait_s < math.inf:
            raise self._error(f"{place}: wait {wait_s:g}: must be 0 or more")
        other = self._checked(place, lambda: other_of(values, self._path.parent))
        settings = self._checked(place, lambda: settings_of(values, NIGHTLY))
        self._checked(place, lambda: check_settings(settings, has_other=other is not None))
        return NightPlan(name, settings, wait_s, other)

    def _gates(self, place: str, given: Sequence[Any], *, labelled: bool) -> tuple[Gate, ...]:
        told = [meant(item, labelled=labelled) for item in given]
        parsed = self._checked(place, lambda: [parse_gate(item, QUANTITIES) for item in told])
        gates = {gate.text: gate for gate in parsed}
        if not gates:
            raise self._error(f"{place} has no gates", 'gates = ["p50 within 5%"], here or at the top')
        return tuple(gates.values())

    def _carrying(self, place: str, plan: NightPlan, gates: Sequence[Gate]) -> NightPlan:
        """Return `plan` raised to what the gates need. Raises UsageError where its time cannot have that."""
        self._check_units(place, plan, gates)
        most = int(plan.settings.max_duration_s / SHORTEST_CALL_S)
        for gate in gates:
            needed = reads_of([gate.quantity]).calls
            if 0 < most < needed:
                limit = f"max_duration = {plan.settings.max_duration_s:g}"
                message = f"plan {plan.name!r} has too little time for {gate.text!r}: {limit}"
                raise self._error(
                    f"{place}: {message}", f"its interval needs {needed} iterations; give it more"
                )
        settings = with_calls_of_search(plan.settings)
        return replace(plan, settings=carrying(settings, reads_of(gate.quantity for gate in gates)))

    def _check_units(self, place: str, plan: NightPlan, gates: Sequence[Gate]) -> None:
        """Raise UsageError where a plan has too few loads for the interval of a gate on pairs."""
        loads, quads = plan.settings.loads, plan.settings.quads
        units, noun = (loads, "loads") if loads != 1 else (quads or QUADS_OF_ONE_LOAD, "quads of one load")
        needed = fewest_differences(CONFIDENCE)
        paired = [gate for gate in gates if is_by_pairs(gate) and self._table.compare != HISTORY]
        if units is not None and paired and units < needed:
            text = f"{place}: plan {plan.name!r} has too few {noun} for {paired[0].text!r}: {units}"
            raise self._error(text, f"its interval needs {needed}; without loads and quads there are enough")

    def _error(self, text: str, hint: str = "") -> UsageError:
        return UsageError(f"{self._path}: {text}", hint=hint)


def _check_plans(plans: Sequence[NightPlan], gates: Sequence[Gate], given: Given) -> None:
    for plan in plans:
        check_gates(gates, plan.settings, given, WORDS, f"plan {plan.name!r}")
