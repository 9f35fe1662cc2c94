"""Python source without its docstrings and comment lines, line for line: what travels to the board.

Every statement keeps its line number, so a traceback from a board points into the project's source.
It goes by the look of lines, as the style of this project has them, for a push must not wait for a
parser; a test compares the syntax trees of every module of the agent before and after.
"""

from __future__ import annotations

QUOTES = '"""'


def without_docstrings(source: str) -> str:
    """Return `source` with docstrings emptied and lines of comment blanked.

    A docstring is what starts a line with triple quotes and ends a line with them.
    """
    lines = source.splitlines()
    inside = False
    for number, line in enumerate(lines):
        text = line.strip()
        if inside:
            inside = not text.endswith(QUOTES)
            lines[number] = ""
        elif text.startswith(QUOTES):
            inside = text == QUOTES or not text.endswith(QUOTES)
            lines[number] = line[: line.index('"')] + '""'
        elif text.startswith("#"):
            lines[number] = ""
    return "\n".join(lines) + "\n"
