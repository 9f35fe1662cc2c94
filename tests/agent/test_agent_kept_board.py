"""A board that is kept between the plans of one host, and that whoever waits for it gets there."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Optional, Tuple

from agent_bench import AgentProcess, Bench, of_kind
from rkbench_agent.board.turns import BoardTurns
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import (
    BoardCaveat,
    Cancel,
    Done,
    Finished,
    Have,
    KeepBoard,
    Latencies,
    Locked,
    Message,
    Refused,
    Want,
)

Start = Callable[..., AgentProcess]
NIGHT = ("night@lab", "nightly farm")
KEEP = KeepBoard(*NIGHT)


def keeping(start: Start) -> AgentProcess:
    """Return an agent that was told to keep the board, and has heard it."""
    agent = start()
    agent.until(Environment)
    agent.send(KEEP)
    answered(agent)
    return agent


def answered(agent: AgentProcess) -> None:
    """Return when all that was sent before is done."""
    agent.send(Want([]))
    agent.until(Have)


def answers(agent: AgentProcess) -> List[Message]:
    """Return what an agent says of its plan, up to the last word."""
    said: List[Message] = []
    while not said or not isinstance(said[-1], (Done, Latencies)):
        message = agent.receive()
        assert message is not None, agent.errors()
        said.append(message)
    return said


def holder(start: Start) -> Optional[Tuple[str, str]]:
    """Return who holds the board, and what for, as another agent sees it."""
    found = start().until(Environment).holder
    return (found.owner, found.reason) if found else None


def test_a_board_is_kept_from_the_word_on_and_between_plans(start: Start, bench: Bench) -> None:
    night = keeping(start)
    assert holder(start) == NIGHT
    for _ in range(2):
        assert of_kind(night.run(bench.plan(bench.spec("a"), owner="night@lab")), Finished)
        assert holder(start) == NIGHT
        (refused,) = of_kind(start().run(bench.plan(bench.spec("a"), owner="ann")), Refused)
        assert "held by night@lab" in refused.message


def test_who_waits_while_no_plan_runs_is_let_in_at_once(start: Start, bench: Bench) -> None:
    night = keeping(start)
    ann = start()
    ann.send(bench.plan(bench.spec("a"), owner="ann", lock_wait_s=600.0))
    assert ann.until(Locked).owner == "night@lab"
    ann.until(Finished)
    night.send(bench.plan(bench.spec("a"), owner=NIGHT[0], reason=NIGHT[1], lock_wait_s=600.0))
    night.until(Finished)
    assert holder(start) == NIGHT


def test_who_waits_at_the_end_of_a_plan_is_next(start: Start, bench: Bench) -> None:
    night = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    night.send(KEEP)
    night.send(bench.plan(bench.spec("a"), owner="night@lab"))
    night.until(Latencies)
    ann = start()
    ann.send(bench.plan(bench.spec("a"), owner="ann", lock_wait_s=600.0))
    ann.until(Locked)
    night.send(Cancel())
    ann.until(Finished)


def test_a_board_that_another_holds_is_kept_from_the_first_plan_on(start: Start, bench: Bench) -> None:
    ann = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    ann.send(bench.plan(bench.spec("a"), owner="ann"))
    ann.until(Latencies)
    bench.behaviour()
    night = keeping(start)
    assert holder(start) == ("ann", "")
    night.send(bench.plan(bench.spec("a"), owner=NIGHT[0], reason=NIGHT[1], lock_wait_s=600.0))
    night.until(Locked)
    ann.send(Cancel())
    night.until(Finished)
    answered(night)
    assert holder(start) == NIGHT


def test_a_board_that_somebody_waits_for_is_not_taken(start: Start, bench: Bench) -> None:
    BoardTurns(bench.cache / "lock", None).wait("ann", "a test", 0, 60.0)
    keeping(start)
    assert holder(start) is None


def test_a_host_that_leaves_gives_the_board_back(start: Start, bench: Bench) -> None:
    night = keeping(start)
    assert night.process.stdin is not None
    night.process.stdin.close()
    night.wait()
    assert holder(start) is None
    assert (bench.cache / "lock").read_text() == ""


def test_a_killed_agent_gives_the_board_back(start: Start, bench: Bench) -> None:
    night = keeping(start)
    night.process.kill()
    night.process.wait()
    assert of_kind(start().run(bench.plan(bench.spec("a"), owner="ann")), Finished)


def test_a_cache_that_cannot_be_locked_is_told_with_the_plan(start: Start, bench: Bench) -> None:
    (bench.cache / "lock").mkdir(parents=True)
    night = keeping(start)
    (refused,) = of_kind(night.run(bench.plan(bench.spec("a"), owner="night@lab")), Refused)
    assert refused.message.startswith("cannot lock the board")
    assert Path(bench.cache / "lock").is_dir()


def test_a_plan_that_makes_no_sense_costs_the_next_one_nothing(start: Start, bench: Bench) -> None:
    night = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    night.send(KEEP)
    (refused,) = of_kind(night.run(bench.plan()), Refused)
    assert refused.message == "the plan has no runs"
    night.send(bench.plan(bench.spec("a"), owner="night@lab"))
    night.until(Latencies)
    ann = start()
    ann.send(bench.plan(bench.spec("a"), owner="ann", lock_wait_s=2.0))
    (refused,) = of_kind(answers(ann), Refused)
    assert "held by night@lab" in refused.message


def test_that_other_users_are_not_seen_is_told_with_every_plan(start: Start, board: Bench) -> None:
    (board.root / "run/lock/rkbench-board.lock").mkdir(parents=True)
    (board.root / "run/lock").chmod(0o1777)
    night = keeping(start)
    for _ in range(2):
        told = of_kind(night.run(board.plan(board.spec("a"))), BoardCaveat)
        assert [message.caveat.code for message in told] == ["other_users_unseen"]


def test_who_came_before_a_plan_is_before_it(start: Start, bench: Bench) -> None:
    night = keeping(start)
    BoardTurns(bench.cache / "lock", None).wait("ann", "a test", 5, 60.0)
    (refused,) = of_kind(night.run(bench.plan(bench.spec("a"), owner="night@lab", priority=4)), Refused)
    assert "held by ann" in refused.message


def test_a_board_on_which_nobody_can_have_a_ticket_is_given_back(start: Start, bench: Bench) -> None:
    (bench.cache / "queue").write_text("in the way")
    night = keeping(start)
    assert of_kind(night.run(bench.plan(bench.spec("a"), owner="night@lab")), Finished)
    ann = start()
    assert of_kind(ann.run(bench.plan(bench.spec("a"), owner="ann", lock_wait_s=2.0)), Finished)
