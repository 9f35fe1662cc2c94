"""The line to an agent, over a channel that yields what it is given."""

from __future__ import annotations

import math
import sys
import threading
import time
from itertools import count
from types import FrameType
from typing import Any

import pytest
from rkbench.boards.agent import inbox as inboxes
from rkbench.boards.agent.boot import AgentZip
from rkbench.boards.agent.inbox import Inbox
from rkbench.boards.agent.link import AgentLink
from rkbench.boards.model import Board
from rkbench.errors import ProtocolError
from rkbench_agent.wire.codec import encode
from rkbench_agent.wire.messages import Beat, Hello
from rkbench_agent.wire.words import MAGIC, PROTOCOL

BOARD = Board("shelf", "192.0.2.1")
AGENT = AgentZip("d" * 64, b"")
#: A wait lasts so long: a busy computer must not use it up before it begins.
LAPSE_S = 0.1
HELLO = encode(Hello(MAGIC, PROTOCOL, AGENT.digest, "1", "3.8.18", 7, 1_790_000_000_000_000_000))


class Given:
    """A channel, and the connection that it is in: says `parts` and is silent then."""

    is_alive = True

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def recv(self, _: int) -> bytes:
        """Return the next part; b"" at the end."""
        return self._parts.pop(0) if self._parts else b""

    def recv_stderr(self, _: int) -> bytes:
        """Return nothing."""
        return b""

    def exit_status(self, _: float) -> int:
        """Return that all went well."""
        return 0

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: True


def link(*parts: bytes) -> AgentLink:
    given: Any = Given(*parts)
    started = AgentLink(BOARD, given, given, 1.0)
    started.start(AGENT, 60.0, 60.0)
    return started


def test_messages_come_in_order_however_the_bytes_are_cut() -> None:
    line = link(
        b"Welcome to Shelf\n" + HELLO[:20], HELLO[20:] + encode(Beat())[:5], encode(Beat())[5:] + b"ja\n"
    )
    assert line.hello.pid == 7
    assert line.next(math.inf) == Beat()
    with pytest.raises(
        ProtocolError, match=r"board 'shelf': the agent said something that is no message: .*b'ja'"
    ):
        line.next(math.inf)
    assert not line.is_alive


def test_a_login_that_prints_without_a_newline_is_skipped() -> None:
    line = link(b"\x1b[2J{}\x1b[H" + HELLO + encode(Beat()))
    assert line.next(math.inf) == Beat()


def test_a_login_that_prints_without_end_is_refused() -> None:
    with pytest.raises(ProtocolError, match="board 'shelf': the login prints without end"):
        link(*[b"noise\n" * 40_000] * 5)


def test_a_line_without_end_is_refused_and_what_came_before_it_is_kept() -> None:
    line = link(HELLO + encode(Beat()), *[b"[" * (1 << 18)] * 17)
    assert line.next(math.inf) == Beat()
    with pytest.raises(ProtocolError, match="a line of more than 4 MB"):
        line.next(math.inf)


def test_messages_that_nobody_takes_are_not_read_without_end() -> None:
    inbox = Inbox(pending_bytes=10)
    taken = threading.Semaphore(0)

    def put() -> None:
        for _ in range(4):
            inbox.put(Beat(), 11)
            taken.release()

    thread = threading.Thread(target=put)
    thread.start()
    assert taken.acquire(timeout=10)
    assert not taken.acquire(blocking=False)
    inbox.end(ProtocolError("over"))
    thread.join(10)
    assert not thread.is_alive()
    assert inbox.next(0.0) == Beat()
    with pytest.raises(ProtocolError, match="over"):
        inbox.next(0.0)


def interrupted_wait(inbox: Inbox, line: int) -> int:
    """Wait for a message that does not come, interrupted in that line; return how many lines were seen.

    In a thread of its own: who raises in a trace may leave that thread's last exception behind.
    """
    seen, raised = 0, list[BaseException]()

    def interrupt(frame: FrameType, event: str, _: object) -> Any:
        nonlocal seen
        if event == "line" and frame.f_code.co_filename in (inboxes.__file__, threading.__file__):
            seen += 1
            if seen == line:
                raise KeyboardInterrupt
        return interrupt

    def wait() -> None:
        sys.settrace(interrupt)
        try:
            inbox.next(time.monotonic() + LAPSE_S)
        except (KeyboardInterrupt, TimeoutError, RuntimeError) as error:
            raised.append(error)
        finally:
            sys.settrace(None)

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(10)
    assert [type(error) for error in raised] == [KeyboardInterrupt if seen >= line else TimeoutError]
    return seen


def test_an_interrupt_in_any_line_of_a_wait_is_one_and_leaves_the_inbox_whole() -> None:
    """Ctrl-C is raised between any two lines of the main thread, in those of `threading` as well."""
    for number in count(1):
        inbox = Inbox()
        seen = interrupted_wait(inbox, number)
        thread = threading.Thread(target=inbox.put, args=(Beat(), 1), daemon=True)
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        assert inbox.next(time.monotonic() + 10) == Beat()
        if seen < number:
            break
    assert number > 10


def test_an_agent_that_says_nothing_is_not_waited_for_after_the_deadline() -> None:
    with pytest.raises(TimeoutError):
        Inbox().next(0.0)


@pytest.mark.parametrize(
    "hello",
    [HELLO.replace(b'"pid":7', b'"pid":"7"'), HELLO.replace(b"{", b""), HELLO.replace(b"d" * 64, b"")],
)
def test_a_hello_that_is_none_is_refused(hello: bytes) -> None:
    with pytest.raises(ProtocolError, match="board 'shelf': "):
        link(hello)
