"""Which places this computer has acquired, on disk: labgrid's locks never expire, computers lose power."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rkbench.files import write_whole

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class PlaceRecord:
    """A place that `owner` has acquired, or is about to: `pid` releases it, `started` in this `boot`."""

    coordinator: str
    place: str
    owner: str
    pid: int
    started: str
    boot: str

    @property
    def is_kept(self) -> bool:
        """Whether the process that releases it still runs."""
        return self.boot == _boot() and self.started != "" and _started(self.pid) == self.started


def folder() -> Path:
    """Return where records lie."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local/state") / "rkbench/labgrid"


def write(coordinator: str, place: str, owner: str) -> Path:
    """Write that this process will release a place of `owner`; returns the record."""
    record = PlaceRecord(coordinator, place, owner, os.getpid(), _started(os.getpid()), _boot())
    path = folder() / f"{owner.rpartition(':')[2]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(asdict(record)))
    return path


def left_behind() -> Iterator[tuple[Path, PlaceRecord]]:
    """Yield the records whose process has gone, with their paths; what is damaged is no record."""
    for path in sorted(folder().glob("*.json")):
        try:
            record = PlaceRecord(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            continue
        if not record.is_kept:
            yield path, record


def _boot() -> str:
    return BOOT_ID.read_text().strip()


def _started(pid: int) -> str:
    """Return when a process started, in ticks since the computer did; "" where there is none."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state in "ZX" else rest[18]  # one that was killed stays until its parent looks
    except (OSError, IndexError):
        return ""
