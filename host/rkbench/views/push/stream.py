"""A push as it goes, one JSON value a line: steps, readings, blocks, doubts, runs, in the words of the JSON.

Lines are written by a thread of their own from a queue with an end: a reader that stalls, or never comes,
holds up no message of the board, and is told how many lines it lost.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TextIO

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import BoardCaveat, Latencies, Message

from rkbench.errors import BenchError
from rkbench.results.across_boards import AcrossBoards
from rkbench.results.comparison import Comparison
from rkbench.results.events import Ended, Event, Hear, Listener, deaf
from rkbench.results.pushed_boards import PushedBoard
from rkbench.results.serialize import to_json
from rkbench.stats.summary import median, summarize
from rkbench.units import encodable
from rkbench.views.output import ESCAPE, STDOUT

SCHEMA: Final = "rkbench-stream/1"
#: So many lines wait for a reader; what comes while they do is lost to it.
MOST_WAITING = 20_000
#: How long the end of a push waits for what is not read yet.
PATIENCE_S = 5.0
_NS_PER_S = 1e9


@dataclass(frozen=True)
class Streamed:
    """Who is told of a push: of its events, of the board's messages, of its end.

    `check` raises BenchError where the stream could not be written; it knows once the stream has ended.
    """

    listener: Listener
    hear: Hear
    compared: Callable[[Comparison], None]
    check: Callable[[], None]


@contextmanager
def streamed(listener: Listener, target: str | None) -> Iterator[Streamed]:
    """Yield whom to tell of a push: `listener`, and the stream at `target` where one is named."""
    if target is None:
        yield Streamed(listener, deaf, _unheard, _unheard)
        return
    with PushStream(target) as stream:

        def both(event: Event) -> None:
            stream(event)
            listener(event)

        yield Streamed(both, stream.hear, stream.compared, stream.check)


@dataclass(frozen=True)
class StreamedBoards:
    """Who is told of a push on several boards, each time with the board's name; `check` as of one board."""

    listener: Callable[[str, Event], None]
    hear: Callable[[str, Message], None]
    compared: Callable[[Sequence[PushedBoard], Sequence[AcrossBoards]], None]
    check: Callable[[], None]


@contextmanager
def streamed_boards(listener: Callable[[str, Event], None], target: str | None) -> Iterator[StreamedBoards]:
    """Yield whom to tell of a push on several boards; a line of the stream has its board."""
    if target is None:
        yield StreamedBoards(listener, _unheard, _unheard, _unheard)
        return
    with PushStream(target) as stream:

        def both(board: str, event: Event) -> None:
            stream(event, board)
            listener(board, event)

        def hear(board: str, message: Message) -> None:
            stream.hear(message, board)

        yield StreamedBoards(both, hear, stream.compared_boards, stream.check)


@dataclass
class _Block:
    """The calls of a run's block that have come so far."""

    board: str | None
    number: int
    load: int
    start_ns: int
    durations_ns: list[int] = field(default_factory=list)


