"""An SSH server on a loopback port that runs commands for the holder of its key: what virtual boards are."""

from __future__ import annotations

import io
import math
import os
import socket
import threading
from collections.abc import Mapping
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

from rkbench.boards.ssh.commands import run_command
from rkbench.boards.ssh.host_keys import record_host_key

HOST = "127.0.0.1"
MOST_NICER = 19


class SshServer:
    """A running server. In `folder` it keeps its throw-away keys, and the record of its host key."""

    def __init__(self, folder: Path, user: str, home: Path, environment: Mapping[str, str]) -> None:
        """Start it. `user` may log in; commands run in `home` and see `environment` alone."""
        self.client_key_file = folder / "client_key"
        self.known_hosts_file = folder / "known_hosts"
        self._host_key = _new_key(folder / "host_key")
        self._rules = CommandServer(user, _new_key(self.client_key_file), environment, home)
        self._transports: list[paramiko.Transport] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        record_host_key(self.known_hosts_file, HOST, self.port, self._host_key)
        self._thread = threading.Thread(target=self._accept, name="virtual board", daemon=True)
        self._thread.start()
        _RUNNING.add(self)

    def close(self) -> None:
        """Stop the server, and end what runs."""
        _RUNNING.discard(self)
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed before
        self._listener.close()
        self._thread.join()
        for transport in self._transports:
            transport.close()

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
            transport.start_server(event=threading.Event(), server=self._rules)


class CommandServer(paramiko.ServerInterface):
    """Lets in one user with one key, and runs commands."""

    def __init__(
        self, user: str, client_key: paramiko.PKey, environment: Mapping[str, str], home: Path
    ) -> None:
        self._user = user
        self._client_key = client_key
        self._environment = environment
        self._home = home

    def get_allowed_auths(self, username: str) -> str:
        del username
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == self._user and key.asbytes() == self._client_key.asbytes()
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        del chanid
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        nicer = niceness(servers_running(), os.cpu_count() or 1)
        arguments = (channel, command.decode(), self._environment, self._home, nicer)
        threading.Thread(target=run_command, args=arguments, name="virtual exec", daemon=True).start()
        return True


#: The servers of this process.
_RUNNING: set[SshServer] = set()


def servers_running() -> int:
    """Return how many servers run in this process."""
    return len(_RUNNING)


def niceness(boards: int, processors: int) -> int:
    """Return how much commands leave the computer to this process, where more boards run than processors.

    A real board has its own: here all boards of a processor weigh as much as one process together, or a host
    that competes with fifty of them keeps all waiting. A step of `nice` is a factor of 1.25 (Linux,
    sched_prio_to_weight).
    """
    return min(MOST_NICER, max(0, round(math.log(boards / processors, 1.25)))) if boards else 0


def _new_key(path: Path) -> paramiko.PKey:
    """Make an Ed25519 key, write it to `path` for its owner only, and return it."""
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    path.touch(mode=0o600)
    path.write_text(text)
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))
