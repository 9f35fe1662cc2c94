"""Which known failures a log shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rkbench.catalogue.rows import RANKS, RK35XX, SEVERITIES, Row, rows


@dataclass(frozen=True)
class Diagnosis:
    """What a known message means: `number` is its row of the failure catalogue, `line` what was said.

    `severity` is fatal, error or warning. `number` is None where it was the doctor who found the reason;
    `line` is then what he found.
    """

    number: int | None
    severity: str
    cause: str
    advice: str
    source: str
    line: str


def match(lines: Iterable[str], scopes: Sequence[str] = (RK35XX,)) -> list[Diagnosis]:
    """Return what `lines` (captured output and kernel log) say, the worst and most telling first.

    One line has one diagnosis, and one row appears once. Where a line says why, those that only say what
    failed are left out, and a generic tail such as "load model failed!" goes before both; warnings stay.
    Harmless lines say nothing. An empty list means that no known
    message is among them: a return code alone is never a diagnosis.
    """
    telling = [line for line in lines if not is_harmless(line)]
    found = [(row, line) for row in _by_weight(scopes) for line in _first_fit(row, telling)]
    kept = _most_telling(_one_a_line(found))
    return [
        Diagnosis(row.number, row.severity, row.cause, row.advice, row.source, line) for row, line in kept
    ]


def is_harmless(line: str) -> bool:
    """Tell whether a line is one that healthy runs print too, however bad it sounds."""
    return any(row.severity == "harmless" and row.pattern and row.pattern.search(line) for row in rows())


def _by_weight(scopes: Sequence[str]) -> list[Row]:
    """Return the rows that can be diagnoses: worst first, then most telling, then most specific."""
    candidates = [row for row in rows() if row.scope in scopes and row.severity != "harmless"]
    return sorted(
        candidates,
        key=lambda row: (SEVERITIES.index(row.severity), RANKS.index(row.rank), -len(row.also), row.number),
    )


def _first_fit(row: Row, lines: Sequence[str]) -> list[str]:
    """Return the first line that the row is about, in a list, or an empty one."""
    if row.pattern is None or not all(any(also.search(line) for line in lines) for also in row.also):
        return []
    return [line.strip() for line in lines if row.pattern.search(line)][:1]


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
