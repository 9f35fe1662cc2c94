"""The supervisor's line to the host: messages in, messages out, and the judgement that it is dead.

A writer thread empties a bounded outbox, so that a host that does not read stalls neither the sensors
nor an iteration; a write that makes no progress for the silence limit counts as a dead host.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import Callable, Deque, Optional

from rkbench_agent.errors import HostGoneError
from rkbench_agent.wire import codec, messages
from rkbench_agent.wire.caveats import caveat
from rkbench_agent.wire.lines import LineBuffer
from rkbench_agent.wire.messages import Message

OUTBOX_LIMIT_BYTES = 8 << 20
LINE_LIMIT_BYTES = 64 << 20
#: After this part of the silence limit the host's uploads are looked at.
QUIET_SHARE = 4


class Outbox:
    """Lines on their way to the host, at most `limit_bytes` of them, written by a thread."""

    def __init__(self, fd: int, stall_limit_s: float, limit_bytes: int = OUTBOX_LIMIT_BYTES) -> None:
        self._fd = fd
        self._stall_limit_s = stall_limit_s
        self._limit_bytes = limit_bytes
        self._lines: Deque[bytes] = deque()
        self._bytes = 0
        self._moved_at = time.monotonic()
        self._error: Optional[OSError] = None
        self._changed = threading.Condition()
        threading.Thread(target=self._write_for_ever, name="outbox", daemon=True).start()

    def put(self, line: bytes) -> None:
        """Queue `line`; waits while the outbox is full. Raises HostGoneError as `check` does."""
        with self._changed:
            while self._bytes and self._bytes + len(line) > self._limit_bytes:
                self._changed.wait(0.1)
                self._check()
            self._check()
            if not self._bytes:
                self._moved_at = time.monotonic()
            self._lines.append(line)
            self._bytes += len(line)
            self._changed.notify_all()

    def check(self) -> None:
        """Raise HostGoneError if the line is broken or nothing moved for the stall limit."""
        with self._changed:
            self._check()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all lines are written; False if that did not happen in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._bytes and self._error is None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return self._error is None

    def _check(self) -> None:
        if self._error is not None:
            raise HostGoneError(f"cannot write to the host: {self._error}")
        stalled_s = time.monotonic() - self._moved_at
        if self._bytes and stalled_s > self._stall_limit_s:
            raise HostGoneError(f"the host has read nothing for {stalled_s:.1f} s")

    def _write_for_ever(self) -> None:
        while True:
            with self._changed:
                while not self._lines:
                    self._changed.wait()
                line = self._lines.popleft()
            try:
                self._write(line)
            except OSError as error:
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            written = os.write(self._fd, view[:65536])
            view = view[written:]
            with self._changed:
                self._bytes -= written
                self._moved_at = time.monotonic()
                self._changed.notify_all()


class HostLink:
    """Messages from and to the host, with both heartbeats."""

    def __init__(self, in_fd: int, out_fd: int, silence_limit_s: float) -> None:
        self.in_fd = in_fd
        self.silence_limit_s = silence_limit_s
        self.on_message: Callable[[Message], None] = _ignore
        #: Yields another value whenever more has come by an upload: beats queue behind it on a slow line.
        self.arrived: Callable[[], object] = _nothing
        self._arrived: object = None
        self._lines = LineBuffer()
        self._outbox = Outbox(out_fd, silence_limit_s)
        self._heard_at = time.monotonic()

    def send(self, message: Message) -> None:
        """Queue one message; raises HostGoneError if the host is gone."""
        self._outbox.put(codec.encode(message))

    def forward(self, line: bytes) -> None:
        """Queue a message that a worker has encoded already."""
        self._outbox.put(line + b"\n")

    def receive(self) -> None:
        """Read what is there and hand every message to `on_message`; HostGoneError at the end of file.

        A line that is no message is answered with a Log line and passed over.
        """
        data = os.read(self.in_fd, 1 << 16)
        if not data:
            raise HostGoneError("the host closed the line")
        self._heard_at = time.monotonic()
        for line in self._lines.feed(data):
            try:
                message = codec.decode(line)
            except codec.WireError as error:
                self.log(f"not understood: {error}")
                continue
            self.on_message(message)
        if len(self._lines) > LINE_LIMIT_BYTES:
            raise HostGoneError(f"a line of more than {LINE_LIMIT_BYTES} bytes")

    def log(self, text: str) -> None:
        """Send a line of the agent's own."""
        self.send(messages.Log(None, "agent", text, time.monotonic_ns()))

    def doubt(self, code: str, text: str, advice: str = "") -> None:
        """Send a caveat of the board as a whole; `code` is one of WEIGHTS."""
        self.send(messages.BoardCaveat(caveat(code, text, advice)))

    def check(self) -> None:
        """Raise HostGoneError if the host was silent for too long or does not read."""
        silent_s = time.monotonic() - self._heard_at
        if silent_s > self.silence_limit_s / QUIET_SHARE:
            silent_s = self._hear_arrivals(silent_s)
        if silent_s > self.silence_limit_s:
            raise HostGoneError(f"the host was silent for {silent_s:.1f} s")
        self._outbox.check()

    def _hear_arrivals(self, silent_s: float) -> float:
        """Return how long the host was silent, where what arrives by its uploads is a word too."""
        arrived, before = self.arrived(), self._arrived
        self._arrived = arrived
        if before is None or arrived == before:
            return silent_s
        self._heard_at = time.monotonic()
        return 0.0

    def close(self, timeout_s: float) -> None:
        """Give the last lines `timeout_s` to leave."""
        self._outbox.flush(timeout_s)


def _nothing() -> object:
    return None


def _ignore(message: Message) -> None:
    del message
