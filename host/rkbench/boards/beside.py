"""What is kept of boards in a file beside their inventory, so that all who share the one share the other.

A board that no inventory names has nothing kept: an address, a place of labgrid.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rkbench.boards.model import Board
from rkbench.decoding.documents import read_document
from rkbench.errors import BenchError
from rkbench.files import write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)
else:
    T = TypeVar("T")

#: The file beside an inventory that a board of it has, and no other.
KNOWN_HOSTS = "bench.known_hosts"
#: Writing takes milliseconds: who has the file for longer was stopped, or its disk hangs.
PATIENCE_S = 15.0
POLL_S = 0.02


@dataclass
class _Asked(Generic[T]):
    """What a thread asks to be changed of a board, which must not raise; before and after, once it was."""

    name: str
    changed: Callable[[T], T]
    found: tuple[T, T] | None = None


class KeptBeside(Generic[T]):
    """The file `name`: a `kind` for each board; `default` of those that it does not name. `what` in words."""

    def __init__(
        self,
        name: str,
        kind: type[T],
        default: T,
        what: str,
        log: logging.Logger,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._name = name
        self._kind: Any = dict.__class_getitem__((str, kind))
        self._default = default
        self._what = what
        self._log = log
        self._patience_s = patience_s
        self._waiting: dict[Path, list[_Asked[T]]] = {}
        self._one_writes = Lock()

    def file(self, inventory: Path) -> Path:
        """Return where it is kept of an inventory's boards."""
        return inventory.with_name(self._name)

    def path(self, board: Board) -> Path | None:
        """Return where it is kept of a board; None where nothing is."""
        if set(board.name) & set("@:"):  # an address, a place of labgrid: no inventory names it
            return None
        beside = [path for path in board.known_hosts_files if path.name == KNOWN_HOSTS]
        return beside[0].with_name(self._name) if beside else None

    def read(self, path: Path) -> Mapping[str, T]:
        """Return what the file says; what cannot be read says nothing."""
        try:
            found: Mapping[str, T] = read_document(self._kind, path.read_bytes(), str(path))
        except FileNotFoundError:
            return {}
        except (OSError, BenchError) as error:
            self._log.warning("%s cannot be read: %s", self._what, error)
            return {}
        return found

    def of(self, board: Board) -> T:
        """Return what is kept of a board."""
        path = self.path(board)
        return self._default if path is None else self.read(path).get(board.name, self._default)

    def of_all(self, boards: Iterable[Board]) -> Iterator[tuple[str, T]]:
        """Yield what is kept of boards, each with its name; a file that several share is read once."""
        files: dict[Path, Mapping[str, T]] = {}
        for board in boards:
            path = self.path(board)
            if path is None:
                continue
            if path not in files:
                files[path] = self.read(path)
            if board.name in files[path]:
                yield board.name, files[path][board.name]

    def change(self, board: Board, changed: Callable[[T], T]) -> tuple[T, T]:
        """Change what is kept of a board, and return it before and after; of one that is not kept nothing.

        Threads that come while the file is being written have theirs written together, by the first of them.
        """
        path = self.path(board)
        if path is None:
            return self._default, self._default
        asked = _Asked(board.name, changed)
        waiting = self._waiting.setdefault(path, [])
        waiting.append(asked)
        with self._one_writes:
            if asked.found is None:
                together = list(waiting)
                self._change_all(path, together)
                del waiting[: len(together)]
        return asked.found or (self._default, self._default)

    def _change_all(self, path: Path, together: list[_Asked[T]]) -> None:
        try:
            with self._locked(path):
                known = dict(self.read(path))
                kept = [(asked, *self._changed(known, asked)) for asked in together]
                if any(after != before for _, before, after in kept):
                    told = {name: asdict(found) for name, found in known.items()}
                    write_whole(path, json.dumps(told, indent=1))
        except OSError as error:
            names = ", ".join(asked.name for asked in together)
            self._log.info("%s: board %s: not kept: %s: %s", self._what, names, path, error.strerror)
            kept = [(asked, self._default, self._default) for asked in together]
        for asked, before, after in kept:
            asked.found = before, after

    def _changed(self, known: dict[str, T], asked: _Asked[T]) -> tuple[T, T]:
        """Change `known` as a board asks; the one that was changed last stands last."""
        before = known.get(asked.name, self._default)
        after = asked.changed(before)
        if after != before:
            known.pop(asked.name, None)
            if after != self._default:
                known[asked.name] = after
        return before, after

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        fd = os.open(path.with_name(f".{self._name}.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            self._lock(fd)
            yield
        finally:
            os.close(fd)

    def _lock(self, fd: int) -> None:
        """Lock the file; raises TimeoutError where another process keeps it."""
        deadline_s = time.monotonic() + self._patience_s
        while True:
            try:
                return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline_s:
                    why = f"another process has had it locked for {self._patience_s:g} s"
                    raise TimeoutError(errno.ETIMEDOUT, why) from None
            time.sleep(POLL_S)
