"""A board's power, switched off and on by a command of this computer where the board does not answer."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from rkbench.boards.health import note_health
from rkbench.boards.model import Board
from rkbench.errors import AuthenticationError, ConnectError, HostKeyError

Opened = TypeVar("Opened")
#: The command may take so long.
LIMIT_S = 60.0
#: A board whose power was cycled is back after so long, if ever; it is asked again after a pause.
BOOT_LIMIT_S = 180.0
BOOT_PAUSE_S = 1.0
#: What no power cycle cures.
_OF_NO_USE = (HostKeyError, AuthenticationError)
_log = logging.getLogger("rkbench.power")


def cycled_once(connect: Callable[[Board], Opened], board: Board) -> Callable[[], Opened]:
    """Return what connects to `board`, and the first time that it does not answer cycles its power, where
    that can be done, and waits until it is back; raises what `connect` does, and ConnectError."""
    left = [1] if board.power_cycle else []

    def connected() -> Opened:
        try:
            return connect(board)
        except ConnectError as error:
            if not left or isinstance(error, _OF_NO_USE):
                if not isinstance(error, _OF_NO_USE):
                    note_health(board, error.message)
                raise
            left.clear()
            cycle_power(board, error)
        deadline_s = time.monotonic() + BOOT_LIMIT_S
        while True:
            try:
                return connect(board)
            except ConnectError:
                if time.monotonic() >= deadline_s:
                    note_health(board, "it does not answer after its power was cycled")
                    raise
                time.sleep(BOOT_PAUSE_S)

    return connected


def cycle_power(board: Board, gone: ConnectError) -> None:
    """Switch a board that does not answer off and on, and say so; raises ConnectError where that fails."""
    _log.warning("board %r does not answer: its power is cycled, once", board.name)
    hint = "try it by hand: " + " ".join(board.power_cycle)
    try:
        done = subprocess.run(
            board.power_cycle,
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConnectError(f"{gone.message}; its power could not be cycled: {error}", hint=hint) from gone
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit {done.returncode}").splitlines()[-1]
        raise ConnectError(f"{gone.message}; its power could not be cycled: {last}", hint=hint) from gone
