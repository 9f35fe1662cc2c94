"""The start of a zipapp on a board: the boot script is answered, what else is said comes out line by line."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rkbench_agent.wire.words import BOOT_MARK

from rkbench.boards.agent.boot import AgentZip
from rkbench.boards.model import Board
from rkbench.boards.transport import Channel
from rkbench.errors import BenchError, BoardError, NoPythonError, NoSpaceError, ProtocolError

CHUNK_BYTES = 256 * 1024
#: What the boot script says: it wants the zipapp, or it gives up, with the kind and text of why.
BOOT_NEED, BOOT_ERROR = f"{BOOT_MARK}need", f"{BOOT_MARK}error "
#: Where an agent begins to speak; what a login prints without a newline may stand before it.
HELLO_START = '{"type":"Hello"'
#: No login says more than this before the program does.
NOISE_LIMIT_BYTES = 1 << 20


class LineReader:
    """The lines of a channel's stdout while a program starts; `rest` is what has come after the last of them.

    All of them together are waited for `limit_s`; sending the program begins that anew.
    """

    def __init__(self, channel: Channel, limit_s: float) -> None:
        self._channel = channel
        self._limit_s = limit_s
        self._received_bytes = 0
        self.rest = b""
        self.restart()

    def restart(self, limit_s: float | None = None) -> None:
        """Wait from now on, for the limit, or for another one."""
        limit_s = self._limit_s if limit_s is None else limit_s
        self._deadline = time.monotonic() + limit_s
        self._channel.settimeout(limit_s)

    def next(self) -> str | None:
        """Return the next line, None at the end.

        Raises TimeoutError, OSError, and ProtocolError for noise without end.
        """
        while b"\n" not in self.rest:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._channel.settimeout(left_s)
            data = self._channel.recv(CHUNK_BYTES)
            if not data:
                return None
            self._received_bytes += len(data)
            if self._received_bytes > NOISE_LIMIT_BYTES:
                raise ProtocolError("the login prints without end before the program speaks")
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode("utf-8", "replace")


def program_lines(board: Board, channel: Channel, program: AgentZip, lines: LineReader) -> Iterator[str]:
    """Send the zipapp where it is asked for; yield every line that is not the boot script's.

    What a login shell prints comes along, also in front of what the script says. Raises BoardError or
    NoSpaceError where the script gives up, ProtocolError for a login without end, what the channel raises.
    """
    try:
        while (line := lines.next()) is not None:
            if BOOT_NEED in line:
                lines.restart()
                channel.send(program.sent)
                lines.restart()
            elif BOOT_ERROR in line:
                raise boot_error(board, line.partition(BOOT_ERROR)[2])
            else:
                yield line
    except ProtocolError as error:
        hint = "what does its shell print at a login? ~/.bashrc and ~/.profile there"
        raise ProtocolError(f"board {board.name!r}: {error.message}", hint=hint) from error


def boot_error(board: Board, text: str) -> BenchError:
    """Return what it means that the boot script said `rkbench-boot error TEXT`."""
    kind, _, message = text.strip().partition(" ")
    name = board.name
    if kind == "python_too_old":
        return NoPythonError(
            f"board {name!r}: {message}; the agent needs Python 3.8 or newer",
            hint=f"name a newer one: bench boards add {name} ... --python /path/to/python3",
        )
    if kind == "no_space":
        return NoSpaceError(
            f"board {name!r}: no space for the agent: {message}",
            hint="free some space there, or name a folder on a larger disk: cache_dir in bench.toml",
        )
    if kind == "unsafe":
        return BoardError(
            f"board {name!r}: no agent runs from its cache folder: {message}",
            hint="name a folder of that login's own, as /tmp/rkbench-NAME: cache_dir in bench.toml; "
            "or, if that one is its own, take the others' right away: chmod go-w",
        )
    if kind == "read_only":
        return BoardError(
            f"board {name!r}: the cache folder cannot be written: {message}",
            hint="name a folder that can: cache_dir in bench.toml (bench boards add ... --cache DIR)",
        )
    return BoardError(f"board {name!r}: the agent did not start: {message}", hint="push again")
