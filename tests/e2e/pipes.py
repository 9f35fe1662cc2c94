"""A transport without SSH: each command is a process here, its three streams are sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from board_home import BoardHome, own_root
from rkbench.boards.model import Board
from rkbench.boards.transport import Argument, InHome
from rkbench.session import Session, start_session


class PipeChannel:
    """A command; `Channel` says what the methods do."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], home: Path, rules: str) -> None:
        pairs = [socket.socketpair() for _ in range(3)]
        self._stdin, self._stdout, self._stderr = (ours for ours, _ in pairs)
        theirs = [end for _, end in pairs]
        # As a login's shell: 127 for a program that is not there.
        command = ["/bin/sh", "-c", f'{rules} exec "$@"', "sh", *argv]
        self._process = subprocess.Popen(
            command, stdin=theirs[0], stdout=theirs[1], stderr=theirs[2], env=dict(environment), cwd=home
        )
        for end in theirs:
            end.close()

    def settimeout(self, seconds: float) -> None:
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.settimeout(seconds)

    def send(self, data: bytes) -> None:
        self._stdin.sendall(data)

    def shutdown_write(self) -> None:
        self._stdin.shutdown(socket.SHUT_WR)

    def recv(self, size: int) -> bytes:
        return self._stdout.recv(size)

    def recv_stderr(self, size: int) -> bytes:
        return self._stderr.recv(size)

    def exit_status(self, wait_s: float) -> int | None:
        try:
            status = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return None
        return status if status >= 0 else None

    def close(self) -> None:
        for stream in (self._stdin, self._stdout, self._stderr):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed at the other end

    def kill(self) -> None:
        """Kill the command."""
        self._process.kill()

    def release(self) -> None:
        """Wait for the command's end, and give back what it held."""
        self._process.wait()
        for stream in (self._stdin, self._stdout, self._stderr):
            stream.close()


class PipeTransport:
    """Commands that see `environment` alone and start in `home`; `Transport` says what the methods do.

    `rules` are shell commands that come before each, as `ulimit -f 0;`.
    """

    def __init__(self, home: Path, environment: Mapping[str, str], rules: str = "") -> None:
        self._home = home
        self._environment = {"HOME": str(home), "PATH": os.environ["PATH"], **environment}
        self._rules = rules
        self._channels: list[PipeChannel] = []
        self._is_cut = False

    def open(self, argv: Sequence[Argument]) -> PipeChannel:
        words = [str(self._home / word.path) if isinstance(word, InHome) else word for word in argv]
        channel = PipeChannel(words, self._environment, self._home, self._rules)
        self._channels.append(channel)
        return channel

    @property
    def is_alive(self) -> bool:
        return not self._is_cut

    def abort(self) -> None:
        self._is_cut = True
        for channel in self._channels:
            channel.close()

    def close(self) -> None:
        self.abort()
        for channel in self._channels:
            channel.release()


class PipeBoard(BoardHome):
    """A board that is this computer, with a home and a root of its own."""

    def __init__(self, home: Path, environment: Mapping[str, str] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        root = str(own_root(home.with_name(f"{home.name}.root")))
        self.environment = {"RKBENCH_SYS_ROOT": root, **(environment or {})}
        self.board = Board("bench-board", "here", python=sys.executable, runtime="virtual")

    def session(self, board: Board | None = None, *, rules: str = "", **limits: float) -> Session:
        """Start the agent of `board`; `limits` as for `start_session`."""
        transport = PipeTransport(self.home, self.environment, rules)
        return start_session(board or self.board, transport, **limits)
