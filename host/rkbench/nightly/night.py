"""A night: all boards at once, one variant at a time on each, every cell in the store as it ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from rkbench.boards.model import Board
from rkbench.campaign.ahead import Ahead
from rkbench.campaign.prepared_once import Variants
from rkbench.errors import StoreError
from rkbench.interrupts import told_of_interrupts
from rkbench.nightly.ahead import make_ahead
from rkbench.nightly.begin import Terms, begin, load_references
from rkbench.nightly.board_session import BoardLine, Connect, HeldFor
from rkbench.nightly.by_history import ByHistory
from rkbench.nightly.cells import Cell
from rkbench.nightly.idle import with_idle
from rkbench.nightly.measuring import CellMeasurer, Measured, not_measured
from rkbench.nightly.outlook import NightOutlook, took_before
from rkbench.nightly.pairing import longest_s, pairs_told, with_baselines
from rkbench.nightly.pooled import with_history
from rkbench.nightly.preflight import at_fault, bug, join, look_at_board, started
from rkbench.nightly.rounds import by_history, in_rounds
from rkbench.nightly.saving import SavedCells
from rkbench.results.night import (
    BoardReport,
    CellEnded,
    Fault,
    Night,
    NightBegun,
    NightEvent,
    NightListener,
    Told,
)
from rkbench.store import Store
from rkbench.units import format_seconds

#: A board's thread that is told to stop does so at the next word of its board, else when its line is cut;
#: one that is deaf to that as well is left behind.
PATIENCE_S = 0.5
FAREWELL_S = 0.5


@dataclass
class _Work:
    """What the threads of the boards share with the main one."""

    stop: threading.Event = field(default_factory=threading.Event)
    #: What the boards' threads say; None is Ctrl-C.
    said: queue.SimpleQueue[NightEvent | Measured | BoardReport | Board | None] = field(
        default_factory=queue.SimpleQueue
    )
    deadline: float | None = None


def run_night(
    name: str,
    fingerprint: str,
    cells: Sequence[Cell],
    store: Store,
    connect: Connect,
    listener: NightListener,
    terms: Terms,
    *,
    unix_s: Callable[[], float] = time.time,
) -> Night:
    """Run the cells that a night of suite `name` still lacks, and return the night.

    Raises UsageError where there is nothing to resume, StoreError where the night cannot be begun. What
    goes wrong later is in the night. After Ctrl-C the night is `interrupted`, and can be resumed.
    """
    night = begin(name, fingerprint, store, terms, unix_s)
    return _NightRunner(night, cells, store, connect, listener, terms, unix_s).run()


class _NightRunner:
    def __init__(
        self,
        night: Night,
        cells: Sequence[Cell],
        store: Store,
        connect: Connect,
        listener: NightListener,
        terms: Terms,
        unix_s: Callable[[], float],
    ) -> None:
        self._night = night
        self._cells = cells
        self._store = store
        self._listener = listener
        self._terms = terms
        self._unix_s = unix_s
        done = {cell.key: cell for cell in night.cells}
        self._todo = [cell for cell in cells if cell.key not in done]
        self._saved = SavedCells(store, {cell.position: done[cell.key] for cell in cells if cell.key in done})
        self._threads: list[threading.Thread] = []
        self._work = _Work()
        self._past = ByHistory()
        self._outlook = NightOutlook(cells, took_before(store, night.suite, night.id))
        self._variants = Variants()
        asked = HeldFor(f"nightly {night.suite}", terms.priority)
        self._lines = [
            BoardLine(board, connect, self._hear, self._work.stop, unix_s, asked, self._variants)
            for board in self._boards()
        ]

    def run(self) -> Night:
        """Check the boards, run the cells, and end the night."""
        if self._saved.results:
            done = f"{len(self._saved.results)} of {len(self._cells)} cells are done"
            self._listener(Told(None, f"going on with {self._night.id}: {done}"))
        if self._terms.budget_s is not None:
            self._work.deadline = time.monotonic() + self._terms.budget_s
        try:
            is_prepared = self._prepared()
            # Raised between taking a cell out of the queue and saving it, Ctrl-C would lose the cell.
            with told_of_interrupts(lambda _: self._work.said.put(None)):
                return self._end(interrupted=not (is_prepared and self._measure()))
        finally:
            self._work.stop.set()

    def _prepared(self) -> bool:
        """Find what to judge by; False after Ctrl-C."""
        try:
            references = load_references(self._store, self._night.suite, self._listener)
            self._past = by_history(self._store, self._night, self._cells, self._todo, self._listener)
            self._todo = with_baselines(self._todo, references, self._past)
            if pairs := pairs_told(self._todo):
                self._listener(Told(None, pairs))
        except KeyboardInterrupt:
            return False
        return True

    def _hear(self, said: NightEvent) -> None:
        """Take what a board's thread has to tell; the main thread passes it on."""
        self._work.said.put(said)

    def _boards(self) -> list[Board]:
        return list({cell.board.name: cell.board for cell in self._todo}.values())

    def _cells_of(self, line: BoardLine) -> list[Cell]:
        return [cell for cell in self._todo if cell.board.name == line.board.name]

    def _pause(self) -> None:
        """Give a board that broke the time to come back; raises KeyboardInterrupt once told to stop."""
        if self._work.stop.wait(self._terms.retry_pause_s):
            raise KeyboardInterrupt

    def _out_of_time(self) -> Fault:
        budget = format_seconds(self._terms.budget_s)
        return Fault(f"the time budget of {budget} was used up", "give it more: --time-budget")

    # -- measuring

    def _measure(self) -> bool:
        """Run the cells; return False where Ctrl-C ended that."""
        done = self._saved.results
        self._listener(NightBegun(len(self._cells), len(done), self._outlook.left_s(done)))
        Ahead(lambda: make_ahead(self._variants, self._todo, self._work.stop))
        for line in self._lines:
            mine = self._cells_of(line)
            measurer = CellMeasurer(
                line, self._work.stop, self._unix_s, self._terms.retry_pause_s, self._past
            )
            name = f"night {line.board.name}"
            self._threads.append(started(self._run_board, line, measurer, mine, name=name))
        running = {line.board.name for line in self._lines}
        while running:
            try:
                said = self._work.said.get(timeout=self._left_s())
            except queue.Empty:
                self._cut_off()
                break
            if said is None:
                return False
            if isinstance(said, Board):
                running.discard(said.name)
            elif isinstance(said, Measured):
                self._take(said)
            elif isinstance(said, BoardReport):
                self._report(said)
            else:
                self._listener(said)
        return True

    def _report(self, report: BoardReport) -> None:
        """Note what a board is, and tell of one that takes no part."""
        known = {found.name: found for found in (*self._night.boards, report)}
        names = dict.fromkeys(cell.board.name for cell in self._cells)
        self._night = replace(self._night, boards=tuple(known[name] for name in names if name in known))
        if report.fault:
            self._listener(Told(report.name, f"takes no part: {report.fault.message}"))

    def _left_s(self) -> float | None:
        """Return how long boards may still take, None without a budget: what began may come to its end."""
        if self._work.deadline is None:
            return None
        end_s = self._work.deadline + longest_s(self._todo) + self._terms.budget_grace_s
        return max(0.0, end_s - time.monotonic())

    def _cut_off(self) -> None:
        """End what is under way long after the end of the time budget; its cells were not measured."""
        self._work.stop.set()
        for line in self._lines:
            line.abort()
            if line.board.name not in {report.name for report in self._night.boards}:
                self._report(at_fault(line.board, self._out_of_time()))
        for cell in self._todo:
            if cell.position not in self._saved.results:
                self._take(not_measured(cell, self._out_of_time()))

    def _run_board(self, line: BoardLine, measurer: CellMeasurer, cells: Sequence[Cell]) -> None:
        """Look at one board and run its cells; a thread's body. A bug costs this board, and no other."""
        left, report = list(cells), None
        try:
            report = look_at_board(line, cells, self._pause)
            if self._work.stop.is_set():
                return  # what broke by then is nothing that the board did
            self._work.said.put(report)
            fault = report.fault
            why_not = self._late if fault is None else lambda: fault
            for measured in in_rounds(measurer, cells, self._work.stop, why_not):
                self._work.said.put(measured)
                left.remove(measured.cell)
        except KeyboardInterrupt:
            pass  # told to stop
        except Exception as error:  # noqa: BLE001 - a bug: it is told, and must not cost the other boards
            fault = bug(line.board.name, error)
            said = Told(line.board.name, fault.message) if report else at_fault(line.board, fault)
            self._work.said.put(said)
            for cell in left:
                self._work.said.put(not_measured(cell, fault))
        finally:
            try:
                line.close()
            finally:
                self._work.said.put(line.board)

    def _late(self) -> Fault | None:
        """Return why nothing more is begun, once that is so."""
        late = self._work.deadline is not None and time.monotonic() >= self._work.deadline
        return self._out_of_time() if late else None

    def _take(self, measured: Measured) -> None:
        """Save a cell and tell of it. A store that refuses must not cost the rest of the night."""
        refused = self._saved.take(self._night, measured)
        if refused is not None:
            self._listener(Told(None, f"not saved, tried again at the end: {refused}"))
        done = self._saved.results
        self._listener(CellEnded(measured.result, len(done), len(self._cells), self._outlook.left_s(done)))

    # -- the end

    def _end(self, interrupted: bool) -> Night:
        """Write what could not be written before, and that the night is over; return it whole."""
        self._work.stop.set()
        if interrupted:
            self._drain()
        problems = self._saved.save_rest(self._night)
        over = not interrupted and len(self._saved.results) == len(self._cells) and not problems
        told = replace(self._night, cells=self._saved.in_order())
        night = replace(
            with_history(with_idle(told), self._cells, self._past.pasts) if over else told,
            ended_unix_s=self._unix_s() if over else None,
            interrupted=interrupted,
            problems=problems,
        )
        try:
            self._store.save_night(night)
        except StoreError as error:
            night = replace(night, ended_unix_s=None, problems=(*problems, f"not saved: {error.message}"))
        return night

    def _drain(self) -> None:
        """Give the boards the time to end their runs, and keep the cells that were finished meanwhile.

        A run that says nothing for a while is not waited for: its line is closed, and its agent ends it.
        """
        self._listener(Told(None, "stopping: what was measured is kept"))
        join(self._threads, time.monotonic() + PATIENCE_S)
        for line in self._lines:
            line.abort()
        join(self._threads, time.monotonic() + FAREWELL_S)
        while not self._work.said.empty():
            said = self._work.said.get()
            if isinstance(said, Measured):
                self._take(said)
