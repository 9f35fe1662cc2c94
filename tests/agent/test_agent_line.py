"""The line to the host: closed, silent, stalled, cancelled; and the lock on the board."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from typing import Callable, List

import pytest
from agent_bench import AgentProcess, Bench, of_kind, wait_until_gone
from rkbench_agent.errors import HostGoneError
from rkbench_agent.line.link import LineBuffer, Outbox
from rkbench_agent.wire.board import Environment
from rkbench_agent.wire.messages import Beat, Cancel, Done, Failed, Finished, Latencies, Locked, Log, Refused
from rkbench_agent.wire.plan import Plan

Start = Callable[..., AgentProcess]


def start_hanging(start: Start, bench: Bench, **environ: str) -> AgentProcess:
    """Return an agent with two resident workers, the second of which hangs in its first block."""
    bad = {"log": [{"stage": "inference", "text": "hanging"}], "hang": {"stage": "inference"}}
    path = bench.behaviour(per_model={"b": bad})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=path, **environ)
    agent.send(bench.plan(bench.spec("a"), bench.spec("b")))
    agent.until(Log, lambda log: log.text == "hanging")
    return agent


def lock_is_free(bench: Bench) -> bool:
    """Tell whether nobody holds the board, and the lock file names nobody."""
    with (bench.cache / "lock").open("r") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_the_end_of_the_hosts_stream_ends_everything(start: Start, bench: Bench) -> None:
    agent = start_hanging(start, bench)
    workers = agent.children()
    assert len(workers) == 2
    assert agent.process.stdin is not None
    agent.process.stdin.close()
    assert agent.wait() == 0
    wait_until_gone(workers)
    assert lock_is_free(bench)
    assert "the host closed the line" in agent.errors()


def test_a_silent_host_ends_everything(start: Start, bench: Bench) -> None:
    bad = {"log": [{"stage": "load", "text": "hanging"}], "hang": {"stage": "load"}}
    agent = start(
        RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(**bad),
        RKBENCH_SILENCE_LIMIT_S="2",
        RKBENCH_BEAT_INTERVAL_S="0.1",
    )
    agent.send(bench.plan(bench.spec("a")))
    message = agent.receive()
    while not (isinstance(message, Log) and message.text == "hanging"):
        agent.send(Beat())
        message = agent.receive()
    workers = agent.children()
    assert agent.wait() == 0
    wait_until_gone(workers)
    assert len(workers) == 1
    assert "the host was silent for" in agent.errors()


def test_a_test_that_only_reads_is_no_silent_host(start: Start, bench: Bench) -> None:
    agent = start(
        RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "load"}),
        RKBENCH_SILENCE_LIMIT_S="2",
        RKBENCH_BEAT_INTERVAL_S="0.1",
    )
    agent.send(bench.plan(bench.spec("a")))
    for _ in range(40):  # in twice its limit
        agent.until(Beat)


def test_a_host_that_beats_but_does_not_read_is_dead_too(start: Start, bench: Bench) -> None:
    flood = bench.behaviour(
        log=[{"stage": "inference", "text": "x" * 60_000, "iteration": n} for n in range(900)]
    )
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=flood, RKBENCH_SILENCE_LIMIT_S="3", RKBENCH_BEAT_INTERVAL_S="0.1")
    agent.send(bench.plan(bench.spec("a"), min_iterations=1000))
    assert agent.process.stdin is not None
    try:
        while agent.process.poll() is None:
            agent.send(Beat())
            select_nothing(0.05)
    except BrokenPipeError:
        pass
    assert agent.wait() == 0
    assert "the host has read nothing for" in agent.errors()
    assert lock_is_free(bench)


def test_a_killed_supervisor_leaves_no_process(start: Start, bench: Bench) -> None:
    agent = start_hanging(start, bench)
    workers = agent.children()
    agent.process.send_signal(signal.SIGKILL)
    agent.process.wait()
    wait_until_gone(workers)
    assert len(workers) == 2
    assert lock_is_free(bench)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_everything(start: Start, bench: Bench, number: int) -> None:
    agent = start_hanging(start, bench)
    workers = agent.children()
    agent.process.send_signal(number)
    assert agent.wait() == 0
    wait_until_gone(workers)


def test_cancel_ends_the_plan_and_the_agent_takes_the_next(start: Start, bench: Bench) -> None:
    agent = start_hanging(start, bench)
    workers = agent.children()
    agent.send(Cancel())
    first, second = agent.until(Failed), agent.until(Failed)
    assert [(failed.run, failed.reason) for failed in (first, second)] == [
        ("a", "cancelled"),
        ("b", "cancelled"),
    ]
    assert second.stage == "inference"
    agent.until(Done)
    wait_until_gone(workers)
    messages = agent.run(bench.plan(bench.spec("a")))
    assert [message.run for message in of_kind(messages, Finished)] == ["a"]


def test_beats_come_while_a_worker_hangs(start: Start, bench: Bench) -> None:
    agent = start_hanging(start, bench, RKBENCH_BEAT_INTERVAL_S="0.05")
    assert [agent.until(Beat) for _ in range(3)] == [Beat(), Beat(), Beat()]


def test_a_line_that_is_no_message_is_told_and_passed_over(start: Start, bench: Bench) -> None:
    agent = start()
    assert agent.process.stdin is not None
    agent.process.stdin.write(b'{"type": "Nonsense"}\nhello\n')
    first, second = agent.until(Log), agent.until(Log)
    assert (first.run, first.stream) == (None, "agent")
    assert first.text.startswith("not understood: unknown type")
    assert second.text.startswith("not understood: not JSON")


def test_a_second_push_is_refused_with_the_name_of_the_first(start: Start, bench: Bench) -> None:
    first = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    first.send(bench.plan(bench.spec("a"), owner="ann@desk"))
    first.until(Latencies)
    messages = start().run(bench.plan(bench.spec("a"), owner="bob"))
    (refused,) = of_kind(messages, Refused)
    assert refused.reason == "busy"
    assert refused.message.startswith("the board is held by ann@desk since 20")


def test_a_second_push_waits_until_the_first_is_over(start: Start, bench: Bench) -> None:
    first = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    first.send(bench.plan(bench.spec("a"), owner="ann@desk", reason="nightly lab"))
    first.until(Latencies)
    second = start()
    second.send(bench.plan(bench.spec("a"), owner="bob", lock_wait_s=60.0))
    locked = second.until(Locked)
    assert (locked.owner, locked.reason) == ("ann@desk", "nightly lab")
    assert locked.since_unix_ns is not None
    assert json.loads((bench.cache / "lock").read_text())["pid"] == first.process.pid
    first.send(Cancel())
    assert second.until(Finished).run == "a"


def test_who_holds_the_board_is_told_at_once_and_what_for(start: Start, bench: Bench) -> None:
    assert start().until(Environment).holder is None
    first = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    first.send(bench.plan(bench.spec("a"), owner="ann@desk", reason="nightly lab"))
    first.until(Latencies)
    holder = start().until(Environment).holder
    assert holder is not None
    assert (holder.owner, holder.reason) == ("ann@desk", "nightly lab")
    assert holder.until_unix_ns > holder.since_unix_ns


def test_a_lock_is_kept_alive_with_every_beat(start: Start, bench: Bench) -> None:
    def until_unix_ns() -> int:
        until: int = json.loads((bench.cache / "lock").read_text())["until_unix_ns"]
        return until

    behaviour = bench.behaviour(hang={"stage": "inference"})
    agent = start(RKBENCH_VIRTUAL_BEHAVIOUR=behaviour, RKBENCH_BEAT_INTERVAL_S="0.05")
    agent.send(bench.plan(bench.spec("a"), owner="ann@desk"))
    agent.until(Latencies)
    first = until_unix_ns()
    for _ in range(200):  # the beats that come first may be older than the one just sent
        agent.send(Beat())
        agent.until(Beat)
        if until_unix_ns() > first:
            break
    assert until_unix_ns() > first


def test_the_lock_of_an_agent_that_was_killed_is_free(start: Start, bench: Bench) -> None:
    dead = start(RKBENCH_VIRTUAL_BEHAVIOUR=bench.behaviour(hang={"stage": "inference"}))
    dead.send(bench.plan(bench.spec("a"), owner="ann@desk"))
    dead.until(Latencies)
    dead.process.kill()
    dead.process.wait()
    assert json.loads((bench.cache / "lock").read_text())["owner"] == "ann@desk"
    heir = start()
    assert heir.until(Environment).holder is None
    messages = heir.run(bench.plan(bench.spec("a"), owner="bob"))
    assert of_kind(messages, Finished)[0].run == "a"


def test_a_plan_during_a_plan_is_refused_and_the_first_goes_on(start: Start, bench: Bench) -> None:
    agent = start_hanging(start, bench)
    agent.send(Plan([]))
    assert agent.until(Refused).reason == "busy"
    assert len(agent.children()) == 2


def select_nothing(seconds: float) -> None:
    """Let the other side work for a moment between two beats."""
    import select

    select.select([], [], [], seconds)


def test_lines_are_cut_wherever_the_bytes_are() -> None:
    buffer = LineBuffer()
    lines: List[bytes] = []
    for part in (b"on", b"e\ntwo", b"\n\nfo", b"ur"):
        lines.extend(buffer.feed(part))
    assert lines == [b"one", b"two", b""]
    assert (len(buffer), buffer.rest(), len(buffer)) == (4, b"four", 0)


def test_an_outbox_that_nobody_empties_gives_up_after_the_limit() -> None:
    read_fd, write_fd = os.pipe()
    outbox = Outbox(write_fd, stall_limit_s=0.05, limit_bytes=1 << 18)
    with pytest.raises(HostGoneError, match="the host has read nothing"):
        for _ in range(100):
            outbox.put(b"x" * 10_000)
    os.close(read_fd)


def test_an_outbox_tells_of_a_closed_pipe() -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    outbox = Outbox(write_fd, stall_limit_s=5.0)
    outbox.put(b"x")
    assert outbox.flush(5.0) is False
    with pytest.raises(HostGoneError, match="cannot write to the host"):
        outbox.check()
    os.close(write_fd)
