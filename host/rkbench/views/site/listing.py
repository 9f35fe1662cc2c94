"""What a site is of: the rows of a store by push, model and board, its nights and tags. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from rkbench.results.history import HistoryRow
from rkbench.results.ids import short_ids
from rkbench.results.night import Night
from rkbench.units import printable

_SAFE = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SHOWN_OF_NAME = 40


@dataclass(frozen=True)
class ListedPush:
    """The runs of a push, in the order of their ids, as rows."""

    id: str
    short: str
    rows: tuple[HistoryRow, ...]

    @property
    def started(self) -> str:
        """When it started, to the minute (UTC)."""
        return moment(self.rows[0])

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of its variants, each once."""
        return tuple(dict.fromkeys(row.variant for row in self.rows))

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards that it ran on."""
        return tuple(dict.fromkeys(row.board for row in self.rows))

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"pushes/{slug(self.id)}.html"

    @property
    def report(self) -> str:
        """Where its whole report is, if it has one."""
        return f"reports/{slug(self.id)}.html"


@dataclass(frozen=True)
class Listing:
    """All that a store holds, those that started last first."""

    rows: tuple[HistoryRow, ...]
    nights: tuple[Night, ...]
    tags: dict[str, tuple[str, ...]]
    baselines: frozenset[str]

    @cached_property
    def pushes(self) -> tuple[ListedPush, ...]:
        """The pushes, those that started last first."""
        found: dict[str, list[HistoryRow]] = {}
        for row in self.rows:
            found.setdefault(row.push, []).append(row)
        short = short_ids(found)
        return tuple(
            ListedPush(push, short[push], tuple(sorted(rows, key=lambda row: row.run)))
            for push, rows in found.items()
        )

    @cached_property
    def models(self) -> dict[str, tuple[HistoryRow, ...]]:
        """The runs of each variant, the one that ran last first."""
        return _grouped((row.variant, row) for row in self.rows)

    @cached_property
    def boards(self) -> dict[str, tuple[HistoryRow, ...]]:
        """The runs on each board, the one that was used last first."""
        return _grouped((row.board, row) for row in self.rows)


def _grouped(pairs: Iterable[tuple[str, HistoryRow]]) -> dict[str, tuple[HistoryRow, ...]]:
    found: dict[str, list[HistoryRow]] = {}
    for name, row in pairs:
        found.setdefault(name, []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def moment(row: HistoryRow) -> str:
    """Return when a run started, to the minute (UTC)."""
    return printable(row.started_at[:16].replace("T", " "))


def slug(name: str) -> str:
    """Return a file's name for a name: an id stays, whatever else is told apart by a digest."""
    if _SAFE.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:10]
    words = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_SHOWN_OF_NAME].strip("-")
    return f"{words}-{digest}" if words else digest


def model_path(name: str) -> str:
    """Return where the page of a model is."""
    return f"models/{slug(name)}.html"


def board_path(name: str) -> str:
    """Return where the page of a board is."""
    return f"boards/{slug(name)}.html"


def night_path(night: str) -> str:
    """Return where the page of a night is."""
    return f"nights/{slug(night)}.html"


def states(rows: Sequence[HistoryRow]) -> list[tuple[str, bool, int]]:
    """Return verdicts, whether they are of simulated runs, and how many have them: the commonest first."""
    counts = Counter((row.verdict or "unknown", row.simulated) for row in rows)
    return [(word, simulated, count) for (word, simulated), count in counts.most_common()]
