"""What one worker prints on its fds 1 and 2: captured, told to the host, and kept for judgement."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import IO, Callable, Deque, Dict, List, Tuple

from rkbench_agent.loop import Loop
from rkbench_agent.wire.lines import LineBuffer
from rkbench_agent.wire.messages import Log

TAIL_LINES = 30
#: So many lines of one worker go to the host; a runtime may print one for every inference.
FORWARDED_LINES = 1000
DOUBTFUL_LINES = 1000
LINE_LIMIT_BYTES = 1 << 16
_DOUBTFUL = ("W ", "E ")
_MARK = b"\x1erkbench-mark "


class WorkerLog:
    """The captured lines of one worker; `sink` gets the Log messages for the host."""

    def __init__(self, run: str, sink: Callable[[Log], None]) -> None:
        self.nonce = os.urandom(8).hex()
        self._run = run
        self._sink = sink
        self._streams: Dict[str, Tuple[IO[bytes], LineBuffer]] = {}
        self._seen: Dict[str, int] = {}
        self._open: List[str] = []
        self._unjudged: List[Tuple[int, str]] = []
        self._tail: Deque[str] = deque(maxlen=TAIL_LINES)
        self._doubtful: List[str] = []
        self._forwarded = 0

    def watch(self, loop: Loop, name: str, file: IO[bytes], on_mark: Callable[[], None]) -> None:
        """Read a stream whenever it has something; `on_mark` is called after a mark."""
        self._streams[name] = (file, LineBuffer())
        self._seen[name] = 0
        self._open.append(name)
        loop.watch(file.fileno(), lambda: self._read(loop, name, on_mark))

    def has_seen(self, mark: int) -> bool:
        """Tell whether everything printed before `mark` has been read."""
        return all(seen >= mark for seen in self._seen.values())

    def take(self, mark: int) -> List[str]:
        """Return the lines printed before `mark` that were not taken yet."""
        taken = [text for number, text in self._unjudged if number < mark]
        self._unjudged = [item for item in self._unjudged if item[0] >= mark]
        return taken

    def tail(self) -> List[str]:
        """Return the last lines."""
        return list(self._tail)

    def doubtful(self) -> List[str]:
        """Return the warnings and errors among all lines, up to a limit."""
        return list(self._doubtful)

    def is_open(self) -> bool:
        """Tell whether the worker, or a process that it started, can still print."""
        return bool(self._open)

    def close(self, loop: Loop) -> None:
        """Stop reading."""
        for name in self._open:
            loop.forget(self._streams[name][0].fileno())
        self._open = []
        for file, _ in self._streams.values():
            file.close()

    def _read(self, loop: Loop, name: str, on_mark: Callable[[], None]) -> None:
        file, buffer = self._streams[name]
        data = os.read(file.fileno(), 1 << 16)
        lines = buffer.feed(data)
        if not data:
            loop.forget(file.fileno())
            self._open.remove(name)
        if not data or len(buffer) > LINE_LIMIT_BYTES:
            lines.append(buffer.rest())
        for line in lines:
            self._take_line(name, line, on_mark)

    def _take_line(self, name: str, line: bytes, on_mark: Callable[[], None]) -> None:
        head, mark, rest = line.partition(_MARK)
        if head:
            self._keep(name, head.decode("utf-8", "replace").rstrip("\r"))
        if not mark:
            return
        nonce, _, number = rest.partition(b" ")
        if nonce.decode("ascii", "replace") == self.nonce and number.isdigit():
            self._seen[name] = int(number)
            on_mark()

    def _keep(self, name: str, text: str) -> None:
        self._unjudged.append((self._seen[name], text))
        self._tail.append(text)
        if text.startswith(_DOUBTFUL) and len(self._doubtful) < DOUBTFUL_LINES:
            self._doubtful.append(text)
        self._forwarded += 1
        if self._forwarded <= FORWARDED_LINES:
            self._sink(Log(self._run, name, text, time.monotonic_ns()))
        elif self._forwarded == FORWARDED_LINES + 1:
            text = f"{FORWARDED_LINES} lines: further lines are read, but not sent"
            self._sink(Log(self._run, "agent", text, time.monotonic_ns()))
