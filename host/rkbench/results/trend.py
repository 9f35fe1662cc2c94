"""A measure over time, from rows of the history: a series for each variant on a board, with what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rkbench.results.history import HistoryRow
from rkbench.results.measure_types import Measure, NumberGroup

#: What a change of is marked, with its word.
_VERSIONS: tuple[tuple[str, Callable[[HistoryRow], str | None]], ...] = (
    ("file", lambda row: row.sha256[:8]),
    ("toolkit", lambda row: row.toolkit_version),
    ("runtime", lambda row: row.runtime_version),
    ("driver", lambda row: row.driver_version),
    ("agent", lambda row: row.agent_version),
)


@dataclass(frozen=True)
class TrendPoint:
    """The measure of one run, when it started, and whether a night measured it or holds others against it."""

    run: str
    unix_s: float
    value: float
    of_night: bool
    is_baseline: bool


@dataclass(frozen=True)
class TrendChange:
    """What is another from this run on, in words: `driver 0.9.6 → 0.9.8`."""

    unix_s: float
    words: str


@dataclass(frozen=True)
class Trend:
    """The points of one series in the order of time, and where versions changed between them."""

    name: str
    simulated: bool
    points: tuple[TrendPoint, ...]
    changes: tuple[TrendChange, ...]


def trends(rows: Sequence[HistoryRow], measure: Measure, baselines: Collection[str] = ()) -> list[Trend]:
    """Return the series of a measure, those of most points first; `baselines` are the ids of accepted runs.

    Runs without the measure or without a time are in none, nor are those that ended early.
    """
    groups: dict[tuple[object, ...], list[HistoryRow]] = {}
    for row in sorted(rows, key=lambda row: row.started_unix_s or 0.0):
        if row.started_unix_s is not None and row.measures[measure.name] is not None and not row.failed:
            key = (row.variant, row.board, row.runtime, row.core_mask, row.scenario, row.simulated)
            groups.setdefault(key, []).append(row)
    names = _names(list(groups))
    found = [
        Trend(
            names[key],
            members[0].simulated and measure.group is not NumberGroup.FILE,
            tuple(_point(row, measure, baselines) for row in members),
            tuple(_changes(members)),
        )
        for key, members in groups.items()
    ]
    return sorted(found, key=lambda trend: -len(trend.points))


def _names(keys: Sequence[tuple[object, ...]]) -> dict[tuple[object, ...], str]:
    """Return what each series is called: variant and board, and the words in which any two differ.

    No two are called alike: what a board of one name simulated stands apart from what it measured.
    """
    told = [place for place in range(2, 5) if len({key[place] for key in keys}) > 1]
    names = {key: ", ".join([f"{key[0]} on {key[1]}", *(str(key[place]) for place in told)]) for key in keys}
    counts = Counter(names.values())
    return {
        key: f"{name}, simulated" if key[-1] and counts[name] > 1 else name for key, name in names.items()
    }


def _point(row: HistoryRow, measure: Measure, baselines: Collection[str]) -> TrendPoint:
    value = row.measures[measure.name]
    assert value is not None and row.started_unix_s is not None
    return TrendPoint(row.run, row.started_unix_s, value, row.night is not None, row.run in baselines)


def _changes(rows: Sequence[HistoryRow]) -> list[TrendChange]:
    """Return where something is not as in the run before."""
    found = []
    for before, row in pairwise(rows):
        words = [
            f"{word} {old or 'unknown'} → {new or 'unknown'}"
            for word, value in _VERSIONS
            if (old := value(before)) != (new := value(row))
        ]
        if words and row.started_unix_s is not None:
            found.append(TrendChange(row.started_unix_s, ", ".join(words)))
    return found
