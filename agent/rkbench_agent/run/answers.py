"""What a worker tells its supervisor, on a descriptor of its own, as lines of JSON:

    {"type": ...}       a message for the host, already encoded
    {"stage": NAME}     a stage begins; the supervisor's time limit starts anew
    {"mark": N}         what stands before is only true if the log up to mark N shows no failure
    {"done": {...}}     the command is carried out
    {"failed": {...}}   it is not: message, reason, advice

At a mark the same N is written to fds 1 and 2, so that the supervisor knows when it has seen every
line that was printed before.
"""

from __future__ import annotations

import mmap
import os
import struct
from itertools import count
from typing import Any

from rkbench_agent import libc
from rkbench_agent.errors import RuntimeFailureError
from rkbench_agent.wire import codec
from rkbench_agent.wire.messages import Message

MARK = "\x1erkbench-mark %s %d"


class Counter:
    """A number that the supervisor sees without being told: how many inferences are done."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, 8)
        self._numbers = count(1)  # next() of it is one step: several threads count

    def increment(self) -> None:
        """Count one inference."""
        struct.pack_into("q", self._map, 0, next(self._numbers))


class AnswerStream:
    """The line to the supervisor."""

    def __init__(self, fd: int, nonce: str) -> None:
        self._file = os.fdopen(fd, "wb")
        self._nonce = nonce
        self._marks = 0

    def send(self, message: Message) -> None:
        """Send a message for the host; it leaves with the next mark at the latest."""
        self._file.write(codec.encode(message))

    def control(self, **value: Any) -> None:
        """Send a line for the supervisor, at once."""
        self._file.write(codec.to_line(value))
        self._file.flush()

    def mark(self) -> None:
        """Ask the supervisor to look at the log before it believes what was sent."""
        self._marks += 1
        libc.flush_stdio()
        text = (MARK % (self._nonce, self._marks) + "\n").encode("ascii")
        for fd in (1, 2):
            os.write(fd, text)
        self.control(mark=self._marks)

    def fail(self, error: RuntimeFailureError) -> None:
        """Say that the command failed; all lines that tell why are seen before."""
        self.mark()
        self.control(failed={"message": error.message, "reason": error.reason, "advice": error.advice})
