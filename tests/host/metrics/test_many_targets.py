"""`/sd` of 10,000 boards: all of them, in a time that grows as their number does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from rkbench.boards.inventory import load_inventory
from rkbench.metrics.discovery import Targets, target_group


def inventory(folder: Path, count: int) -> Path:
    """Return an inventory as a program writes one; every third board has a port, a user and tags."""
    folder.mkdir(exist_ok=True)
    path = folder / "bench.toml"
    more = 'port = 2222\nuser = "root"\ntags = ["lab", "shelf 1"]\n'
    entries = (
        f'[boards.rack{number:05}]\nhost = "rack-{number}.lab"\nsoc = "rk3588"\n{"" if number % 3 else more}'
        for number in range(count)
    )
    path.write_text("\n".join(entries))
    return path


@pytest.fixture(autouse=True)
def ssh_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ssh_config know where some of them are."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host rack-7*.lab\n  HostName 10.0.0.7\n")


def calls(path: Path) -> int:
    """Return how many functions are called for the targets of a fresh inventory: a measure of work."""
    targets, count = Targets(path), 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        targets.document()
    finally:
        sys.setprofile(None)
    return count


def test_ten_thousand_boards_are_told_as_each_alone_is(tmp_path: Path) -> None:
    path = inventory(tmp_path / "lab", 10_000)
    groups = json.loads(Targets(path).document())
    assert len(groups) == 10_000
    assert [group["labels"]["__meta_rkbench_board"] for group in groups[::5000]] == ["rack00000", "rack05000"]
    assert groups[7123]["targets"] == ["10.0.0.7:9954"]
    boards = load_inventory(path).boards
    assert [groups[number] for number in (0, 1, 7000, 9999)] == [
        target_group(boards[number]) for number in (0, 1, 7000, 9999)
    ]


def test_twice_as_many_boards_take_twice_the_work(tmp_path: Path) -> None:
    calls(inventory(tmp_path / "warm", 10))
    once, twice = (calls(inventory(tmp_path / f"lab{count}", count)) for count in (1000, 2000))
    assert twice < 2.2 * once


def test_what_is_kept_of_boards_is_read_once_for_all(tmp_path: Path) -> None:
    """Of each board its seconds held: the file would be read for every one of them."""
    path = inventory(tmp_path / "lab", 2000)
    held = {f"rack{number:05}": {"seconds": {"push": 1.5}, "times": {"push": 1}} for number in range(2000)}
    path.with_name("bench.held.json").write_text(json.dumps(held))
    opened = 0

    def note(event: str, words: tuple[object, ...]) -> None:
        nonlocal opened
        opened += event == "open" and str(words[0]).endswith("bench.held.json")

    sys.addaudithook(note)
    families = {family.name: family for family in Targets(path).collect()}
    assert len(families["rkbench_board_held_seconds"].samples) == 2000
    assert opened == 1
