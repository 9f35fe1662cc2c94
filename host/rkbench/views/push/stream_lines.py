"""What the lines of `--jsonl` hold, for their schema: `stream.py` writes them, a test holds both together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.caveats import Caveat

from rkbench.results.across_boards import AcrossBoards
from rkbench.results.comparison import Comparison
from rkbench.results.events import Ended, Event
from rkbench.results.model import RunResult, Verdict
from rkbench.results.pushed_boards import PushedBoard


@dataclass(frozen=True)
class StreamLine:
    """One line. What else it holds goes by its event; of a push on several boards it has its `board`."""

    event: str
    board: str | None = None
    lost_lines_before: int = 0
    """So many lines before this one were lost, because the reader was slower."""


@dataclass(frozen=True)
class BeginLine:
    """The first line."""

    schema: Literal["rkbench-stream/1"]


@dataclass(frozen=True)
class CaveatLine(Caveat):
    """A doubt, and the run that it is of; null: the board's."""

    run: str | None = None


@dataclass(frozen=True)
class VerdictLine:
    """A run has ended, and may be believed so far."""

    run: str
    verdict: Verdict


@dataclass(frozen=True)
class RunLine:
    """A run whole, as the JSON of a push has it."""

    run: RunResult


@dataclass(frozen=True)
class BlockLine:
    """A timed block of a run. `start_ns` is the board's monotonic clock."""

    run: str
    block: int
    load: int
    start_ns: int
    count: int
    min_s: float
    mean_s: float
    p50_s: float
    max_s: float


@dataclass(frozen=True)
class ComparisonLine:
    """The last line of a push on one board."""

    comparison: Comparison


@dataclass(frozen=True)
class BoardsLine:
    """The last line of a push on several boards."""

    boards: tuple[PushedBoard, ...]
    across_boards: tuple[AcrossBoards, ...]


#: What a line holds, by its event: steps of the host are of their class's name in small letters.
LINES: Mapping[str, type[Any]] = {
    "begin": BeginLine,
    **{kind.__name__.lower(): kind for kind in get_args(Event) if kind is not Ended},
    "reading": Reading,
    "block": BlockLine,
    "caveat": CaveatLine,
    "verdict": VerdictLine,
    "run": RunLine,
    "comparison": ComparisonLine,
    "boards": BoardsLine,
}
