"""A night on several boards at once: none waits for another, and how long each stood idle is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
from fake_boards import FakeSession
from night_lab import DEMO, MODELS
from rkbench.boards.model import Board
from rkbench.boards.provider import open_boards
from rkbench.campaign import Conversation
from rkbench.campaign.plan import owner
from rkbench.nightly.begin import Terms
from rkbench.nightly.board_session import Connect
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.idle import with_idle
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.results.night import BoardHold, BoardReport, CellEnded, CellResult, Fault, Night, NightListener
from rkbench.store import open_store
from rkbench_agent.wire.messages import Message
from rkbench_agent.wire.plan import Plan

BOARDS = ("b1", "b2", "b3", "b4", "b5", "b6")
#: What waits for something that does not come gives up, and fails its test.
LIMIT_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    entry = '[boards.{0}]\nhost = "virtual"\nsoc = "rk3588"\ntags = ["shelf"]\nbehaviour = "{0}.json"\n'
    (tmp_path / "bench.toml").write_text("".join(map(entry.format, BOARDS)))
    for number, board in enumerate(BOARDS):
        (tmp_path / f"{board}.json").write_text(json.dumps({"seed": number}))
    files = json.dumps([f"{DEMO}/{model}.rknn" for model in MODELS])
    (tmp_path / "suite.toml").write_text(
        f'boards = ["shelf"]\ngates = ["size <= 10MB"]\n[[models]]\nfiles = {files}\n'
    )
    return tmp_path


def run(folder: Path, connect: Connect, listener: NightListener = lambda _: None) -> Night:
    suite = load_suite(folder / "suite.toml")
    cells = make_cells(suite, open_boards(folder / "bench.toml").find)
    with open_store(folder / "results.sqlite") as store:
        mark = fingerprint(suite, cells)
        return run_night("suite", mark, cells, store, connect, listener, Terms(retry_pause_s=0.0))


def test_all_boards_are_held_at_once_and_every_cell_is_measured(folder: Path) -> None:
    all_at_once = threading.Barrier(len(BOARDS))

    class Together(FakeSession):
        def run(self, plan: Plan) -> Iterator[Message]:
            all_at_once.wait(LIMIT_S)
            yield from super().run(plan)

    night = run(folder, Together)
    assert [cell.fault for cell in night.cells] == [None] * 12
    assert {(cell.board, cell.variant) for cell in night.cells} == {
        (board, model) for board in BOARDS for model in MODELS
    }


def test_a_board_that_is_slow_to_answer_keeps_no_other_waiting(folder: Path) -> None:
    others_are_done = threading.Event()
    ended: list[CellEnded] = []

    def connect(board: Board) -> AbstractContextManager[Conversation]:
        if board.name == "b3" and not others_are_done.wait(LIMIT_S):
            raise AssertionError("the others waited for it")
        return FakeSession(board)

    def listen(event: object) -> None:
        if isinstance(event, CellEnded):
            ended.append(event)
            if len(ended) == 10:
                others_are_done.set()

    night = run(folder, connect, listen)
    assert [cell.fault for cell in night.cells] == [None] * 12
    assert [event.cell.board for event in ended[10:]] == ["b3", "b3"]


def test_each_board_is_kept_from_cell_to_cell(folder: Path) -> None:
    sessions: list[FakeSession] = []

    def connect(board: Board) -> AbstractContextManager[Conversation]:
        sessions.append(FakeSession(board))
        return sessions[-1]

    run(folder, connect)
    assert [session.kept for session in sessions] == [[(owner(), "nightly suite")]] * len(BOARDS)


def test_the_share_that_each_board_stood_idle_follows_from_its_holds(folder: Path) -> None:
    night = run(folder, FakeSession)
    assert [report.name for report in night.boards] == list(BOARDS)
    for report in night.boards:
        holds = sorted(
            (hold for cell in night.cells for hold in cell.holds if cell.board == report.name),
            key=lambda hold: hold.since_unix_s,
        )
        assert len(holds) == 2
        assert holds[0].since_unix_s + holds[0].duration_s <= holds[1].since_unix_s + 1e-3
        took_s = holds[1].since_unix_s + holds[1].duration_s - night.started_unix_s
        assert report.sending is not None and report.sending.since_unix_s >= night.started_unix_s
        held_s = report.sending.duration_s + holds[0].duration_s + holds[1].duration_s
        assert report.idle_ratio == pytest.approx(1 - held_s / took_s, abs=1e-3)


NIGHT = Night(
    "night-1",
    "lab",
    "f",
    1000.0,
    boards=(BoardReport("desk"), BoardReport("gone", fault=Fault("no SSH answer"))),
    cells=(
        CellResult("m", "fp16", "desk", "p", holds=(BoardHold(1010.0, 20.0), BoardHold(1090.0, 10.0))),
        CellResult("m", "int8", "desk", "p", holds=(BoardHold(1040.0, 40.0),)),
        CellResult("m", "fp16", "gone", "p"),
    ),
)


def test_a_board_is_idle_from_the_begin_of_the_night_to_the_end_of_its_last_hold() -> None:
    assert [board.idle_ratio for board in with_idle(NIGHT).boards] == [pytest.approx(0.3), None]


def test_a_board_that_is_sent_models_is_not_idle() -> None:
    desk = replace(NIGHT.boards[0], sending=BoardHold(1000.0, 10.0))
    (told,) = with_idle(replace(NIGHT, boards=(desk,))).boards
    assert told.idle_ratio == pytest.approx(0.2)


def test_of_a_night_that_was_gone_on_with_and_of_a_clock_that_was_set_back_nothing_is_told() -> None:
    assert [board.idle_ratio for board in with_idle(replace(NIGHT, resumed=1)).boards] == [None, None]
    assert [board.idle_ratio for board in with_idle(replace(NIGHT, started_unix_s=5e9)).boards] == [
        None,
        None,
    ]
