"""`bench boards install-exporter`: puts the exporter on a board over SSH, or takes it off again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from rkbench_agent.wire.words import EXPORTER_MARK

from rkbench.boards.agent.boot import AgentZip, boot_argv
from rkbench.boards.agent.start import LineReader, program_lines
from rkbench.boards.exporter.zipapp import build_exporter
from rkbench.boards.model import Board
from rkbench.boards.ssh.connection import connect, terminal_ask
from rkbench.boards.transport import Channel
from rkbench.decoding.messages import answer
from rkbench.errors import BoardError, ConnectionLostError, ProtocolError

T = TypeVar("T")

#: Nothing that the installation does on the board takes longer than this without a word.
SILENCE_LIMIT_S = 120.0
STDERR_BYTES = 64 * 1024


@dataclass(frozen=True)
class Installed:
    """What was done. `service` is systemd, systemd-user or script; `note` what the user should know."""

    version: str
    digest: str
    listen: str
    service: str
    debugfs: bool
    changed: bool
    note: str


@dataclass(frozen=True)
class Uninstalled:
    """What was taken off: whether there was an exporter."""

    was_installed: bool


@dataclass(frozen=True)
class NotInstalled:
    """Why nothing was done; empty where something was."""

    error: str = ""


def install_exporter(board: Board, *, listen: str | None = None, debugfs: bool = False) -> Installed:
    """Have the exporter of this rkbench running on `board`; nothing changes where it does already.

    Without `listen` it answers on every address of the board, on the inventory's port. Raises
    ConnectError and its kin, and BoardError with what the board said.
    """
    listen = listen or f"0.0.0.0:{board.exporter_port}"
    options = ["--listen", listen, *(["--debugfs"] if debugfs else [])]
    return _run(board, Installed, "install", *options)


def uninstall_exporter(board: Board) -> bool:
    """Take the exporter off `board`, leaving no file of it; False if there was none."""
    return _run(board, Uninstalled, "uninstall").was_installed


def _run(board: Board, kind: type[T], command: str, *options: str) -> T:
    """Run one command of the exporter's zipapp on `board` and return its answer, a `kind`."""
    exporter = build_exporter()
    with connect(board, ask=terminal_ask()) as transport:
        argv = boot_argv(board, exporter, command, *options, "--cache", board.cache_dir)
        channel = transport.open(argv)
        try:
            line = _converse(board, exporter, channel)
        finally:
            channel.close()
    try:
        refused = answer(NotInstalled, line).error
        if not refused:
            return answer(kind, line)
    except ProtocolError as error:
        raise ProtocolError(f"board {board.name!r}: the installation answered {error.message}") from error
    raise BoardError(
        f"board {board.name!r}: the exporter cannot be installed: {refused}",
        hint="nothing was left behind; try again once that is mended",
    )


def _converse(board: Board, exporter: AgentZip, channel: Channel) -> bytes:
    """Send the zipapp if it is asked for; return the answer. Other lines are what a login prints."""
    try:
        for line in program_lines(board, channel, exporter, LineReader(channel, SILENCE_LIMIT_S)):
            if EXPORTER_MARK in line:
                return line.partition(EXPORTER_MARK)[2].encode()
        said = _stderr(channel).decode("utf-8", "replace").strip()
    except OSError as error:
        raise ConnectionLostError(
            f"board {board.name!r}: the connection broke off ({error or 'silence'})",
            hint="check board and network, then run it again: it goes on where it stopped",
        ) from error
    raise BoardError(
        f"board {board.name!r}: the installation ended without an answer",
        hint=said[-1000:] or f"is {board.python!r} there? see: bench boards check {board.name}",
    )


def _stderr(channel: Channel) -> bytes:
    """Return what a command that has ended printed on stderr, the first of it where there is much."""
    said = b""
    while len(said) < STDERR_BYTES and (data := channel.recv_stderr(STDERR_BYTES)):
        said += data
    return said
