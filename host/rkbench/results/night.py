"""A night: what a suite said of every variant on every board, as plain data (schema `rkbench-nightly/1`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from rkbench.results.model import Verdict
from rkbench.stats.gates import FAIL, NOT_MEASURED, State, worst
from rkbench.stats.history.verdicts import Label
from rkbench.stats.judging import Judgement

SCHEMA = "rkbench-nightly/1"
GREEN, FAILED, RED = 0, 1, 3

#: Beside the baseline's model, in the same night; or against what the baseline's night had measured.
Compared = Literal["paired", "history"]
PAIRED: Final = "paired"
HISTORY: Final = "history"
#: The gate of a cell whose model the converter refused, and what it is of.
CONVERTS: Final = "converts"


@dataclass(frozen=True)
class AgainstHistory:
    """How a gate on history came to its word: by so many `nights`, which lie `deviation_percent` apart (one
    standard deviation of a night, shrunk over all cells).

    `over_nights`: the mean of so many, tonight among them, was judged; `creeps`: against the first nights of
    the epoch, as small steps lead away from the last. `since` is the first night of the higher level, of a
    regression. `twice`: a second measurement of tonight, made only to know how far loads of one night differ.
    """

    label: Label
    nights: int = 0
    deviation_percent: float | None = None
    over_nights: int = 1
    creeps: bool = False
    since: str | None = None
    since_unix_s: float | None = None
    twice: float | None = None


@dataclass(frozen=True)
class GateResult:
    """What one gate said. `measurements` holds two where a failure was measured again, and a third where both
    together decided; `unit` is the base unit of the values ("" for ratios and plain numbers). `history`: by
    the nights before, where it asks for that; the last measurement is the mean of all then."""

    gate: str
    quantity: str
    unit: str
    state: State
    measurements: tuple[Judgement, ...]
    detail: str = ""
    history: AgainstHistory | None = None

    @property
    def last(self) -> Judgement:
        """The measurement that the state follows from."""
        return self.measurements[-1]


@dataclass(frozen=True)
class ConditionChange:
    """What is not as it was when the baseline ran. `environment`: of the board, not of the model."""

    name: str
    baseline: str | None
    value: str | None
    environment: bool


@dataclass(frozen=True)
class Fault:
    """Why a cell has no good run: not a number, but something that broke, or that was not there."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class MadeBy:
    """How the model of a cell was converted for its night; `toolkit_version` is the converter's."""

    onnx: str
    recipe: str
    target: str
    toolkit_version: str


@dataclass(frozen=True)
class BoardHold:
    """A board in use: from when it was no longer waited for to the end of a cell's runs, or of sending."""

    since_unix_s: float
    duration_s: float


@dataclass(frozen=True)
class Epoch:
    """What a series keeps as long as its nights are one epoch; None where unknown, which is as any other."""

    runtime_version: str | None = None
    driver_version: str | None = None
    kernel: str | None = None
    toolkit_version: str | None = None
    golden_sha256: str | None = None
    runtime: str | None = None
    core_mask: str | None = None
    other_sha256: str | None = None


@dataclass(frozen=True)
class EpochBegun:
    """A board's epoch is younger than a reference: what changed, and what that did to its cells.

    `nights` of it were there before tonight; `difference_percent` is the median over `cells` of tonight
    against the epoch before, which no gate judges.
    """

    board: str
    changes: tuple[ConditionChange, ...]
    nights: int
    cells: int
    difference_percent: float | None = None


@dataclass(frozen=True)
class PooledGate:
    """A gate on history over all boards of one SoC that ran a model by a plan."""

    model: str
    variant: str
    soc: str
    plan: str
    boards: tuple[str, ...]
    simulated: bool
    result: GateResult


@dataclass(frozen=True)
class Scatter:
    """How far the nights of a quantity lie apart, as the reference knows it: one standard deviation.
    `shared_ratio`: how much of its variance two measurements of one night have in common, by `pairs` of
    them; None where these are too few."""

    quantity: str
    deviation_percent: float
    cells: int
    pairs: int
    shared_ratio: float | None = None


