"""Versions as numbers: the one reader of "2.3.0", with no more to import than it needs."""

from __future__ import annotations

import re


def parse_version(text: str | None) -> tuple[int, ...] | None:
    """Return the leading numbers of a version: "2.3.0" and "2.3.0+8b1f" are (2, 3, 0)."""
    found = re.match(r"\d+(?:\.\d+)*", text or "")
    return tuple(int(part) for part in found.group().split(".")) if found else None
