"""What an agent has said and nobody has taken yet: bounded, so that who says too much waits.

Who takes is the main thread, where Ctrl-C raises at any moment. A Condition that is interrupted while it
takes its lock back raises RuntimeError, or keeps the lock: so there is no lock here, only a deque and two
queues of wake-ups, whose operations are whole or not at all.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from rkbench_agent.wire.messages import Message

from rkbench.errors import BenchError

#: So many bytes of lines may wait; as objects they take several times that.
PENDING_BYTES = 4 << 20


class Inbox:
    """Messages in order, then the error that ended them. One thread puts, one takes, any may end it."""

    def __init__(self, pending_bytes: int = PENDING_BYTES) -> None:
        self._limit_bytes = pending_bytes
        self._items: deque[tuple[Message, int]] = deque()  # each with the bytes that came before it
        self._put_bytes = 0
        self._errors: list[BenchError] = []
        self._come, self._gone = _Bell(), _Bell()

    def put(self, message: Message, size_bytes: int) -> None:
        """Add a message that came as `size_bytes`; waits while too much is there. After the end none is."""
        while self._waiting_bytes() > self._limit_bytes and not self._errors:
            self._gone.wait(lambda: self._waiting_bytes() <= self._limit_bytes or bool(self._errors))
        if not self._errors:
            self._items.append((message, self._put_bytes))
            self._put_bytes += size_bytes
            self._come.ring()

    def end(self, error: BenchError) -> None:
        """Have `error` follow the last message; the first one counts. Who waits to put is set free."""
        self._errors.append(error)
        self._come.ring()
        self._gone.ring()

    def next(self, deadline_s: float) -> Message:
        """Return the next message, waiting for it until `deadline_s` of the monotonic clock.

        Raises the error that ended them, and TimeoutError.
        """
        while True:
            errors = self._errors[:1]  # before the look at the messages: none comes after the last error
            if self._items:
                message, _ = self._items.popleft()
                self._gone.ring()
                return message
            if errors:
                raise errors[0]
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._come.wait(lambda: bool(self._items or self._errors), min(left_s, threading.TIMEOUT_MAX))

    def _waiting_bytes(self) -> int:
        try:
            return self._put_bytes - self._items[0][1]
        except IndexError:
            return 0


class _Bell:
    """Wakes the one thread that waits; a ring that nobody waits for is kept by nobody."""

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()
        self._is_awaited = False

    def ring(self) -> None:
        if self._is_awaited:
            self._is_awaited = False  # one is enough
            self._rings.put(None)

    def wait(self, is_so: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Wait for a ring, unless `is_so` already; it may wake for an older one."""
        self._is_awaited = True  # before the look: who changes it meanwhile rings
        try:
            if not is_so():
                self._rings.get(timeout=timeout_s)
        except Empty:
            pass
        finally:
            self._is_awaited = False
