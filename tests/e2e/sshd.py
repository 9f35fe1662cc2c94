"""A real OpenSSH server on a loopback port, with keys, configuration and home of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from board_home import BoardHome, own_root
from ports import free_port
from rkbench.boards.model import Board
from rkbench_agent.wire import words

SSHD = "/usr/sbin/sshd"
START_LIMIT_S = 20.0
#: Short limits for the tests of stalls; both sides get them.
SILENCE_LIMIT_S = 2.0
BEAT_INTERVAL_S = 0.3
#: What `bench` expects of an agent.
USUAL_LIMITS = {
    "RKBENCH_SILENCE_LIMIT_S": f"{words.SILENCE_LIMIT_S}",
    "RKBENCH_BEAT_INTERVAL_S": f"{words.BEAT_INTERVAL_S}",
}
CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
{host_keys}
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
MaxStartups 100
Subsystem sftp internal-sftp
SetEnv {environment}
{more}
"""


class Sshd(BoardHome):
    """A running sshd; `board` is what a user who trusts it would write. Its logins live in `home`.

    Their agents see this computer under a root of their own, unless `environment` names another.
    """

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        home: Path | None = None,
        key_types: tuple[str, ...] = ("ed25519",),
        more: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = home or folder / "home"
        self.home.mkdir(exist_ok=True)
        self.port = free_port()
        for kind in key_types:
            make_key(folder / f"host_{kind}", kind)
        self.client_key = folder / "client"
        make_key(self.client_key, "ed25519")
        shutil.copy(folder / "client.pub", folder / "authorized_keys")
        root = str(own_root(folder / "root"))
        variables = {"HOME": str(self.home), "RKBENCH_SYS_ROOT": root, **(environment or {})}
        text = CONFIG.format(
            port=self.port,
            folder=folder,
            host_keys="\n".join(f"HostKey {folder}/host_{kind}" for kind in key_types),
            environment=" ".join(f"{name}={value}" for name, value in variables.items()),
            more=more,
        )
        (folder / "sshd_config").write_text(text)
        self.board = Board(
            name="bench-board",
            host="127.0.0.1",
            port=self.port,
            user=pwd.getpwuid(os.getuid()).pw_name,
            identity_files=(self.client_key,),
            known_hosts_files=(folder / "known_hosts",),
        )
        self.trust(key_types[0], self.port)
        self._process = self._start()

    def trust(self, kind: str, port: int) -> None:
        """Record the host key of `kind` for `port`, as `bench boards add` would."""
        words = (self.folder / f"host_{kind}.pub").read_text().split()[:2]
        with (self.folder / "known_hosts").open("a") as stream:
            stream.write(f"[127.0.0.1]:{port} {' '.join(words)}\n")

    def through(self, port: int) -> Board:
        """Return the board as it is reached by way of a relay on `port`."""
        self.trust("ed25519", port)
        return replace(self.board, port=port)

    def fingerprint(self, kind: str = "ed25519") -> str:
        """Return what ssh-keygen says of the host key."""
        command = ["ssh-keygen", "-lf", f"{self.folder}/host_{kind}.pub"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [SSHD, "-D", "-f", str(self.folder / "sshd_config"), "-E", str(self.folder / "log")]
        process = subprocess.Popen(command)
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
                    assert sock.recv(4) == b"SSH-"
                    return process
            except ConnectionRefusedError:
                assert process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, "sshd does not listen"
                time.sleep(0.02)


def make_key(path: Path, kind: str) -> None:
    """Make a key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
