"""Before a night measures: are the boards there, and do they have the models? All of them at once."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from rkbench.errors import BenchError
from rkbench.nightly.board_session import BoardLine, tried_again
from rkbench.nightly.cells import Cell
from rkbench.results.night import BoardReport, Fault

LOG = logging.getLogger("rkbench.nightly")
Wait = Callable[[], None]


def check_boards(
    lines: Mapping[BoardLine, Sequence[Cell]], wait: Wait, deadline_s: float | None, late: Fault
) -> dict[str, BoardReport]:
    """Connect to all boards and send them the models of their cells; returns what each is, or its fault.

    A board whose line broke is tried once more, after `wait`. One that is not done by `deadline_s` of the
    monotonic clock is cut off, and `late` is its fault.
    """
    reports: dict[str, BoardReport] = {}

    def check(line: BoardLine, cells: Sequence[Cell]) -> None:
        reports[line.board.name] = _report(line, cells, wait)

    threads = {
        line: started(check, line, cells, name=f"check {line.board.name}") for line, cells in lines.items()
    }
    join(threads.values(), deadline_s)
    for line, thread in threads.items():
        if thread.is_alive():
            line.abort()
    board_of = {line.board.name: line.board for line in lines}
    return {
        name: reports.get(name) or BoardReport(name, board.soc, board.simulated, fault=late)
        for name, board in board_of.items()
    }


def bug(board: str, error: Exception) -> Fault:
    """Return what it means that our own code failed on a board; its traceback goes to the log."""
    LOG.error("board %s: a bug of rkbench", board, exc_info=error)
    said = f"{type(error).__name__}: {error}"
    return Fault(f"a bug of rkbench: {said}", "please report it, with the traceback on stderr")


def started(target: Callable[..., None], *arguments: object, name: str) -> threading.Thread:
    """Return a thread that runs; one that nothing sets free does not keep the program from its end."""
    thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
    thread.start()
    return thread


def join(threads: Iterable[threading.Thread], deadline_s: float | None) -> None:
    """Wait for the threads until `deadline_s` of the monotonic clock."""
    end_s = math.inf if deadline_s is None else deadline_s
    for thread in threads:
        left_s = end_s - time.monotonic()
        thread.join(max(0.0, min(left_s, threading.TIMEOUT_MAX)))


def _report(line: BoardLine, cells: Sequence[Cell], wait: Wait) -> BoardReport:
    board = line.board
    try:
        try:
            return _look(line, cells)
        except BenchError as error:
            if not tried_again(error):
                raise
            wait()
            return _look(line, cells)
    except BenchError as error:
        fault = Fault(error.message, error.hint)
    except KeyboardInterrupt:  # told to stop
        fault = Fault("the night was stopped")
    except Exception as error:  # noqa: BLE001 - a bug: it is told, and must not cost the other boards
        fault = bug(board.name, error)
    return BoardReport(board.name, board.soc, board.simulated, fault=fault)


def _look(line: BoardLine, cells: Sequence[Cell]) -> BoardReport:
    """Return what a board is once it has the files of `cells`; raises BenchErrors."""
    with line.session() as session:
        there = session.environment
    line.send(cells)
    return BoardReport(
        line.board.name,
        there.soc or line.board.soc,
        there.simulated or line.board.simulated,
        there.runtime_version,
        there.driver_version,
        there.kernel,
    )
