"""Nights through what can happen to them: boards that go, a full disk, a locked store, a clock that jumps.

The boards are fakes that play a recording back.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fake_boards import FakeSession
from night_lab import BOARDS, MODELS, NightLab
from rkbench.boards.model import Board
from rkbench.boards.provider import open_boards
from rkbench.campaign import Conversation
from rkbench.errors import ConnectError, ConnectionLostError
from rkbench.interrupts import told_of_interrupts
from rkbench.nightly.accept import accept_night
from rkbench.nightly.begin import RESUME, Terms
from rkbench.nightly.board_session import BoardLine
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.results.night import CellEnded, Night, NightListener, Told
from rkbench.session import Sessions
from rkbench.store import Store, open_store
from rkbench.store.lookup import find_night, find_runs
from rkbench.store.sqlite import nights
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Hello, Latencies, Message
from rkbench_agent.wire.plan import Plan

CELLS = len(MODELS) * len(BOARDS)
QUICK = Terms(retry_pause_s=0.0)
#: Enough for the fakes; a board that hangs takes all of it.
TERMS_WITH_BUDGET = Terms(budget_s=1.0, retry_pause_s=0.0, budget_grace_s=0.0)


@pytest.fixture
def lab(tmp_path: Path) -> NightLab:
    return NightLab(tmp_path)


@pytest.fixture
def store(lab: NightLab) -> Iterator[Store]:
    with open_store(lab.store, wait_s=0.05) as opened:
        yield opened


def run(
    lab: NightLab,
    store: Store,
    listener: NightListener = lambda _: None,
    connect: Callable[[Board], AbstractContextManager[Conversation]] = FakeSession,
    terms: Terms = QUICK,
    **options: Any,
) -> Night:
    """Run a night of the lab's suite in this process."""
    suite = load_suite(lab.suite)
    cells = make_cells(suite, open_boards(lab.inventory).find)
    return run_night(suite.name, fingerprint(suite, cells), cells, store, connect, listener, terms, **options)


def states(night: Night) -> dict[tuple[str, str], str]:
    return {(cell.variant, cell.board): cell.state for cell in night.cells}


ALL_GREEN = {(model, board): "pass" for model in MODELS for board in BOARDS}


def first_night(lab: NightLab, store: Store) -> None:
    """Run a night and accept it."""
    assert run(lab, store).exit_code == 1
    accept_night(store, "last", "first")


def test_twenty_nights_with_a_percent_between_them_are_green(lab: NightLab, store: Store) -> None:
    noise = random.Random(20)
    first_night(lab, store)
    found = []
    for _ in range(20):
        for board in BOARDS:
            factor = noise.gauss(1.0, 0.01)
            lab.behave(board, seed=noise.randrange(1 << 30), latency={"factor": factor})
        night = run(lab, store)
        found.append(night.exit_code)
        undecided = [gate for cell in night.cells for gate in cell.gates if gate.state != "pass"]
        # One healthy run in a hundred is taken for one that wanders: its latency is undecided.
        assert {gate.detail.split(":")[0] for gate in undecided} <= {"the level wanders from block to block"}
        assert len(undecided) <= 2
    assert found == [0] * 20
    assert len(store.latest_gates()) == CELLS * 5


def test_one_night_of_slowness_that_goes_is_not_red(lab: NightLab, store: Store) -> None:
    """Slow while it is measured, and not when it is measured again: both are kept, and it passes."""
    first_night(lab, store)
    lab.behave("left", latency={"factor": 1.2})

    def connect(board: Board) -> AbstractContextManager[Conversation]:
        session = FakeSession(board)
        return _Watched(session, after_plan=partial(lab.behave, "left")) if board.name == "left" else session

    night = run(lab, store, connect=connect)
    assert night.exit_code == 0
    again = [gate for cell in night.cells for gate in cell.gates if len(gate.measurements) == 2]
    assert [gate.gate for gate in again] == ["p50 within 5%"]
    assert [found.state for found in again[0].measurements] == ["fail", "pass"]
    assert again[0].detail == "beyond it once, not when measured again"


