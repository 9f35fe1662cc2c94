"""What PostgreSQL cannot hold or ask as it stands: NUL in a text, lists, names with wildcards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import cast, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement

from rkbench.store.postgres.tables import WORDS


def without_nul(columns: Mapping[str, object]) -> dict[str, Any]:
    """Return columns whose texts hold no NUL, which stands as U+2400 then: PostgreSQL has no such text."""
    return {
        name: value.replace("\0", "␀") if isinstance(value, str) else value for name, value in columns.items()
    }


def cells_of(words: Sequence[str]) -> ColumnElement[Any]:
    """Return words as one value, to be found in with `any`."""
    return cast(literal(list(words), ARRAY(WORDS)), ARRAY(WORDS))


def as_regular_expression(pattern: str) -> str:
    """Return a name with `*`, `?` and `[...]` as PostgreSQL's regular expression for the whole of it."""
    parts = re.findall(r"\[[!^]?\]?[^\]]*\]|.", pattern, re.DOTALL)
    return f"^(?:{''.join(map(_part, parts))})$"


def _part(part: str) -> str:
    if part == "*":
        return ".*"
    if part == "?":
        return "."
    if len(part) > 1:
        inner = part[1:-1]
        negated = inner[:1] in ("!", "^")
        return f"[{'^' if negated else ''}{inner[negated:].replace(chr(92), chr(92) * 2)}]"
    return re.escape(part)
