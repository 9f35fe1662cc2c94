"""One conversation with one board: start the agent, send files, run a plan, leave nothing behind."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import TypeVar

from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.caveats import Caveat
from rkbench_agent.wire.messages import (
    Beat,
    BoardCaveat,
    Cancel,
    Done,
    Enough,
    Have,
    Hello,
    KeepBoard,
    Log,
    Message,
    Want,
)
from rkbench_agent.wire.plan import Plan
from rkbench_agent.wire.scenario_messages import TryRate
from rkbench_agent.wire.words import BEAT_INTERVAL_S, SILENCE_LIMIT_S

from rkbench.boards.agent.boot import boot_argv, build_agent
from rkbench.boards.agent.link import AgentLink
from rkbench.boards.agent.patience import ANSWER_LIMIT_S, Patience, have_limit_s
from rkbench.boards.agent.upload import OnProgress, Uploader, check_room
from rkbench.boards.model import Board
from rkbench.boards.power import cycled_once
from rkbench.boards.provider import Hold
from rkbench.boards.ssh.auth import Ask
from rkbench.boards.ssh.connection import CONNECT_TIMEOUT_S, connect, terminal_ask
from rkbench.boards.transport import Transport
from rkbench.errors import ConnectionLostError, ProtocolError
from rkbench.files import LocalFile
from rkbench.results.records import TransferRecord

_log = logging.getLogger("rkbench.agent")
Answer = TypeVar("Answer", Environment, Have)
#: So long the agent may take to end its workers and itself when it is told to.
FAREWELL_S = 10.0
#: So long where its plan was cancelled: its workers are gone then, and who pressed Ctrl-C waits for the end.
SHORT_FAREWELL_S = 0.5
#: So long a plan that is cancelled may take to end; an agent that takes longer is left to end by itself.
CANCEL_LIMIT_S = 0.7


class Session:
    """A running agent on a board. Made by `open_session`; use it in a `with`."""

    def __init__(
        self,
        board: Board,
        transport: Transport,
        link: AgentLink,
        silence_limit_s: float,
        answer_limit_s: float = ANSWER_LIMIT_S,
    ) -> None:
        self.board = board
        self._transport = transport
        self._link = link
        self._silence_limit_s = silence_limit_s
        self._answer_limit_s = answer_limit_s
        self._running = False
        self._farewell_s = FAREWELL_S
        self._caveats: dict[str, Caveat] = {}
        self._told: list[Log] = []
        self.hello: Hello = link.hello
        self.environment: Environment = self._receive(Environment, answer_limit_s)

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """What the agent has doubted of the board so far."""
        return tuple(self._caveats.values())

    def upload(
        self,
        files: Sequence[LocalFile],
        on_progress: OnProgress | None = None,
    ) -> list[TransferRecord]:
        """Have the files on the board, sending what its cache lacks; what each took, in order.

        The board verifies what it gets. Raises NoSpaceError before any is sent, and what `Uploader` raises.
        """
        wanted = list(dict.fromkeys(file.sha256 for file in files))
        self._link.send(Want(wanted))
        have = self._receive(Have, have_limit_s(files, self._answer_limit_s))
        self._caveats.update((caveat.code, caveat) for caveat in have.caveats)
        present = set(have.digests)
        missing = {file.sha256: file for file in files if file.sha256 not in present}
        check_room(self.board.name, list(missing.values()), have.partial, have.free_bytes)
        transfers = []
        with self._uploader(wanted, on_progress) as uploader:
            for file in files:
                if file.sha256 in present:
                    transfers.append(TransferRecord(file.size_bytes, 0, True, 0.0))
                    continue
                transfers.append(self._send_file(uploader, file, have.partial.get(file.sha256, 0)))
                present.add(file.sha256)
        return transfers

    def run(self, plan: Plan) -> Iterator[Message]:
        """Run `plan` and yield what the agent says, until it is done; beats are left out.

        What it doubted of the board before comes first, with every plan: it is true of each run. Then what it
        logged before, once. When the caller stops early, or is interrupted, the plan is cancelled. Raises
        ConnectionLostError where the link breaks off or falls silent, ProtocolError on nonsense and where
        the agent lives, but its runs do not go on.
        """
        self._running, self._farewell_s = True, FAREWELL_S
        patience = Patience(plan, self._answer_limit_s)
        self._link.send(plan)
        try:
            yield from map(BoardCaveat, self.caveats)
            yield from self._told
            self._told.clear()
            while self._running:
                message = self._next(patience.deadline_s, "its runs do not go on")
                patience.hear(message)
                if isinstance(message, Done):
                    self._running = False
                elif not isinstance(message, Beat):
                    yield message
        finally:
            if self._running and self._link.is_alive:
                with suppress(ConnectionLostError, ProtocolError):  # then there is nothing left to cancel
                    self.cancel()

    def keep_board(self, owner: str, reason: str) -> None:
        """Keep the board from plan to plan, while nobody else waits for it. Neither waits nor raises."""
        self._link.post(KeepBoard(owner, reason))

    def enough(self, run: str) -> None:
        """Have the timed part of a run end with its present block. Neither waits nor raises."""
        if self._running:
            self._link.post(Enough(run))

    def try_rate(self, run: str, rate_per_s: float) -> None:
        """Have a run of the scenario `server` serve this rate next. Neither waits nor raises."""
        if self._running:
            self._link.post(TryRate(run, rate_per_s))

    def cancel(self) -> None:
        """Stop the plan that runs, if any, and wait until it has, or a moment only: the line is cut then.

        Raises ConnectionLostError and ProtocolError.
        """
        if not self._running:
            return
        self._running, self._farewell_s = False, SHORT_FAREWELL_S
        self._link.post(Cancel())
        deadline_s = time.monotonic() + CANCEL_LIMIT_S
        try:
            while not isinstance(self._link.next(deadline_s), Done):
                pass
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut the line at once, from any thread: who waits is set free, the agent ends by itself."""
        self._transport.abort()
        self._link.end()

    def close(self) -> None:
        """End the agent and the connection; nothing stays running on the board."""
        self._link.close(self._farewell_s)
        self._transport.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.abort()  # who presses Ctrl-C does not wait for a line that may be stuck
        self.close()

    def _uploader(self, keep: Sequence[str], on_progress: OnProgress | None) -> Uploader:
        limit_s = self._silence_limit_s
        return Uploader(
            self.board, self._transport, keep=keep, silence_limit_s=limit_s, on_progress=on_progress
        )

    def _send_file(self, uploader: Uploader, file: LocalFile, offset: int) -> TransferRecord:
        try:
            return uploader.send(file, offset)
        except ConnectionLostError:
            self._link.abort()
            raise

    def _receive(self, kind: type[Answer], limit_s: float) -> Answer:
        """Return the next message of `kind`; caveats and logs before it are kept for the runs."""
        deadline_s = time.monotonic() + limit_s
        while True:
            message = self._next(deadline_s, f"no {kind.__name__} came within {limit_s:g} s")
            if isinstance(message, kind):
                return message
            if isinstance(message, BoardCaveat):
                self._caveats[message.caveat.code] = message.caveat
            elif isinstance(message, Log):
                self._told.append(message)
                _log.info("%s: %s", self.board.name, message.text)
            elif not isinstance(message, Beat):
                name = type(message).__name__
                raise ProtocolError(f"board {self.board.name!r}: the agent sent {name} out of turn")

    def _next(self, deadline_s: float, otherwise: str) -> Message:
        """Return the agent's next word; raises ProtocolError, which says `otherwise`, after the deadline."""
        try:
            return self._link.next(deadline_s)
        except TimeoutError as error:
            raise ProtocolError(
                f"board {self.board.name!r}: the agent is alive, but {otherwise}: it was given up",
                hint="push again; if it comes back, look at the board (top, dmesg) and report it",
            ) from error


