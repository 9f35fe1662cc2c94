"""The virtual board: an SSH server in this process, on a loopback port, with throw-away keys.

To the rest of the program it is a board like any other. A command that it is told to run becomes a
subprocess in a home folder of its own; the agent finds an example /sys tree through `RKBENCH_SYS_ROOT`,
and the plan names the runtime `virtual`. Everything it yields is simulated, and marked so.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rkbench.boards.model import Board
from rkbench.boards.ssh.server import HOST, SshServer, servers_running
from rkbench.boards.virtual.compiled import give_compiled
from rkbench.boards.virtual.folder import BoardFolder
from rkbench.boards.virtual.trees import copy_tree, recorded_socs
from rkbench.errors import InventoryError, UsageError

USER = "virtual"


class VirtualBoard:
    """A running virtual board; `board` says how to reach it. Close it, or use it in a `with`."""

    def __init__(self, board: Board, environment: Mapping[str, str] | None = None) -> None:
        """Start the server. `environment` is added to what its commands see."""
        soc = (board.soc or "rk3588").lower()
        if soc not in recorded_socs():
            raise UsageError(f"no virtual board {soc!r}", hint=f"there are: {', '.join(recorded_socs())}")
        self._own = BoardFolder()
        self.folder = self._own.path
        try:
            self._start(board, soc, environment)
        except BaseException:  # Ctrl-C too: nobody has this board yet who would close it
            self._own.remove()
            raise

    def _start(self, board: Board, soc: str, environment: Mapping[str, str] | None) -> None:
        self.home = board.home or self.folder / "home"
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            tree = _tree(soc, board.home, self.folder)
        except OSError as error:
            raise InventoryError(
                f"board {board.name!r}: its home {self.home} cannot be made: {error.strerror or error}",
                hint="name a folder of your own as its home",
            ) from error
        if servers_running():
            give_compiled(board, self.home)
        self._server = SshServer(
            self.folder, USER, self.home, _environment(tree, self.home, board.behaviour, environment)
        )
        self.board = replace(
            board,
            host=HOST,
            port=self._server.port,
            user=USER,
            soc=soc,
            python=sys.executable if board.python == "python3" else board.python,
            runtime="virtual",
            identity_files=(self._server.client_key_file,),
            known_hosts_files=(self._server.known_hosts_file,),
        )

    def close(self) -> None:
        """Stop the server, end what runs, and delete its folder."""
        try:
            self._server.close()
        finally:
            self._own.remove()

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _tree(soc: str, home: Path | None, folder: Path) -> Path:
    """Return a copy of the example tree: beside a home that stays (an exporter may live there), it stays."""
    tree = home.with_name(f"{home.name}.{soc}.tree") if home else folder / "tree"
    if not tree.exists():
        partial = tree.with_name(f"{tree.name}.{os.getpid()}")
        try:
            copy_tree(soc, partial)
            partial.rename(tree)
        except OSError:
            if not tree.is_dir():  # else another process made it meanwhile
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return tree


def _environment(
    tree: Path, home: Path, behaviour: Path | None, more: Mapping[str, str] | None
) -> dict[str, str]:
    """Return what a login on the board sees: nothing of this process but the search path."""
    found = {"HOME": str(home), "USER": USER, "LOGNAME": USER, "SHELL": "/bin/sh", "LANG": "C.UTF-8"}
    found["PATH"] = os.environ.get("PATH", os.defpath)
    found["RKBENCH_SYS_ROOT"] = str(tree)
    if behaviour is not None:
        found["RKBENCH_VIRTUAL_BEHAVIOUR"] = str(behaviour.resolve())
    return {**found, **(more or {})}