class _Watched:
    """A session that calls back around every plan."""

    def __init__(
        self,
        session: Any,
        *,
        before_plan: Callable[[Plan], None] = lambda _: None,
        after_plan: Callable[[], None] = lambda: None,
        on_message: Callable[[Message], None] = lambda _: None,
    ) -> None:
        self._session = session
        self._before_plan = before_plan
        self._after_plan = after_plan
        self._on_message = on_message
        self.upload = session.upload
        self.cancel = session.cancel
        self.keep_board = session.keep_board
        self.enough = session.enough

    @property
    def hello(self) -> Hello:
        hello: Hello = self._session.hello
        return hello

    @property
    def environment(self) -> Environment:
        environment: Environment = self._session.environment
        return environment

    def run(self, plan: Plan) -> Iterator[Message]:
        self._before_plan(plan)
        for message in self._session.run(plan):
            self._on_message(message)
            yield message
        self._after_plan()

    def __enter__(self) -> _Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


class _Flaky:
    """Connects to boards; the link of `left` breaks with every plan from `breaks_from` to `breaks_until`.

    `boots` are the boot ids that it has one after the other, for each connection.
    """

    def __init__(
        self,
        breaks_from: int,
        breaks_until: int,
        *,
        and_stays_away: bool = False,
        boots: Sequence[str] = (),
    ) -> None:
        self._boots = iter(boots)
        self._breaks = range(breaks_from, breaks_until + 1)
        self._stays_away = and_stays_away
        self.plans: list[Plan] = []
        self.connections = 0

    def __call__(self, board: Board) -> AbstractContextManager[Conversation]:
        if board.name != "left":
            return FakeSession(board)
        self.connections += 1
        if self._stays_away and len(self.plans) >= self._breaks.start:
            raise ConnectError("board 'left': no SSH answer", hint="check power and network")
        session = FakeSession(board)
        session.environment = replace(session.environment, boot_id=next(self._boots, None))
        return _Watched(session, before_plan=self._break)

    def _break(self, plan: Plan) -> None:
        self.plans.append(plan)
        if len(self.plans) in self._breaks:
            raise ConnectionLostError("board 'left': the connection broke off", hint="check the cable")


def test_a_link_that_breaks_once_is_tried_again(lab: NightLab, store: Store) -> None:
    first_night(lab, store)
    connect = _Flaky(1, 1)
    night = run(lab, store, connect=connect)
    assert night.exit_code == 0
    assert states(night) == ALL_GREEN
    cell = next(cell for cell in night.cells if cell.board == "left")
    assert cell.retried == "failed in connection: board 'left': the connection broke off"
    assert len(cell.runs) == 2
    assert find_runs(store, cell.runs[0])[0].partial
    assert connect.connections == 2


@pytest.mark.parametrize(
    ("boots", "told"), [(["one", "one"], "has not rebooted"), (["one", "two"], "has REBOOTED meanwhile")]
)
def test_a_board_whose_link_broke_is_asked_anew_whether_it_rebooted(
    lab: NightLab, store: Store, boots: list[str], told: str
) -> None:
    connect = _Flaky(1, 1, boots=boots)
    night = run(lab, store, connect=connect)
    assert [told in cell.retried for cell in night.cells if cell.board == "left"] == [True, False]


def test_a_board_that_is_gone_is_not_said_to_answer(lab: NightLab, store: Store) -> None:
    night = run(lab, store, connect=_Flaky(1, 1, and_stays_away=True, boots=["one"]))
    told = [cell.retried.partition(";")[2] for cell in night.cells if cell.board == "left"]
    assert told == [" the board does not answer now: it may be off, or on its way up again", ""]


def test_after_a_break_the_agent_left_behind_is_waited_for_also_by_who_never_waits(
    lab: NightLab, store: Store
) -> None:
    lab.suite.write_text(lab.suite.read_text().replace("[plans.default]", "[plans.default]\nwait = 0"))
    connect = _Flaky(1, 1)
    run(lab, store, connect=connect)
    assert [plan.lock_wait_s for plan in connect.plans] == [0.0, 20.0, 0.0]


