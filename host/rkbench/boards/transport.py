"""What carries commands to a board, and back what they say: the seam for another way to reach boards.

`boards/ssh` is the one that the product uses. Agent, upload and exporter know only what stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class InHome:
    """A path below the home folder of who logs in, which is known at the board only."""

    path: str


Argument = str | InHome


class Channel(Protocol):
    """The three streams of one command on a board.

    Sending and receiving raise TimeoutError where nothing moves for as long as was set, and OSError
    where the line is gone. Whoever waits is set free by `close`, from any thread.
    """

    def settimeout(self, seconds: float) -> None:
        """Set how long sending and receiving may wait."""

    def send(self, data: bytes) -> None:
        """Send all of `data` to the command's stdin."""

    def shutdown_write(self) -> None:
        """End the command's stdin."""

    def recv(self, size: int) -> bytes:
        """Return what the command has printed, at most `size` bytes; b"" at its end."""

    def recv_stderr(self, size: int) -> bytes:
        """Return the same of its stderr."""

    def exit_status(self, wait_s: float) -> int | None:
        """Return the exit status within `wait_s`; None where there is none (yet): a signal, a cut line."""

    def close(self) -> None:
        """Close all streams; where the line is gone already there is nobody to be told."""


class Transport(Protocol):
    """A living connection to one board."""

    def open(self, argv: Sequence[Argument]) -> Channel:
        """Start a command there and return its channel; raises ConnectionLostError."""

    @property
    def is_alive(self) -> bool:
        """False once the connection is known to be gone."""

    def abort(self) -> None:
        """Cut the connection, so that whoever waits for it in another thread is set free."""

    def close(self) -> None:
        """Close the connection and what carries it."""
