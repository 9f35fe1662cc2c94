"""bench.toml: what it says, what `--board NAME` means, and edits that leave the rest alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from rkbench.boards.finding import find_inventory
from rkbench.boards.inventory import (
    add_board,
    load_inventory,
    remove_board,
)
from rkbench.boards.model import Board
from rkbench.boards.provider import Boards
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
    assert (board.simulated, board.runtime) == (True, "virtual")


def test_a_behaviour_lies_beside_its_inventory_wherever_the_command_is_typed(path: Path) -> None:
    assert load_inventory(path).boards[2].behaviour == path.parent / "slow.json"
    path.write_text(path.read_text().replace("slow.json", "/lab/slow.json"))
    assert load_inventory(path).boards[2].behaviour == Path("/lab/slow.json")


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
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "settings")}
    assert find_inventory(None, settings, Path("/"), tmp_path) == tmp_path / "settings/rkbench/bench.toml"
    relative = {"XDG_CONFIG_HOME": "settings"}
    assert find_inventory(None, relative, Path("/"), tmp_path) == tmp_path / ".config/rkbench/bench.toml"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('user = "x\\nProxyCommand touch /tmp/f"', "user has a control character"),
        ('host = "a b"', "host 'a b' is not one word"),
        ('host = "-oProxyCommand=x"', "host '-oProxyCommand=x' is not one word"),
        ('host = "h"\nuser = ""', "user '' is not one word"),
        ('host = "h"\nsoc = "\\u001b[2J"', "soc has a control character"),
        ('host = "h"\ntags = ["\\u202e"]', "tags has a control character"),
        ('host = "h"\nport = 0', "port 0 is no port"),
        ('host = "h"\nexporter_port = 65536', "exporter_port 65536 is no port"),
        ('host = "h"\nbecome = "sudo \'"', "no closing quotation"),
        ('host = "virtual"\nhome = "~nobody-of-that-name/x"', "is the home of no user"),
        ('host = "h"\nidentity_files = [3]', "identity_files must be a list of strings"),
        ('host = "h"\nhost = "i"', "line 3"),
        ('host = "h"\n\nsoc = rk3588', "line 4"),
        ("host = " + "[" * 3000, "line 2 is nested too deep"),
        ('host = "h" # \udcff', "line 2: the byte 0xff is no UTF-8"),
    ],
)
def test_what_no_board_can_have_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "bench.toml"
    text = line if line.startswith("host") else f'host = "h"\n{line}'
    path.write_text(f"[boards.a]\n{text}\n", encoding="utf-8", errors="surrogateescape")
    with pytest.raises(InventoryError) as error:
        load_inventory(path)
    assert words.lower() in error.value.message.lower()
    assert error.value.hint


def test_no_board_takes_the_name_of_the_virtual_one(tmp_path: Path) -> None:
    path = tmp_path / "bench.toml"
    path.write_text('[boards.virtual]\nhost = "virtual"\npython = "./evil.sh"\n')
    with pytest.raises(InventoryError, match="always means the virtual board"):
        load_inventory(path)
    assert Boards(path).find("virtual")[0].python == "python3"


def test_an_inventory_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "bench.toml")
    with pytest.raises(InventoryError, match="not a file"):
        load_inventory(tmp_path / "bench.toml")
    with pytest.raises(InventoryError, match="not a file"):
        load_inventory(Path("/dev/zero"))


@pytest.mark.parametrize("part", ["a", '"a"', "'a' \t"])
def test_a_key_of_parts_without_end_is_not_waited_for(tmp_path: Path, part: str) -> None:
    (tmp_path / "bench.toml").write_text("\n[boards." + ".".join([part] * 100_000) + "]\n")
    with pytest.raises(InventoryError, match="line 2 has a key of more than 32 parts"):
        load_inventory(tmp_path / "bench.toml")


@pytest.mark.parametrize("open_to_all", ["bench.toml", "."])
def test_an_inventory_that_others_can_write_is_not_found_by_walking_up(
    path: Path, tmp_path: Path, open_to_all: str
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    assert find_inventory(environment={}, start=below) == path
    (tmp_path / open_to_all).chmod(0o777)
    home = tmp_path / "home"
    assert find_inventory(environment={}, start=below, home=home) == home / ".config/rkbench/bench.toml"
    assert find_inventory(path, environment={}, start=below) == path


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("given_away", ["bench.toml", "."])
def test_an_inventory_of_another_user_is_not_found_by_walking_up(
    path: Path, tmp_path: Path, given_away: str
) -> None:
    os.chown(tmp_path / given_away, 12345, 12345)
    home = tmp_path / "home"
    assert find_inventory(environment={}, start=tmp_path, home=home) == home / ".config/rkbench/bench.toml"


def test_a_full_disk_leaves_the_inventory_as_it_was_and_nothing_beside_it(tmpfs: Path) -> None:
    path = tmpfs / "bench.toml"
    path.write_text(TEXT)
    with suppress(OSError):
        (tmpfs / "full").write_bytes(bytes(24 << 20))
    with pytest.raises(InventoryError, match="No space left"):
        add_board(path, Board(name="new", host="10.0.0.9", tags=("x" * 9000,)))
    assert path.read_text() == TEXT
    assert sorted(file.name for file in tmpfs.iterdir()) == ["bench.toml", "full"]
