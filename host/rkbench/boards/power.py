"""A board's power, switched off and on by a command of this computer where the board does not answer."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from rkbench.boards.health import note_health
from rkbench.boards.hooks import filled
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
    """Return what connects to `board`, and the first time that it does not answer waits for it to boot where
    it was just readied, then cycles its power where that can be done, and waits until it is back; raises what
    `connect` does, and ConnectError."""
    booting = [1] if board.boot_limit_s else []
    left = [1] if board.power_cycle else []

    def connected() -> Opened:
        try:
            return _back(connect, board, board.boot_limit_s) if booting else connect(board)
        except ConnectError as error:
            if isinstance(error, _OF_NO_USE):
                raise
            if not left:
                note_health(board, error.message)
                raise
            left.clear()
            cycle_power(board, error)
        finally:
            booting.clear()
        try:
            return _back(connect, board, BOOT_LIMIT_S)
        except ConnectError:
            note_health(board, "it does not answer after its power was cycled")
            raise

    return connected


def _back(connect: Callable[[Board], Opened], board: Board, limit_s: float) -> Opened:
    """Connect to a board that boots, again and again; raises the last ConnectError after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while True:
        try:
            return connect(board)
        except ConnectError as error:
            if isinstance(error, HostKeyError) or time.monotonic() >= deadline_s:
                raise
            time.sleep(BOOT_PAUSE_S)


def cycle_power(board: Board, gone: ConnectError) -> None:
    """Switch a board that does not answer off and on, and say so; raises ConnectError where that fails."""
    _log.warning("board %r does not answer: its power is cycled, once", board.name)
    command = filled(board.power_cycle, board)
    hint = "try it by hand: " + " ".join(command)
    try:
        done = subprocess.run(
            command,
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