def test_an_agent_that_is_killed_in_a_run_is_started_again(lab: NightLab, store: Store) -> None:
    """The board of the agent is a virtual one, with processes that can be killed."""
    first_night(lab, store)
    lab.inventory.write_text(
        lab.inventory.read_text().replace("[boards.left]", f'[boards.left]\nhome = "{lab.folder}/home"')
    )
    lab.behave("left", hang={"stage": "inference"})
    killed = []

    def kill(message: Message) -> None:
        if isinstance(message, Latencies) and not killed:  # of the warm-up: now it hangs
            lab.behave("left")
            killed.append(json.loads((lab.folder / "home/.cache/rkbench/lock").read_text())["pid"])
            os.kill(killed[0], signal.SIGKILL)

    with Sessions(open_boards(lab.inventory).hold) as sessions:

        def connect(board: Board) -> AbstractContextManager[Conversation]:
            is_killed = board.name == "left"
            return _Watched(sessions.open(board), on_message=kill) if is_killed else FakeSession(board)

        night = run(lab, store, connect=connect)
    assert (night.exit_code, states(night)) == (0, ALL_GREEN)
    retried = [cell for cell in night.cells if cell.retried]
    assert [(cell.board, len(cell.runs)) for cell in retried] == [("left", 2)]
    assert "failed in connection: board 'left'" in retried[0].retried


def test_a_board_that_goes_for_good_costs_only_its_own_cells(lab: NightLab, store: Store) -> None:
    first_night(lab, store)
    connect = _Flaky(2, 99, and_stays_away=True)
    night = run(lab, store, connect=connect)
    assert night.exit_code == 1
    assert states(night) == {**ALL_GREEN, (MODELS[1], "left"): "not measured"}
    gone = next(cell for cell in night.cells if cell.state == "not measured")
    assert gone.fault is not None
    assert gone.fault.message == "board 'left': no SSH answer"
    assert {gate.state for gate in gone.gates} == {"not measured"}
    assert connect.connections == 2


def test_a_board_that_is_not_there_is_told_and_costs_its_own_cells(lab: NightLab, store: Store) -> None:
    events: list[Any] = []
    night = run(lab, store, events.append, _Flaky(0, 0, and_stays_away=True))
    told = [(event.board, event.text) for event in events if isinstance(event, Told)]
    assert told == [("left", "takes no part: board 'left': no SSH answer")]
    assert {key: state for key, state in states(night).items() if key[1] == "left"} == {
        (model, "left"): "not measured" for model in MODELS
    }
    assert [board.fault is None for board in night.boards] == [False, True]


def test_a_crash_of_the_model_is_a_result_and_not_tried_again(lab: NightLab, store: Store) -> None:
    lab.behave("left", per_model={MODELS[0]: {"crash": {"stage": "inference", "signal": "SIGSEGV"}}})
    night = run(lab, store)
    cell = night.cells[0]
    assert (cell.retried, len(cell.runs)) == ("", 1)
    assert cell.fault is not None
    assert "SIGSEGV" in cell.fault.message
    assert [found.fault is None for found in night.cells] == [False, True, True, True]


def test_nan_in_the_outputs_crosses_an_output_gate(lab: NightLab, store: Store) -> None:
    lab.behave("left", per_model={MODELS[0]: {"outputs": "nan"}})
    night = run(lab, store)
    assert night.exit_code == 3
    crossed = [(cell.key, gate.gate) for cell in night.cells for gate in cell.gates if gate.state == "fail"]
    assert crossed == [((MODELS[0], "left", "default"), "cosine >= 0.999")]


def on_first_cell(action: Callable[[], None]) -> NightListener:
    """Return a listener that does `action` when the first cell has ended."""
    seen: list[CellEnded] = []

    def listen(event: Told | CellEnded) -> None:
        if isinstance(event, CellEnded):
            seen.append(event)
            if len(seen) == 1:
                action()

    return listen


def test_a_locked_store_costs_nothing_if_it_opens_before_the_end(lab: NightLab, store: Store) -> None:
    other = sqlite3.connect(lab.store, isolation_level=None)
    heard: list[str] = []
    lock = on_first_cell(lambda: other.execute("BEGIN IMMEDIATE") and None)

    def listen(event: Told | CellEnded) -> None:
        lock(event)
        if isinstance(event, Told) and "not saved, tried again at the end" in event.text:
            heard.append(event.text)
        if isinstance(event, CellEnded) and event.done == CELLS:
            other.execute("ROLLBACK")

    night = run(lab, store, listen)
    other.close()
    assert len(heard) == CELLS - 1
    assert night.problems == ()
    assert find_night(store, "last").cells == night.cells


