"""The folder of finished conversions: what was left unfinished goes, and what is unused for longest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rkbench.conversion.kept import alone, building, evict, kept_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def keep(key: str, used_unix_s: int) -> Path:
    """Put a finished conversion of 1,010 bytes into the folder."""
    rknn = kept_folder() / f"{key}.rknn"
    rknn.write_bytes(bytes(1000))
    rknn.with_suffix(".replay.npz").write_bytes(bytes(10))
    rknn.with_suffix(".lock").touch()
    os.utime(rknn, (used_unix_s, used_unix_s))
    return rknn


def names() -> list[str]:
    return sorted(path.name for path in kept_folder().iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_others_build_is_not() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for owner in (ended.pid, os.getppid()):
        (kept_folder() / f".building-{owner}-x").mkdir()
    with building() as folder:
        (folder / "model.rknn").touch()
        assert names() == sorted([f".building-{os.getppid()}-x", folder.name])
    assert names() == [f".building-{os.getppid()}-x"]


def test_the_conversions_unused_for_longest_go_whole_until_the_rest_fits() -> None:
    old, older, new = keep("a" * 8, 2000), keep("b" * 8, 1000), keep("c" * 8, 3000)
    evict(keep=new, limit_bytes=2500)
    assert [path.exists() for path in (old, older, new)] == [True, False, True]
    assert not [name for name in names() if name.startswith("bbbb")]
    evict(keep=old, limit_bytes=0)
    assert {name.partition(".")[0] for name in names()} == {"a" * 8}


def test_one_that_is_held_stays() -> None:
    held, other, last = keep("a" * 8, 1000), keep("b" * 8, 2000), keep("c" * 8, 3000)
    with alone(held):
        evict(keep=last, limit_bytes=2500)
    assert [path.exists() for path in (held, other, last)] == [True, False, True]
