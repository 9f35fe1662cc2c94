"""Commands of this computer before and after a board is held: power, USB, flashing."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from rkbench.boards.model import Board
from rkbench.errors import HookError

BEFORE, AFTER = "before_hold", "after_hold"
#: Of what a hook said, so many of its last lines are told, each cut at so many characters.
_LAST_LINES = 3
_LINE_LIMIT = 200
#: What a hook writes is kept in a file without a name; the end of it is read.
_TAIL_BYTES = 4096
_log = logging.getLogger("rkbench.hooks")


def has_hooks(board: Board) -> bool:
    """Return whether anything is to be run before or after the board is held."""
    return bool(board.before_hold or board.after_hold)


def filled(command: Sequence[str], board: Board) -> tuple[str, ...]:
    """Return the words of a command with `{board}`, `{host}`, `{port}` and `{user}` as the board's own."""
    values = {
        "board": board.name,
        "host": board.host,
        "port": str(board.port or 22),
        "user": board.user or "",
    }
    return tuple(
        re.sub(r"\{(board|host|port|user)\}", lambda found: values[found[1]], word) for word in command
    )


def run_hook(which: str, board: Board, folder: Path) -> None:
    """Run the hook BEFORE or AFTER of a board in `folder`, if it has one; raises HookError.

    No shell reads its words. It has a session of its own, so that Ctrl-C on the terminal ends no flashing
    half-way; one that takes longer than its limit is killed with all that it has started there.
    """
    command = filled(board.before_hold if which == BEFORE else board.after_hold, board)
    if not command:
        return
    _log.info("board %r: %s: %s", board.name, which, " ".join(command))
    what = f"board {board.name!r}: its {which} ({' '.join(command)})"
    hint = "try it by hand; it is written in bench.toml"
    with tempfile.TemporaryFile() as said:  # a pipe would stay open with what a hook leaves running
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **_variables(which, board)},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise HookError(f"{what} cannot be run: {why}", hint=hint) from error
        try:
            code = process.wait(board.hook_limit_s)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            limit = f"did not end within {board.hook_limit_s:g} s and was killed"
            more = f"{hint}, as is its limit: hook_limit_s = {board.hook_limit_s:g}"
            raise HookError(f"{what} {limit}{_last_words(said)}", hint=more) from error
        except BaseException:
            _kill(process)
            raise
        if code:
            ended = f"ended with exit code {code}" if code > 0 else f"was ended by {_signal(-code)}"
            raise HookError(f"{what} {ended}{_last_words(said)}", hint=hint)


def _variables(which: str, board: Board) -> dict[str, str]:
    """Return what a hook is told besides its words."""
    told = {"BOARD": board.name, "HOST": board.host, "PORT": board.port or 22, "USER": board.user or ""}
    named = {f"RKBENCH_{key}": str(value) for key, value in told.items()}
    return {**named, "RKBENCH_SOC": board.soc or "", "RKBENCH_HOOK": which}


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_words(said: IO[bytes]) -> str:
    """Return the end of what a hook wrote, behind a colon."""
    end = said.seek(0, os.SEEK_END)
    said.seek(max(0, end - _TAIL_BYTES))
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    last = " | ".join(line[-_LINE_LIMIT:] for line in lines[-_LAST_LINES:])
    return f": {last}" if last else "; it said nothing"
