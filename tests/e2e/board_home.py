"""What a test sees of a board from the inside: the home of its login, and what runs there."""

from __future__ import annotations

import time
from pathlib import Path

#: Of `/` these hold the folders where all who use this computer find one board's lock and queue.
SHARED = ("run", "tmp")


def own_root(folder: Path) -> Path:
    """Make `folder` what an agent takes for `/`: all that this computer has, and a board's lock of its own.

    Without it whatever runs here at the same time, as another worker of the tests, holds the same board.
    """
    lock = folder / "run/lock"
    lock.mkdir(parents=True)
    lock.chmod(0o1777)
    for entry in Path("/").iterdir():
        if entry.name not in SHARED:
            (folder / entry.name).symlink_to(entry)
    return folder


class BoardHome:
    """The home folder `home`, the cache in it, and the processes that have it as $HOME."""

    home: Path

    @property
    def objects(self) -> list[str]:
        """The names of the complete files in the cache."""
        folder = self.home / ".cache/rkbench/objects"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []

    @property
    def partials(self) -> dict[str, int]:
        """The sizes of the incomplete files in the cache."""
        folder = self.home / ".cache/rkbench/incoming"
        return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.exists() else {}

    def processes(self) -> list[int]:
        """Return the ids of the processes that a login started and that still live."""
        mark = f"HOME={self.home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue  # ended meanwhile, or not ours
        return found

    def await_no_processes(self, limit_s: float = 30.0) -> None:
        """Return once nothing that a login started lives; fails after `limit_s`."""
        deadline = time.monotonic() + limit_s
        while left := self.processes():
            assert time.monotonic() < deadline, f"left running: {left}"
            time.sleep(0.02)
