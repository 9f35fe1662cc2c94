"""A night as a comment on a merge request: what moved, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.results.night import Night
from rkbench.stats.gates import CANNOT_TELL, FAIL
from rkbench.units import printable
from rkbench.views.markdown import escaped
from rkbench.views.nightly.sentences import (
    epoch_lines,
    faults,
    gate_line,
    gates_in,
    has_too_few,
    headline,
    pooled_in,
    pooled_line,
)

#: More lines are no comment: the artifacts of the job have them.
MOST_LINES = 20
#: What both APIs take is more, but nobody reads it.
MOST_CHARACTERS = 20_000
_LONGEST_LINE = 500
#: Between the at sign and a name, so that nobody is called by a model's name.
_NOBODY = "@\u200b"


def mark_of(night: Night) -> str:
    """Return the first line of every comment of the night's suite, by which the next run finds it."""
    suite = "".join(sign if sign.isalnum() or sign in "._" else "-" for sign in printable(night.suite))
    return f"<!-- rkbench night of {suite} -->"


def is_news(night: Night) -> bool:
    """Return whether anything moved that a merge request should know of."""
    return any(True for _ in _movers(night))


def comment_body(night: Night) -> str:
    """Return the comment: a mark, the headline, and a line for everything that moved."""
    movers = list(_movers(night))
    parts = [mark_of(night), f"**{_safe(headline(night))}**"]
    if movers:
        parts.append("\n".join(f"- {_safe(line)}" for line in movers[:MOST_LINES]))
    if len(movers) > MOST_LINES:
        parts.append(f"and {len(movers) - MOST_LINES} more")
    parts.append(f"{_safe(night.id)}")
    return "\n\n".join(parts)[:MOST_CHARACTERS] + "\n"


def _movers(night: Night) -> Iterator[str]:
    for cell, gate in gates_in(night, FAIL):
        yield f"crossed: {gate_line(cell, gate)}"
    for item in pooled_in(night, FAIL):
        yield f"crossed: {pooled_line(item)}"
    for line in faults(night):
        yield f"failed: {line}"
    for cell, gate in gates_in(night, CANNOT_TELL):
        if gate.history is not None and not has_too_few(gate):
            yield f"suspicious: {gate_line(cell, gate)}"
    for line in epoch_lines(night):
        yield f"a new epoch on {line}"


def _safe(text: str) -> str:
    shown = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]} ..."
    return escaped(shown).replace("@", _NOBODY).replace("#", "\\#")