def test_a_store_that_stays_locked_is_not_green_and_the_night_goes_on_later(
    lab: NightLab, store: Store
) -> None:
    first_night(lab, store)
    other = sqlite3.connect(lab.store, isolation_level=None)
    night = run(lab, store, on_first_cell(lambda: other.execute("BEGIN IMMEDIATE") and None))
    other.execute("ROLLBACK")
    other.close()
    assert states(night) == ALL_GREEN
    assert night.exit_code == 1
    assert len(night.problems) == CELLS
    assert "database is locked" in night.problems[0]
    again = run(lab, store)
    assert (again.id, again.resumed, again.exit_code) == (night.id, 1, 0)
    assert find_night(store, "last").cells == again.cells


def test_a_full_disk_loses_no_verdict_of_the_night(lab: NightLab, tmpfs: Path) -> None:
    filler = tmpfs / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as out, pytest.raises(OSError, match="No space left"):
            while True:
                out.write(bytes(4096))

    with open_store(tmpfs / "results.sqlite") as store:
        night = run(lab, store, on_first_cell(fill))
        assert len(night.cells) == CELLS
        assert {cell.fault for cell in night.cells} == {None}
        assert any("full" in problem for problem in night.problems)
        assert night.exit_code == 1
        filler.unlink()
        again = run(lab, store)
        assert (again.id, again.problems, len(again.cells)) == (night.id, (), CELLS)
        assert find_night(store, "last").cells == again.cells


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0 * 400])
def test_a_clock_that_jumps_changes_no_verdict(lab: NightLab, store: Store, jump_s: float) -> None:
    first_night(lab, store)
    calls = 0

    def clock() -> float:
        nonlocal calls
        calls += 1
        return 1_800_000_000.0 + calls + (jump_s if calls > 3 else 0.0)

    night = run(lab, store, unix_s=clock)
    assert (night.exit_code, states(night)) == (0, ALL_GREEN)
    assert find_night(store, "last").id == night.id
    assert {gate.state for gate in store.latest_gates()} == {"pass"}
    assert all(cell.duration_s is not None and cell.duration_s >= 0 for cell in night.cells)


def test_a_time_budget_begins_nothing_more_and_is_not_green(lab: NightLab, store: Store) -> None:
    first_night(lab, store)
    night = run(lab, store, terms=Terms(budget_s=0.0))
    assert night.exit_code == 1
    assert set(states(night).values()) == {"not measured"}
    assert night.cells[0].fault is not None
    assert "the time budget of 0" in night.cells[0].fault.message
    assert night.ended_unix_s is not None


def one_board(
    name: str, session: Callable[[Board], AbstractContextManager[Conversation]]
) -> Callable[[Board], AbstractContextManager[Conversation]]:
    """Return what connects: to the board `name` by `session`, to all others as ever."""
    return lambda board: session(board) if board.name == name else FakeSession(board)


class _Buggy(FakeSession):
    def run(self, plan: Plan) -> Iterator[Message]:
        raise KeyError("bad")


@pytest.mark.parametrize("where", ["while it measures", "in the pre-flight"])
def test_a_bug_costs_its_board_and_no_other(lab: NightLab, store: Store, where: str) -> None:
    def broken(board: Board) -> AbstractContextManager[Conversation]:
        if where == "in the pre-flight":
            raise KeyError("bad")
        return _Buggy(board)

    told: list[str] = []
    night = run(lab, store, lambda said: told.append(str(said)), one_board("left", broken))
    faults = {(cell.board, cell.fault.message if cell.fault else None) for cell in night.cells}
    assert faults == {("left", "a bug of rkbench: KeyError: 'bad'"), ("right", None)}
    assert any("a bug of rkbench" in line for line in told)
    assert (night.exit_code, night.ended_unix_s is not None) == (1, True)


