"""One board of a night: a conversation that is kept from cell to cell, and opened anew after a fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag

from rkbench_agent.wire.words import BEAT_INTERVAL_S, CONNECTION, SILENCE_LIMIT_S

from rkbench.boards.model import Board
from rkbench.campaign import Conversation, PushOptions, run_campaign
from rkbench.campaign.beside import prepare_other
from rkbench.campaign.interfaces import Prepare
from rkbench.campaign.plan import owner
from rkbench.campaign.prepared_once import Variants
from rkbench.campaign.stopping import PlanEnd, Precise
from rkbench.errors import (
    AuthenticationError,
    BenchError,
    BoardBusyError,
    BoardError,
    BoardQuarantinedError,
    ConnectError,
    ConnectionLostError,
    HostKeyError,
    NoSpaceError,
    ProtocolError,
)
from rkbench.files import LocalFile
from rkbench.nightly.cells import Cell
from rkbench.results.collect import Collected
from rkbench.results.events import Event, Note, Waiting
from rkbench.results.night import BoardHold, CellBegun, Fault, NightListener, Told
from rkbench.variants.variant import PreparedVariant

#: What the run of the baseline's model is called, behind the name of its model.
BASELINE = "baseline"

#: So long an agent whose line broke may still hold its board; its host hears of that sooner than it does.
LEFT_BEHIND_S = SILENCE_LIMIT_S + BEAT_INTERVAL_S

Connect = Callable[[Board], AbstractContextManager[Conversation]]
_TRIED_AGAIN = (ConnectError, ConnectionLostError, ProtocolError, BoardError)
_OF_NO_USE = (HostKeyError, AuthenticationError, BoardBusyError, BoardQuarantinedError, NoSpaceError)


def tried_again(error: BenchError) -> bool:
    """Return whether another try may do better: link, board or agent broke."""
    return isinstance(error, _TRIED_AGAIN) and not isinstance(error, _OF_NO_USE)


@dataclass(frozen=True)
class Attempt:
    """One try at a cell: its run as far as it came (None: no plan began), and what broke, if something did.

    `infrastructure`: link, board or agent broke, not the model. `beside` is the run of the baseline's model,
    where it was asked for; `not_paired` why there is none to hold the other against. `hold`: when the board
    was held for it.
    """

    collected: Collected | None
    fault: Fault | None = None
    infrastructure: bool = False
    beside: Collected | None = None
    not_paired: str = ""
    hold: BoardHold | None = None

    @property
    def runs(self) -> tuple[Collected, ...]:
        """All that was measured, the baseline's model first."""
        return tuple(item for item in (self.beside, self.collected) if item is not None)


@dataclass(frozen=True)
class HeldFor:
    """What others read who find the board held, and who of those that wait for it comes first."""

    reason: str = ""
    priority: int = 0


