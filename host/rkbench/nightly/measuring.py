"""One cell of a night: run it, judge it, and where it is due begin anew or measure again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Event as Flag

from rkbench.nightly.board_session import Attempt, BoardLine
from rkbench.nightly.cells import Cell
from rkbench.nightly.judge import AcceptedRun, changes, confirmed, judge, to_confirm, unmeasured
from rkbench.runs.collect import Collected
from rkbench.runs.measures import LATENCY_P50
from rkbench.runs.night import CellResult, Fault, GateResult

#: A board that crashed needs a while to come back.
RETRY_PAUSE_S = 5.0

References = Mapping[tuple[str, str, str], "tuple[AcceptedRun, ...]"]


@dataclass(frozen=True)
class Measured:
    """A cell's result with every run that was made for it, also those that broke off."""

    cell: Cell
    result: CellResult
    runs: tuple[Collected, ...] = ()


def not_measured(cell: Cell, fault: Fault) -> Measured:
    """Return the result of a cell that was never begun."""
    gates = unmeasured(cell.gates, fault.message)
    result = CellResult(cell.model, *cell.key, cell.board.simulated, gates=gates, fault=fault)
    return Measured(cell, result)


class CellMeasurer:
    """Measures the cells of one board. Once a board was gone, further cells are tried only once."""

    def __init__(
        self,
        line: BoardLine,
        references: References,
        stop: Flag,
        unix_s: Callable[[], float],
        retry_pause_s: float = RETRY_PAUSE_S,
    ) -> None:
        self._line = line
        self._references = references
        self._stop = stop
        self._unix_s = unix_s
        self._retry_pause_s = retry_pause_s
        self._gone = False

    def measure(self, cell: Cell) -> Measured:
        """Return what came of a cell; raises KeyboardInterrupt once the night is to stop."""
        started, unix_s = time.monotonic(), self._unix_s()
        tries = [self._line.attempt(cell)]
        if tries[0].infrastructure and not self._gone:
            self._pause()
            tries.append(self._line.attempt(cell))
        last, retried = tries[-1], ""
        if len(tries) == 2 and tries[0].fault:
            retried = tries[0].fault.message
        self._gone = last.infrastructure
        if last.collected is None or last.fault is not None:
            return self._failed(cell, tries, retried, (unix_s, time.monotonic() - started))
        reference = self._reference(cell, last.collected)
        gates = judge(cell.gates, last.collected, reference)
        if to_confirm(cell.gates, gates):
            tries.append(self._line.attempt(cell))
            gates = confirmed(cell.gates, gates, self._judge_again(cell, tries[-1], reference))
        runs = _runs(tries)
        run = last.collected.run
        result = CellResult(
            cell.model,
            *cell.key,
            simulated=run.simulated,
            runs=tuple(item.run.id for item in runs),
            baseline=reference.run.id if reference else None,
            measured_unix_s=unix_s,
            duration_s=time.monotonic() - started,
            retried=retried,
            p50_s=LATENCY_P50.value(run),
            verdict=run.verdict,
            caveats=tuple(caveat.code for caveat in run.caveats),
            gates=gates,
            changes=changes(run, reference.run) if reference else (),
        )
        return Measured(cell, result, runs)

    def _judge_again(
        self, cell: Cell, again: Attempt, reference: AcceptedRun | None
    ) -> tuple[GateResult, ...]:
        if again.collected is None or again.fault is not None:
            return unmeasured(cell.gates, again.fault.message if again.fault else "")
        return judge(cell.gates, again.collected, reference)

    def _failed(self, cell: Cell, tries: list[Attempt], retried: str, when: tuple[float, float]) -> Measured:
        fault, runs = tries[-1].fault or Fault("nothing came back"), _runs(tries)
        result = CellResult(
            cell.model,
            *cell.key,
            simulated=any(item.run.simulated for item in runs) or cell.board.simulated,
            runs=tuple(item.run.id for item in runs),
            measured_unix_s=None,
            duration_s=when[1],
            retried=retried,
            gates=unmeasured(cell.gates, fault.message),
            fault=fault,
        )
        return Measured(cell, result, runs)

    def _reference(self, cell: Cell, collected: Collected) -> AcceptedRun | None:
        """Return the baseline of the same kind, real or simulated, if one was accepted."""
        found = self._references.get(cell.key, ())
        return next((ref for ref in found if ref.run.simulated == collected.run.simulated), None)

    def _pause(self) -> None:
        if self._stop.wait(self._retry_pause_s):
            raise KeyboardInterrupt


def _runs(tries: list[Attempt]) -> tuple[Collected, ...]:
    return tuple(attempt.collected for attempt in tries if attempt.collected is not None)
