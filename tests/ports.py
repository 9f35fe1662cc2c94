"""Ports for programs that must be told theirs: no other test has them, and no connection takes them."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

#: One open file a port, locked until this process ends.
_held: list[int] = []


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that this process keeps to itself."""
    folder = Path(tempfile.gettempdir()) / f"rkbench-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for port in _candidates():
        lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _held.append(lock)
        return port
    raise AssertionError("no port is free")


def _candidates() -> Iterator[int]:
    """Yield ports in random order that the system gives to no connection, nor to who asks for any port."""
    words = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    given = range(int(words[0]), int(words[1]) + 1)
    ports = [port for port in range(10_000, 65_536) if port not in given]
    yield from random.sample(ports or list(given), k=min(200, len(ports or given)))
