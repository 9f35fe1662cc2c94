"""Every sentence that can be told in another language has a translation, with the same parts and numbers."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
import messages

CATALOGUES = sorted(messages.LOCALES.glob("*/LC_MESSAGES/*.po"))
#: What is typed, or is called so in a file: a translation has it letter for letter.
CODE = re.compile(
    r"`[^`]+`|--[a-z][a-z-]*|\b[a-z0-9]+(?:_[a-z0-9]+)+\b|\bbench [a-z]+\b|\b[A-Z]\w*[a-z][A-Z]\w*?(?=s?\b)"
)


def fields(template: str) -> Counter[str]:
    """Return the placeholders of a template, with how each is shown."""
    parts = ((name, spec) for _, name, spec, _ in Formatter().parse(template) if name is not None)
    return Counter(f"{name}:{spec}" for name, spec in parts)


def numbers(template: str) -> Counter[str]:
    """Return the numbers that stand in a template itself."""
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", re.sub(r"\{[^}]*\}", "", template)))


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_catalogue_has_exactly_what_is_said(path: Path) -> None:
    assert messages.text_of(
        messages.updated(messages.read(path), messages.said())
    ).decode() == path.read_text(encoding="utf-8"), "make messages"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_every_sentence_is_translated(path: Path) -> None:
    missing = [message.id for message in messages.read(path) if message.id and not message.string]
    assert not missing, f"without a translation in {path}"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_the_compiled_catalogue_is_that_of_the_source(path: Path) -> None:
    assert path.with_suffix(".mo").read_bytes() == messages.compiled(messages.read(path)), "make messages"


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_translation_has_the_parts_and_numbers_of_its_sentence(path: Path) -> None:
    for message in messages.read(path):
        if not message.id:
            continue
        wanted, found = fields(message.id), fields(message.string)
        left_out = {name for name in wanted if name.partition(":")[0].endswith("_")}
        assert +Counter({name: n for name, n in wanted.items() if name not in left_out}) == Counter(
            {name: n for name, n in found.items() if name not in left_out}
        ), message.id
        assert numbers(message.id) == numbers(message.string), message.id


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.parts[-3])
def test_a_translation_leaves_names_and_commands_as_they_are(path: Path) -> None:
    for message in messages.read(path):
        text = re.sub(r"\{[^}]*\}", "", message.id)
        assert all(word in message.string for word in CODE.findall(text)), message.id


def test_a_new_sentence_makes_a_catalogue_incomplete() -> None:
    found = list(messages.templates('say("so many {layers}", layers=3); clause("waits"); count(2, "layer")'))
    assert found == ["so many {layers}", "waits", "{number:,} layer"]
    catalogue = messages.updated(messages.read(CATALOGUES[0]), {**messages.said(), "said anew": ["a.py"]})
    assert [message.id for message in catalogue if message.id and not message.string] == ["said anew"]
