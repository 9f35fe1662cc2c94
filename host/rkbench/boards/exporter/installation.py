"""`bench boards install-exporter`: puts the exporter on a board over SSH, or takes it off again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import paramiko

from rkbench.boards.agent.boot import BOOT_MARK, AgentZip, boot_command
from rkbench.boards.agent.link import boot_error
from rkbench.boards.exporter.zipapp import build_exporter
from rkbench.boards.model import Board
from rkbench.boards.ssh.connection import close_channel, connect, terminal_ask
from rkbench.boards.virtual.board import start_if_virtual
from rkbench.errors import BoardError, ConnectionLostError

#: Nothing that the installation does on the board takes longer than this without a word.
SILENCE_LIMIT_S = 120.0
RESULT_MARK = "rkbench-exporter-result "


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


def install_exporter(board: Board, *, listen: str | None = None, debugfs: bool = False) -> Installed:
    """Have the exporter of this rkbench running on `board`; nothing changes where it does already.

    Without `listen` it answers on every address of the board, on the inventory's port. Raises
    ConnectError and its kin, and BoardError with what the board said.
    """
    listen = listen or f"0.0.0.0:{board.exporter_port}"
    options = ["--listen", listen, *(["--debugfs"] if debugfs else [])]
    told = _run(board, "install", *options)
    return Installed(**{name: told[name] for name in Installed.__dataclass_fields__})


def uninstall_exporter(board: Board) -> bool:
    """Take the exporter off `board`, leaving no file of it; False if there was none."""
    return bool(_run(board, "uninstall")["was_installed"])


def _run(board: Board, command: str, *options: str) -> dict[str, Any]:
    """Run one command of the exporter's zipapp on `board` and return what it answers."""
    exporter = build_exporter()
    board = start_if_virtual(board)
    with connect(board, ask=terminal_ask()) as connection:
        words = boot_command(board, exporter, command, *options, "--cache", board.cache_dir)
        channel = connection.exec(words)
        try:
            answer = _converse(board, exporter, channel)
        finally:
            close_channel(channel)
    if "error" in answer:
        raise BoardError(
            f"board {board.name!r}: the exporter cannot be installed: {answer['error']}",
            hint="nothing was left behind; try again once that is mended",
        )
    return answer


def _converse(board: Board, exporter: AgentZip, channel: paramiko.Channel) -> dict[str, Any]:
    """Send the zipapp if it is asked for; return the answer. Other lines are what a login prints."""
    channel.settimeout(SILENCE_LIMIT_S)
    try:
        with channel.makefile("rb") as lines:
            for line in iter(lines.readline, b""):
                text = line.decode("utf-8", "replace").strip()
                if text.startswith(BOOT_MARK + "need"):
                    channel.sendall(exporter.data)
                elif text.startswith(BOOT_MARK + "error "):
                    raise boot_error(board, text[len(BOOT_MARK) + 6 :])
                elif text.startswith(RESULT_MARK):
                    found: dict[str, Any] = json.loads(text[len(RESULT_MARK) :])
                    return found
        said = channel.makefile_stderr("rb").read().decode("utf-8", "replace").strip()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise ConnectionLostError(
            f"board {board.name!r}: the connection broke off ({error or 'silence'})",
            hint="check board and network, then run it again: it goes on where it stopped",
        ) from error
    raise BoardError(
        f"board {board.name!r}: the installation ended without an answer",
        hint=said[-1000:] or f"is {board.python!r} there? see: bench boards check {board.name}",
    )
