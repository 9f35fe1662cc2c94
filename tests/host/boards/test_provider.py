"""What `--board NAME` means: which provider has it, and how it is held."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.boards.inventory import remove_board
from rkbench.boards.model import Board
from rkbench.boards.provider import PROVIDERS, Boards, open_boards
from rkbench.errors import InventoryError, NoBoardError, UsageError

TEXT = """\
[boards.rock5b]
host = "192.168.1.20"
soc = "rk3588"
tags = ["lab"]

[boards.opi5]
host = "opi5"
soc = "rk3588"
tags = ["desk"]

[boards.toy]
host = "virtual"
soc = "rk3568"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "bench.toml").write_text(TEXT)
    return tmp_path / "bench.toml"


@pytest.mark.parametrize(
    ("name", "boards"),
    [
        ("opi5", ["opi5"]),
        ("rk3588", ["rock5b", "opi5"]),
        ("desk", ["opi5"]),
        ("virtual", ["virtual"]),
        ("virtual:rk3568", ["virtual:rk3568"]),
        ("pi@10.0.0.7:2200", ["pi@10.0.0.7:2200"]),
    ],
)
def test_a_name_means_a_board_then_a_soc_or_tag_then_an_address(
    path: Path, name: str, boards: list[str]
) -> None:
    assert [board.name for board in open_boards(path).find(name)] == boards


def test_what_is_for_one_board_takes_no_word_that_means_several(path: Path) -> None:
    boards = open_boards(path)
    assert boards.one("desk").name == "opi5"
    with pytest.raises(UsageError, match="'rk3588' is not one board but 2: rock5b, opi5") as caught:
        boards.one("rk3588")
    assert caught.value.hint == "name one of them"


def test_a_board_is_not_removed_by_its_tag_and_the_tag_is_told(path: Path) -> None:
    with pytest.raises(NoBoardError, match="no board 'lab'") as caught:
        remove_board(path, "lab")
    assert "lab is a tag or SoC, of rock5b: name the board" in caught.value.hint
    assert "did you mean lab" not in caught.value.hint


@pytest.mark.parametrize("words", [("release", "rk3588"), ("check", "rk3588"), ("calibrate", "rk3588")])
def test_a_command_for_one_board_does_not_pick_the_first_of_several(
    path: Path, words: tuple[str, str]
) -> None:
    done = run_bench("boards", *words, "--inventory", path, folder=path.parent)
    assert (done.returncode, "is not one board but 2: rock5b, opi5" in done.stderr) == (2, True)


def test_a_board_that_is_called_as_a_tag_hides_what_has_the_tag_and_that_is_told(path: Path) -> None:
    done = run_bench("boards", "add", "lab", "virtual", "--inventory", path, folder=path.parent)
    assert done.returncode == 0
    assert "lab is also a tag or SoC of rock5b: --board lab means this board alone from now on" in done.stderr
    assert "bench boards remove lab" in done.stderr
    done = run_bench(
        "boards", "add", "new", "virtual", "--tag", "opi5", "--inventory", path, folder=path.parent
    )
    assert "the tag opi5 is also the name of a board: --board opi5 means that one alone" in done.stderr
    done = run_bench(
        "boards", "add", "toy", "virtual", "--tag", "toys", "--inventory", path, folder=path.parent
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_an_address_is_a_board_with_the_host_keys_of_the_inventory(path: Path) -> None:
    (board,) = open_boards(path).find("pi@[fe80::1]:2200")
    assert (board.user, board.host, board.port) == ("pi", "fe80::1", 2200)
    assert board.known_hosts_files == (path.with_name("bench.known_hosts"),)


def test_virtual_has_a_soc_and_the_virtual_runtime(path: Path) -> None:
    (board,) = open_boards(path).find("virtual")
    assert (board.soc, board.runtime, board.simulated) == ("rk3588", "virtual", True)


def test_a_name_that_means_nothing_shows_what_was_meant(path: Path) -> None:
    with pytest.raises(InventoryError, match="no board 'rok5b'") as refusal:
        open_boards(path).find("rok5b")
    assert "did you mean rock5b" in refusal.value.hint


def test_an_inventory_that_is_named_is_there_and_one_that_is_found_need_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"none\.toml: there is no such file") as refusal:
        open_boards(tmp_path / "none.toml")
    assert "bench boards add" in refusal.value.hint
    assert [board.name for board in open_boards(Path(os.devnull)).find("virtual")] == ["virtual"]
    monkeypatch.setenv("RKBENCH_INVENTORY", str(tmp_path / "none.toml"))
    assert list(open_boards().listed()) == []


def test_the_boards_of_the_inventory_are_listed_and_no_others(path: Path) -> None:
    assert [board.name for board in open_boards(path).listed()] == ["rock5b", "opi5", "toy"]


def test_a_board_that_is_there_without_us_is_held_as_it_is(path: Path) -> None:
    boards = open_boards(path)
    for name in ("opi5", "pi@10.0.0.7"):
        with boards.hold(name) as board:
            assert board == boards.find(name)[0]


@pytest.mark.parametrize("name", ["virtual:rk3568", "toy"])
def test_a_virtual_board_is_started_to_be_held_and_ends_with_it(path: Path, name: str) -> None:
    with open_boards(path).hold(name) as board:
        assert (board.name, board.host, board.soc, board.simulated) == (name, "127.0.0.1", "rk3568", True)
        keys = board.identity_files[0]
        assert keys.exists()
    assert not keys.parent.exists()


def test_another_provider_is_asked_in_its_turn(path: Path) -> None:
    class Shelf:
        """A source with one board that is `taken` while it is held."""

        taken = False

        def __init__(self, _: Path) -> None:
            self._board = Board("shelf-1", "10.0.0.9", soc="rk3588")

        def names(self) -> tuple[str, ...]:
            return (self._board.name,)

        def find(self, word: str) -> tuple[Board, ...]:
            return (self._board,) if word in ("shelf-1", "rk3588") else ()

        @contextmanager
        def hold(self, _: str) -> Iterator[Board]:
            Shelf.taken = True
            yield self._board
            Shelf.taken = False

    boards = Boards(path, (*PROVIDERS, Shelf))
    assert [board.name for board in boards.listed()] == ["rock5b", "opi5", "toy", "shelf-1"]
    assert [board.name for board in boards.find("rk3588")] == ["rock5b", "opi5"]
    with boards.hold("shelf-1"):
        assert Shelf.taken
    assert not Shelf.taken
