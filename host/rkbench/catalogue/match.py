"""Which known failures a log shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rkbench.catalogue.facts import BoardState, state_in_log
from rkbench.catalogue.log_search import SearchedLog, searchable
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
    return diagnoses_of(searchable(lines), state)


def diagnoses_of(log: SearchedLog, state: BoardState | None = None) -> list[Diagnosis]:
    """Return what `match` says of a log that was made ready before."""
    if not log.lines:  # as virtual runtimes have it: the catalogue need not be read
        return []
    harmless = harmless_in(log)
    found = [(row, line) for row in _by_weight() for line in _first_fit(row, log, harmless)]
    here = (state or BoardState()).or_else(state_in_log(log))
    return [diagnosis(row, line, here) for row, line in _most_telling(_one_a_line(found))]


def diagnosis(row: Row, line: str, state: BoardState) -> Diagnosis:
    """Return what `row` says of `line` on a board of that state."""
    cause, advice = row.meaning(state)
    return Diagnosis(row.number, row.severity, cause, advice, row.source, line, row.scope, row.seen)


def harmless_in(log: SearchedLog) -> frozenset[str]:
    """Return the lines of `log` that healthy runs print too, however bad they sound."""
    patterns = [row.pattern for row in rows() if row.severity == HARMLESS and not _spoiled(row, log)]
    return _lines_of(log, patterns)


def is_harmless(line: str) -> bool:
    """Tell whether a line by itself is harmless."""
    return line in harmless_in(searchable([line]))


def known_in(log: SearchedLog) -> frozenset[str]:
    """Return the lines of `log` of which any row of the catalogue speaks."""
    return _lines_of(log, [row.pattern for row in rows()])


def _lines_of(log: SearchedLog, patterns: Iterable[re.Pattern[str] | None]) -> frozenset[str]:
    return frozenset(line for pattern in patterns if pattern for line in log.matching(pattern))


def _spoiled(row: Row, log: SearchedLog, harmless: frozenset[str] = frozenset()) -> bool:
    return any(set(log.matching(unless)) - harmless for unless in row.unless)


def _by_weight() -> list[Row]:
    """Return the rows that can be diagnoses: worst first, then most telling, then the board's own."""
    candidates = [row for row in rows() if row.severity != HARMLESS]
    return sorted(candidates, key=_weight)


def _weight(row: Row) -> tuple[int, int, bool, int, int]:
    """Return what rows are sorted by; the more specific of two comes first."""
    foreign = row.scope != RK35XX
    return (SEVERITIES.index(row.severity), RANKS.index(row.rank), foreign, -len(row.also), row.number)


def _first_fit(row: Row, log: SearchedLog, harmless: frozenset[str]) -> list[str]:
    """Return the first line that the row is about, in a list, or an empty one; no harmless line counts."""
    found = log.matching(row.pattern) if row.pattern else []
    hits = [line.strip() for line in found if line not in harmless][:1]
    fits = hits and all(set(log.matching(also)) - harmless for also in row.also)
    return hits if fits and not _spoiled(row, log, harmless) else []


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
