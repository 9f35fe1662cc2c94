"""The three ways in which the exporter is kept running: systemd for all, systemd for one user, a script."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Dict, List, Optional

from rkbench_agent.errors import ServiceError
from rkbench_agent.exporter.units import NAME, script, unit

STOP_LIMIT_S = 10.0


class Service:
    """How the exporter runs. `files` are what `start` needs and `stop` leaves: path -> text; at `paths`."""

    kind = ""

    def files(self, command: List[str], *, debugfs: bool) -> Dict[Path, str]:
        """Return the files to write before the start."""
        raise NotImplementedError

    def paths(self) -> List[Path]:
        """Return where its files lie: no more than these is deleted, whatever a record says."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, now and at every boot as far as that is possible. Raises ServiceError."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it and forget it; nothing happens where it does not run."""
        raise NotImplementedError

    def forget(self) -> None:
        """Tell the manager that the files are gone."""

    def note(self) -> str:
        """Return what the user should know of this way; empty if nothing."""
        return ""


class Systemd(Service):
    """A unit of the system's manager, or of the user's."""

    def __init__(self, root: Path, is_user: bool) -> None:
        self.kind = "systemd-user" if is_user else "systemd"
        self._is_user = is_user
        folder = Path.home() / ".config/systemd/user" if is_user else root / "etc/systemd/system"
        self.unit_file = folder / f"{NAME}.service"

    def files(self, command: List[str], *, debugfs: bool) -> Dict[Path, str]:
        return {self.unit_file: unit(command, is_user=self._is_user, debugfs=debugfs)}

    def paths(self) -> List[Path]:
        return [self.unit_file]

    def start(self) -> None:
        self._systemctl("daemon-reload")
        self._systemctl("enable", "--quiet", self.unit_file.name)
        self._systemctl("restart", self.unit_file.name)

    def stop(self) -> None:
        if self.unit_file.exists():
            self._systemctl("disable", "--now", "--quiet", self.unit_file.name)

    def forget(self) -> None:
        self._systemctl("daemon-reload")

    def note(self) -> str:
        if not self._is_user or _lingers():
            return ""
        return "it ends when its user logs out, unless root allows it: loginctl enable-linger USER"

    def _systemctl(self, *words: str) -> None:
        done = _systemctl(self._is_user, *words)
        if done.returncode:
            raise ServiceError(
                f"systemctl {' '.join(words)}: {done.stderr.decode('utf-8', 'replace').strip()}"
            )


class Script(Service):
    """A script with a pid file; with a link for the boot where init is BusyBox's and we are root."""

    kind = "script"

    def __init__(self, root: Path, folder: Path) -> None:
        self.path = folder / f"{NAME}.sh"
        self._folder = folder
        is_busybox = os.geteuid() == 0 and (root / "etc/init.d/rcS").exists()
        self._boot_file = root / f"etc/init.d/S95{NAME}" if is_busybox else None

    def files(self, command: List[str], *, debugfs: bool) -> Dict[Path, str]:
        del debugfs  # a script cannot take rights away
        found = {
            self.path: script([*command, "--detach"], self._folder, os.environ.get("RKBENCH_SYS_ROOT", ""))
        }
        if self._boot_file is not None:
            found[self._boot_file] = (
                f'#!/bin/sh\n# Made by `bench boards install-exporter`.\nexec {self.path} "$@"\n'
            )
        return found

    def paths(self) -> List[Path]:
        return [self.path] if self._boot_file is None else [self.path, self._boot_file]

    def start(self) -> None:
        done = subprocess.run(
            [str(self.path), "start"], check=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        if done.returncode:
            raise ServiceError(f"{self.path} start: {done.stderr.decode('utf-8', 'replace').strip()}")

    def stop(self) -> None:
        pid_file = self._folder / f"{NAME}.pid"
        try:
            pid = int(pid_file.read_text())
            is_ours = NAME.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if is_ours:
            _end(pid)

    def note(self) -> str:
        return "" if self._boot_file else f"it does not start at boot by itself: {self.path} start"


def choose_service(root: Path, folder: Path) -> Service:
    """Return the best way that this board and this user allow; `folder` is the exporter's own."""
    if (root / "run/systemd/system").is_dir() and shutil.which("systemctl"):
        if os.geteuid() == 0:
            return Systemd(root, is_user=False)
        if _systemctl(True, "show-environment").returncode == 0:
            return Systemd(root, is_user=True)
    return Script(root, folder)


def service_of(kind: str, root: Path, folder: Path) -> Optional[Service]:
    """Return the way of an installation that was made before; None for an unknown one."""
    if kind in ("systemd", "systemd-user"):
        return Systemd(root, is_user=kind == "systemd-user")
    return Script(root, folder) if kind == "script" else None


def _systemctl(is_user: bool, *words: str) -> subprocess.CompletedProcess[bytes]:
    environ = dict(os.environ)
    environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
    command = ["systemctl", *(["--user"] if is_user else []), *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environ, check=False)


def _lingers() -> bool:
    try:
        return Path(f"/var/lib/systemd/linger/{os.environ.get('USER', '')}").is_file()
    except OSError:
        return False


def _end(pid: int) -> None:
    """End a process, by force where it does not go."""
    deadline = time.monotonic() + STOP_LIMIT_S
    number = signal.SIGTERM
    try:
        while True:
            os.kill(pid, number)
            if _is_gone(pid):
                return
            time.sleep(0.05)
            if time.monotonic() > deadline:
                number = signal.SIGKILL
    except ProcessLookupError:
        return


def _is_gone(pid: int) -> bool:
    """Tell whether a process has ended: one that nobody has waited for yet counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
