"""A real dropbear on a loopback port: the SSH server of many small boards, without SFTP."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from ports import free_port
from rkbench.boards.model import Board
from sshd import START_LIMIT_S, make_key

DROPBEAR = "/usr/sbin/dropbear"


def why_not() -> str:
    """Return why no dropbear can be started here, or an empty string."""
    if not Path(DROPBEAR).exists():
        return f"{DROPBEAR} is not installed (Debian: dropbear-bin)"
    if os.getuid() != 0:
        return "dropbear reads the keys of a home that only root can put elsewhere"
    return ""


class Dropbear:
    """A running dropbear; its logins live in `home`, which a mount of its own shows as the user's."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        folder.mkdir(parents=True)
        self.home = folder / "home"
        (self.home / ".ssh").mkdir(parents=True, mode=0o700)
        self.client_key = folder / "client"
        make_key(self.client_key, "ed25519")
        shutil.copy(folder / "client.pub", self.home / ".ssh/authorized_keys")
        host_key = folder / "host_key"
        made = ["dropbearkey", "-t", "ed25519", "-f", str(host_key)]
        told = subprocess.run(made, check=True, capture_output=True, text=True).stdout
        public = next(line for line in told.splitlines() if line.startswith("ssh-ed25519 "))
        self.port = free_port()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {' '.join(public.split()[:2])}\n")
        user = pwd.getpwuid(os.getuid())
        (folder / "passwd").write_text(f"{user.pw_name}:x:0:0::{self.home}:/bin/sh\n")
        (folder / "shells").write_text("/bin/sh\n")
        self.folder = folder
        self.board = Board(
            "small-board",
            "127.0.0.1",
            self.port,
            user.pw_name,
            identity_files=(self.client_key,),
            known_hosts_files=(folder / "known_hosts",),
        )
        self._process = self._start(host_key, environment)

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait()

    def _start(self, host_key: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        mounts = " && ".join(
            f"mount --bind {self.folder}/{name} /etc/{name}" for name in ("passwd", "shells")
        )
        server = f"{DROPBEAR} -F -E -e -s -r {host_key} -p 127.0.0.1:{self.port} -P {self.folder}/pid"
        command = ["unshare", "--mount", "sh", "-c", f"{mounts} && exec {server}"]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=log)
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
                    assert sock.recv(4) == b"SSH-"
                    return process
            except ConnectionRefusedError:
                assert process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "dropbear does not listen"
                time.sleep(0.02)