def open_session(
    board: Board,
    *,
    silence_limit_s: float = SILENCE_LIMIT_S,
    beat_interval_s: float = BEAT_INTERVAL_S,
    answer_limit_s: float = ANSWER_LIMIT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ask: Ask | None = None,
) -> Session:
    """Log in to `board` and start the agent there.

    `ask` types in a passphrase or password; None asks on the terminal, where there is one.
    Raises ConnectError and its kin, and BoardError where the agent cannot start: no Python, one that
    is too old, a home that cannot be written, no space.
    """
    ask = ask or terminal_ask()
    packing = threading.Thread(target=build_agent, daemon=True)
    packing.start()  # while the board is waited for
    transport = connect(board, timeout_s=connect_timeout_s, ask=ask)
    packing.join()
    return start_session(
        board,
        transport,
        silence_limit_s=silence_limit_s,
        beat_interval_s=beat_interval_s,
        answer_limit_s=answer_limit_s,
    )


class Sessions:
    """Sessions with boards that are held: each from the first session with it to the end of the `with`.

    A board may end with its hold, as a virtual one does, so it outlives the session that was cut off.
    """

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self._open: dict[str, Callable[[], Session]] = {}
        self._holds = ExitStack()

    def open(self, board: Board) -> Session:
        """Return a new session with `board`, one that `hold` knows; raises what `open_session` does."""
        if board.name not in self._open:
            held = self._holds.enter_context(self._hold(board.name))
            self._open[board.name] = cycled_once(open_session, held)
        return self._open[board.name]()

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        self._holds.close()


def start_session(
    board: Board,
    transport: Transport,
    *,
    silence_limit_s: float = SILENCE_LIMIT_S,
    beat_interval_s: float = BEAT_INTERVAL_S,
    answer_limit_s: float = ANSWER_LIMIT_S,
) -> Session:
    """Start the agent of `board` over `transport`, which the session closes, also where it does not start.

    Raises BoardError and its kin, or ConnectionLostError.
    """
    with ExitStack() as resources:
        resources.callback(transport.close)
        agent = build_agent()
        channel = transport.open(boot_argv(board, agent, "serve", board.cache_dir))
        link = AgentLink(board, transport, channel, silence_limit_s)
        resources.callback(link.abort)
        link.start(agent, beat_interval_s, max(answer_limit_s, silence_limit_s))
        session = Session(board, transport, link, silence_limit_s, answer_limit_s)
        resources.pop_all()
    return session
