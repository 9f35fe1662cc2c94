"""What the catalogue knows of a converter's own words."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.catalogue.match import match


def known_cure(lines: Sequence[str]) -> tuple[str, str]:
    """Return cause and advice of what is known in a converter's log; two empty texts where nothing is."""
    found = match(lines)
    if not found:
        return "", ""
    return found[0].cause, found[0].advice
