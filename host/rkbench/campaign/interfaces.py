"""What a campaign needs of others: who prepares variants, talks to a board, keeps results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import Hello, Message
from rkbench_agent.wire.plan import Plan

from rkbench.boards.agent.upload import OnProgress
from rkbench.files import LocalFile
from rkbench.results.collect import Collected
from rkbench.results.records import TransferRecord
from rkbench.variants.variant import PreparedVariant


class Prepare(Protocol):
    """What makes variants of files, as `prepare_variants` does."""

    def __call__(
        self,
        paths: Sequence[Path],
        *,
        golden: Path | None = None,
        soc: str | None = None,
        force: bool = False,
    ) -> tuple[PreparedVariant, ...]:
        """Return the variants; raises UsageError, ModelError or GoldenError."""


class Conversation(Protocol):
    """What a campaign needs of a conversation with a board."""

    @property
    def hello(self) -> Hello:
        """The agent's first message."""

    @property
    def environment(self) -> Environment:
        """What the board is."""

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What the agent has doubted of the board so far."""

    def upload(self, files: Sequence[LocalFile], on_progress: OnProgress) -> Sequence[TransferRecord]:
        """Bring files into the board's cache; what each took, in order.

        `on_progress` gets the file and its bytes there.
        """

    def keep_board(self, owner: str, reason: str) -> None:
        """Keep the board from plan to plan, while nobody else waits for it; returns at once."""

    def run(self, plan: Plan) -> Iterator[Message]:
        """Yield the messages of a plan until it is done; raises ConnectionLostError."""

    def enough(self, run: str) -> None:
        """Have the timed part of a run end with its present block; returns at once."""

    def try_rate(self, run: str, rate_per_s: float) -> None:
        """Have a run of the scenario `server` serve this rate next; returns at once."""

    def cancel(self) -> None:
        """End the running plan."""

    def abort(self) -> None:
        """Cut the line at once, from any thread."""


class Saver(Protocol):
    """Where runs go as they end: a store, or what writes them to one later."""

    def save(self, collected: Collected) -> None:
        """Take one run; raises StoreError."""
