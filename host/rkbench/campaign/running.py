"""What runs just now, in files that `bench serve` reads: one for each push or night, gone when it ends."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rkbench.files import cache_folder, write_whole

SCHEMA: Final = "rkbench-running/1"
#: No file is written more often: who reads it looks once a second, and a push has other things to do.
INTERVAL_S = 1.0
_log = logging.getLogger("rkbench.running")


@dataclass
class RunningBoard:
    """What a board does: in words, since when, how long all of it takes yet, and the runs that have ended."""

    doing: str
    since_unix_s: float
    left_s: float | None = None
    ended: list[str] = field(default_factory=list)


class Running:
    """Keeps the file of one push or night, from its `with` to its end; a thread of its own writes it.

    A disk that stalls or is full delays and fails nothing: what runs is not shown then.
    """

    def __init__(self, kind: str, what: str, address: str) -> None:
        self._path = running_folder(address) / f"{os.getpid()}.json"
        self._head = {"schema": SCHEMA, "kind": kind, "what": what, "pid": os.getpid()}
        self._started_unix_s = time.time()
        self._boards: dict[str, RunningBoard] = {}
        self._lock = threading.Lock()
        self._moved = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write_until_end, name="running", daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        self._moved.set()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._moved.set()
        self._thread.join(INTERVAL_S)

    def tell(
        self, board: str, doing: str | None = None, left_s: float | None = None, ended: str = ""
    ) -> None:
        """Take what a board does now, how long all takes yet, which run has ended; as far as it is known."""
        now_s = time.time()
        with self._lock:
            found = self._boards.setdefault(board, RunningBoard(doing or "", now_s))
            if doing is not None and doing != found.doing:
                found.doing, found.since_unix_s = doing, now_s
            found.left_s = found.left_s if left_s is None else left_s
            found.ended += [ended] if ended else []
        self._moved.set()

    def document(self) -> dict[str, Any]:
        """Return what the file holds."""
        with self._lock:
            boards = {name: asdict(board) for name, board in self._boards.items()}
        return {**self._head, "started_unix_s": self._started_unix_s, "boards": boards}

    def _write_until_end(self) -> None:
        try:
            while not self._end.is_set():
                self._moved.wait()
                self._moved.clear()
                write_whole(self._path, json.dumps(self.document()))
                self._end.wait(INTERVAL_S)
        except OSError as error:
            _log.info("bench serve does not show this: %s: %s", self._path, error.strerror)
        finally:
            with suppress(OSError):  # what is left is known to be dead by its process
                self._path.unlink(missing_ok=True)


def running_folder(address: str) -> Path:
    """Return where what runs with the store at `address` says so, on this computer."""
    return cache_folder("running") / hashlib.sha256(address.encode()).hexdigest()[:16]


def read_running(address: str) -> list[dict[str, Any]]:
    """Return the documents of what runs with the store at `address`, the oldest first."""
    found = list(_documents(running_folder(address)))
    return sorted(found, key=lambda document: float(document["started_unix_s"]))


def _documents(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        if not _lives(path.stem):
            with suppress(OSError):
                path.unlink(missing_ok=True)  # its process was killed
            continue
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if isinstance(document, dict) and document.get("schema") == SCHEMA:
            yield document


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
