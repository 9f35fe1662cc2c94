"""Which known failures a log shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rkbench.catalogue.facts import BoardState, state_in_log
from rkbench.catalogue.rows import HARMLESS, RANKS, RK35XX, SEVERITIES, Row, rows


@dataclass(frozen=True)
class Diagnosis:
    """What a known message means: `number` is its row of the failure catalogue, `line` what was said.

    `severity` is fatal, error or warning. `number` is None where it was the doctor who found the reason;
    `line` is then what he found. `scope` is whose message it is, `seen` the versions and boards that said it.
    """

    number: int | None
    severity: str
    cause: str
    advice: str
    source: str
    line: str
    scope: str = RK35XX
    seen: str = ""


def match(lines: Iterable[str], state: BoardState | None = None) -> list[Diagnosis]:
    """Return what `lines` (captured output and kernel log) say, the worst and most telling first.

    `state` is what is known of the board; what it leaves open, the lines may tell.

    One line has one diagnosis, and one row appears once. Where a line says why, those that only say what
    failed are left out, and a generic tail such as "load model failed!" goes before both; warnings stay.
    Harmless lines say nothing. An empty list means that no known
    message is among them: a return code alone is never a diagnosis.
    """
    told = list(lines)
    harmless = harmless_in(told)
    telling = [line for line in told if not harmless(line)]
    found = [(row, line) for row in _by_weight() for line in _first_fit(row, telling)]
    here = (state or BoardState()).or_else(state_in_log(told))
    return [diagnosis(row, line, here) for row, line in _most_telling(_one_a_line(found))]


def diagnosis(row: Row, line: str, state: BoardState) -> Diagnosis:
    """Return what `row` says of `line` on a board of that state."""
    cause, advice = row.meaning(state)
    return Diagnosis(row.number, row.severity, cause, advice, row.source, line, row.scope, row.seen)


def harmless_in(log: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a line of `log` is one that healthy runs print too, however bad it sounds."""
    patterns = [
        row.pattern for row in rows() if row.severity == HARMLESS and row.pattern and not _spoiled(row, log)
    ]
    return lambda line: any(pattern.search(line) for pattern in patterns)


def is_harmless(line: str) -> bool:
    """Tell whether a line by itself is harmless."""
    return harmless_in(())(line)


def is_known(line: str) -> bool:
    """Tell whether any row of the catalogue speaks of the line."""
    return any(row.pattern and row.pattern.search(line) for row in rows())


def _spoiled(row: Row, lines: Sequence[str]) -> bool:
    return any(unless.search(line) for unless in row.unless for line in lines)


def _by_weight() -> list[Row]:
    """Return the rows that can be diagnoses: worst first, then most telling, then the board's own."""
    candidates = [row for row in rows() if row.severity != HARMLESS]
    return sorted(candidates, key=_weight)


def _weight(row: Row) -> tuple[int, int, bool, int, int]:
    """Return what rows are sorted by; the more specific of two comes first."""
    foreign = row.scope != RK35XX
    return (SEVERITIES.index(row.severity), RANKS.index(row.rank), foreign, -len(row.also), row.number)


def _first_fit(row: Row, lines: Sequence[str]) -> list[str]:
    """Return the first line that the row is about, in a list, or an empty one."""
    pattern = row.pattern
    if pattern is None:
        return []
    hits = [line.strip() for line in lines if pattern.search(line)][:1]
    fits = hits and all(any(also.search(line) for line in lines) for also in row.also)
    return hits if fits and not _spoiled(row, lines) else []


def _one_a_line(found: Sequence[tuple[Row, str]]) -> list[tuple[Row, str]]:
    """Return `found` without the rows whose line a weightier row has explained."""
    kept: list[tuple[Row, str]] = []
    for row, line in found:
        if all(line != other for _, other in kept):
            kept.append((row, line))
    return kept


def _most_telling(found: Sequence[tuple[Row, str]]) -> list[tuple[Row, str]]:
    """Return the warnings, and of the failures those of the best rank that there is."""
    ranks = [RANKS.index(row.rank) for row, _ in found if row.severity != "warning"]
    best = RANKS[min(ranks, default=0)]
    return [(row, line) for row, line in found if row.severity == "warning" or row.rank == best]
