"""A plain text is recognised as one of the catalogue's sentences, whole or not at all."""

from __future__ import annotations

import pytest
from rkbench.language.choice import FOLDERS
from rkbench.language.language import ENGLISH, Language, load
from rkbench.language.recognised import recognised

TEMPLATES = (
    "give it more: {calls:,} calls",
    "cool the board{rest}",
    " ({option})",
    "hold the clocks",
    "{ways}, or {way}",
    "{more}; or {less}",
    "{site}: {size}",
    "{{braces}} hold {what}",
    "{name} is as {name} was",
)


@pytest.fixture(scope="module")
def chinese() -> Language:
    return load("zh", FOLDERS["zh"])


@pytest.mark.parametrize(
    ("text", "template", "values"),
    [
        ("hold the clocks", "hold the clocks", {}),
        ("give it more: 1,234 calls", "give it more: {calls:,} calls", {"calls": "1,234"}),
        ("cool the board", "cool the board{rest}", {"rest": ""}),
        ("hold the clocks, or cool the board", "{ways}, or {way}", None),
        ("hold the clocks; cool the board; hold the clocks", "{items}; {item}", None),
        ("{braces} hold 3", "{{braces}} hold {what}", {"what": "3"}),
        ("a is as a was", "{name} is as {name} was", {"name": "a"}),
    ],
)
def test_a_text_is_known_by_its_form(text: str, template: str, values: dict[str, str] | None) -> None:
    said = recognised(text, TEMPLATES)
    assert said == text
    assert said is not None and said.template == template
    assert values is None or said.values == values


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.rknn: 3 MB",  # a template without a word of its own tells nothing
        "cool the board or the room it stands in",  # a part that is English itself
        "hold the clocks, or do nothing at all",
        "hold the clocks; or",
        "NPU at 600 MHz, or 1 GHz",  # one word alone makes no sentence of ours
        "a is as b was",
        "hold the clocks ",
        ", ; , ;" * 200,
        "x" * 100_000,
        "hold the clocks; " * 500,
    ],
)
def test_another_text_is_not(text: str) -> None:
    assert recognised(text, TEMPLATES) is None


def test_what_was_stored_is_told_with_its_numbers(chinese: Language) -> None:
    assert chinese.known("measure longer: --duration 40") == "测久一点：--duration 40"
    told = chinese.known(
        "hold the clocks still (--pin), let the board rest (--cool-below 50), or measure longer"
        " (--duration 30)"
    )
    assert told == "固定频率（--pin）、让板子凉下来（--cool-below 50），或者测久一点（--duration 30）"
    assert ENGLISH.known("measure longer: --duration 40") == "measure longer: --duration 40"


def test_words_of_the_user_stay(chinese: Language) -> None:
    assert chinese.known("ValueError: my own words (3)") == "ValueError: my own words (3)"
    assert chinese.known("{0} {name!r}") == "{0} {name!r}"
