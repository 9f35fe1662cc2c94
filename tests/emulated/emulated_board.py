"""One emulated board: namespaces, root file system, recorded tree, sshd. See `board_init.sh`.

Tier T1 has our own librknnrt.so, scripted (doubles/librknnrt_double.c); tier T2 the vendor's librknnrt
1.5.2 over our own NPU device (doubles/rknpu_device_double.c); tier T3 is T2 whose NPU computes
(npu_server.py). On all, `rknn-toolkit-lite2` is the real one, and every program but the kernel is aarch64
under qemu-user.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from double_build import build_device_double, build_runtime_double, has_compiler
from kept_line import KeptLine
from ports import free_port
from rootfs import QEMU, REAL_RUNTIME, SITE, debian_mirror, ensure_rootfs

TREES = Path(__file__).parents[2] / "host/rkbench/boards/virtual/trees"
TOOLS = ("unshare", "mount", "chroot", "ssh", "ssh-keygen", "apt-get", "dpkg")
HW_IDS = {"rk3588": "0x46495245", "rk3568": "0"}
NPU_SOCKET = "npu.sock"
START_LIMIT_S = 30.0
PORT_ATTEMPTS = 5


class BoardStartError(Exception):
    """The board did not come up; the message holds what it printed."""


def missing_tools() -> str:
    """Return why no board can be emulated on this machine, or an empty string."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if not Path(QEMU).exists():
        return "qemu-user-static is not installed"
    if not has_compiler("aarch64"):
        return "gcc-aarch64-linux-gnu is not installed"
    if absent:
        return f"not installed: {', '.join(absent)}"
    if debian_mirror() is None:
        return "the sources of apt name no Debian mirror"
    # A trial in the namespaces that a board needs: root for the id maps, Linux 6.7 for binfmt_misc.
    trial = ["unshare", "-Ur", "-mpf", "sh", "-c"]
    done = subprocess.run(
        [
            *trial,
            "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && mount -t proc proc /proc && cat /dev/null",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    is_fit = done.returncode == 0 and os.geteuid() == 0
    return "" if is_fit else f"needs root and Linux 6.7: {done.stderr.strip()}"


@dataclass
class EmulatedBoard:
    """A running board. `folder` is /board inside: logs of the doubles, keys, scripts, files to share."""

    soc: str
    tier: str
    folder: Path
    port: int
    process: subprocess.Popen[str]
    environment: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    user: str = "root"
    line: KeptLine = field(default_factory=KeptLine)
    npu: subprocess.Popen[str] | None = None
    """What computes the jobs of tier T3."""

    @property
    def key_file(self) -> Path:
        """The private key that the board lets in, as root and as rock."""
        return self.folder.parent / "client_key"

    @property
    def host_key(self) -> str:
        """The board's public host key: type and base64, as in known_hosts."""
        kind, base64, *_ = (self.folder / "host_key.pub").read_text().split()
        return f"{kind} {base64}"

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with this board alone."""
        path = self.folder.parent / "known_hosts"
        path.write_text(f"[{self.host}]:{self.port} {self.host_key}\n")
        return path

    @property
    def double_log(self) -> list[str]:
        """What the tier's double has logged so far, without the process ids."""
        path = self.folder / "double.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines]

    def set_environment(self, **settings: str) -> None:
        """Give all sessions from now on these variables on top of the tier's own; '' removes one."""
        self.environment.update(settings)
        lines = [f"{name}={value}\n" for name, value in self.environment.items() if value]
        (self.folder / "environment").write_text("".join(lines))

    def tell_double(self, **settings: str) -> None:
        """Give the double these settings, besides those of the environment, and no others, from now on."""
        (self.folder / "script").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def run(
        self, command: str, *, timeout_s: float = 300.0, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line over SSH, with `settings` in its environment; never raises for its exit code."""
        prefix = "".join(f"{name}='{value}' " for name, value in settings.items())
        options = ["-F", "none", "-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "LogLevel=ERROR"]
        target = ["-i", str(self.key_file), "-p", str(self.port), f"{self.user}@{self.host}"]
        return subprocess.run(
            ["ssh", *options, *target, f"{'env ' if prefix else ''}{prefix}{command}"],
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def python(self, script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run Python source on the board."""
        path = self.folder / "script.py"
        path.write_text(script)
        return self.run(f"python3 /board/script.py {' '.join(arguments)}", **settings)

    def stop(self) -> None:
        """Pull the plug: every process on the board dies, every mount goes. Again: nothing happens."""
        self.line.close()
        if self.npu is not None:
            self.npu.kill()
            self.npu.wait(timeout=30)
        if self.process.poll() is None:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            for child in children.split():  # process 1 of the board: the kernel ends all others before it
                os.kill(int(child), signal.SIGKILL)
        self.process.wait(timeout=30)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


class BoardFactory(Protocol):
    """What the fixture `emulated_board` gives: boards by SoC, tier and environment."""

    def __call__(self, soc: str, *, tier: str, env: dict[str, str] | None = None) -> EmulatedBoard: ...


def start_board(soc: str, tier: str, state: Path, environment: dict[str, str] | None = None) -> EmulatedBoard:
    """Start a board with its files in `state`; raises BoardStartError."""
    shared = state / "shared"
    shared.mkdir(parents=True)
    (state / "layer").mkdir()
    _write_keys(state, shared)
    settings = {**_tier_environment(soc, tier, shared), **(environment or {})}
    for _ in range(PORT_ATTEMPTS):
        port = free_port()
        (shared / "sshd_config").write_text(_sshd_config(port))
        process = _start_namespaces(soc, _runtime_of(tier), state)
        board = EmulatedBoard(soc, tier, shared, port, process)
        board.set_environment(**settings)
        if _answers(process, port):
            board.npu = _start_npu(shared) if tier == "T3" else None
            return board
        board.stop()
    raise BoardStartError((state / "sshd.log").read_text()[-2000:])


def _start_npu(shared: Path) -> subprocess.Popen[str]:
    """Start what computes; the reasons of jobs that it refuses go to npu.log."""
    command = [sys.executable, str(Path(__file__).with_name("npu_server.py")), str(shared / NPU_SOCKET)]
    with (shared / "npu.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, text=True)
    deadline = time.monotonic() + START_LIMIT_S
    while not (shared / NPU_SOCKET).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if not (shared / NPU_SOCKET).exists():
        raise BoardStartError((shared / "npu.log").read_text())
    return process


def _runtime_of(tier: str) -> str:
    """Return the path of what becomes the board's librknnrt.so."""
    if tier == "T1":
        return str(build_runtime_double("aarch64"))
    return str(ensure_rootfs() / REAL_RUNTIME)


def _tier_environment(soc: str, tier: str, shared: Path) -> dict[str, str]:
    common = {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": f"/{SITE}",
        "QEMU_LD_PREFIX": "/overlay",
        "RKNN_DOUBLE_LOG": "/board/double.log",
        "RKNN_DOUBLE_SCRIPT": "/board/script",
    }
    if tier == "T1":
        return common
    shutil.copy(build_device_double("aarch64"), shared / "device.so")
    device = {**common, "LD_PRELOAD": "/board/device.so", "RKNN_DOUBLE_HW_ID": HW_IDS[soc]}
    return device if tier == "T2" else {**device, "RKNN_DOUBLE_NPU": f"/board/{NPU_SOCKET}"}


def _write_keys(state: Path, shared: Path) -> None:
    for path in (state / "client_key", shared / "host_key"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True, timeout=30
        )
    shutil.copy(state / "client_key.pub", shared / "authorized_keys")


def _sshd_config(port: int) -> str:
    return (
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey /board/host_key\nPidFile none\n"
        "AuthorizedKeysFile /board/authorized_keys\nStrictModes no\nPermitRootLogin yes\nUsePAM no\n"
        "UseDNS no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPrintMotd no\nPrintLastLog no\n"
        "PermitUserEnvironment yes\nMaxStartups 100:30:200\nMaxSessions 100\n"
        "Subsystem sftp /usr/lib/openssh/sftp-server\n"
    )


def _start_namespaces(soc: str, runtime: str, state: Path) -> subprocess.Popen[str]:
    """Start `board_init.sh` and map all users onto themselves (or sshd could not drop its privileges)."""
    init = ["sh", str(Path(__file__).with_name("board_init.sh"))]
    namespaces = ["unshare", "--user", "--mount", "--pid", "--fork", "--kill-child"]
    arguments = [str(ensure_rootfs()), str(state), str(TREES / soc), runtime, QEMU]
    with (state / "sshd.log").open("w") as log:
        process = subprocess.Popen(
            [*namespaces, *init, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    _expect(process.stdout, "namespaces made")
    for kind in ("uid_map", "gid_map"):
        Path(f"/proc/{process.pid}/{kind}").write_text("0 0 65536\n")
    assert process.stdin is not None
    process.stdin.write("mapped\n")
    process.stdin.flush()
    return process


def _expect(stream: IO[str] | None, line: str) -> None:
    got = stream.readline().strip() if stream else ""
    if got != line:
        raise BoardStartError(f"the board's first process said {got!r} instead of {line!r}")


def _answers(process: subprocess.Popen[str], port: int) -> bool:
    """Tell whether sshd greets before the process ends or the limit is over."""
    deadline = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                if connection.recv(4) == b"SSH-":
                    return True
        except OSError:
            time.sleep(0.02)
    return False
