"""`install` and `uninstall`: run on the board by `bench boards install-exporter`.

    CACHE/exporter/rkbench-exporter.pyz    this zipapp
    CACHE/exporter/installed.json          what was installed, and how
    CACHE/exporter/rkbench-exporter.sh     where there is no systemd; beside it pid file and log

and the unit file, or on BusyBox a link for the boot. Nothing else is touched.
"""

from __future__ import annotations

import http.client
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Dict, Optional

from rkbench_agent import __version__
from rkbench_agent.errors import ServiceError
from rkbench_agent.exporter.service import Service, choose_service, service_of
from rkbench_agent.exporter.units import NAME
from rkbench_agent.exporter.web import can_listen, parse_listen
from rkbench_agent.own_files import read_own, write_own

START_LIMIT_S = 60.0
POLL_S = 0.1


class Installation:
    """The exporter of the agents' cache folder `cache`; `archive` is the running zipapp, as a file."""

    def __init__(self, cache: Path, root: Path, archive: Path, digest: str) -> None:
        self._cache = cache
        self._root = root
        self._archive = archive
        self._digest = digest
        self._folder = cache / "exporter"
        self._target = self._folder / f"{NAME}.pyz"
        self._record = self._folder / "installed.json"

    def install(self, listen: str, *, debugfs: bool) -> Dict[str, Any]:
        """Have this exporter running on `listen`; return what was done. Raises ServiceError, OSError."""
        service = choose_service(self._root, self._folder)
        wanted = {
            "version": __version__,
            "digest": self._digest,
            "listen": listen,
            "debugfs": debugfs,
            "service": service.kind,
            "python": sys.executable,
        }
        before = self._read_record()
        is_same = before is not None and {**before, "files": None} == {**wanted, "files": None}
        if is_same and self._answers(listen):
            return {**wanted, "changed": False, "note": service.note()}
        self._remove(before)
        host, port = parse_listen(listen)
        if not can_listen(host, port):
            raise ServiceError(f"port {port} is taken by another program; choose another with --port")
        try:
            self._start(service, wanted, listen)
        except (ServiceError, OSError):
            self._remove(self._read_record())
            raise
        return {**wanted, "changed": True, "note": service.note()}

    def uninstall(self) -> Dict[str, Any]:
        """Stop the exporter and delete all that it has; return what was there."""
        before = self._read_record()
        self._remove(before)
        return {"was_installed": before is not None, "version": (before or {}).get("version")}

    def tidy(self) -> None:
        """Delete what the host sent to run this, and folders that are empty by now."""
        if self._archive.parent == self._cache / "agents":
            for path in self._archive.parent.glob(f"{self._archive.stem}.*"):
                _unlink(path)  # and what was compiled from it
        for folder in (self._cache / "agents", self._cache):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def _start(self, service: Service, wanted: Dict[str, Any], listen: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(self._archive), str(self._target))
        command = [
            sys.executable,
            str(self._target),
            "serve",
            "--listen",
            listen,
            "--cache",
            str(self._cache),
        ]
        files = service.files(command, debugfs=wanted["debugfs"])
        record = {**wanted, "files": [str(path) for path in files]}
        write_own(self._record, json.dumps(record).encode("utf-8"))
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        service.start()
        self._await_answer(listen)

    def _await_answer(self, listen: str) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while not self._answers(listen):
            if time.monotonic() > deadline:
                raise ServiceError(f"it was started but does not answer at {listen}; {self._last_words()}")
            time.sleep(POLL_S)

    def _answers(self, listen: str) -> bool:
        """Tell whether this very exporter answers there."""
        host, port = parse_listen(listen)
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        line = http.client.HTTPConnection(host, port, timeout=5)
        try:
            line.request("GET", "/-/healthy")
            return self._digest.encode() in line.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            line.close()

    def _last_words(self) -> str:
        try:
            return (self._folder / f"{NAME}.log").read_text().strip()[-500:] or "it said nothing"
        except OSError:
            return f"see: journalctl -u {NAME}"

    def _remove(self, before: Optional[Dict[str, Any]]) -> None:
        """Undo the installation that `before` tells of."""
        service = service_of(str(before.get("service")), self._root, self._folder) if before else None
        if service is not None:
            service.stop()
        for path in service.paths() if service is not None else ():
            _unlink(path)
        if service is not None:
            service.forget()
        shutil.rmtree(str(self._folder), ignore_errors=True)

    def _read_record(self) -> Optional[Dict[str, Any]]:
        try:
            record = json.loads(read_own(self._record).decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return record if isinstance(record, dict) else None


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        pass
