"""Folders of virtual boards: gone with their owners, however these end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rkbench.boards.virtual.folder import OWNER, BoardFolder, clear_left_behind


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A TMPDIR of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_owner_left_is_cleared_by_the_next_and_what_lives_stays(temporary: Path) -> None:
    code = (
        "import sys, time; from rkbench.boards.virtual.folder import BoardFolder\n"
        "folder = BoardFolder(); (folder.path / 'model').write_text('x'); print(folder.path, flush=True)\n"
        "sys.stdin.read()"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, env=environment) as owner:
        assert owner.stdout is not None
        left = Path(owner.stdout.readline().decode().strip())
        first = BoardFolder()
        assert (left / "model").exists()
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    second = BoardFolder()
    assert (left.exists(), first.path.exists(), second.path.exists()) == (False, True, True)
    first.remove()
    second.remove()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("deletion", range(1, 9))
def test_what_is_left_of_one_that_was_killed_while_it_was_removed_goes_with_the_next(
    temporary: Path, deletion: int
) -> None:
    code = (
        "import os, signal, sys\n"
        "from rkbench.boards.virtual.folder import BoardFolder\n"
        "folder, deleted = BoardFolder(), 0\n"
        "(folder.path / 'home/cache').mkdir(parents=True)\n"
        "for name in ('model', 'client_key', 'home/note', 'home/cache/lock'):\n"
        "    (folder.path / name).write_text('x')\n"
        "def count(event, words):\n"
        "    global deleted\n"
        "    if event in ('os.remove', 'os.rmdir'):\n"
        "        deleted += 1\n"
        f"        if deleted == {deletion}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(count)\n"
        "folder.remove()\n"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    ended = subprocess.run([sys.executable, "-c", code], check=False, env=environment)
    assert ended.returncode == -signal.SIGKILL
    clear_left_behind(temporary)
    # Between its last file and itself it is as empty as one that has just been made.
    assert [path for folder in temporary.iterdir() for path in folder.iterdir()] == []


def test_what_is_a_link_open_to_others_or_without_an_owner_is_left_alone(temporary: Path) -> None:
    victim = temporary / "victim"
    victim.mkdir(mode=0o700)
    (victim / OWNER).write_text("")
    (temporary / "rkbench-virtual-link").symlink_to(victim)
    shutil.copytree(victim, temporary / "rkbench-virtual-open")
    (temporary / "rkbench-virtual-open").chmod(0o755)
    (temporary / "rkbench-virtual-young").mkdir(mode=0o700)
    (temporary / "rkbench-virtual-pipe").mkdir(mode=0o700)
    os.mkfifo(temporary / "rkbench-virtual-pipe" / OWNER)
    clear_left_behind(temporary)
    assert (victim / OWNER).exists() and (temporary / "rkbench-virtual-open" / OWNER).exists()
    assert (temporary / "rkbench-virtual-young").exists()


def test_what_was_killed_before_it_had_an_owner_goes_after_a_while(temporary: Path) -> None:
    old = temporary / "rkbench-virtual-old"
    old.mkdir(mode=0o700)
    (old / f"{OWNER}.part").touch()
    os.utime(old, (time.time() - 900, time.time() - 900))
    clear_left_behind(temporary)
    assert not old.exists()


def test_a_signal_while_it_is_removed_leaves_nothing(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = BoardFolder()
    (folder.path / "home").mkdir()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    remove_folder = os.rmdir

    def end_meanwhile(*arguments: object, **options: object) -> None:
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGTERM)
        remove_folder(*arguments, **options)  # type: ignore[arg-type]  # whatever rmtree gives it

    monkeypatch.setattr("os.rmdir", end_meanwhile)
    try:
        with pytest.raises(KeyboardInterrupt):
            folder.remove()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not folder.path.exists()
