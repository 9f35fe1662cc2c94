"""One push on several boards at once: a thread and a session for each, and one that fails costs no other."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rkbench_agent.wire.messages import Message

from rkbench.boards.model import Board
from rkbench.campaign.compared import compare_collected
from rkbench.campaign.outcome import Outcome
from rkbench.campaign.prepared_once import Variants
from rkbench.campaign.push import Expected, PushWhere, checked, run_on, with_golden, without_onnx
from rkbench.campaign.settings import PushOptions
from rkbench.conversion.words import ConvertWords, is_onnx
from rkbench.errors import BenchError, StoreError, UsageError
from rkbench.interrupts import told_of_interrupts
from rkbench.results.across_boards import AcrossBoards, across_boards
from rkbench.results.collect import Collected
from rkbench.results.comparison import Comparison
from rkbench.results.events import Doing, Event, Note
from rkbench.results.gating import exit_code
from rkbench.results.model import RunResult
from rkbench.results.pushed_boards import PushedBoard
from rkbench.rknn.targets import npu_generation
from rkbench.store import open_store
from rkbench.variants.preflight import open_variant

#: After Ctrl-C a board's thread ends at its next word; one that says nothing is left to end by itself.
FAREWELL_S = 3.0
BoardListener = Callable[[str, Event], None]
BoardHear = Callable[[str, Message], None]


@dataclass(frozen=True)
class ManyOutcome:
    """What came of a push on several boards: `boards` in the order asked, `errors` of those without runs."""

    boards: tuple[PushedBoard, ...]
    collected: tuple[Collected, ...]
    comparison: Comparison
    across: tuple[AcrossBoards, ...]
    errors: tuple[BenchError, ...] = ()
    interrupted: bool = False
    store_error: StoreError | None = None

    @property
    def runs(self) -> tuple[RunResult, ...]:
        """The results, board by board."""
        return tuple(item.run for item in self.collected)

    @property
    def exit_code(self) -> int:
        """3 where a requirement was crossed, else 1 where a board or a run failed.

        2 where nothing of it can be anywhere.
        """
        if self.errors and not self.collected:
            return min(error.exit_code for error in self.errors)
        return exit_code(self.runs) or int(bool(self.errors))


def models_for(board: Board, models: Sequence[Path], boards: Sequence[Board]) -> tuple[Path, ...]:
    """Return the models that fit the SoC of `board`; one that fits none of `boards` is left to be refused."""
    fits = [model for model in models if _fits(model, board) or not any(_fits(model, b) for b in boards)]
    return tuple(fits)


def _fits(model: Path, board: Board) -> bool:
    if is_onnx(model):
        return True  # it is converted for the board
    wanted = npu_generation(board.soc)
    with open_variant(model) as opened:
        generation = opened.file.npu_generation
    return wanted is None or not generation or generation == wanted


def push_to_each(
    where: PushWhere,
    options: PushOptions,
    expected: Expected,
    listener: BoardListener,
    hear: BoardHear,
    *,
    conversion: ConvertWords | None = None,
) -> ManyOutcome:
    """Run `options` on all boards of `where` at once, and keep every run in its store.

    Every board has the models that fit it. Raises BenchErrors for what stops all of it before anything was
    measured; what fails later is in the outcome.
    """
    conversion = conversion or ConvertWords()
    expected = checked(options, expected, conversion)
    options = with_golden(options, expected, partial(listener, ""))
    asked: dict[str, PushOptions] = {}
    for board in where.found:
        models = models_for(board, options.models, where.found)
        if models:
            fitting = replace(options, models=models)
            asked[board.name] = without_onnx(fitting, conversion, board, partial(listener, board.name))
    pushes = _Pushes(where, asked, listener, hear)
    found = pushes.run()
    return _outcome(where.found, asked, found, options.baseline, interrupted=pushes.interrupted)


@dataclass(frozen=True)
class _Ended:
    board: str
    outcome: Outcome | BenchError | BaseException


class _Pushes:
    """The threads of the boards; what they say is passed on by the thread that waits for them."""

    def __init__(
        self,
        where: PushWhere,
        asked: dict[str, PushOptions],
        listener: BoardListener,
        hear: BoardHear,
    ) -> None:
        self._where = where
        self._asked = asked
        self._listener = listener
        self._hear = hear
        self._prepare = Variants()
        self._stop = threading.Event()
        self._left: set[str] = set()
        self._said: queue.SimpleQueue[tuple[str, Event] | _Ended | None] = queue.SimpleQueue()
        self.interrupted = False

    def run(self) -> dict[str, Outcome | BenchError]:
        """Push to all boards; returns what came of each that came to an end."""
        boards = [board for board in self._where.found if board.name in self._asked]
        for board in boards:
            name = f"push {board.name}"
            threading.Thread(target=self._run_board, args=(board,), name=name, daemon=True).start()
        found: dict[str, Outcome | BenchError] = {}
        with told_of_interrupts(lambda _: self._said.put(None)):
            self._take_all({board.name for board in boards}, found)
        return found

    def _take_all(self, running: set[str], found: dict[str, Outcome | BenchError]) -> None:
        end_s: float | None = None
        while running:
            try:
                said = self._said.get(timeout=None if end_s is None else max(0.0, end_s - time.monotonic()))
            except queue.Empty:
                return  # deaf: its agent ends by itself
            if said is None:
                self._stop.set()
                self.interrupted = True
                end_s = time.monotonic() + FAREWELL_S
            elif isinstance(said, _Ended):
                running.discard(said.board)
                if isinstance(said.outcome, BenchError):
                    self._listener(said.board, Note(said.outcome.message))
                self._listener(said.board, Doing(""))
                if isinstance(said.outcome, (Outcome, BenchError)):
                    found[said.board] = said.outcome
                elif not isinstance(said.outcome, KeyboardInterrupt):
                    raise said.outcome  # a bug keeps its traceback
            else:
                self._listener(*said)

    def _run_board(self, board: Board) -> None:
        """Push to one board; a thread's body."""
        try:
            with open_store(self._where.store) as store:
                ended: Outcome | BaseException = run_on(
                    self._asked[board.name],
                    board,
                    self._where.hold,
                    store,
                    partial(self._tell, board.name),
                    partial(self._take, board.name),
                    prepare=self._prepare,
                )
        except BaseException as error:  # noqa: BLE001 - passed on to the thread that waits
            ended = error
        self._said.put(_Ended(board.name, ended))

    def _tell(self, board: str, event: Event) -> None:
        self._leave_if_stopped(board)
        self._said.put((board, event))

    def _take(self, board: str, message: Message) -> None:
        self._leave_if_stopped(board)
        self._hear(board, message)

    def _leave_if_stopped(self, board: str) -> None:
        """Raise KeyboardInterrupt in a board's thread, once, as Ctrl-C would in the main one."""
        if self._stop.is_set() and board not in self._left:
            self._left.add(board)
            raise KeyboardInterrupt


