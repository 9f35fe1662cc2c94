"""What a measure is: one number of a run, with all that is said about it. The table is `measures.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from rkbench_agent.wire.provenance import Provenance

from rkbench.results.loads import LoadRange
from rkbench.results.model import RunResult
from rkbench.results.output import Output
from rkbench.stats.figures import Statistic
from rkbench.stats.gates import Quantity
from rkbench.units import Unit


class NumberGroup(Enum):
    """Numbers that share a source; the value is their field of `Provenance` (the file has none)."""

    FILE = ""
    LOAD_DURATION = "load_duration"
    NPU_MEMORY = "load"
    PROCESS_MEMORY = "process_memory"
    LATENCY = "latency"
    OUTPUTS = "outputs"
    READINGS = "readings"

    def source(self, provenance: Provenance) -> str | None:
        """Return where the numbers of a run come from; None where it has none, or for the file."""
        found: str | None = getattr(provenance, self.value) if self.value else None
        return found


@dataclass(frozen=True)
class Family:
    """Where Prometheus finds a measure: the metric, its help, and labels that tell its series apart.

    `is_quantile`: it is one quantile of a summary, and its label says which.
    """

    name: str
    help: str
    labels: tuple[tuple[str, str], ...] = ()
    is_quantile: bool = False


@dataclass(frozen=True)
class Measure:
    """One number of a run. `name` is its key in JSON and CSV and its column in the history.

    `value` is None where the run has no such number; `per_output` gives it for each output, and `value` is
    then the worst of them; `bounds` those of 95 %, where it has some of its own, and `narrower` says what
    more of it takes. `label` heads its line on
    the console, `gate` is the word that gates use; "" is no line, no gate. `statistic` lets a gate hold it
    against a baseline by its interval; `instead` says what to write where it scatters too much for that,
    `inverse_of` whose interval a rate has. `family` is where Prometheus has it. `shown` replaces the unit's
    text. `compared`: JSON, CSV and console hold it against the baseline. `load_figure` is the field of
    `LoadFigures` that it is the median of; "": it is not of loads. Where no run reaches `shown_from`, the
    console has no line of it.
    """

    name: str
    unit: Unit
    group: NumberGroup
    value: Callable[[RunResult], float | None]
    higher_is_better: bool = False
    label: str = ""
    gate: str = ""
    statistic: Statistic | None = None
    instead: str = ""
    family: Family | None = None
    per_output: Callable[[Output], float | None] | None = None
    compared: bool = False
    shown: Callable[[RunResult], str] | None = None
    load_figure: str = ""
    shown_from: float | None = None
    inverse_of: Statistic | None = None
    bounds: Callable[[RunResult], tuple[float, float] | None] = lambda _: None
    narrower: str = ""

    @property
    def percent(self) -> float | None:
        """Which percentile it is, if it is one."""
        return self.statistic.percent if self.statistic is not None else None

    @property
    def quantity(self) -> Quantity:
        """What a gate may say of it."""
        return Quantity(
            self.gate,
            self.unit,
            self.higher_is_better,
            self.statistic,
            self.instead,
            of_outputs=self.per_output is not None,
            inverse_of=self.inverse_of,
        )

    def range_of(self, run: RunResult) -> LoadRange | None:
        """Return its range over the loads of a run; None where it has none, or one value alone."""
        return run.load.range_of(self.load_figure) if run.load and self.load_figure else None

    def is_shown(self, runs: Sequence[RunResult]) -> bool:
        """Return whether the console has a line of it for these runs."""
        least = self.shown_from
        return bool(self.label) and (least is None or any((self.value(run) or 0) >= least for run in runs))

    def text(self, run: RunResult) -> str:
        """Return the value as people read it, with its unit."""
        return self.shown(run) if self.shown else self.unit.text(self.value(run))
