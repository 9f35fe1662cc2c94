"""Whose turn it is on a board: order, priority, who is killed or stopped, and nonsense in a shared folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Callable, List

import pytest
from agent_bench import AgentProcess, Bench, of_kind
from rkbench_agent.board.turns import BoardTurns
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Cancel, Done, Latencies, Locked, Refused

Start = Callable[..., AgentProcess]
WAITER = """
import sys, pathlib
from rkbench_agent.board.turns import BoardTurns
lock, owner, priority, lease_s = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
turns = BoardTurns(lock, None)
turns.wait(owner, "a test", priority, lease_s)
print("waits", flush=True)
sys.stdin.read()
"""


class Waiters:
    """Processes that wait for a board."""

    def __init__(self, folder: Path) -> None:
        self.lock = folder / "cache/lock"
        self.running: List[subprocess.Popen[str]] = []

    def add(self, owner: str, priority: int = 0, lease_s: float = 60.0) -> subprocess.Popen[str]:
        """Start one, and return it once it waits."""
        words = [sys.executable, "-c", WAITER, str(self.lock), owner, str(priority), str(lease_s)]
        pipe = subprocess.PIPE
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(words, stdin=pipe, stdout=pipe, universal_newlines=True, env=environment)
        self.running.append(process)
        assert process.stdout is not None and process.stdout.readline() == "waits\n"
        return process

    @property
    def owners(self) -> List[str]:
        """Who waits, the next one first."""
        return [ticket.waiter.owner for ticket in BoardTurns(self.lock, None).tickets()]


@pytest.fixture
def waiters(tmp_path: Path):  # type: ignore[no-untyped-def]  # Iterator[Waiters]; pytest reads no types
    made = Waiters(tmp_path)
    yield made
    for process in made.running:
        process.kill()
        process.communicate()


def test_who_comes_first_is_next_within_a_priority(waiters: Waiters) -> None:
    waiters.add("ann")
    waiters.add("bob")
    waiters.add("eve", priority=5)
    waiters.add("night", priority=-5)
    assert waiters.owners == ["eve", "ann", "bob", "night"]


def test_who_is_killed_waits_no_more(waiters: Waiters) -> None:
    first = waiters.add("ann")
    waiters.add("bob")
    first.kill()
    first.wait()
    assert waiters.owners == ["bob"]
    assert len(list(waiters.lock.with_name("queue").iterdir())) == 1


def test_who_is_stopped_holds_nobody_up_longer_than_its_lease(waiters: Waiters) -> None:
    first = waiters.add("ann", lease_s=1.0)
    waiters.add("bob")
    os.kill(first.pid, signal.SIGSTOP)
    for _ in range(100_000_000):
        if waiters.owners == ["bob"]:
            break
    assert waiters.owners == ["bob"]


def test_users_of_a_board_wait_in_one_queue(tmp_path: Path) -> None:
    wide = tmp_path / "run/lock/rkbench-board.lock"
    wide.parent.mkdir(parents=True)
    ann, bob = BoardTurns(tmp_path / "ann/lock", wide), BoardTurns(tmp_path / "bob/lock", wide)
    ann.wait("ann", "", 0, 10.0)
    assert [ticket.waiter.owner for ticket in bob.tickets()] == ["ann"]
    assert oct((wide.parent / "rkbench-board.queue").stat().st_mode) == oct(0o41777)
    ann.leave()
    assert bob.tickets() == []


def test_a_queue_is_open_where_all_users_can_join_it(tmp_path: Path) -> None:
    wide = tmp_path / "run/lock/rkbench-board.lock"
    wide.parent.mkdir(parents=True)
    turns, own = BoardTurns(tmp_path / "ann/lock", wide), BoardTurns(tmp_path / "ann/lock", None)
    assert turns.is_open() and own.is_open()
    wide.with_name("rkbench-board.queue").chmod(0o755)
    own_folder = tmp_path / "ann/queue"
    own_folder.rmdir()
    own_folder.write_text("in the way")
    assert not turns.is_open() and not own.is_open()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "\x00",
        '{"owner": "x"}',
        '{"came_ns": true, "until_ns": 1}',
        '{"until_ns": 9e99}',
    ],
)
def test_nonsense_among_the_tickets_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "queue").mkdir()
    (tmp_path / f"queue/{os.getppid()}.0").write_text(text)
    (tmp_path / "queue/readme").write_text("hello")
    (tmp_path / "queue/1.0").symlink_to("/etc/passwd")
    assert BoardTurns(tmp_path / "lock", None).tickets() == []


def test_a_ticket_of_an_earlier_start_of_the_board_is_none(tmp_path: Path) -> None:
    turns = BoardTurns(tmp_path / "lock", None)
    turns.wait("ann", "", 0, 1000.0)
    assert turns.tickets() == []


def test_no_link_in_place_of_the_folder_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / f"99999999.{os.geteuid()}").write_text("precious")
    (tmp_path / "queue").symlink_to(victim)
    turns = BoardTurns(tmp_path / "lock", None)
    assert turns.tickets() == []
    with pytest.raises(OSError):
        turns.wait("ann", "", 0, 10.0)
    assert len(list(victim.iterdir())) == 1


def locked(agent: AgentProcess, place: int, among: int) -> Locked:
    """Return the message that says that an agent waits at this place."""
    return agent.until(Locked, lambda told: (told.place, told.among) == (place, among))


def test_agents_take_a_board_in_their_turn_and_say_which_it_is(start: Start, bench: Bench) -> None:
    """The last who came has the highest priority; each holds the board until it is cancelled."""
    hang = {"RKBENCH_VIRTUAL_BEHAVIOUR": bench.behaviour(hang={"stage": "inference"})}
    holder, low, first, urgent = (start(**hang) for _ in range(4))
    holder.send(bench.plan(bench.spec("a"), owner="holder", reason="nightly lab"))
    holder.until(Latencies)
    for agent, owner, priority in ((low, "low", -1), (first, "first", 0), (urgent, "urgent", 3)):
        agent.send(bench.plan(bench.spec("a"), owner=owner, lock_wait_s=600.0, priority=priority))
        agent.until(Locked)
    assert locked(urgent, 1, 3).owner == "holder"
    assert locked(low, 3, 3).owner == "holder"
    waiting = start().until(Environment).waiting or []
    told = [(each.owner, each.priority) for each in waiting]
    assert told == [("urgent", 3), ("first", 0), ("low", -1)]
    late = start().run(bench.plan(bench.spec("a"), owner="late"))
    (refused,) = of_kind(late, Refused)
    assert refused.message.endswith("; 2 wait for it before you")
    holder.send(Cancel())
    urgent.until(Latencies)
    assert locked(first, 1, 2).owner == "urgent"
    first.process.kill()  # who is next is gone
    first.process.wait()
    urgent.send(Cancel())
    low.until(Latencies)


def test_a_wait_that_is_cancelled_leaves_no_ticket(start: Start, bench: Bench) -> None:
    holder = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    holder.send(bench.plan(bench.spec("a"), owner="holder"))
    holder.until(Latencies)
    waiting = start()
    waiting.send(bench.plan(bench.spec("a"), owner="ann", lock_wait_s=600.0))
    waiting.until(Locked)
    (ticket,) = (bench.cache / "queue").iterdir()
    assert json.loads(ticket.read_text())["owner"] == "ann"
    waiting.send(Cancel())
    waiting.until(Done)
    assert list((bench.cache / "queue").iterdir()) == []
