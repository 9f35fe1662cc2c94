"""Which template a plain English text was made of: one out of a store, or from the agent, has forgotten it.

A text is recognised whole or not at all: a part of it that is a sentence has to be recognised itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from string import Formatter

from rkbench.language.said import NOTHING, Said, say

#: Longer texts are none of ours, and would take long to look at.
LONGEST = 700
#: A template by which a text may be recognised has a word of its own; with a single one (`{a} and {b}`) its
#: parts have to be recognised, each of them ...
_WORD = re.compile(r"[a-z]{2,}")
#: ... as those of texts that are only joined.
JOINED = {"; ": "{items}; {item}", ", ": "{items}, {item}"}
_COMMAND = re.compile(r"\bbench [a-z]+(?: [a-z]+)?\b")
#: What nobody but English says: two words of lower case, one after the other.
_PROSE = re.compile(r"(?<![\w./=-])[a-z]{2,} [a-z]{2,}(?![\w./=-])")


def recognised(text: str, templates: Iterable[str]) -> Said | None:
    """Return the text as said by one of the templates, with its parts recognised; None of others."""
    return _Recogniser(frozenset(templates)).read(text) if len(text) <= LONGEST else None


class _Recogniser:
    """Reads one text; what it has read already, as a part of it, it does not read again."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._read: dict[str, Said | None] = {}

    def read(self, text: str) -> Said | None:
        """Return the text as said; None where it is of no template."""
        if text not in self._read:
            self._read[text] = None  # a text is no part of itself
            self._read[text] = self._single(text) or next(self._several(text), None)
        return self._read[text]

    def _single(self, text: str) -> Said | None:
        """Return the text as said by one template: by that with most words of its own."""
        if text in self._known and "{" not in text:
            return say(text)
        for template in _with_words(self._known):
            values = _values(text, template)
            read = self._part if _says_much(template) else self.read
            parts = {name: read(value) for name, value in (values or {}).items()}
            if values is not None and None not in parts.values():
                return _said(text, template, parts)
        return None

    def _several(self, text: str) -> Iterator[Said]:
        """Yield the text as several, one after the other, each of them recognised."""
        for separator, template in JOINED.items():
            for cut in reversed([found.start() for found in re.finditer(separator, text)]):
                last = self.read(text[cut + len(separator) :])
                items = self.read(text[:cut]) if last is not None else None
                if items is not None:
                    yield _said(text, template, {"items": items, "item": last})

    def _part(self, value: str) -> str | None:
        """Return a part of a sentence, said; as it is where it is no English; None of English unknown."""
        if not value:
            return NOTHING
        found = self.read(value)
        if found is not None:
            return found
        return None if _PROSE.search(_COMMAND.sub("", value)) else _Shown(value)


class _Shown(str):
    """A value as it stands in the text: how a number is shown (`{:,}`) is decided already."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)


def _said(text: str, template: str, values: Mapping[str, str | None]) -> Said:
    said = Said(text)
    said.template, said.values = template, dict(values)
    return said


def _values(text: str, template: str) -> dict[str, str] | None:
    """Return what the template's placeholders stand for in the text; None where it is of another form."""
    if not all(literal in text for literal, _ in _pieces(template)):
        return None
    found = _pattern(template).fullmatch(text)
    return found.groupdict() if found else None


@lru_cache(maxsize=4)
def _with_words(templates: frozenset[str]) -> tuple[str, ...]:
    """Return the templates with words of their own and placeholders, those with most of them first."""
    own = {each: "".join(literal for literal, _ in _pieces(each)) for each in templates if "{" in each}
    worded = (each for each, text in own.items() if _WORD.search(text))
    return tuple(sorted(worded, key=lambda each: (-len(own[each]), each)))


@cache
def _says_much(template: str) -> bool:
    """Return whether a template has more than a single word of its own."""
    return len(_WORD.findall("".join(literal for literal, _ in _pieces(template)))) > 1


@cache
def _pieces(template: str) -> tuple[tuple[str, str | None], ...]:
    """Return each literal text of a template with the placeholder behind it."""
    return tuple((literal, name) for literal, name, _, _ in Formatter().parse(template))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Return what a text of the template looks like."""
    pieces: list[str] = []
    seen: set[str] = set()
    for literal, name in _pieces(template):
        pieces.append(re.escape(literal))
        if name:
            pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>.*)")
            seen.add(name)
    return re.compile("".join(pieces), re.DOTALL)
