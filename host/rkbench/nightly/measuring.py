"""One cell of a night: run it, judge it, and where it is due begin anew or measure again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event as Flag

from rkbench.nightly.board_session import Attempt, BoardLine
from rkbench.nightly.by_history import ByHistory
from rkbench.nightly.cells import Cell
from rkbench.nightly.confirming import Pair, confirmed, to_confirm
from rkbench.nightly.judge import AcceptedRun, changes, judge, unmeasured
from rkbench.nightly.past import epoch_of
from rkbench.results.collect import Collected
from rkbench.results.measures import LATENCY_P50, LATENCY_P99, NPU_MEMORY
from rkbench.results.model import RunResult
from rkbench.results.night import (
    CONVERTS,
    HISTORY,
    PAIRED,
    BoardHold,
    CellResult,
    Fault,
    GateResult,
    MadeBy,
)
from rkbench.stats.gates import FAIL
from rkbench.stats.judging import Judgement

#: A board that crashed needs a while to come back.
RETRY_PAUSE_S = 5.0


@dataclass(frozen=True)
class Measured:
    """A cell's result with every run that was made for it, also those that broke off.

    `further`: how many times it is to be measured again at the end of the night, `again` what that was, for
    gates on history.
    """

    cell: Cell
    result: CellResult
    runs: tuple[Collected, ...] = ()
    further: int = 0
    again: tuple[Collected, ...] = ()


def not_measured(cell: Cell, fault: Fault) -> Measured:
    """Return the result of a cell that was never begun; that the converter refused it is a gate."""
    gates = unmeasured(cell.gates, fault.message)
    if cell.made is not None and cell.made.is_refused:
        failed = Judgement(FAIL, detail=fault.message)
        gates = (GateResult(CONVERTS, CONVERTS, "", FAIL, (failed,), fault.message), *gates)
    result = CellResult(cell.model, *cell.key, cell.board.simulated, gates=gates, fault=fault)
    return Measured(cell, replace(result, made_by=_made_by(cell)))


def _made_by(cell: Cell) -> MadeBy | None:
    return cell.made.made_by if cell.made is not None else None


class CellMeasurer:
    """Measures the cells of one board. Once a board was gone, further cells are tried only once."""

    def __init__(
        self,
        line: BoardLine,
        stop: Flag,
        unix_s: Callable[[], float],
        retry_pause_s: float = RETRY_PAUSE_S,
        past: ByHistory | None = None,
    ) -> None:
        self._line = line
        self._past = past or ByHistory()
        self._stop = stop
        self._unix_s = unix_s
        self._retry_pause_s = retry_pause_s
        self._gone = False

    def measure(self, cell: Cell) -> Measured:
        """Return what came of a cell; raises KeyboardInterrupt once the night is to stop."""
        if cell.made is not None and cell.made.fault is not None:
            return not_measured(cell, cell.made.fault)
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
        run = last.collected.run
        reference, is_paired = _reference(cell, run), _beside(cell, last) is not None
        gates = self._past.judged(cell.gates, _judged(cell, last), cell.key, run)
        if to_confirm(cell.gates, gates, paired=is_paired):
            tries.append(self._line.attempt(cell))
            gates = confirmed(cell.gates, gates, _judged(cell, tries[-1]), _pairs(cell, (last, tries[-1])))
        runs = _runs(tries)
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
            p99_s=LATENCY_P99.value(run),
            load_npu_total_bytes=NPU_MEMORY.value(run),
            verdict=run.verdict,
            caveats=tuple(caveat.code for caveat in run.caveats),
            gates=gates,
            changes=changes(run, reference.run) if reference else (),
            file=_path(cell),
            compared=(PAIRED if is_paired else HISTORY) if reference else None,
            beside=_beside_ids(tries),
            not_paired=last.not_paired,
            epoch=epoch_of(run) if any(gate.of_history for gate in cell.gates) else None,
            holds=_holds(tries),
            made_by=_made_by(cell),
        )
        return Measured(cell, result, runs, self._past.further(cell.gates, gates, cell.key))

    def measure_again(self, measured: Measured) -> Measured:
        """Return a cell measured once more, with fresh loads, of those that its history asks for.

        What cannot be measured again is suspicious; raises KeyboardInterrupt as `measure` does.
        """
        cell, result = measured.cell, measured.result
        attempt = self._line.attempt(cell)
        runs = (*measured.runs, *attempt.runs)
        holds = (*result.holds, *_holds([attempt]))
        told = replace(result, runs=tuple(item.run.id for item in runs), holds=holds)
        if attempt.collected is None or attempt.fault is not None:
            return Measured(cell, told, runs)
        again, further = (*measured.again, attempt.collected), measured.further - 1
        if further == 0:
            told = replace(told, gates=self._past.again(cell.gates, result.gates, cell.key, again))
        return Measured(cell, told, runs, further, again)

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
            file=_path(cell),
            beside=_beside_ids(tries),
            holds=_holds(tries),
            made_by=_made_by(cell),
        )
        return Measured(cell, result, runs)

    def _pause(self) -> None:
        if self._stop.wait(self._retry_pause_s):
            raise KeyboardInterrupt


def _judged(cell: Cell, attempt: Attempt) -> tuple[GateResult, ...]:
    """Return what the gates say of an attempt: beside the baseline's model, else against its night."""
    if attempt.collected is None or attempt.fault is not None:
        return unmeasured(cell.gates, attempt.fault.message if attempt.fault else "")
    beside = _beside(cell, attempt)
    if beside is not None:
        return judge(cell.gates, attempt.collected, beside, paired=True)
    reference = _reference(cell, attempt.collected.run)
    return judge(cell.gates, attempt.collected, reference, accepted=bool(cell.accepted))


def _reference(cell: Cell, run: RunResult) -> AcceptedRun | None:
    """Return the baseline of the same kind, real or simulated, if one was accepted."""
    return next((item for item in cell.accepted if item.run.simulated == run.simulated), None)


def _beside(cell: Cell, attempt: Attempt) -> AcceptedRun | None:
    """Return tonight's run of the baseline's model, where it can be held against."""
    if attempt.collected is None or attempt.beside is None or attempt.beside.run.failure is not None:
        return None
    if _reference(cell, attempt.collected.run) is not cell.beside:
        return None  # the board turned out to be of the other kind, real or simulated
    return AcceptedRun(attempt.beside.run, attempt.beside.latencies)


def _pairs(cell: Cell, attempts: tuple[Attempt, Attempt]) -> tuple[Pair, ...]:
    """Return both measurements, each beside its run of the baseline's model; none where one lacks it."""
    found = [
        Pair(attempt.collected, beside)
        for attempt in attempts
        if attempt.collected is not None and attempt.fault is None
        if (beside := _beside(cell, attempt)) is not None
    ]
    return tuple(found) if len(found) == len(attempts) else ()


def _runs(tries: list[Attempt]) -> tuple[Collected, ...]:
    return tuple(run for attempt in tries for run in attempt.runs)


def _beside_ids(tries: list[Attempt]) -> tuple[str, ...]:
    return tuple(attempt.beside.run.id for attempt in tries if attempt.beside is not None)


def _holds(tries: list[Attempt]) -> tuple[BoardHold, ...]:
    return tuple(attempt.hold for attempt in tries if attempt.hold is not None)


def _path(cell: Cell) -> str:
    """Return where the model lies: accepting the night keeps it."""
    return str(cell.file.absolute())