@pytest.mark.parametrize("stuck_in", ["connect", "run"])
def test_a_board_that_never_answers_does_not_outlive_the_time_budget(
    lab: NightLab, store: Store, stuck_in: str
) -> None:
    for_ever = threading.Event()

    class Stuck(FakeSession):
        def run(self, plan: Plan) -> Iterator[Message]:
            for_ever.wait()
            return iter(())

    def connect(board: Board) -> AbstractContextManager[Conversation]:
        if stuck_in == "connect":
            for_ever.wait()
        return Stuck(board)

    night = run(lab, store, connect=one_board("left", connect), terms=TERMS_WITH_BUDGET)
    for_ever.set()
    faults = {cell.board: cell.fault.message for cell in night.cells if cell.fault}
    assert "the time budget of" in faults["left"]
    assert len(night.cells) == CELLS
    assert night.ended_unix_s is not None


def test_a_board_whose_line_breaks_in_the_pre_flight_is_tried_again(lab: NightLab, store: Store) -> None:
    first_night(lab, store)
    tries: list[str] = []

    def connect(board: Board) -> AbstractContextManager[Conversation]:
        tries.append(board.name)
        if len(tries) == 1:
            raise ConnectError("the link stalled while logging in")
        return FakeSession(board)

    night = run(lab, store, connect=one_board("left", connect))
    assert states(night) == ALL_GREEN
    assert len(tries) == 2


def test_a_new_kernel_is_told_beside_the_verdict(lab: NightLab, store: Store) -> None:
    first_night(lab, store)
    lab.rows("UPDATE runs SET document = json_set(document, '$.board.kernel', '5.10.0-old')")
    night = run(lab, store)
    assert (night.exit_code, states(night)) == (0, ALL_GREEN)
    changes = {(change.name, change.baseline, change.environment) for change in night.cells[0].changes}
    assert changes == {("kernel", "5.10.0-old", True)}


def test_simulated_runs_are_never_held_against_a_real_baseline(lab: NightLab, store: Store) -> None:
    first_night(lab, store)
    lab.rows("UPDATE baselines SET simulated = 0")
    lab.rows("UPDATE runs SET document = json_set(document, '$.simulated', json('false'))")
    night = run(lab, store)
    assert night.exit_code == 1
    assert {gate.detail for cell in night.cells for gate in cell.gates if gate.state != "pass"} == {
        "the baseline is of a board, tonight's run simulated: bench baseline accept last"
    }


def test_a_night_of_yesterday_is_not_gone_on_with_unless_told_to(lab: NightLab, store: Store) -> None:
    def die() -> None:
        raise SystemExit("the host died")

    with pytest.raises(SystemExit):
        run(lab, store, on_first_cell(die), unix_s=lambda: 1_800_000_000.0)
    died = find_night(store, "last").id
    later_s = 1_800_000_000.0 + 13 * 3600
    fresh = run(lab, store, unix_s=lambda: later_s)
    assert (fresh.id != died, fresh.resumed, len(fresh.cells)) == (True, 0, CELLS)
    lab.rows(f"DELETE FROM nights WHERE id = '{fresh.id}'")
    resumed = run(lab, store, unix_s=lambda: later_s, terms=Terms(RESUME, retry_pause_s=0.0))
    assert (resumed.id, resumed.resumed, len(resumed.cells)) == (died, 1, CELLS)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_the_middle_of_a_save_keeps_the_cell(
    lab: NightLab, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_run = nights.insert_run
    signals = [signal.SIGINT, signal.SIGINT]

    def interrupted(*arguments: Any) -> None:
        for number in signals[:1]:
            del signals[0]
            signal.raise_signal(number)
        save_run(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(nights, "insert_run", interrupted)
        night = run(lab, store)
    assert night.interrupted
    assert len(night.cells) >= 1
    assert find_night(store, "last").cells == night.cells


@pytest.mark.usefixtures("ctrl_c")
def test_the_third_ctrl_c_waits_for_nothing() -> None:
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt), told_of_interrupts(lambda _: told.append("told")):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert told == ["told", "told"]
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_night_that_was_told_to_stop_connects_to_nobody() -> None:
    stop = threading.Event()
    stop.set()
    board = Board("left", "192.0.2.1")

    def connect(board: Board) -> AbstractContextManager[Conversation]:
        raise AssertionError(f"connects to {board.name}")

    line = BoardLine(board, connect, lambda _: None, stop, lambda: 0.0)
    with pytest.raises(KeyboardInterrupt), line.session():
        pass
