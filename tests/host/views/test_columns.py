"""Text in columns of a terminal: Chinese takes two, and breaks where it may."""

from __future__ import annotations

import textwrap

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rkbench.views.columns import columns, folded, head, left, right, tail

TEXT = st.text(alphabet="ab1 权重，。（）：%kB-", max_size=80)


def test_a_chinese_character_takes_two_columns() -> None:
    assert columns("权重 12") == 7
    assert left("权重", 6) == "权重  "
    assert right("权重", 6) == "  权重"
    assert (head("权重大", 5), tail("权重大", 5)) == ("权重", "重大")


def test_lines_break_between_characters_but_not_before_a_comma() -> None:
    assert folded("卷积核占，而各组", 8) == ["卷积核", "占，而各", "组"]


def test_a_number_keeps_its_unit() -> None:
    assert folded("权重占了 14.1 MB", 14) == ["权重占了", "14.1 MB"]


def test_further_lines_are_indented() -> None:
    assert folded("分组卷积按稠密", 10, "· ", "  ") == ["· 分组卷积", "  按稠密"]


def test_words_longer_than_a_line_are_broken() -> None:
    assert folded("层 abcdefghijkl", 6) == ["层", "abcdef", "ghijkl"]


@given(st.text(alphabet="ab c1-", max_size=80), st.integers(8, 40))
def test_english_breaks_as_ever(text: str, width: int) -> None:
    assert folded(text, width) == textwrap.wrap(text, width, break_on_hyphens=False)


@given(TEXT, st.integers(8, 40))
def test_no_line_is_wider_than_asked_and_nothing_is_lost(text: str, width: int) -> None:
    lines = folded(text, width, "· ", "  ")
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()).replace("·", "") == "".join(text.split())
