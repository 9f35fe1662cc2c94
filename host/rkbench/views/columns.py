"""Text of any script in the columns of a terminal: Chinese characters take two."""

from __future__ import annotations

import re
import textwrap

#: No character below that a view prints takes two columns.
_WIDE = "\u2e80"
#: Ideographs, and punctuation as wide as they: a line may break before and behind each ...
_IDEOGRAPH = "\u2e80-\uffdc"
#: ... but begins with none of these, and ends with none of those.
_CLOSING, _OPENING = "，。；：！？、）》」』】％", "（《「『【"
#: A word, or one ideograph, with the punctuation that stays with it; a number keeps its unit.
_UNIT = (
    rf"\s+|[{_OPENING}]*(?:[^\s{_IDEOGRAPH}]+(?: (?:%|[kMG]?B(?![A-Za-z])))*|[{_IDEOGRAPH}])[{_CLOSING}]*"
    rf"|[{_OPENING}{_CLOSING}]"
)

#: The blank between a number and its unit, at which no line ends.
_BEFORE_UNIT = re.compile(r" (?=%)|(?<=\d) (?=(?:[kMG]?B|[nµm]?s|[kMG]?Hz|°C|dB|/s|min|h)(?![A-Za-z]))")


def kept_together(text: str) -> str:
    """Return a text that has a no-break space before each unit of a number."""
    return _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)


def columns(text: str) -> int:
    """Return how many columns a text takes."""
    if not is_wide(text):
        return len(text)
    from rich.cells import cell_len  # loaded for such text alone

    return cell_len(text)


def is_wide(text: str) -> bool:
    """Return whether some of it may take two columns."""
    return not text.isascii() and max(text) >= _WIDE


def left(text: str, width: int) -> str:
    """Return a text followed by blanks up to `width` columns."""
    return text + " " * (width - columns(text))


def right(text: str, width: int) -> str:
    """Return a text after as many blanks."""
    return " " * (width - columns(text)) + text


def head(text: str, width: int) -> str:
    """Return as much of the beginning of a text as fits `width` columns."""
    end = min(len(text), width)
    while columns(text[:end]) > width:
        end -= 1
    return text[:end]


def tail(text: str, width: int) -> str:
    """Return as much of the end."""
    start = max(0, len(text) - width)
    while columns(text[start:]) > width:
        start += 1
    return text[start:]


def folded(text: str, width: int, first: str = "", indent: str = "") -> list[str]:
    """Return the lines of a paragraph of at most `width` columns; words longer than a line are broken."""
    if not is_wide(text):
        return textwrap.wrap(
            text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
        )
    lines: list[str] = []
    line, blank, is_empty = first, "", True
    for unit in re.findall(_UNIT, text):
        if unit.isspace():
            blank = "" if is_empty else " "
            continue
        if not is_empty and columns(line + blank + unit) > width:
            lines.append(line)
            line, blank, is_empty = indent, "", True
        line, blank, is_empty = line + blank + unit, "", not unit and is_empty
        while columns(line) > width:
            part = head(line, width)
            lines.append(part)
            line = indent + line[len(part) :]
    return lines if is_empty else [*lines, line]