class PushStream:
    """Writes what it hears to `target` (a file, a pipe, or - for stdout), from its `with` to its end."""

    def __init__(self, target: str, *, patience_s: float = PATIENCE_S, most: int = MOST_WAITING) -> None:
        self._target = target
        self._patience_s = patience_s
        self._lines: queue.Queue[str | None] = queue.Queue(most)
        self._lost = 0
        self._error: OSError | None = None
        self._blocks: dict[str, _Block] = {}
        self._thread = threading.Thread(target=self._write, name="jsonl", daemon=True)

    def __enter__(self) -> PushStream:
        self._thread.start()
        self._put("begin", {"schema": SCHEMA})
        return self

    def __exit__(self, *_: object) -> None:
        """End the stream; where it could not be written `check` says so."""
        try:
            self._lines.put(None, timeout=self._patience_s)
        except queue.Full:
            self._lost += self._lines.qsize()
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            print(f"bench: --jsonl {self._target}: nobody read to the end", file=sys.stderr)

    def check(self) -> None:
        """Raise BenchError where the stream, which has ended, could not be written."""
        if isinstance(self._error, BrokenPipeError):
            print(f"bench: --jsonl {self._target}: nobody read to the end", file=sys.stderr)
        elif self._error is not None:
            raise BenchError(
                f"--jsonl {self._target}: {self._error.strerror or self._error}",
                hint="the push itself is stored: bench show last",
            )

    def hear(self, message: Message, board: str | None = None) -> None:
        """Take what the board says; `board` where there are several."""
        if isinstance(message, Reading):
            self._put("reading", {**_of(board), **vars(message)})
        elif isinstance(message, Latencies) and not message.warmup:
            self._take_calls(message, board)
        elif isinstance(message, BoardCaveat):
            self._put("caveat", {**_of(board), "run": None, **vars(message.caveat)})

    def __call__(self, event: Event, board: str | None = None) -> None:
        """Take what the host does; `board` where there are several."""
        if not isinstance(event, Ended):
            self._put(type(event).__name__.lower(), {**_of(board), **vars(event)})
            return
        run = event.run
        self._end_block(run.id)
        for caveat in run.caveats:
            self._put("caveat", {**_of(board), "run": run.id, **vars(caveat)})
        self._put("verdict", {**_of(board), "run": run.id, "verdict": run.verdict})
        self._put("run", {**_of(board), "run": run})

    def compared(self, comparison: Comparison) -> None:
        """Take what all runs together come to."""
        self._put("comparison", {"comparison": comparison})

    def compared_boards(self, boards: Sequence[PushedBoard], across: Sequence[AcrossBoards]) -> None:
        """Take what came of each of several boards, and how far they lie apart."""
        self._put("boards", {"boards": boards, "across_boards": across})

    def _take_calls(self, batch: Latencies, board: str | None) -> None:
        block = self._blocks.get(batch.run)
        if block is None or (block.load, block.number) != (batch.load, batch.block):
            self._end_block(batch.run)
            block = _Block(board, batch.block, batch.load, batch.start_ns[0] if batch.start_ns else 0)
            self._blocks[batch.run] = block
        block.durations_ns += batch.duration_ns[batch.unread :]

    def _end_block(self, run: str) -> None:
        block = self._blocks.pop(run, None)
        found = summarize(block.durations_ns) if block is not None else None
        if block is None or found is None:
            return
        figures = {
            "min_s": found.min, "mean_s": found.mean, "p50_s": median(block.durations_ns), "max_s": found.max,
        }  # fmt: skip
        told = {name: value / _NS_PER_S for name, value in figures.items()}
        where = {
            **_of(block.board),
            "run": run,
            "block": block.number,
            "load": block.load,
            "start_ns": block.start_ns,
        }
        self._put("block", {**where, "count": found.count, **told})

    def _put(self, event: str, values: Mapping[str, object]) -> None:
        if self._lost:
            values = {**values, "lost_lines_before": self._lost}
        line = json.dumps({"event": event, **to_json(values, encodable)}, allow_nan=False, ensure_ascii=False)
        try:
            self._lines.put_nowait(line)
            self._lost = 0
        except queue.Full:
            self._lost += 1

    def _write(self) -> None:
        """Write lines until the end; opening a pipe waits for its reader, which is why it is done here."""
        try:
            if self._target == STDOUT:
                self._write_to(sys.stdout)
            else:
                with open(self._target, "w", encoding="utf-8", errors=ESCAPE) as out:  # noqa: PTH123 - a pipe too
                    self._write_to(out)
        except OSError as error:
            self._error = error
            while self._lines.get() is not None:  # what is left has nowhere to go
                pass

    def _write_to(self, out: TextIO) -> None:
        while (line := self._lines.get()) is not None:
            out.write(line + "\n")
            out.flush()


def _of(board: str | None) -> dict[str, str]:
    return {"board": board} if board else {}


def _unheard(*_: object) -> None:
    """Take what no stream is there for."""