@dataclass(frozen=True)
class CellResult:
    """One variant on one board by one plan. `runs` are the ids of all its runs, the judged one last but for
    a second measurement; `baseline` is the accepted run that it was held against. `duration_s` is wall time,
    `retried` why it was begun anew, `verdict` the run's word, `caveats` its codes.

    `compared` says how: `beside` are then those of `runs` that measured the baseline's model in this night,
    or `not_paired` why none did. `file` is where the model lay; all three are unknown of older nights, as are
    `p99_s` and `load_npu_total_bytes`, which are the judged run's. `epoch` is what its history hangs on,
    where a gate asks for one. `holds`: once for each time that it was measured. `made_by`: of a model that
    was converted for the night; where the converter refused it, that is a gate of its own (CONVERTS)."""

    model: str
    variant: str
    board: str
    plan: str
    simulated: bool = False
    runs: tuple[str, ...] = ()
    baseline: str | None = None
    measured_unix_s: float | None = None
    duration_s: float | None = None
    retried: str = ""
    p50_s: float | None = None
    verdict: Verdict | None = None
    caveats: tuple[str, ...] = ()
    gates: tuple[GateResult, ...] = ()
    changes: tuple[ConditionChange, ...] = ()
    fault: Fault | None = None
    file: str | None = None
    compared: Compared | None = None
    beside: tuple[str, ...] = ()
    not_paired: str = ""
    epoch: Epoch | None = None
    p99_s: float | None = None
    load_npu_total_bytes: float | None = None
    holds: tuple[BoardHold, ...] = ()
    made_by: MadeBy | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells the cells of a night apart."""
        return (self.variant, self.board, self.plan)

    @property
    def own_runs(self) -> tuple[str, ...]:
        """Those of its runs that are of its own model, not of the baseline's beside it."""
        return tuple(run for run in self.runs if run not in self.beside)

    @property
    def state(self) -> State:
        """The worst of its gates; a fault counts as not measured."""
        states = [gate.state for gate in self.gates]
        return worst([*states, NOT_MEASURED] if self.fault else states)


@dataclass(frozen=True)
class BoardReport:
    """A board of the night, as the pre-flight found it, and when it was sent models; `fault`: why it is out.
    `idle_ratio`: the share of its night, to the end of its last cell, in which it was neither sent models nor
    ran a cell; None while the night runs, and of one that was gone on with."""

    name: str
    soc: str | None = None
    simulated: bool = False
    runtime_version: str | None = None
    driver_version: str | None = None
    kernel: str | None = None
    fault: Fault | None = None
    idle_ratio: float | None = None
    sending: BoardHold | None = None


@dataclass(frozen=True)
class Night:
    """A night of a suite. `ended_unix_s` is None while it runs, or after the host died.

    `pooled`, `scatter` and `epochs` are of gates on history, and told once all cells are measured."""

    id: str
    suite: str
    fingerprint: str
    started_unix_s: float
    ended_unix_s: float | None = None
    resumed: int = 0
    interrupted: bool = False
    boards: tuple[BoardReport, ...] = ()
    cells: tuple[CellResult, ...] = ()
    problems: tuple[str, ...] = ()
    pooled: tuple[PooledGate, ...] = ()
    scatter: tuple[Scatter, ...] = ()
    epochs: tuple[EpochBegun, ...] = ()

    @property
    def exit_code(self) -> int:
        """3: a gate was crossed; 1: something failed or was not measured; 0: neither."""
        states = {cell.state for cell in self.cells} | {item.result.state for item in self.pooled}
        if FAIL in states:
            return RED
        return FAILED if NOT_MEASURED in states or self.problems or self.interrupted else GREEN

    @property
    def simulated(self) -> bool:
        """Whether any number of it comes from a virtual board."""
        return any(cell.simulated for cell in self.cells)


@dataclass(frozen=True)
class Told:
    """Something to know about a board (None: about the night) while it runs."""

    board: str | None
    text: str


@dataclass(frozen=True)
class NightBegun:
    """All cells are known, `done` of them from before it was gone on with; the rest takes about `left_s`."""

    total: int
    done: int = 0
    left_s: float | None = None


@dataclass(frozen=True)
class CellBegun:
    """A board begins to measure a cell."""

    board: str
    variant: str
    plan: str


@dataclass(frozen=True)
class CellEnded:
    """A cell is finished: the `done`-th of `total`; the others take about `left_s` yet, None if unknown."""

    cell: CellResult
    done: int
    total: int
    left_s: float | None = None


NightEvent = Told | NightBegun | CellBegun | CellEnded
NightListener = Callable[[NightEvent], None]
