"""The virtual board: an SSH server in this process, on a loopback port, with throw-away keys.

To the rest of the program it is a board like any other. A command that it is told to run becomes a
subprocess in a home folder of its own; the agent finds a recorded /sys tree through `RKBENCH_SYS_ROOT`,
and the plan names the runtime `virtual`. Everything it yields is simulated, and marked so.
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from rkbench.boards.model import Board
from rkbench.boards.ssh.host_keys import record_host_key
from rkbench.boards.virtual.commands import run_command
from rkbench.boards.virtual.trees import copy_tree, recorded_socs
from rkbench.errors import InventoryError

USER = "virtual"
_running: dict[Board, VirtualBoard] = {}


def start_if_virtual(board: Board) -> Board:
    """Return where `board` can be reached: itself, or for a virtual one the server started for it.

    The server lives as long as the process, so that a second session finds the cache of the first.
    """
    if not board.simulated or board.port is not None:
        return board
    if board not in _running:
        _running[board] = VirtualBoard(board)
        atexit.register(_running[board].close)
    return _running[board].board


class VirtualBoard:
    """A running virtual board; `board` says how to reach it. Close it, or use it in a `with`."""

    def __init__(self, board: Board, environment: Mapping[str, str] | None = None) -> None:
        """Start the server. `environment` is added to what its commands see."""
        soc = board.soc or "rk3588"
        if soc not in recorded_socs():
            raise InventoryError(f"no virtual board {soc!r}", hint=f"there are: {', '.join(recorded_socs())}")
        self.folder = Path(tempfile.mkdtemp(prefix="rkbench-virtual-"))
        self.home = board.home or self.folder / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        tree = _tree(soc, board.home, self.folder)
        self._environment = _environment(tree, self.home, board.behaviour, environment)
        self._transports: list[paramiko.Transport] = []
        self._host_key = _new_key(self.folder / "host_key")
        self._client_key = _new_key(self.folder / "client_key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        record_host_key(self.folder / "known_hosts", "127.0.0.1", port, self._host_key)
        self.board = replace(
            board,
            host="127.0.0.1",
            port=port,
            user=USER,
            soc=soc,
            python=sys.executable if board.python == "python3" else board.python,
            runtime="virtual",
            identity_files=(self.folder / "client_key",),
            known_hosts_files=(self.folder / "known_hosts",),
        )
        self._thread = threading.Thread(target=self._accept, name="virtual board", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the server, end what runs, and delete its folder."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed before
        self._listener.close()
        self._thread.join()
        for transport in self._transports:
            transport.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = paramiko.Transport(client)
            transport.add_server_key(self._host_key)
            self._transports = [old for old in self._transports if old.is_active()] + [transport]
            server = _Server(self._client_key, self._environment, self.home)
            transport.start_server(event=threading.Event(), server=server)


class _Server(paramiko.ServerInterface):
    """Lets in one key, and runs commands."""

    def __init__(self, client_key: paramiko.PKey, environment: Mapping[str, str], home: Path) -> None:
        self._client_key = client_key
        self._environment = environment
        self._home = home

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == USER and key.asbytes() == self._client_key.asbytes()
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del chanid
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        arguments = (channel, command.decode(), self._environment, self._home)
        threading.Thread(target=run_command, args=arguments, name="virtual exec", daemon=True).start()
        return True


def _tree(soc: str, home: Path | None, folder: Path) -> Path:
    """Return a copy of the recorded tree: beside a home that stays (an exporter may live there), it stays."""
    tree = home.with_name(f"{home.name}.{soc}.tree") if home else folder / "tree"
    if not tree.exists():
        partial = tree.with_name(f"{tree.name}.{os.getpid()}")
        copy_tree(soc, partial)
        partial.rename(tree)
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


def _new_key(path: Path) -> paramiko.PKey:
    """Make an Ed25519 key, write it to `path` for its owner only, and return it."""
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    path.touch(mode=0o600)
    path.write_text(text)
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))
