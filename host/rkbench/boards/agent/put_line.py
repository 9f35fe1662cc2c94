"""The conversation with `put` on a board: a file is named and sent, `put` answers, the next one follows."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.boards.agent.boot import boot_argv, build_agent
from rkbench.boards.agent.put_reply import PutReply, find_reply, no_reply
from rkbench.boards.agent.start import LineReader
from rkbench.boards.model import Board
from rkbench.boards.transport import Channel, Transport
from rkbench.errors import ProtocolError

#: After the last byte the board still syncs to its disk: a slow SD card takes its time.
SYNC_LIMIT_S = 180.0
#: What `put` prints when it has looked at its partial and wants the rest.
READY = "rkbench-put ready"


class PutLine:
    """A `put` on `board`, started when a file is named, and anew behind one that it did not take.

    All raise OSError where the line is gone, TimeoutError where nothing moves.
    """

    def __init__(
        self, board: Board, transport: Transport, keep: Sequence[str], silence_limit_s: float
    ) -> None:
        self.board = board
        self._transport = transport
        self._keep = keep
        self._silence_limit_s = silence_limit_s
        self._open: tuple[Channel, LineReader] | None = None
        self._reply: PutReply | None = None

    def name(self, digest: str, size_bytes: int, offset: int, codec: str, prefix_digest: str) -> None:
        """Say which file comes next, from where on, and what the board's part of it has to be."""
        self._reply = None
        words = [digest, str(size_bytes), str(offset), codec]
        if self._open is None:
            board = self.board
            words += [board.cache_dir, str(board.cache_limit_bytes), prefix_digest, *self._keep]
            channel = self._transport.open(boot_argv(board, build_agent(), "put", *words))
            self._open = channel, LineReader(channel, self._silence_limit_s)
        else:
            self.send(" ".join([*words, prefix_digest]).encode() + b"\n")

    def is_ready(self) -> bool:
        """Return whether `put` wants the bytes, as soon as it says so; False where it has answered."""
        self._reply = self._hear(self._silence_limit_s, READY)
        return self._reply is None

    def send(self, data: bytes) -> bool:
        """Send bytes; False where the board has closed its end (its answer says why)."""
        channel, _ = self._channel()
        channel.settimeout(self._silence_limit_s)
        try:
            channel.send(data)
        except TimeoutError:
            raise
        except OSError:
            if not self._transport.is_alive:
                raise
            return False
        return True

    def end(self) -> None:
        """Say that no more bytes will come."""
        channel, _ = self._channel()
        channel.shutdown_write()

    def reply(self) -> PutReply:
        """Return what became of the file. Raises ConnectionLostError without an answer, and ProtocolError."""
        reply = self._reply or self._hear(max(SYNC_LIMIT_S, self._silence_limit_s))
        assert reply is not None
        if not reply.ok or reply.cached:  # bytes that it did not want may lie before the next name
            self.close()
        return reply

    def close(self) -> None:
        """End `put`, if it runs."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _channel(self) -> tuple[Channel, LineReader]:
        assert self._open is not None, "a file is named first"
        return self._open

    def _hear(self, limit_s: float, otherwise: str | None = None) -> PutReply | None:
        """Return the next answer; None where a line has `otherwise` in it before."""
        channel, lines = self._channel()
        lines.restart(limit_s)
        try:
            while (line := lines.next()) is not None:
                if otherwise is not None and otherwise in line:
                    return None
                if (reply := find_reply(line)) is not None:
                    return reply
        except ProtocolError as error:
            raise ProtocolError(f"board {self.board.name!r}: {error.message}", hint=error.hint) from error
        raise no_reply(self.board.name, channel.exit_status(1.0))
