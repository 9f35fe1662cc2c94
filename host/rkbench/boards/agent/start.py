"""The start of a zipapp on a board: the boot script is answered, what else is said comes out line by line."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench_agent.wire.words import BOOT_MARK

from rkbench.boards.agent.boot import AgentZip
from rkbench.boards.model import Board
from rkbench.boards.transport import Channel
from rkbench.errors import BenchError, BoardError, NoPythonError, NoSpaceError

CHUNK_BYTES = 256 * 1024
#: What the boot script says: it wants the zipapp, or it gives up, with the kind and text of why.
BOOT_NEED, BOOT_ERROR = f"{BOOT_MARK}need", f"{BOOT_MARK}error "


class LineReader:
    """The lines of a channel's stdout; `rest` is what has come after the last of them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.rest = b""

    def next(self) -> str | None:
        """Return the next line, None at the end; raises TimeoutError and OSError."""
        while b"\n" not in self.rest:
            data = self._channel.recv(CHUNK_BYTES)
            if not data:
                return None
            self.rest += data
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode("utf-8", "replace")


def program_lines(board: Board, channel: Channel, program: AgentZip, lines: LineReader) -> Iterator[str]:
    """Send the zipapp where it is asked for; yield every line that is not the boot script's.

    What a login shell prints comes along. Raises BoardError or NoSpaceError where the script gives up,
    and what the channel raises.
    """
    while (line := lines.next()) is not None:
        if line.startswith(BOOT_NEED):
            channel.send(program.sent)
        elif line.startswith(BOOT_ERROR):
            raise boot_error(board, line[len(BOOT_ERROR) :])
        else:
            yield line


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
    if kind == "read_only":
        return BoardError(
            f"board {name!r}: the cache folder cannot be written: {message}",
            hint="name a folder that can: cache_dir in bench.toml (bench boards add ... --cache DIR)",
        )
    return BoardError(f"board {name!r}: the agent did not start: {message}", hint="push again")
