"""The line to an agent, over a channel that yields what it is given."""

from __future__ import annotations

from typing import Any

import pytest
from rkbench.boards.agent.boot import AgentZip
from rkbench.boards.agent.link import AgentLink
from rkbench.boards.model import Board
from rkbench.errors import ProtocolError
from rkbench_agent.wire.codec import encode
from rkbench_agent.wire.messages import Beat, Hello
from rkbench_agent.wire.words import MAGIC, PROTOCOL

BOARD = Board("shelf", "192.0.2.1")
AGENT = AgentZip("d" * 64, b"")
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
    started.start(AGENT, 60.0)
    return started


def test_messages_come_in_order_however_the_bytes_are_cut() -> None:
    line = link(
        b"Welcome to Shelf\n" + HELLO[:20], HELLO[20:] + encode(Beat())[:5], encode(Beat())[5:] + b"ja\n"
    )
    assert line.hello.pid == 7
    assert line.next() == Beat()
    with pytest.raises(
        ProtocolError, match=r"board 'shelf': the agent said something that is no message: .*b'ja'"
    ):
        line.next()
    assert not line.is_alive


@pytest.mark.parametrize(
    "hello",
    [HELLO.replace(b'"pid":7', b'"pid":"7"'), HELLO.replace(b"{", b""), HELLO.replace(b"d" * 64, b"")],
)
def test_a_hello_that_is_none_is_refused(hello: bytes) -> None:
    with pytest.raises(ProtocolError, match="board 'shelf': "):
        link(hello)
