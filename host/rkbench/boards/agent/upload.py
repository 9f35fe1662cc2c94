"""Sending files to a board's cache: each under its SHA-256, only what is missing, compressed if it pays.

The receiving end is the agent's `put` command, in an SSH channel of its own (`put_line`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from rkbench.boards.agent.packing import PACKED, PackedFile, choose_codec, encoded
from rkbench.boards.agent.put_line import PutLine
from rkbench.boards.agent.put_reply import PutReply, no_space, refusal
from rkbench.boards.model import Board
from rkbench.boards.transport import Transport
from rkbench.errors import ConnectionLostError
from rkbench.files import LocalFile
from rkbench.results.records import TransferRecord
from rkbench.units import format_bytes

BUSY_RETRY_S = 0.5

#: Called with the file and the bytes of it that the board has.
OnProgress = Callable[[LocalFile, int], None]


def check_room(board: str, files: Sequence[LocalFile], partial: dict[str, int], free_bytes: int) -> None:
    """Raise NoSpaceError unless `files` fit into the `free_bytes` of the board's cache."""
    needed = sum(max(0, file.size_bytes - partial.get(file.sha256, 0)) for file in files)
    if needed > free_bytes:
        raise no_space(board, needed, free_bytes)


class Uploader:
    """Sends files to a board, one after another; use it in a `with`.

    One `put` there takes them all: where many boards start at once, or a board is slow, starting Python for
    each file takes longer than sending small ones. `keep` are the digests that must not make room for others.
    """

    def __init__(
        self,
        board: Board,
        transport: Transport,
        *,
        keep: Sequence[str] = (),
        silence_limit_s: float = 15.0,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._board = board
        self._silence_limit_s = silence_limit_s
        self._on_progress = on_progress
        self._line = PutLine(board, transport, keep, silence_limit_s)

    def __enter__(self) -> Uploader:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def send(self, file: LocalFile, offset: int = 0) -> TransferRecord:
        """Send `file` from `offset` on (what the board has of it already) and have it verified there.

        While another upload of it goes on, this one waits, and is done when the other is. Raises
        NoSpaceError, BoardBusyError where the other stands still, BoardError, or ConnectionLostError where
        the link broke off or nothing moved for `silence_limit_s`; the board then keeps what it got.
        """
        start = time.monotonic()
        with PACKED.use(file) as packed:
            sending = _Sending(self._line, file, packed, self._on_progress)
            reply, offset = self._settled(sending, offset if offset <= file.size_bytes else 0)
        if not reply.ok:
            raise refusal(self._board.name, file.path.name, reply)
        return TransferRecord(
            file.size_bytes,
            sending.sent_bytes,
            reply.cached,
            time.monotonic() - start,
            offset,
            sending.codec,
        )

    def _settled(self, sending: _Sending, offset: int) -> tuple[PutReply, int]:
        """Return the last reply, and from where on the file was sent then."""
        reply = sending.attempt(offset)
        wait = _OthersUpload(self._silence_limit_s)
        while reply.error == "prefix" or (reply.error == "busy" and wait.goes_on(reply.received)):
            if reply.error == "prefix":
                offset = 0
            else:
                time.sleep(BUSY_RETRY_S)
            reply = sending.attempt(offset, asks_first=reply.error == "busy")
        return reply, offset


class _OthersUpload:
    """The upload of the same file that somebody else is at: it goes on while it grows."""

    def __init__(self, silence_limit_s: float) -> None:
        self._silence_limit_s = silence_limit_s
        self._received: int | None = None
        self._grew_at = time.monotonic()

    def goes_on(self, received: int | None) -> bool:
        """Tell whether the other has grown within the limit, now that it has `received` bytes."""
        now = time.monotonic()
        if received != self._received:
            self._received, self._grew_at = received, now
        return now - self._grew_at < self._silence_limit_s


class _Sending:
    """Attempts to send one file; counts what went over the wire."""

    def __init__(
        self, line: PutLine, file: LocalFile, packed: PackedFile | None, on_progress: OnProgress | None
    ) -> None:
        self._line = line
        self._file = file
        self._packed = packed
        self._on_progress = on_progress
        self.codec = packed.codec if packed else choose_codec(file.path)
        self.sent_bytes = 0

    def attempt(self, offset: int, *, asks_first: bool = False) -> PutReply:
        """Ask once and return the reply; with an offset, or if asked to, send only once `put` is ready."""
        with self._file.path.open("rb") as stream:
            prefix = hashlib.sha256()
            _hash_bytes(stream, prefix, offset)
            file = self._file
            try:
                self._line.name(file.sha256, file.size_bytes, offset, self.codec, prefix.hexdigest())
                if not (offset or asks_first) or self._line.is_ready():
                    self._send(stream, offset)
                return self._line.reply()
            except OSError as error:
                raise self._lost(error) from error

    def _send(self, stream: BinaryIO, offset: int) -> None:
        """Send the rest of `stream`; returns early where the board has closed its end (it says why)."""
        done = offset
        whole = self._packed if self.codec == "zlib" and not offset else None  # a rest is a stream of its own
        for taken, data in whole.pieces() if whole else encoded(stream, self.codec):
            if not self._line.send(data):
                return
            self.sent_bytes += len(data)
            done += taken
            if self._on_progress is not None:
                self._on_progress(self._file, done)
        if done != self._file.size_bytes:  # it was changed meanwhile: `put` would wait for the rest
            self._line.end()

    def _lost(self, error: Exception) -> ConnectionLostError:
        name, file = self._line.board.name, self._file
        what = "stopped moving" if isinstance(error, TimeoutError) else "broke off"
        return ConnectionLostError(
            f"board {name!r}: the upload of {file.path.name} {what} after {format_bytes(self.sent_bytes)}",
            hint="check board and network, then push again: it goes on where it stopped",
        )


def _hash_bytes(stream: BinaryIO, hasher: Any, limit: int) -> None:
    """Feed `hasher` with the next `limit` bytes of `stream`, as far as there are so many."""
    while limit > 0 and (data := stream.read(min(1 << 20, limit))):
        hasher.update(data)
        limit -= len(data)
