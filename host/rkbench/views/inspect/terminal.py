"""What every part of the terminal view is made with: colour, titles, folding, bars."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from rkbench.errors import UsageError
from rkbench.language.language import ENGLISH, Language
from rkbench.units import printable
from rkbench.views.columns import columns, folded, head, tail

EIGHTHS = " ▏▎▍▌▋▊▉"
FALLBACK_WIDTH = 100
NAME_GAP, LEAST_NAME = 2, 12
NOTABLE = "notable"
"""What `--causes` says of those that matter for the file."""


class Style:
    """Escape sequences, or nothing where colour is not wanted; and the language of the view's own words."""

    def __init__(self, colour: bool, language: Language = ENGLISH) -> None:
        self.tell, self.say = language.tell, language.say
        self.bold, self.dim, self.accent, self.end = (
            ("\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m") if colour else ("", "", "", "")
        )


def layer_limit(text: str) -> int | None:
    """Return how many layers `--layers` asks for, None for all; raises UsageError."""
    if text == "all":
        return None
    if text.isdecimal():
        return int(text)
    raise UsageError(f"--layers {text}: no number", hint="a number, or all")


def wants_all(text: str) -> bool:
    """Return whether `--causes` asks for all of them; raises UsageError."""
    if text not in (NOTABLE, "all"):
        raise UsageError(f"--causes {text}: which causes?", hint=f"{NOTABLE}, or all")
    return text == "all"


def wants_colour(is_terminal: bool) -> bool:
    """Return whether to use colour: on a terminal, unless NO_COLOR is set or TERM is dumb."""
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def wrap(text: str, width: int, indent: str = "", first: str | None = None) -> str:
    """Return text filled to `width`; names longer than a line are broken, control characters made visible."""
    return "\n".join(folded(printable(text), width, indent if first is None else first, indent))


def shorten(text: str, width: int) -> str:
    """Return a name that fits `width`, its middle left out."""
    text = printable(text)
    if columns(text) <= width:
        return text
    left = (width - 1) // 2
    return f"{head(text, left)}…{tail(text, width - 1 - left)}"


def name_room(names: Iterable[str], most: int) -> int:
    """Return the columns of a table's names, as the longest needs: figures stand near; at most `most`."""
    longest = max((columns(printable(name)) for name in names), default=0)
    return min(most, max(longest + NAME_GAP, LEAST_NAME))


def heading(text: str, style: Style) -> str:
    """Return a section's title."""
    return f"{style.bold}{text}{style.end}"


def bar(share: float, width: int) -> str:
    """Return a bar of `width` columns for a share of 0 to 1, in eighths of a column."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def terminal_width() -> int:
    """Return COLUMNS, else the width of the terminal, else a fallback. (shutil is slow to import.)"""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or FALLBACK_WIDTH
    except (OSError, ValueError):
        return FALLBACK_WIDTH
