"""What `--board` may name: several boards, each once, in the order of the words."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.campaign.push import named_boards
from rkbench.errors import NoBoardError

BOARDS = """
[boards.desk]
host = "virtual"
soc = "rk3588"
tags = ["lab"]
[boards.shelf]
host = "virtual"
soc = "rk3588"
[boards.old]
host = "virtual"
soc = "rk3568"
tags = ["lab"]
"""


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("desk", ["desk"]),
        ("old, desk", ["old", "desk"]),
        ("lab", ["desk", "old"]),
        ("RK3588", ["desk", "shelf"]),
        ("shelf,rk3588,lab", ["shelf", "desk", "old"]),
        ("virtual,virtual:RK3568", ["virtual", "virtual:RK3568"]),
    ],
)
def test_every_board_that_a_word_means_is_named_once(tmp_path: Path, words: str, names: list[str]) -> None:
    (tmp_path / "bench.toml").write_text(BOARDS)
    found = named_boards(words, inventory=tmp_path / "bench.toml").found
    assert [board.name for board in found] == names


@pytest.mark.parametrize("words", ["desk,nowhere", "desk,", ","])
def test_a_word_that_means_nothing_is_refused_before_anything_runs(tmp_path: Path, words: str) -> None:
    (tmp_path / "bench.toml").write_text(BOARDS)
    with pytest.raises(NoBoardError):
        named_boards(words, inventory=tmp_path / "bench.toml")
