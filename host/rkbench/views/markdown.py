"""Text in Markdown: nothing in a name acts, and no cell ends a row."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.units import printable


def escaped(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, on one line."""
    text = printable(" ".join(text.split()))
    for sign in "\\`*_|<[]&~":
        text = text.replace(sign, f"\\{sign}")
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose cells are Markdown already; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
