"""Where in a suite the thing stands that a complaint is about: pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rkbench.decoding.toml import line_of
from rkbench.errors import UsageError

_PLACE = re.compile(r"(?:\[\[models\]\] (?P<number>\d+)|\[plans\.(?P<plan>[^\]]+)\]): ")
_MODELS = re.compile(r"\s*\[\[\s*models\s*\]\]")
_HEADER = re.compile(r"\s*\[")
_QUOTED = re.compile(r"'([^']+)'")


def located(error: UsageError, path: Path, text: str) -> UsageError:
    """Return `error` of the suite `path`, which holds `text`, with the line that it is about, if one is."""
    prefix = f"{path}: "
    if not error.message.startswith(prefix):
        return error
    said = error.message.removeprefix(prefix)
    line = _line(text.split("\n"), text, said)
    return error if line is None else UsageError(f"{prefix}line {line}: {said}", hint=error.hint)


def _line(lines: list[str], text: str, said: str) -> int | None:
    """Return the line of the word that is said, in its table or above all tables; else its table's."""
    place = _PLACE.match(said)
    start = _start(lines, text, place)
    if start is None:
        return None
    words = list(_words(said[place.end() :] if place else said))
    for first, last in ((start, _end(lines, start)), (0, _end(lines, 0))):
        for word in words:
            for number in range(first, last):
                if _says(lines[number], word):
                    return number + 1
    return start + 1 if place else None


def _start(lines: list[str], text: str, place: re.Match[str] | None) -> int | None:
    """Return the index of the line on which a table begins; None where it is written in another way."""
    if place is None:
        return 0
    if place["plan"] is not None:
        found = line_of(text, "plans", place["plan"])
        return None if found is None else found - 1
    headers = [number for number, line in enumerate(lines) if _MODELS.match(line)]
    wanted = int(place["number"]) - 1
    return headers[wanted] if wanted < len(headers) else None


def _end(lines: list[str], start: int) -> int:
    """Return the index behind a table: of the next one's header."""
    first = start + 1 if _HEADER.match(lines[start]) else start
    return next((number for number in range(first, len(lines)) if _HEADER.match(lines[number])), len(lines))


def _words(said: str) -> Iterator[str]:
    """Yield what may stand in the file: what is quoted, then the first word."""
    yield from _QUOTED.findall(said)
    yield re.split(r"[\s:]", said, maxsplit=1)[0]


def _says(line: str, word: str) -> bool:
    """Return whether a line has a word as its key, or in quotes; what is commented out says nothing."""
    code = line.split("#")[0] if "#" not in word else line
    key = re.match(rf"""\s*["']?{re.escape(word)}["']?\s*=""", code)
    return key is not None or f'"{word}"' in code or f"'{word}'" in code
