"""A board whose agent lies: it answers and measures as recorded, but for what it is told to say wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from recorded import FIRST, RECORDINGS, SECOND
from rkbench.boards.agent.boot import build_agent
from rkbench.boards.transport import Argument

Words = dict[str, Any]
#: What is said in place of a message, in pieces as they are received; an honest one says its `json_line`.
Lie = Callable[[Words], Iterable[bytes]]

#: What the recording lacks: one message of every other kind, as an honest agent sends it.
CAVEAT = {"code": "not_cool", "message": "too hot", "advice": "wait", "weight": "doubt"}
MORE: tuple[Words, ...] = (
    {"type": "Locked", "owner": "ann", "since_unix_ns": 1, "remaining_s": 1.0, "reason": "a night"},
    {"type": "BoardCaveat", "caveat": CAVEAT},
    {
        "type": "Pinning",
        "pinned": True,
        "settings": {"/sys/a": "1"},
        "big_cpus": [4, 5],
        "message": "held",
        "command": "echo",
        "clocks": [{"part": "NPU", "governor": "userspace", "clock_hz": 10**9}],
    },
    {"type": "Log", "run": FIRST, "stream": "stderr", "text": "I RKNN: well", "time_ns": 9},
    {"type": "Log", "run": None, "stream": "agent", "text": "well", "time_ns": 9},
    {
        "type": "LoadCycle",
        "run": FIRST,
        "cycle": 0,
        "duration_ns": 10**7,
        "release_ns": 10**6,
        "rss_bytes": 10**7,
        "dma_buf_bytes": 0,
        "memory_available_bytes": 10**9,
    },
    {
        "type": "OutputParts",
        "run": FIRST,
        "output": 0,
        "axis": 1,
        **{
            column: [0.5, 1.0]
            for column in (
                *("low", "high", "distinct", "expected_low", "expected_high"),
                *("max_abs_error", "mean_abs_error", "snr_db"),
            )
        },
        "distinct": [2, None],
    },
    {
        "type": "OutputSuspect",
        "run": FIRST,
        "output": 0,
        "cause": "channel_order",
        "detail": "with its channels swapped (RGB and BGR)",
        "cosine": 0.99,
        "snr_db": 30.0,
    },
    {"type": "ProfileText", "run": FIRST, "runtime": "lite", "text": "ID OpType\n1 Conv"},
)
LAST: tuple[Words, ...] = (
    {
        "type": "Failed",
        "run": SECOND,
        "stage": "release",
        "reason": "crash",
        "message": "gone",
        "advice": "look",
        "signal": "SIGSEGV",
        "exit_code": None,
        "log_tail": ["E RKNN: no"],
    },
)


def json_line(words: Words) -> bytes:
    """Return a message as a line, however wrong its values are."""
    return json.dumps(words, separators=(",", ":")).encode() + b"\n"


def honest_words() -> tuple[Words, Words, list[Words]]:
    """Return what an honest agent says: hello, environment, and the stream of a plan with two runs."""
    lines = (RECORDINGS / "two_variants.jsonl").read_bytes().splitlines()
    hello, environment, *stream = map(json.loads, lines)
    return {**hello, "protocol": 2, "digest": build_agent().digest}, environment, [*MORE, *stream, *LAST]


class LyingTransport:
    """A `Transport` to such a board: `lie` says each message, `speak` follows the last of the plan."""

    def __init__(self, lie: Lie, speak: Callable[[], Iterator[bytes]] | None = None) -> None:
        self._lie, self._speak = lie, speak
        self._channels: list[_Said] = []
        self.is_alive = True

    def open(self, argv: Sequence[Argument]) -> _Said:
        """Start the agent, or a `put` that takes whatever comes."""
        agent = "serve" in argv
        channel = _AgentChannel(self._lie, self._speak) if agent else _Said(self._put())
        self._channels.append(channel)
        return channel

    def _put(self) -> Iterator[bytes]:
        yield b"rkbench-put ready\n"
        yield from self._lie({"ok": True, "cached": False})

    def abort(self) -> None:
        """Cut the line."""
        self.is_alive = False
        for channel in self._channels:
            channel.close()

    def close(self) -> None:
        """Cut the line."""
        self.abort()


class _Said:
    """A `Channel` on which `pieces` are said, and nothing is heard. None among them: nothing just now."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._timeout_s = 10.0
        self._left = b""
        self.over = threading.Event()

    def settimeout(self, seconds: float) -> None:
        self._timeout_s = seconds

    def send(self, data: bytes) -> None:
        if self.over.is_set():
            raise OSError("closed")

    def shutdown_write(self) -> None:
        """Nothing is heard anyway."""

    def recv(self, size: int) -> bytes:
        piece = b"" if self.over.is_set() else self._left or next(self._pieces, b"")
        self._left = piece[size:]
        return piece[:size]

    def recv_stderr(self, size: int) -> bytes:
        return b""

    def exit_status(self, wait_s: float) -> int | None:
        return 0

    def close(self) -> None:
        self.over.set()


class _AgentChannel(_Said):
    """The channel of the agent itself: it answers what it is asked."""

    def __init__(self, lie: Lie, speak: Callable[[], Iterator[bytes]] | None) -> None:
        super().__init__(self._answers())
        self._lie, self._speak = lie, speak
        self._asked: list[Words] = []
        self._heard = threading.Condition()

    def send(self, data: bytes) -> None:
        super().send(data)
        with self._heard:
            self._asked += map(json.loads, data.splitlines())
            self._heard.notify_all()

    def close(self) -> None:
        super().close()
        with self._heard:
            self._heard.notify_all()

    def _answers(self) -> Iterator[bytes]:
        hello, environment, stream = honest_words()
        yield from self._lie(hello)
        yield from self._lie(environment)
        digests = self._await("Want").get("digests", [])
        have = {"digests": digests[1:], "partial": {}, "free_bytes": 10**10, "cache_dir": "~", "caveats": []}
        yield from self._lie({"type": "Have", **have})
        runs = [spec["run"] for spec in self._await("Plan").get("runs", [])]
        names = dict(zip((FIRST, SECOND), runs, strict=False))
        for words in stream:
            run = words.get("run")
            yield from self._lie({**words, **({"run": names.get(run, run)} if run else {})})
        if self._speak is not None:
            yield from self._speak()
        yield from self._lie({"type": "Done"})
        self._await("Cancel")

    def _await(self, kind: str) -> Words:
        """Return the host's message of that kind; {} once the line is closed. Raises TimeoutError."""
        with self._heard:
            found = self._heard.wait_for(lambda: self.over.is_set() or self._of(kind), self._timeout_s)
            if not found:
                raise TimeoutError
            return {} if self.over.is_set() else self._of(kind)[0]

    def _of(self, kind: str) -> list[Words]:
        return [words for words in self._asked if words["type"] == kind]
