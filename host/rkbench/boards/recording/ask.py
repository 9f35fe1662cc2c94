"""Asks a board for its recording, and takes nothing that would not fit into a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from rkbench_agent.wire.words import RECORD_MARK

from rkbench.boards.agent.boot import boot_argv
from rkbench.boards.agent.start import LineReader, program_lines
from rkbench.boards.model import Board
from rkbench.boards.recording.zipapp import build_recorder
from rkbench.boards.ssh.connection import connect, terminal_ask
from rkbench.boards.transport import Channel
from rkbench.decoding.messages import answer
from rkbench.errors import BoardError, ConnectionLostError, ProtocolError

#: Reading the files takes a second or two on a slow board.
SILENCE_LIMIT_S = 60.0
FILES_LIMIT = 5000
_PATH = re.compile(r"(?:proc|sys|dev)(?:/[\w.,:@+-]+)+|\.dockerenv")
_TARGET = re.compile(r"[\w.,:@+/-]+")


@dataclass(frozen=True)
class Recording:
    """A board's files (path: text), links (path: what they say) and device nodes (path: mode and owners)."""

    files: dict[str, str]
    links: dict[str, str]
    nodes: dict[str, str]


def ask_recording(board: Board) -> Recording:
    """Log in to `board` and return its recording.

    Raises ConnectError and its kin, BoardError, and ProtocolError for what is no recording.
    """
    with connect(board, ask=terminal_ask()) as transport:
        channel = transport.open(boot_argv(board, build_recorder()))
        try:
            line = _converse(board, channel)
        finally:
            channel.close()
    try:
        recording = answer(Recording, line)
        check_recording(recording)
    except ProtocolError as error:
        raise ProtocolError(f"board {board.name!r}: the recording is none: {error.message}") from error
    return recording


def check_recording(recording: Recording) -> None:
    """Raise ProtocolError for a path that leaves the tree, or for more files than a board has to tell."""
    paths = [*recording.files, *recording.links, *recording.nodes]
    if len(paths) > FILES_LIMIT:
        raise ProtocolError(f"{len(paths)} files")
    for path in paths:
        if not _PATH.fullmatch(path) or ".." in PurePosixPath(path).parts:
            raise ProtocolError(f"no path of a board: {path[:80]!r}")
    folders = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    both = folders & (recording.files.keys() | recording.nodes.keys())
    if both:
        raise ProtocolError(f"a file and a folder: {min(both)[:80]!r}")
    for path, target in recording.links.items():
        if not _TARGET.fullmatch(target) or not _stays_inside(path, target):
            raise ProtocolError(f"{path} leads out of the tree: {target[:80]!r}")


def _stays_inside(path: str, target: str) -> bool:
    depth = len(PurePosixPath(path).parts) - 1
    for part in target.split("/"):
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return not target.startswith("/")


def _converse(board: Board, channel: Channel) -> bytes:
    """Send the recorder where it is asked for; return what stands behind the mark."""
    try:
        for line in program_lines(board, channel, build_recorder(), LineReader(channel, SILENCE_LIMIT_S)):
            if line.startswith(RECORD_MARK):
                return line[len(RECORD_MARK) :].encode()
    except OSError as error:
        raise ConnectionLostError(
            f"board {board.name!r}: the connection broke off ({error or 'silence'})", hint="record it again"
        ) from error
    raise BoardError(
        f"board {board.name!r}: the recording ended without an answer",
        hint=f"is {board.python!r} there? see: bench boards check {board.name}",
    )
