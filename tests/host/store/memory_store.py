"""A store in memory: the second implementation of the Protocol, and all that a new one has to be.

`connect` is what `rkbench.store.opening.STORES` names. What was kept under an address is there again when it
is opened anew, as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from rkbench.errors import StoreError
from rkbench.results.collect import Collected
from rkbench.results.history import HistoryRow, history_row
from rkbench.results.ids import fits
from rkbench.results.latencies import RawLatencies
from rkbench.results.model import RunResult
from rkbench.results.night import CellResult, Night
from rkbench.results.noise_floor import NoiseFloor
from rkbench.store.base import Baseline, GateState, Latest, LatestRun, Mark, ResultKey, RunTag
from rkbench_agent.wire.board import Reading


@dataclass
class _Kept:
    """What lies under one address."""

    runs: dict[str, Collected] = field(default_factory=dict)
    nights: dict[str, Night] = field(default_factory=dict)
    cells: dict[str, dict[int, CellResult]] = field(default_factory=dict)
    baselines: list[Baseline] = field(default_factory=list)
    floors: list[NoiseFloor] = field(default_factory=list)
    tags: dict[tuple[str, str], RunTag] = field(default_factory=dict)


_ADDRESSES: dict[str, _Kept] = {}


def connect(address: str, *, wait_s: float, create: bool) -> MemoryStore:
    """Return the store that was opened under `address` before, or an empty one."""
    if not create and address not in _ADDRESSES:
        raise StoreError(f"no result store at {address}: it was never opened", hint="open it first")
    return MemoryStore(address, _ADDRESSES.setdefault(address, _Kept()))


class MemoryStore:
    def __init__(self, address: str, kept: _Kept) -> None:
        self.address = address
        self._kept = kept

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        pass

    def save(self, collected: Collected) -> None:
        self._add([collected])

    def _add(self, runs: Sequence[Collected]) -> None:
        if known := [item.run.id for item in runs if item.run.id in self._kept.runs]:
            raise StoreError(f"result store {self.address}: run {known[0]} is there already")
        self._kept.runs.update({item.run.id: item for item in runs})

    def save_all(self, items: Sequence[Collected]) -> None:
        self._add(items)

    def known(self, ids: Sequence[str]) -> frozenset[str]:
        return frozenset(ids) & self._kept.runs.keys()

    def stored(self, *, after: int, limit: int) -> list[LatestRun]:
        return [LatestRun(at, run) for at, run in enumerate(self._kept.runs, 1)][after:][:limit]

    def run(self, run_id: str) -> RunResult | None:
        item = self._kept.runs.get(run_id)
        return item.run if item else None

    def find(self, name: str) -> list[str]:
        return sorted(run_id for run_id in self._kept.runs if fits(name, run_id))

    def history(
        self,
        *,
        model: str | None = None,
        board: str | None = None,
        limit: int | None = None,
        since_unix_s: float | None = None,
        before_unix_s: float | None = None,
    ) -> list[HistoryRow]:
        nights = {
            run: night
            for night, cells in self._kept.cells.items()
            for cell in cells.values()
            for run in cell.runs
        }
        rows = [
            replace(history_row(item.run), night=nights.get(item.run.id)) for item in self._kept.runs.values()
        ]
        found = [
            row
            for row in rows
            if (board is None or fnmatchcase(row.board, board) or fnmatchcase(row.soc or "", board))
            and (
                model is None
                or fnmatchcase(row.variant, model)
                or (len(model) >= 6 and row.sha256.startswith(model))
            )
            and (since_unix_s is None or (row.started_unix_s or -1) >= since_unix_s)
            and (before_unix_s is None or (row.started_unix_s or before_unix_s) < before_unix_s)
        ]
        return sorted(found, key=lambda row: (row.started_at, row.run), reverse=True)[:limit]

    def rows(self, ids: Sequence[str]) -> list[HistoryRow]:
        found = {row.run: row for row in self.history()}
        return [found[run] for run in self._kept.runs if run in ids]

    def pushes(self, *, limit: int | None = None, skip: int = 0) -> list[str]:
        return list(dict.fromkeys(row.push for row in self.history()))[skip:][:limit]

    def prunable(self, before_unix_s: float, *, raw_only: bool, after: int, limit: int) -> list[LatestRun]:
        tagged = {run for _, run in self._kept.tags}
        in_force = {baseline.run for baseline in self.baselines()}
        running = {
            run
            for night_id, cells in self._kept.cells.items()
            if self._kept.nights[night_id].ended_unix_s is None
            for cell in cells.values()
            for run in cell.runs
        }
        found = []
        for at, item in enumerate(self._kept.runs.values(), 1):
            started = history_row(item.run).started_unix_s
            old = started is not None and started < before_unix_s
            whole = bool(item.latencies.duration_ns) or not raw_only
            if at > after and old and whole and item.run.id not in tagged | in_force | running:
                found.append(LatestRun(at, item.run.id))
        return found[:limit]

    def remove(self, runs: Sequence[str], *, raw_only: bool) -> None:
        for run_id in runs:
            if raw_only:
                self._kept.runs[run_id] = replace(
                    self._kept.runs[run_id], latencies=RawLatencies(), readings=()
                )
            else:
                del self._kept.runs[run_id]

    def remove_nights(self, before_unix_s: float) -> int:
        gone = [
            night.id
            for night in self._kept.nights.values()
            if night.started_unix_s < before_unix_s
            and night.ended_unix_s is not None
            and not any(
                run in self._kept.runs for cell in self._kept.cells[night.id].values() for run in cell.runs
            )
        ]
        for night_id in gone:
            del self._kept.nights[night_id], self._kept.cells[night_id]
        return len(gone)

    def save_tags(self, tags: Sequence[RunTag]) -> None:
        if lost := [item.run for item in tags if item.run not in self._kept.runs]:
            raise StoreError(f"result store {self.address}: run {lost[0]} is not there")
        self._kept.tags.update({(item.tag, item.run): item for item in tags})

    def remove_tag(self, tag: str, runs: Sequence[str]) -> int:
        return sum(self._kept.tags.pop((tag, run), None) is not None for run in runs)

    def tags(self, tag: str | None = None) -> list[RunTag]:
        return [self._kept.tags[key] for key in sorted(self._kept.tags) if tag in (None, key[0])]

    def latencies(self, run_id: str) -> RawLatencies:
        item = self._kept.runs.get(run_id)
        return item.latencies if item else RawLatencies()

    def readings(self, run_id: str) -> list[Reading]:
        item = self._kept.runs.get(run_id)
        return list(item.readings) if item else []

    def save_noise_floor(self, floor: NoiseFloor) -> None:
        self._kept.floors.append(floor)

    def noise_floor(self, board: str, conditions: Mapping[str, str | None]) -> NoiseFloor | None:
        wanted = (board, dict(conditions))
        found = [item for item in self._kept.floors if (item.board, dict(item.conditions)) == wanted]
        return found[-1] if found else None

    def noise_floors(self) -> list[NoiseFloor]:
        last = {(item.board, tuple(sorted(item.conditions.items()))): item for item in self._kept.floors}
        return [item for item in self._kept.floors if item in last.values()]

    def faults(self) -> list[str]:
        return []

    def backup(self, target: Path) -> tuple[str, ...]:
        raise StoreError(f"result store {self.address}: no file to copy")

    def mark(self) -> Mark:
        last = LatestRun(len(self._kept.runs), next(reversed(self._kept.runs), ""))
        return Mark(id(self._kept), last)

    def latest(self, *, after: int = 0, simulated: bool = False) -> dict[ResultKey, Latest]:
        found: dict[ResultKey, Latest] = {}
        for position, item in enumerate(self._kept.runs.values(), 1):
            run = item.run
            if position <= after or (run.simulated and not simulated) or run.variant.is_baseline:
                continue
            words = (run.plan.runtime or "", run.plan.core_mask, run.plan.scenario)
            key = ResultKey(run.variant.name, run.board.name, *words, run.simulated)
            newest, before = LatestRun(position, run.id), found.get(key)
            good = run.failure is None and not run.partial
            found[key] = Latest(newest, newest if good else before.success if before else None)
        return found

    def latest_gates(self) -> list[GateState]:
        ended = {night.suite: night.id for night in self._kept.nights.values() if night.ended_unix_s}
        return [
            GateState(
                suite, cell.model, *cell.key, gate.gate, gate.state, cell.simulated, cell.measured_unix_s
            )
            for suite, night_id in sorted(ended.items())
            for cell in sorted(self._kept.cells[night_id].values(), key=lambda cell: cell.key)
            for gate in sorted(cell.gates, key=lambda gate: gate.gate)
        ]

    def holding(self, word: str) -> AbstractContextManager[bool]:
        return nullcontext(enter_result=True)

    def save_night(self, night: Night) -> None:
        self._kept.nights[night.id] = replace(night, cells=())
        self._kept.cells.setdefault(night.id, {})

    def save_cell(self, night: Night, position: int, cell: CellResult, runs: Sequence[Collected]) -> None:
        if night.id not in self._kept.nights or position in self._kept.cells[night.id]:
            raise StoreError(f"result store {self.address}: no room for cell {position} of {night.id}")
        self._add(runs)
        self._kept.cells[night.id][position] = cell

    def night(self, night_id: str) -> Night | None:
        night, cells = self._kept.nights.get(night_id), self._kept.cells.get(night_id, {})
        return replace(night, cells=tuple(cells[position] for position in sorted(cells))) if night else None

    def positions(self, night_id: str) -> list[int]:
        return sorted(self._kept.cells.get(night_id, {}))

    def nights(self, *, suite: str | None = None, limit: int | None = None) -> list[str]:
        begun = [night.id for night in self._kept.nights.values() if suite in (None, night.suite)]
        return begun[::-1][:limit]

    def find_nights(self, name: str) -> list[str]:
        known_as = {
            night_id: [night_id, *(run for cell in cells.values() for run in cell.runs)]
            for night_id, cells in self._kept.cells.items()
        }
        return sorted(night for night, ids in known_as.items() if any(fits(name, one) for one in ids))

    def accept(self, accepted: Sequence[Baseline]) -> None:
        self._kept.baselines += accepted

    def baselines(self, suite: str | None = None) -> list[Baseline]:
        last = {
            (base.suite, base.variant, base.board, base.plan, base.simulated): base
            for base in self._kept.baselines
        }
        return [last[key] for key in sorted(last) if suite in (None, key[0])]
