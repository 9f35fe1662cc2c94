"""What a result store is: a Protocol, and the words in which it answers.

A store keeps runs with their raw latencies and sensor readings, a row of figures per run (`HistoryRow`),
the nights with their cells, gates and baselines, and noise floors. How it does so nobody sees: no SQL, no
connection.
`opening.py` says which store lies behind an address.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from rkbench_agent.wire.board import Reading

from rkbench.results.collect import Collected
from rkbench.results.history import HistoryRow
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.night import CellResult, Night
from rkbench.results.noise_floor import NoiseFloor


@dataclass(frozen=True)
class Baseline:
    """A run that was accepted as what the nights to come are held against."""

    suite: str
    variant: str
    board: str
    plan: str
    simulated: bool
    run: str
    night: str
    accepted_unix_s: float
    note: str


@dataclass(frozen=True)
class GateState:
    """What one gate said of one variant on one board, by one plan, in the last night of its suite.

    `state` is one of `stats.gates.STATES` (pass, fail, can't tell, not measured). `model` is the name of
    the suite's entry, `variant` the file's stem. `measured_unix_s` is None where nothing was measured.
    """

    suite: str
    model: str
    variant: str
    board: str
    plan: str
    gate: str
    state: str
    simulated: bool
    measured_unix_s: float | None


@dataclass(frozen=True)
class RunTag:
    """A word that somebody gave a run, to find it by, and why ("": nobody said)."""

    run: str
    tag: str
    note: str
    tagged_unix_s: float


class ResultKey(NamedTuple):
    """What tells one series of results from another."""

    variant: str
    board: str
    runtime: str
    core_mask: str
    scenario: str
    simulated: bool


class LatestRun(NamedTuple):
    """A run by its id; a greater `position` was stored later. The first position is 1."""

    position: int
    run_id: str


class Latest(NamedTuple):
    """The newest run of a key, and the newest that neither failed nor ended early (None: none yet)."""

    run: LatestRun
    success: LatestRun | None


class Mark(NamedTuple):
    """How far a store has come: which store it is, and the run stored last (position 0: none yet)."""

    store: Hashable
    last: LatestRun


class Store(Protocol):
    """An open store; a context manager.

    Every method raises StoreError where what lies behind refuses; what writes, writes all or nothing.
    Names that people type are resolved by `lookup.py`.
    """

    @property
    def address(self) -> str:
        """The path or URL that opens it, for messages: without a password, if it was given one."""

    def __enter__(self) -> Store: ...

    def __exit__(self, *_: object) -> None: ...

    def close(self) -> None:
        """Let go of it; what was saved is kept already."""

    # -- runs

    def save(self, collected: Collected) -> None:
        """Write one run with its raw latencies, its readings and its row of the history."""

    def save_all(self, items: Sequence[Collected]) -> None:
        """Write several runs as `save` does, in this order, all of them or none."""

    def run(self, run_id: str) -> RunResult | None:
        """Return the run of this very id."""

    def find(self, name: str) -> list[str]:
        """Return the ids of the runs that `name` fits (see `runs.ids.fits`), sorted."""

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        """Return which of these very ids are those of stored runs."""

    def stored(self, *, after: int, limit: int) -> list[LatestRun]:
        """Return runs in the order of storing, as many as `limit` of those behind position `after`."""

    def history(
        self,
        *,
        model: str | None = None,
        board: str | None = None,
        limit: int | None = None,
        since_unix_s: float | None = None,
        before_unix_s: float | None = None,
    ) -> list[HistoryRow]:
        """Return a row per run, those that started last first.

        `model` is a variant's name or the start of its SHA-256 (six characters at least); `board` a board's
        name or SoC. Both may have the wildcards `*`, `?` and `[...]`, which then stand for whole names. A run
        whose time cannot be read started at no time.
        """

    def rows(self, ids: Sequence[str]) -> list[HistoryRow]:
        """Return the rows of these very runs in the order of storing; of those that are not there none."""

    def pushes(self, *, limit: int | None = None, skip: int = 0) -> list[str]:
        """Return the ids of the pushes, those that started last first."""

    def latencies(self, run_id: str) -> RawLatencies:
        """Return the raw latencies of a run; empty where none were taken."""

    def readings(self, run_id: str) -> list[Reading]:
        """Return the sensor readings of a run; empty where none were kept."""

    def prunable(self, before_unix_s: float, *, raw_only: bool, after: int, limit: int) -> list[LatestRun]:
        """Return runs that may go, in the order of storing: `limit` of those behind position `after`.

        They started before that moment, have no tag, and are no baseline in force, nor measured by a night
        that has not ended. `raw_only`: those whose latencies are still there.
        """

    def remove(self, runs: Sequence[str], *, raw_only: bool) -> None:
        """Remove runs with all that belongs to them, or only their latencies and readings."""

    def remove_nights(self, before_unix_s: float) -> int:
        """Remove nights begun before that moment of which no run is left, and return how many those were."""

    # -- tags

    def save_tags(self, tags: Sequence[RunTag]) -> None:
        """Write tags of runs that are stored; the same tag of the same run takes the place of the old one."""

    def remove_tag(self, tag: str, runs: Sequence[str]) -> int:
        """Take a tag from these runs, and return how many had it."""

    def tags(self, tag: str | None = None) -> list[RunTag]:
        """Return the tags of all runs, or what has this tag, in the order of tag and run."""

    # -- noise floors

    def save_noise_floor(self, floor: NoiseFloor) -> None:
        """Write a noise floor; an older one of the same board and conditions no longer counts."""

    def noise_floor(self, board: str, conditions: Mapping[str, str | None]) -> NoiseFloor | None:
        """Return the noise floor in force of a board under these very conditions."""

    def noise_floors(self) -> list[NoiseFloor]:
        """Return the noise floors in force, in the order in which they were kept."""

    # -- the whole of it

    def faults(self) -> list[str]:
        """Return what is wrong with what lies behind, beyond single entries; none where it is whole."""

    def backup(self, target: Path) -> tuple[str, ...]:
        """Write a copy of all of it, of one moment, to a file that is not there yet.

        Returns what could not be read, and is not in it.
        """

    # -- the newest of it

    def mark(self) -> Mark:
        """Return how far the store has come."""

    def latest(self, *, after: int = 0, simulated: bool = False) -> dict[ResultKey, Latest]:
        """Return the latest runs of every key, of those stored after position `after`.

        Simulated ones only if asked for; none that a night measured as its baseline, beside another. "Latest"
        is the order of storing, so that a clock that jumps confuses nothing.
        """

    def latest_gates(self) -> list[GateState]:
        """Return the gates of the newest night that came to its end, of every suite."""

    # -- nights

    def holding(self, word: str) -> AbstractContextManager[bool]:
        """Yield whether this process alone, of all hosts that share the store, holds `word` meanwhile.

        Who dies holds nothing. A file is shared by no hosts: what its processes hold lies beside it.
        """

    def save_night(self, night: Night) -> None:
        """Write a night without its cells, anew or over what was known of it; `ended_unix_s` ends it."""

    def save_cell(self, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]) -> None:
        """Write a cell of a saved night, with its gates and runs.

        Runs of the cell that are stored already become runs of this night, unless another has them.
        """

    def night(self, night_id: str) -> Night | None:
        """Return the night of this very id with the cells that it has, in the order of their positions."""

    def positions(self, night_id: str) -> list[int]:
        """Return the positions of the cells that a night has, in their order."""

    def nights(self, *, suite: str | None = None, limit: int | None = None) -> list[str]:
        """Return the ids of the nights (of a suite), those begun last first."""

    def find_nights(self, name: str) -> list[str]:
        """Return the ids of the nights that `name` fits, by their own id or that of a run, sorted."""

    def accept(self, accepted: Sequence[Baseline]) -> None:
        """Write baselines; older ones of the same cells no longer count."""

    def baselines(self, suite: str | None = None) -> list[Baseline]:
        """Return the baselines in force: the last accepted of each cell, real and simulated apart."""
