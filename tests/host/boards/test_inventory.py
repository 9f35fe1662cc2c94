"""bench.toml: what it says, what `--board NAME` means, and edits that leave the rest alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.boards.inventory import (
    add_board,
    find_inventory,
    load_inventory,
    remove_board,
)
from rkbench.boards.model import Board
from rkbench.errors import InventoryError

TEXT = """\
# the lab
[boards.rock5b]
host = "192.168.1.20" # top shelf
user = "root"
port = 2222
soc = "rk3588"
tags = ["lab", "nightly"]
python = "~/venv/bin/python"
become = "sudo -n"

[boards.opi5]
host = "opi5"
soc = "rk3588"
tags = ["desk"]

[boards.toy]
host = "virtual"
soc = "rk3568"
behaviour = "slow.json"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "bench.toml").write_text(TEXT)
    return tmp_path / "bench.toml"


def test_a_board_has_what_the_file_says(path: Path) -> None:
    board = load_inventory(path).boards[0]
    assert board == Board(
        name="rock5b",
        host="192.168.1.20",
        port=2222,
        user="root",
        soc="rk3588",
        tags=("lab", "nightly"),
        python="~/venv/bin/python",
        become="sudo -n",
        known_hosts_files=(path.with_name("bench.known_hosts"),),
    )
    assert board.address == "root@192.168.1.20:2222"


def test_a_board_on_the_host_virtual_is_simulated(path: Path) -> None:
    board = load_inventory(path).boards[2]
    assert (board.simulated, board.runtime, board.behaviour) == (True, "virtual", Path("slow.json"))


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('pyton = "x"', "'rock5b': key 'pyton' is unknown", "did you mean python"),
        ('port = "22"', "port must be a whole number, not '22'", ""),
        ("port = true", "port must be a whole number, not True", ""),
        ("tags = [1", "cannot be read", "--inventory FILE"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, line: str, message: str, hint: str) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(f'[boards.rock5b]\nhost = "a"\n{line}\n')
    with pytest.raises(InventoryError, match=message) as refusal:
        load_inventory(path)
    assert hint in refusal.value.hint


def test_a_wrong_section_is_named(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text('[board.rock5b]\nhost = "a"\n')
    with pytest.raises(InventoryError, match="section 'board' is unknown") as refusal:
        load_inventory(tmp_path / "bench.toml")
    assert refusal.value.hint == "did you mean boards?"


def test_an_edit_keeps_comments_and_order(path: Path) -> None:
    add_board(path, Board(name="new", host="10.0.0.9", user="root", tags=("desk",)))
    remove_board(path, "new")
    assert path.read_text().strip() == TEXT.strip()


def test_what_was_added_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep/bench.toml"
    board = Board(
        name="b1", host="h", port=23, user="u", soc="rk3568", tags=("x",), python="p3", cache_dir="/data"
    )
    add_board(path, board)
    (read,) = load_inventory(path).boards
    assert read.to_json() == {
        **board.to_json(),
        "known_hosts_files": [str(tmp_path / "deep/bench.known_hosts")],
    }


def test_the_inventory_is_named_or_near_or_at_home(path: Path, tmp_path: Path) -> None:
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    other = tmp_path / "other.toml"
    assert find_inventory(None, {}, below) == path
    assert find_inventory(None, {"RKBENCH_INVENTORY": str(other)}, below) == other
    assert find_inventory(other, {"RKBENCH_INVENTORY": "x"}, below) == other
    assert find_inventory(None, {}, Path("/"), tmp_path) == tmp_path / ".config/rkbench/bench.toml"
