"""How long boards were held, and for what kind of command: kept beside the inventory."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from rkbench_agent.wire.messages import Locked, Message, Refused

from rkbench.boards.beside import KeptBeside
from rkbench.boards.model import Board

#: Kinds of commands that are told apart; what a board is held for begins with one, else it is a push.
PUSH, NIGHTLY = "push", "nightly"


@dataclass(frozen=True)
class Held:
    """The seconds that a board was held, and how often, by kind of command."""

    seconds: dict[str, float] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)


_KEPT = KeptBeside(
    "bench.held.json", Held, Held(), "how long boards were held", logging.getLogger("rkbench.held")
)


class Hold:
    """Measures one use of a board: from when it is no longer waited for to the last that it says.

    `ended_s`: when that was, by the clock, once it has ended.
    """

    def __init__(self, board: Board, reason: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._kind = NIGHTLY if reason.partition(" ")[0] == NIGHTLY else PUSH
        self._clock_s = clock_s
        self._since_s: float | None = clock_s()
        self._heard_s: float | None = None
        self.ended_s = 0.0

    def take(self, message: Message) -> None:
        """Take a message of the board: somebody else has it, or we do not get it."""
        self._heard_s = self._clock_s()
        if isinstance(message, Locked):
            self._since_s = self._heard_s
        elif isinstance(message, Refused):
            self._since_s = None

    def end(self) -> float | None:
        """Keep how long it was, and return that; None where we did not get the board."""
        if self._since_s is None:
            return None
        self.ended_s = self._clock_s() if self._heard_s is None else self._heard_s
        took_s = self.ended_s - self._since_s
        self._since_s = None

        def added(held: Held) -> Held:
            seconds = held.seconds.get(self._kind, 0.0) + took_s
            times = held.times.get(self._kind, 0) + 1
            return replace(
                held, seconds={**held.seconds, self._kind: seconds}, times={**held.times, self._kind: times}
            )

        _KEPT.change(self._board, added)
        return took_s


def held_of(boards: Iterable[Board]) -> Mapping[str, Held]:
    """Return how long each of `boards` was held, by its name; those that never were are not named."""
    return {name: held for name, held in _KEPT.of_all(boards) if held != Held()}
