"""A log is searched by words first: what is found is what every expression finds line by line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from rkbench.catalogue import match, rows, searchable
from rkbench.catalogue.needles import needles

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DATA = Path(__file__).parents[2] / "data/messages"
CASES = tomllib.loads((DATA / "failures.toml").read_text("utf-8"))["case"]
LINES = [
    *(DATA / "healthy.txt").read_text("utf-8").splitlines(),
    *(line for case in CASES for line in case["lines"]),
    *(line for row in rows() for line in row.example),
]
PATTERNS = [p for row in rows() for p in (row.pattern, *row.also, *row.unless) if p]


def test_words_first_finds_what_line_by_line_finds() -> None:
    log = searchable(LINES)
    slow = {pattern: [line for line in LINES if pattern.search(line)] for pattern in PATTERNS}
    assert {pattern: log.matching(pattern) for pattern in PATTERNS} == slow


def test_every_expression_of_the_catalogue_has_words_to_look_for() -> None:
    assert [pattern.pattern for pattern in PATTERNS if not needles(pattern.pattern)] == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("Invalid RKNN model version \\d+", {"invalid rknn model version "}),
        ("failed to open (module|device)", {"failed to open "}),
        ("(npu|NPU).*(add OPP|bad table)", {"add opp", "bad table"}),
        ("colou?r of it", {"r of it"}),
        ("(?:absent)? but there", {" but there"}),
        ("ends with a plus+", {"ends with a plus"}),
        ("^(?!.*msg_finish).*ACK_FAIL", {"ack_fail"}),
        ("job(?!.*ret = -512)", {"job"}),
        ("one of two|\\bthree four\\b", {"one of two", "three four"}),
        ("size\\(\\) = \\d", {"size() = "}),
        ("[Uu]nsupport file", {"nsupport file"}),
        ("={5} WARN", {" warn"}),
        ("one of two|\\w+", set()),
        ("a|of", set()),
        ("", set()),
    ],
)
def test_the_words_of_an_expression_are_those_that_it_cannot_do_without(
    pattern: str, words: set[str]
) -> None:
    assert needles(pattern) == words


def test_an_expression_without_words_is_tried_on_every_line() -> None:
    assert searchable(["a 1", "b", "c 2"]).matching(re.compile(r"\d$")) == ["a 1", "c 2"]


def test_lines_are_told_apart_also_where_lower_case_is_longer() -> None:
    lines = ["İİİİ error one", "", "ok", "error two"]
    assert searchable(lines).matching(re.compile("error \\w+")) == ["İİİİ error one", "error two"]


def test_the_catalogue_is_not_read_for_an_empty_log() -> None:
    rows.cache_clear()
    assert match([]) == []
    assert rows.cache_info().currsize == 0
