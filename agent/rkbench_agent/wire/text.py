"""Text of others: names from files and boards, what a runtime prints; terminals obey signs in it."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` on one line and without signs that act instead of being seen: those are shown escaped.

    They are control characters, marks that turn the direction of writing, signs without width, and halves of
    surrogates, which no UTF-8 can hold.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def printable_lines(text: str) -> str:
    """Return `text` with each of its lines made `printable`."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))


def encodable(text: str) -> str:
    """Return `text` with each half of a surrogate escaped, which neither UTF-8 nor a database holds."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