class BoardLine:
    """Runs cells on one board, one after the other. `stop` ends a run that is under way."""

    def __init__(
        self,
        board: Board,
        connect: Connect,
        listener: NightListener,
        stop: Flag,
        unix_s: Callable[[], float],
        asked: HeldFor = HeldFor(),
        variants: Variants | None = None,
    ) -> None:
        self.board = board
        self._asked = asked
        self._variants = variants or Variants()
        self._connect = connect
        self._listener = listener
        self._stop = stop
        self._unix_s = unix_s
        self._open = ExitStack()
        self._session: Conversation | None = None
        self._is_lent = False
        self._left_behind_s = 0.0

    @contextmanager
    def session(self) -> Iterator[Conversation]:
        """Yield the conversation that is open, or a new one; an error inside ends it.

        The board is kept for all of it, while nobody else waits: what judges a cell must not leave it idle.
        Who asks for one within one has lost that, and gets another. Raises KeyboardInterrupt instead of
        beginning a new one once `stop` is set.
        """
        if self._is_lent:
            self._break()
        if self._session is None:
            self._leave_if_stopped()
            self._session = self._open.enter_context(self._connect(self.board))
            self._session.keep_board(owner(), self._asked.reason)
        self._is_lent = True
        try:
            yield self._session
        except BaseException as error:
            if isinstance(error, BenchError) and tried_again(error):
                self._break()
            self.close()
            raise
        finally:
            self._is_lent = False

    def _break(self) -> None:
        """End a conversation whose line or agent broke, which the board may hear of later."""
        self._left_behind_s = LEFT_BEHIND_S
        self.close()

    def close(self) -> None:
        """End the conversation, if there is one."""
        self._session = None
        self._open.close()

    def abort(self) -> None:
        """Cut the line of the conversation, from any thread: who waits for the board is set free."""
        session = self._session
        if session is not None:
            session.abort()

    def send(self, cells: Sequence[Cell]) -> BoardHold:
        """Have the files of all cells on the board before anything is measured, while no link is timed.

        What is wrong with a single model is its cell's affair; where there is no room for all models at
        once, each is sent when it is due.
        """
        files: dict[str, LocalFile] = {}
        for cell in cells:
            try:
                pair, _ = self._prepared(cell)
            except BenchError:
                continue
            other = self._other(cell, pair)
            files.update({file.sha256: file for variant in (*pair, *other) for file in variant.files})
        with self.session() as session:
            began_s, unix_s = time.monotonic(), self._unix_s()
            try:
                session.upload(list(files.values()), lambda *_: None)
            except NoSpaceError as error:
                self._listener(Told(self.board.name, f"not all models at once: {error.message}"))
            return BoardHold(unix_s, time.monotonic() - began_s)

    def attempt(self, cell: Cell) -> Attempt:
        """Run a cell once, in turns with the model of its baseline where it has one to stand beside.

        Raises KeyboardInterrupt once `stop` is set.
        """
        self._listener(CellBegun(self.board.name, cell.variant, cell.plan.name))
        try:
            pair, not_paired = self._prepared(cell)
            options = _options(cell, self._asked, pair)
            outcome = run_campaign(
                replace(options, wait_s=max(options.wait_s, self._left_behind_s)),
                self.board,
                self.session,
                _Saver(),
                self._tell(),
                unix_s=self._unix_s,
                prepare=self._preparing(cell, pair),
                new_stop=Precise if cell.plan.settings.precision_percent else PlanEnd,
            )
        except BenchError as error:
            self._leave_if_stopped()
            return Attempt(None, Fault(error.message, error.hint), infrastructure=tried_again(error))
        if outcome.interrupted:
            raise KeyboardInterrupt
        hold, self._left_behind_s = None, 0.0
        if outcome.held_s is not None:
            ago_s = time.monotonic() - outcome.hold_ended_s
            hold = BoardHold(self._unix_s() - ago_s - outcome.held_s, outcome.held_s)
        return replace(self._attempted(outcome.collected, not_paired), hold=hold)

    def _prepared(self, cell: Cell) -> tuple[tuple[PreparedVariant, ...], str]:
        """Return what a cell measures, the baseline's model first, and why that is not among them.

        Raises BenchErrors for the cell's own model.
        """
        (own,) = self._variants((cell.file,), golden=cell.golden, soc=self.board.soc)
        if cell.beside is None or cell.beside.model is None:
            return (own,), cell.not_paired
        try:
            (base,) = self._variants((cell.beside.model,), golden=cell.golden, soc=self.board.soc)
        except BenchError as error:
            return (own,), f"the baseline's model cannot be measured: {error.message}"
        if base.model.sha256 != cell.beside.run.variant.sha256:
            return (own,), f"the baseline's model is damaged: {base.model.path}"
        name = f"{own.description.name} ({BASELINE})"
        beside = replace(base.description, name=name, is_baseline=True)
        return (replace(base, description=beside), own), ""

    def _preparing(self, cell: Cell, pair: tuple[PreparedVariant, ...]) -> Prepare:
        """Return what answers a campaign: `pair` for the cell's own, and its plan's second model."""

        def prepare(
            paths: Sequence[Path], *, golden: Path | None = None, soc: str | None = None, force: bool = False
        ) -> tuple[PreparedVariant, ...]:
            if cell.plan.other is not None and tuple(paths) == (cell.plan.other,):
                return self._variants(paths, golden=golden, soc=soc, force=force)
            return pair

        return prepare

    def _other(self, cell: Cell, pair: tuple[PreparedVariant, ...]) -> tuple[PreparedVariant, ...]:
        """Return the second model of the cell's plan, if it has one. Raises BenchErrors."""
        asked = _options(cell, self._asked, pair)
        return prepare_other(asked, self.board, pair, self._preparing(cell, pair), lambda _: None)

    def _attempted(self, ended: Sequence[Collected], not_paired: str) -> Attempt:
        *others, collected = ended
        beside = others[0] if others else None
        failure = collected.run.failure
        if failure is None:
            if beside is not None and (broke := beside.run.failure) is not None:
                not_paired = f"the baseline's model failed in {broke.stage}: {broke.message}"
            return Attempt(collected, beside=beside, not_paired=not_paired)
        self._leave_if_stopped()
        broken = failure.stage == CONNECTION
        if broken:
            self._break()
        fault = Fault(f"failed in {failure.stage}: {failure.message}", failure.advice)
        return Attempt(collected, fault, broken, beside, not_paired)

    def _leave_if_stopped(self) -> None:
        """Raise KeyboardInterrupt once the night was told to stop: what broke then is no result."""
        if self._stop.is_set():
            raise KeyboardInterrupt

    def _tell(self) -> Callable[[Event], None]:
        """Return a listener that passes on what matters, and interrupts the run once `stop` is set."""
        interrupted = False

        def tell(event: Event) -> None:
            nonlocal interrupted
            if self._stop.is_set() and not interrupted:
                interrupted = True
                raise KeyboardInterrupt
            if isinstance(event, Waiting):
                self._listener(Told(self.board.name, f"held by {event.owner}; waiting for it{event.turn}"))
            elif isinstance(event, Note):
                self._listener(Told(self.board.name, event.text))

        return tell


class _Saver:
    def save(self, collected: Collected) -> None:
        """Leave a run: it is written together with its cell."""


def _options(cell: Cell, asked: HeldFor, variants: Sequence[PreparedVariant]) -> PushOptions:
    settings = cell.plan.settings
    if len(variants) == 1:  # nothing takes turns with it
        settings = replace(settings, precision_percent=None, loads=None, quads=None)
    return PushOptions(
        tuple(variant.model.path for variant in variants),
        settings,
        cell.golden,
        wait_s=cell.plan.wait_s,
        reason=asked.reason,
        priority=asked.priority,
        other=cell.plan.other,
        gates=cell.gates,
        labels=cell.labels,
        metric=cell.metric,
    )
