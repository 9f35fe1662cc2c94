"""What an agent has said and nobody has taken yet: bounded, so that who says too much waits."""

from __future__ import annotations

import threading
import time
from collections import deque

from rkbench_agent.wire.messages import Message

from rkbench.errors import BenchError

#: So many bytes of lines may wait; as objects they take several times that.
PENDING_BYTES = 4 << 20


class Inbox:
    """Messages in order, then the error that ended them. One thread puts, another takes."""

    def __init__(self, pending_bytes: int = PENDING_BYTES) -> None:
        self._limit_bytes = pending_bytes
        self._items: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self._error: BenchError | None = None
        self._changed = threading.Condition()

    def put(self, message: Message, size_bytes: int) -> None:
        """Add a message that came as `size_bytes`; waits while too much is there. After the end none is."""
        with self._changed:
            while self._bytes > self._limit_bytes and self._error is None:
                self._changed.wait()
            if self._error is None:
                self._items.append((message, size_bytes))
                self._bytes += size_bytes
                self._changed.notify_all()

    def end(self, error: BenchError) -> None:
        """Have `error` follow the last message; the first one counts. Who waits to put is set free."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify_all()

    def next(self, deadline_s: float) -> Message:
        """Return the next message, waiting for it until `deadline_s` of the monotonic clock.

        Raises the error that ended them, and TimeoutError.
        """
        with self._changed:
            while not self._items:
                if self._error is not None:
                    raise self._error
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise TimeoutError
                self._changed.wait(min(left_s, threading.TIMEOUT_MAX))
            message, size_bytes = self._items.popleft()
            self._bytes -= size_bytes
            self._changed.notify_all()
            return message