def _outcome(
    found: Sequence[Board],
    asked: dict[str, PushOptions],
    outcomes: dict[str, Outcome | BenchError],
    baseline: str | None,
    *,
    interrupted: bool,
) -> ManyOutcome:
    boards: list[PushedBoard] = []
    collected: list[Collected] = []
    errors: list[BenchError] = []
    store_error: StoreError | None = None
    for board in found:
        ended = outcomes.get(board.name)
        if board.name not in asked:
            boards.append(PushedBoard(board.name, error=f"no model is for its SoC, {board.soc}"))
        elif isinstance(ended, Outcome):
            ids = tuple(run.id for run in ended.runs)
            boards.append(PushedBoard(board.name, ended.runs[0].push, ids, ended.comparison))
            collected += ended.collected
            store_error = store_error or ended.store_error
        elif ended is not None:
            errors.append(ended)
            boards.append(PushedBoard(board.name, error=ended.message, advice=ended.hint))
        else:
            boards.append(PushedBoard(board.name, error="interrupted"))
    if not collected and not errors and not interrupted:
        raise UsageError("none of the models fits any of the boards", hint="bench boards list")
    latencies = {item.run.id: item.latencies for item in collected}
    return ManyOutcome(
        tuple(boards),
        tuple(collected),
        compare_collected(collected, baseline),
        across_boards([item.run for item in collected], latencies),
        tuple(errors),
        interrupted,
        store_error,
    )
