"""What a board's messages are to who watches the push: events, with runs by the names of their variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rkbench_agent.wire.board import Pinning
from rkbench_agent.wire.messages import BoardCaveat, Locked, Log, Message, Progress
from rkbench_agent.wire.words import CALMING

from rkbench.campaign.describe import describe_conditions
from rkbench.results.events import Busy, Event, Measuring, Note, Waiting


@dataclass(frozen=True)
class Telling:
    """`names` has the name of every run by its id."""

    board: str
    names: Mapping[str, str]

    def events(self, message: Message) -> Iterator[Event]:
        """Yield what is to be told of a message."""
        if isinstance(message, Locked):
            who = f"{message.owner} for {message.reason}" if message.reason else message.owner
            yield Waiting(who, message.remaining_s, message.place, message.among)
        elif isinstance(message, Progress):
            yield self._progress(message)
        elif isinstance(message, Pinning):
            yield Note(describe_conditions(message))
        elif isinstance(message, BoardCaveat):
            yield Note(f"agent: {message.caveat.message}")
        elif isinstance(message, Log) and message.run is None:
            yield Note(f"agent: {message.text}")

    def of_run(self, run: str, text: str) -> Note:
        """Return a note about one run."""
        return Note(f"{self._name(run)}: {text}")

    def _progress(self, told: Progress) -> Event:
        name = self._name(told.run)
        if told.stage == CALMING:
            return Busy(self.board, name, told.detail, told.done, told.total)
        return Measuring(name, told.stage, told.done, told.total, told.unit, told.detail)

    def _name(self, run: str) -> str:
        return self.names.get(run, run)
