"""Chinese is written one way: words as in the glossary of CONTRIBUTING.md, blanks, punctuation."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
import messages

ROOT = Path(__file__).parents[3]
CATALOGUE = messages.LOCALES / "zh_CN" / "LC_MESSAGES" / "rkbench.po"
DOCUMENTS = [ROOT / "README.zh-CN.md", *sorted((ROOT / "docs" / "zh").glob("*.md"))]
ROW = re.compile(
    r"^\| (?P<english>[^|]+) \| (?P<chinese>[^|]*[\u4e00-\u9fff]+) \| (?P<never>[^|]*)\|$", re.MULTILINE
)
HAN, LATIN, WIDE = "[\u4e00-\u9fff]", "[A-Za-z0-9]", "[，。；：！？、（）]"
#: What is wrong between two characters, by what it is called.
WRONG = {
    "no blank": f"{HAN}[A-Za-z0-9`~±≈]|[A-Za-z0-9`%]{HAN}",
    "a blank beside punctuation": f"(?<!^) {WIDE}|{WIDE} (?!$)",
    "punctuation of English": f"{HAN}[,;:!?]|[,;:!?]{HAN}",
    "a blank between characters": f"{HAN} +{HAN}",
    "a unit without a blank": r"\d(?:[kMG]?B|%|dB|ms)(?![A-Za-z])",
}
#: Beside these a bracket of code ends: `config(optimization_level=2 或更低)`.
CODE = re.compile(r"`[^`]*`|\w+\([^()（）]*\)|\"[^\"]*\"|'[^']*'|https?://\S+")


class Term(NamedTuple):
    """A row of the glossary: English words for one thing, its word in Chinese, and what it is not called."""

    english: tuple[str, ...]
    chinese: str
    never: tuple[str, ...]


def words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def glossary() -> list[Term]:
    found = ROW.finditer((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    return [Term(words(row["english"]), row["chinese"], words(row["never"])) for row in found]


def prose(path: Path) -> list[str]:
    """Return the lines of a document without what is typed or printed, and without marks and links."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->|\*\*?", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    lines = [part.strip("#-> ") for line in text.splitlines() for part in line.split("|")]
    return [line for line in lines if re.search(HAN, line)]


def told() -> list[str]:
    return [message.string for message in messages.read(CATALOGUE) if message.id]


EVERY = [("catalogue", told()), *((path.name, prose(path)) for path in DOCUMENTS)]


@pytest.mark.parametrize(("name", "lines"), EVERY, ids=[name for name, _ in EVERY])
def test_no_other_word_is_used_for_a_thing(name: str, lines: list[str]) -> None:
    never = {word for term in glossary() for word in term.never}
    assert len(never) > 10
    assert [(word, line) for line in lines for word in never if word in line] == []


def test_what_the_glossary_names_is_called_so() -> None:
    checked = 0
    for term in glossary():
        some = "|".join(map(re.escape, term.english))
        wanted = re.compile(rf"(?<![-\w./'])(?:{some})(?![-\w./=(])")
        for message in messages.read(CATALOGUE):
            if message.id and wanted.search(re.sub(r"\{[^}]*\}|--\w[\w-]*|bench \w+", "", message.id)):
                checked += 1
                assert term.chinese in message.string, (term.english, message.id, message.string)
    assert checked > 300


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize(("name", "lines"), EVERY, ids=[name for name, _ in EVERY])
def test_characters_stand_as_they_are_written(name: str, lines: list[str], what: str) -> None:
    wrong = re.compile(WRONG[what])
    for line in lines:
        text = CODE.sub(lambda found: "`code`" if what != "no blank" else found[0], line)
        text = re.sub(r"\{\w+_?[^}]*\}", "\u2026", text)
        found = wrong.search(text)
        assert not found, (found and found[0], line)


def test_a_mistake_is_found() -> None:
    assert re.search(WRONG["no blank"], "3个核") and re.search(WRONG["no blank"], "核3")
    assert re.search(WRONG["punctuation of English"], "权重,命令")
    assert re.search(WRONG["a blank beside punctuation"], "权重： 命令")
    assert re.search(WRONG["a unit without a blank"], "14.6MB")
