"""What is asked of the past: rows of stored runs by model, board and time, and a measure over time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rkbench.errors import UsageError, choice_hint
from rkbench.results.history import HistoryRow
from rkbench.results.measure_types import Measure
from rkbench.results.measures import GATED
from rkbench.store import read_store
from rkbench.store.base import RunTag
from rkbench.units import encodable

SHOWN, MOST = 20, 10**9
_SPAN = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhdw])")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}


@dataclass(frozen=True)
class AskedPast:
    """What is asked, as it was typed; `in_file`: for a file, which has all rows where no limit is given."""

    model: str | None = None
    board: str | None = None
    since: str | None = None
    limit: int | None = None
    plot: str | None = None
    in_file: bool = False

    @property
    def words(self) -> str:
        """The options that choose the runs, as they were typed; "" where none does."""
        told = (("model", self.model), ("board", self.board), ("since", self.since))
        return " ".join(f"--{word} {value}" for word, value in told if value)


@dataclass(frozen=True)
class Past:
    """The rows that were asked for, their tags, and what is to be shown over time (None: the rows)."""

    asked: AskedPast
    rows: tuple[HistoryRow, ...]
    tags: tuple[RunTag, ...]
    baselines: frozenset[str]
    measure: Measure | None


def past_runs(
    address: str | Path | None, asked: AskedPast, *, unix_s: Callable[[], float] = time.time
) -> Past:
    """Return what the store holds of it. Raises UsageError for a time or a measure that is none."""
    if asked.limit is not None and not 1 <= asked.limit <= MOST:
        raise UsageError(f"a limit of {asked.limit} runs", hint="give 1 or more, or none for all")
    measure = None if asked.plot is None else _measure(asked.plot)
    since_unix_s = None if asked.since is None else moment_of(asked.since, unix_s())
    whole = asked.in_file or measure is not None
    limit = asked.limit if asked.limit is not None else None if whole else SHOWN
    with read_store(address) as store:
        model, board = (None if word is None else encodable(word) for word in (asked.model, asked.board))
        rows = store.history(model=model, board=board, limit=limit, since_unix_s=since_unix_s)
        baselines = store.baselines() if measure is not None else []
        return Past(asked, tuple(rows), tuple(store.tags()), frozenset(b.run for b in baselines), measure)


def moment_of(text: str, now_unix_s: float, option: str = "--since") -> float:
    """Return when `7d` ago was, or the beginning of a day of this computer's time zone (Unix time)."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now_unix_s - int(span["count"]) * _SECONDS[span["unit"]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{option} {text}: no time", hint="as 30m, 12h, 7d, 4w, 2026-11-26 or 2026-11-26T14:00"
        ) from None


def _measure(word: str) -> Measure:
    if word not in GATED:
        raise UsageError(f"--plot {word}: no measure", hint=choice_hint(word, list(GATED)))
    return GATED[word]
