"""Before a board of a night measures: is it there, and does it have the models?"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from rkbench.boards.model import Board
from rkbench.errors import BenchError
from rkbench.nightly.board_session import BoardLine, tried_again
from rkbench.nightly.cells import Cell
from rkbench.results.night import BoardReport, Fault

LOG = logging.getLogger("rkbench.nightly")
Wait = Callable[[], None]


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


def look_at_board(line: BoardLine, cells: Sequence[Cell], wait: Wait) -> BoardReport:
    """Connect to a board and send it the models of its cells; returns what it is, or its fault.

    A board whose line broke is tried once more, after `wait`, which may raise KeyboardInterrupt.
    """
    try:
        try:
            return _look(line, cells)
        except BenchError as error:
            if not tried_again(error):
                raise
            wait()
            return _look(line, cells)
    except BenchError as error:
        return at_fault(line.board, Fault(error.message, error.hint))


def at_fault(board: Board, fault: Fault) -> BoardReport:
    """Return what is known of a board that takes no part."""
    return BoardReport(board.name, board.soc, board.simulated, fault=fault)


def _look(line: BoardLine, cells: Sequence[Cell]) -> BoardReport:
    """Return what a board is once it has the files of `cells`; raises BenchErrors."""
    with line.session() as session:
        there = session.environment
    sending = line.send(cells)
    return BoardReport(
        line.board.name,
        there.soc or line.board.soc,
        there.simulated or line.board.simulated,
        there.runtime_version,
        there.driver_version,
        there.kernel,
        sending=sending,
    )
