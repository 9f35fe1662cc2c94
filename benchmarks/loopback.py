"""A real sshd on loopback for the benchmarks, with OpenSSH's own clients beside ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "e2e")]

from relay import Relay  # noqa: E402
from sshd import Sshd  # noqa: E402

__all__ = ["Relay", "Sshd", "scp", "ssh"]

#: 100 Mbit/s, and 2.5 ms each way: 5 ms round trip.
LINK_RATE_BYTES_PER_S = 12_500_000
LINK_DELAY_S = 0.0025


def _options(server: Sshd, port: int, port_flag: str) -> list[str]:
    known_hosts = server.folder / "known_hosts"
    return [
        port_flag,
        str(port),
        "-i",
        str(server.client_key),
        "-o",
        f"UserKnownHostsFile={known_hosts}",
        "-o",
        "StrictHostKeyChecking=yes",
        "-q",
        "-F",
        "none",
    ]


def scp(server: Sshd, port: int, path: Path) -> None:
    """Copy `path` with OpenSSH's scp, connecting anew; nothing of an earlier copy is reused."""
    target = f"{server.board.user}@127.0.0.1:{server.home}/by-scp"
    subprocess.run(["scp", *_options(server, port, "-P"), str(path), target], check=True)


def ssh(server: Sshd, port: int, command: str) -> None:
    """Run `command` with OpenSSH's ssh, connecting anew."""
    words = ["ssh", *_options(server, port, "-p"), f"{server.board.user}@127.0.0.1", command]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
