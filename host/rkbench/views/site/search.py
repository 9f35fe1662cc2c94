"""What the search of a site reads: entries in chunks, as scripts: a page of file:// can load nothing else.

A chunk is full before the next begins, the oldest first, so that a new run changes the last one alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from rkbench.results.history import HistoryRow
from rkbench.units import MARK, printable
from rkbench.views.nightly.markdown import utc
from rkbench.views.nightly.sentences import headline
from rkbench.views.page import embedded
from rkbench.views.site.listing import Listing, board_path, model_path, moment, night_path
from rkbench.views.site.pages import SitePage

CHUNK = 500
_NAMED = 3
#: What is shown, a line of detail, where it is, and what else it is found by.
Entry = tuple[str, str, str, str]


def search_pages(listing: Listing) -> Iterator[SitePage]:
    """Yield the chunks, and the list of them."""
    names = []
    for kind, entries in _entries(listing).items():
        for number in range(0, len(entries), CHUNK):
            path = f"data/{kind}-{number // CHUNK}.js"
            names.append(path)
            yield _script(path, f'rkbench.take("{kind}", {embedded(entries[number : number + CHUNK])});\n')
    yield _script("data/files.js", f"rkbench.files({json.dumps(names)});\n")


def _script(path: str, text: str) -> SitePage:
    return SitePage(path, hashlib.sha256(text.encode()).hexdigest(), partial(str, text))


def _entries(listing: Listing) -> dict[str, Sequence[Entry]]:
    return {
        "models": [_named("model", name, rows, model_path(name)) for name, rows in _oldest(listing.models)],
        "boards": [_named("board", name, rows, board_path(name)) for name, rows in _oldest(listing.boards)],
        "nights": [
            (printable(headline(night)), utc(night.started_unix_s), night_path(night.id), night.id)
            for night in listing.nights[::-1]
        ],
        "pushes": _pushes(listing),
    }


def _oldest(groups: Mapping[str, Sequence[HistoryRow]]) -> list[tuple[str, Sequence[HistoryRow]]]:
    return list(groups.items())[::-1]


def _named(kind: str, name: str, rows: Sequence[HistoryRow], path: str) -> Entry:
    return (printable(name), f"{kind}, {len(rows):,} run{'' if len(rows) == 1 else 's'}", path, "")


def _pushes(listing: Listing) -> list[Entry]:
    found = []
    for push in listing.pushes[::-1]:
        more = f" and {len(push.variants) - _NAMED} more" if len(push.variants) > _NAMED else ""
        verdicts = dict.fromkeys(f"{MARK * row.simulated}{row.verdict or ''}" for row in push.rows)
        tags = [tag for row in push.rows for tag in listing.tags.get(row.run, ())]
        words = [push.id, *push.variants[_NAMED:], *tags, *(row.soc or "" for row in push.rows[:1])]
        found.append(
            (
                printable(", ".join(push.variants[:_NAMED]) + more),
                printable(f"{moment(push.rows[0])} on {', '.join(push.boards)}, {', '.join(verdicts)}"),
                push.path,
                printable(" ".join(words)),
            )
        )
    return found
