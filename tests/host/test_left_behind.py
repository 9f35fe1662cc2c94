"""Working folders: gone with their process, or where that was killed, with the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rkbench.files import write_whole
from rkbench.left_behind import clear_left_behind, working_folder


def ended() -> int:
    """Return the number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_working_folder_is_gone_afterwards_and_so_is_what_the_killed_left(tmp_path: Path) -> None:
    dead = ended()
    (tmp_path / f".made-{dead}-{os.uname().nodename}-x").mkdir()
    (tmp_path / f".made-{dead}-x").mkdir()  # as older versions named them
    (tmp_path / f".made-{dead}.part").touch()
    with working_folder(tmp_path, ".made-") as folder:
        (folder / "file").touch()
        assert names(tmp_path) == [folder.name]
    assert names(tmp_path) == []


def test_what_lives_or_is_another_computers_or_nobodys_stays(tmp_path: Path) -> None:
    dead = ended()
    kept = [f".made-{os.getppid()}-x", f".made-{dead}-elsewhere-x", ".made-by-hand", f"made-{dead}"]
    for name in kept:
        (tmp_path / name).mkdir()
    (tmp_path / f".made-{dead}-link").symlink_to(tmp_path / ".made-by-hand")
    clear_left_behind(tmp_path, ".made-")
    assert names(tmp_path) == sorted(kept)


def test_a_text_that_was_written_half_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / f"record.json.{ended()}").write_text("{")
    (tmp_path / "record.json.bak").write_text("a user's own")
    write_whole(tmp_path / "record.json", "{}\n")
    assert names(tmp_path) == ["record.json", "record.json.bak"]
