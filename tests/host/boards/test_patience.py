"""An agent that lives is waited for as long as its plan allows, and no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lying_agent import LyingTransport, Words, json_line
from rkbench.boards.agent.patience import Patience
from rkbench.boards.model import Board
from rkbench.errors import ProtocolError
from rkbench.files import LocalFile
from rkbench.session import start_session
from rkbench_agent.wire.board import Reading
from rkbench_agent.wire.messages import Beat, Log, Progress
from rkbench_agent.wire.plan import Plan, RunSettings, RunSpec

SETTINGS = RunSettings(
    warmup_iterations=1,
    min_iterations=10,
    min_duration_s=3.0,
    min_blocks=4,
    block_iterations=5,
    load_timeout_s=20.0,
    first_inference_timeout_s=5.0,
    inference_timeout_s=2.0,
    calm_limit_s=1.0,
)
PLAN = Plan([RunSpec("a", "m", "d", 1, [], [])], SETTINGS, lock_wait_s=100.0)


def test_only_what_a_run_does_renews_the_patience() -> None:
    now_s = 0.0
    patience = Patience(PLAN, 10.0, lambda: now_s)
    assert patience.deadline_s == 10 + 100 + 1 + 20 + 5 + 2
    now_s = 50.0
    for message in (Beat(), Reading(1), Log("a", "stdout", "well", 1)):
        patience.hear(message)
    assert patience.deadline_s == 138
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    assert patience.deadline_s == 50 + 138
    now_s = 60.0
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    assert patience.deadline_s == 50 + 138
    patience.hear(Progress("a", "inference", 2, 10, "iterations"))
    assert patience.deadline_s == 60 + 138


def test_a_plan_that_goes_on_for_ever_ends_as_well() -> None:
    now_s = 1e9
    patience = Patience(PLAN, 10.0, lambda: now_s)
    loads, inferences = 2 * (20 + 5), (1 + 10 + 4 * 5 + 100) * 2
    assert patience.total_limit_s == 10 + 100 + 2 * (1 + loads + inferences + 3)
    now_s += patience.total_limit_s
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    assert patience.deadline_s == now_s


def test_a_plan_of_runs_in_turns_may_load_for_every_block() -> None:
    settings = replace(SETTINGS, loads=7, quads=2, unread_iterations=3)
    patience = Patience(replace(PLAN, runs=PLAN.runs * 2, settings=settings), 10.0, lambda: 0.0)
    loads, inferences = (2 + 28) * (20 + 5), (1 + 10 + 28 * (5 + 3 + 1) + 100) * 2
    assert patience.total_limit_s == 10 + 100 + 4 * (1 + loads + inferences + 3)


def test_words_that_go_to_and_fro_are_no_progress() -> None:
    now_s = 0.0
    patience = Patience(PLAN, 10.0, lambda: now_s)
    patience.hear(Progress("a", "inference", 2, 10, "iterations"))
    now_s = 50.0
    for progress in (
        Progress("a", "inference", 1, 10, "iterations"),
        Progress("a", "inference", 2, 10, "seconds"),
        Progress("a", "inference", 3, 0, "iterations"),
        Progress("a", "dreaming", 1, 10, "iterations"),
        Progress("b", "inference", 9, 10, "iterations"),
    ):
        patience.hear(progress)
    assert patience.deadline_s == 138


def test_where_blocks_load_anew_each_warm_up_is_progress() -> None:
    now_s = 0.0
    patience = Patience(PLAN, 10.0, lambda: now_s)
    patience.hear(Progress("a", "warmup", 1, 2, "iterations"))
    patience.hear(Progress("a", "inference", 1, 10, "iterations"))
    now_s = 50.0
    patience.hear(Progress("a", "warmup", 1, 2, "iterations"))
    assert patience.deadline_s == 50 + 138


def test_a_board_that_cools_down_is_waited_for() -> None:
    settings = replace(SETTINGS, cool_below_celsius=50.0, cool_limit_s=300.0)
    patience = Patience(replace(PLAN, settings=settings), 10.0, lambda: 0.0)
    assert patience.deadline_s == 138 + 300


def test_an_agent_may_read_at_10_mb_per_s_what_it_is_asked_for() -> None:
    def deaf(words: Words) -> list[bytes]:
        return [] if words["type"] == "Have" else [json_line(words)]

    board = Board("shelf", "192.0.2.1", soc="rk3588")
    files = [LocalFile(Path("a.rknn"), 64 * digit, 1_000_000, "a") for digit in "ab"]
    with (
        start_session(board, LyingTransport(deaf), answer_limit_s=0.1) as session,
        pytest.raises(ProtocolError, match=r"no Have came within 0\.3 s"),
    ):
        session.upload(files)
