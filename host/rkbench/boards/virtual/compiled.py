"""The agent's modules compiled once for the virtual boards of this process, which all have one Python.

A board compiles its agent at its first start. Where fifty of them begin at once, that is the same work fifty
times on one computer; the first board does it for itself, the others find it done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock

from rkbench.boards.agent.boot import boot_argv, build_agent
from rkbench.boards.model import Board
from rkbench.boards.virtual.folder import PREFIX

_COMPILING = Lock()
#: Compiling takes a tenth of a second; a computer on which it takes longer than this leaves it to the boards.
LIMIT_S = 60.0


def give_compiled(board: Board, home: Path) -> None:
    """Lay the compiled agent into the board's cache, where the board would lay it; not where that fails.

    The board verifies it at each start, as it does its own.
    """
    if board.python != "python3" or not board.cache_dir.startswith("~/"):
        return  # another Python compiles otherwise
    with _COMPILING:
        found = _compiled()
    agents = home / board.cache_dir[2:].lstrip("/") / "agents"  # `~//x` is no folder of the computer
    if found is None or agents.exists():
        return
    name, content = found
    part = agents / f"{name}.{os.getpid()}"
    with suppress(OSError):  # no space, or no folder there: the board says so itself
        _make_own(agents)
        try:
            part.touch(0o644)
            part.write_bytes(content)
            part.rename(agents / name)
        finally:
            part.unlink(missing_ok=True)


def _make_own(folder: Path) -> None:
    """Make a folder for its owner, whatever the umask: the board trusts none that others can write to."""
    if not folder.parent.exists():
        _make_own(folder.parent)
    folder.mkdir(0o700)


@cache
def _compiled() -> tuple[str, bytes] | None:
    """Return name and content of what the agent's start makes; None where it made nothing, or could not."""
    with (
        suppress(OSError, subprocess.SubprocessError),
        tempfile.TemporaryDirectory(prefix=f"{PREFIX}compiled-") as folder,
    ):
        _compile_into(folder)
        for path in Path(folder, "agents").glob("*.zip"):
            return path.name, path.read_bytes()
    return None


def _compile_into(cache_dir: str) -> None:
    agent = build_agent()
    board = Board("compiled", "virtual", python=sys.executable, cache_dir=cache_dir)
    subprocess.run(
        [str(word) for word in boot_argv(board, agent, "version")],
        input=agent.sent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=LIMIT_S,
    )
