"""What happens while a push runs, as plain values: the progress view and the tests see the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rkbench_agent.wire.messages import Message

from rkbench.results.model import RunResult


@dataclass(frozen=True)
class Step:
    """The push begins its next step; `text` says which (no full stop)."""

    text: str
    together: int = 0
    """So many models go through the push together from here on; 0: it says nothing of that."""


@dataclass(frozen=True)
class Doing:
    """What goes on from now on, within a step, and may take a while; "" where nothing does any more."""

    text: str


@dataclass(frozen=True)
class Note:
    """Something that the user should know and that stops nothing."""

    text: str


@dataclass(frozen=True)
class Sending:
    """Bytes of the files that the board lacks: `sent_bytes` of `total_bytes` are on their way."""

    name: str
    sent_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Waiting:
    """Another push holds the board; this one is number `place` of `among` who wait (0: nobody knows)."""

    owner: str
    remaining_s: float
    place: int = 0
    among: int = 0

    @property
    def turn(self) -> str:
        """Which of several who wait this one is, in words; "" for the only one."""
        return f", {self.place} of {self.among} who wait" if self.among > 1 else ""


@dataclass(frozen=True)
class Busy:
    """Others load the board, by `what` in words: before the run `name` it is waited for them to end."""

    board: str
    name: str
    what: str
    waited_s: float
    limit_s: float


@dataclass(frozen=True)
class Measuring:
    """A run stands at `done` of `total` (`unit`: iterations, cases or s) of its stage.

    `detail` says more where there is more: which part of the board is too hot.
    """

    name: str
    stage: str
    done: float
    total: float
    unit: str
    detail: str = ""


@dataclass(frozen=True)
class Outlook:
    """All runs together take so long yet; at most so long where the host may end them before."""

    left_s: float
    at_most: bool = False


@dataclass(frozen=True)
class Ended:
    """A run ended and is stored (or, with its failure, stored as far as it got)."""

    run: RunResult


Event = Step | Doing | Note | Sending | Waiting | Busy | Measuring | Outlook | Ended
Listener = Callable[[Event], None]
#: Takes every message of a board as it comes.
Hear = Callable[[Message], None]


def deaf(_: Message) -> None:
    """Hear nothing."""


def ignore(_: Event) -> None:
    """A listener that shows nothing."""
