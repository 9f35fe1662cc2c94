"""Commands over one SSH connection, each in a channel of its own."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

import paramiko

from rkbench.boards.ssh.failures import limited, os_errors
from rkbench.boards.transport import Argument, InHome
from rkbench.errors import ConnectionLostError

EXEC_ATTEMPTS = 4
EXEC_RETRY_S = 0.1


class SshChannel:
    """A `Channel` over SSH."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def settimeout(self, seconds: float) -> None:
        self._channel.settimeout(seconds)

    def send(self, data: bytes) -> None:
        with os_errors():
            self._channel.sendall(data)

    def shutdown_write(self) -> None:
        with os_errors():
            self._channel.shutdown_write()

    def recv(self, size: int) -> bytes:
        with os_errors():
            return self._channel.recv(size)

    def recv_stderr(self, size: int) -> bytes:
        with os_errors():
            return self._channel.recv_stderr(size)

    def exit_status(self, wait_s: float) -> int | None:
        self._channel.status_event.wait(wait_s)
        status = self._channel.exit_status
        return None if status == -1 else status

    def close(self) -> None:
        try:
            with os_errors():
                self._channel.close()
        except OSError:
            pass  # nobody is there to be told


class SshTransport:
    """A logged-in SSH connection, a `Transport`.

    `board` is its name, `resources` are what carries it, `exec_limit_s` is the limit of a command's start.
    """

    def __init__(
        self, board: str, connection: paramiko.Transport, resources: ExitStack, exec_limit_s: float
    ) -> None:
        self._board = board
        self._connection = connection
        self._resources = resources
        self._exec_limit_s = exec_limit_s

    def open(self, argv: Sequence[Argument]) -> SshChannel:
        """Start a command; raises ConnectionLostError.

        A server that refuses one command on a living connection is asked again: a dropbear on a busy
        machine did so now and then, right after it had closed another channel.
        """
        command = shell_command(argv)
        attempt = 1
        while True:
            try:
                return self._start(command)
            except OSError as error:
                if attempt < EXEC_ATTEMPTS and self.is_alive:
                    time.sleep(EXEC_RETRY_S * attempt)
                    attempt += 1
                    continue
                raise ConnectionLostError(
                    f"board {self._board!r}: no command can be started: {error or 'connection closed'}",
                    hint="check the board and the network, then push again: what was sent is not sent twice",
                ) from error

    def _start(self, command: str) -> SshChannel:
        """Start a command once; raises OSError. The line is cut where the server does not answer."""
        with os_errors(), limited(self._exec_limit_s, self.abort):
            channel = self._connection.open_session(timeout=self._exec_limit_s)
            channel.exec_command(command)
            return SshChannel(channel)

    @property
    def is_alive(self) -> bool:
        return self._connection.is_active()

    def abort(self) -> None:
        self._connection.close()

    def close(self) -> None:
        self._resources.close()

    def __enter__(self) -> SshTransport:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def shell_command(argv: Sequence[Argument]) -> str:
    """Return `argv` as a login shell takes it: quoted, but for the home folder, which it fills in."""
    words = (
        f'"$HOME"/{shlex.quote(word.path)}' if isinstance(word, InHome) else shlex.quote(word)
        for word in argv
    )
    return f"exec {' '.join(words)}"
