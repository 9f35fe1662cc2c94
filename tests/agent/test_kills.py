"""kill -9 at random moments of a pinned push: nothing is left running, locked, half stored or set.

`make test` does a few of each; `make kills` does as many as COUNTS says, and tells how many held.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Callable, Iterator, List

import pytest
from agent_bench import AgentProcess, Bench, wait_until_gone
from clock_bench import clocks, guards_of, held_up_writes, workers_of
from rkbench_agent.board.guard import STATE
from rkbench_agent.wire.board import Environment, Pinning
from rkbench_agent.wire.messages import Done

COUNTS = {
    "worker": 39,
    "supervisor": 30,
    "guard": 30,
    "guard and supervisor": 32,
    "all": 33,
    "guard at a write": 20,
}
LONG = bool(os.environ.get("RKBENCH_KILLS"))
GOVERNORS = (
    "sys/class/devfreq/fdab0000.npu/governor",
    "sys/class/devfreq/dmc/governor",
    "sys/devices/system/cpu/cpufreq/policy6/scaling_governor",
)


@pytest.mark.parametrize("who", COUNTS)
def test_whoever_is_killed_leaves_the_board_as_it_was(
    board: Bench, start_anew: Callable[..., AgentProcess], who: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, before = random.Random(who), clocks(board.root)
    faults: List[str] = []
    count = COUNTS[who] if LONG else 2
    for trial in range(count):
        push_and_kill(board, start_anew, who, source)
        left = list(what_is_left(board, start_anew))
        if clocks(board.root) != before:
            left.append("clocks that are not as they were")
        faults += [f"trial {trial}: {text}" for text in left]
        if left:
            break  # what follows would start from there
    if LONG:
        with capsys.disabled():
            print(f"\nkill -9 of {who}: {trial + 1 - bool(faults)} held, {int(bool(faults))} failed", end=" ")
    assert faults == []


def push_and_kill(board: Bench, start: Callable[..., AgentProcess], who: str, source: random.Random) -> None:
    """Have a plan run, pinned, and kill `who` in the middle; return once all of it is over."""
    agent = start()
    agent.until(Environment)
    plan = board.plan(board.spec("a"), board.spec("b"), pin=True, min_iterations=5000)
    if who == "guard at a write":
        with held_up_writes(board.root / source.choice(GOVERNORS)) as await_write:
            agent.send(plan)
            await_write()
            kill(guards_of(board))
    else:
        agent.send(plan)
        if source.random() < 0.75:  # else at a moment before anything is pinned, or while it is
            agent.until(Pinning)
        select.select([], [], [], source.uniform(0.0, 0.3))
        kill(victims(board, agent, who))
    if "supervisor" not in who and who != "all":
        agent.until(Done)
        assert agent.process.stdin is not None
        agent.process.stdin.close()
    agent.wait()


def victims(board: Bench, agent: AgentProcess, who: str) -> List[int]:
    """Return the processes to kill: those that are there at this moment."""
    found = {
        "worker": workers_of(agent)[:1],
        "supervisor": [agent.process.pid],
        "guard": guards_of(board),
        "guard and supervisor": [*guards_of(board), agent.process.pid],
        "all": [*guards_of(board), *workers_of(agent), agent.process.pid],
    }
    return found[who]


def kill(pids: List[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def what_is_left(board: Bench, start: Callable[..., AgentProcess]) -> Iterator[str]:
    """Yield what the next push finds that should not be there; it gives back what nobody else could."""
    try:
        wait_until_gone(processes_of(board))
    except AssertionError as error:
        yield str(error)
    with (board.cache / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield "a lock that is held"
    for path in (board.cache / "objects").iterdir():
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            yield f"an object with another content: {path.name}"
    following = start()
    following.until(Environment)
    following.kill()
    if (board.cache / STATE).exists():
        yield "a state of the clocks that the next push did not give back"


def processes_of(board: Bench) -> List[int]:
    """Return the processes that see this board's tree."""
    mark = f"RKBENCH_SYS_ROOT={board.root}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found
