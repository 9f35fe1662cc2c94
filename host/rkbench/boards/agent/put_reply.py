"""What the agent's `put` answers, and what it means that it did not take a file."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.boards.agent.start import BOOT_ERROR
from rkbench.decoding.messages import answer
from rkbench.errors import (
    BenchError,
    BoardBusyError,
    BoardError,
    ConnectionLostError,
    NoSpaceError,
    ProtocolError,
)
from rkbench.units import format_bytes

#: Where an answer begins.
REPLY_STARTS = ('{"ok":', '{"error":')


@dataclass(frozen=True)
class PutReply:
    """What `put` answers: `ok`, or the kind of an `error` (see the agent's StorageError) and what it says.

    `received` are the bytes that the board has of the file by now, where it tells.
    """

    ok: bool = False
    cached: bool = False
    error: str | None = None
    message: str = ""
    received: int | None = None
    needed_bytes: int | None = None
    free_bytes: int | None = None


def find_reply(line: str) -> PutReply | None:
    """Return the answer that a line of `put` holds; raises ProtocolError for one that makes no sense.

    What a login prints without a newline may stand before it.
    """
    if BOOT_ERROR in line:
        kind, _, text = line.partition(BOOT_ERROR)[2].partition(" ")
        return PutReply(error=kind, message=text)
    starts = [line.find(start) for start in REPLY_STARTS if start in line]
    if not starts:
        return None
    try:
        return answer(PutReply, line[min(starts) :].encode())
    except ProtocolError as error:
        raise ProtocolError(f"`put` answered {error.message}") from error


def no_reply(board: str, status: int | None) -> ConnectionLostError:
    """Return what it means that `put` ended, with that exit status, without an answer."""
    cut = "the connection broke off" if status is None else f"exit status {status}"
    return ConnectionLostError(
        f"board {board!r}: the upload ended without an answer ({cut})",
        hint="push again: it goes on where it stopped",
    )


def refusal(board: str, file_name: str, reply: PutReply) -> BenchError:
    """Return what it means that `put` did not take the file."""
    kind, text = str(reply.error), reply.message
    if kind == "no_space":
        return no_space(board, reply.needed_bytes, reply.free_bytes)
    if kind == "too_large":
        return NoSpaceError(
            f"board {board!r}: {file_name}: {text}, {format_bytes(reply.needed_bytes)} are to be sent",
            hint="raise fsize in /etc/security/limits.conf there, or use another file system",
        )
    if kind == "busy":
        return BoardBusyError(f"board {board!r}: {text}", hint="wait for the other push to end")
    if kind in ("cut", "stalled"):
        return ConnectionLostError(
            f"board {board!r}: the upload of {file_name} broke off: {text}",
            hint="push again: it goes on where it stopped",
        )
    hints = {
        "read_only": "name a folder that can be written: cache_dir in bench.toml",
        "damaged": f"was {file_name} changed meanwhile? if not, suspect the board's disk or memory",
    }
    return BoardError(f"board {board!r}: {file_name}: {text}", hint=hints.get(kind, ""))


def no_space(board: str, needed_bytes: int | None, free_bytes: int | None) -> NoSpaceError:
    """Return the error of a cache that has no room for what is to be sent."""
    return NoSpaceError(
        f"board {board!r}: the cache has room for {format_bytes(free_bytes)}, "
        f"{format_bytes(needed_bytes)} are to be sent",
        hint="free some space on the board, or name a folder on a larger disk: cache_dir in bench.toml",
    )
