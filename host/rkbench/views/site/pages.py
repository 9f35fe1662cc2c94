"""The pages of a site: each with a digest of what it shows, and rendered only where that is not there yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from rkbench import __version__
from rkbench.campaign.compared import compare_collected
from rkbench.errors import DocumentError
from rkbench.results.collect import Collected
from rkbench.results.history import HistoryRow
from rkbench.results.measure_types import Measure
from rkbench.results.measures import GATED, LATENCY_P50, NPU_MEMORY
from rkbench.results.night import Night
from rkbench.results.trend import trends
from rkbench.store import Store
from rkbench.units import MARK, UNKNOWN
from rkbench.views import page
from rkbench.views.nightly.figures import FIGURES, figures_of
from rkbench.views.nightly.listed import how_it_ended
from rkbench.views.nightly.markdown import night_sections, utc
from rkbench.views.nightly.sentences import headline
from rkbench.views.page import page_environment
from rkbench.views.report.content import content_of
from rkbench.views.report.page import PARTS as REPORT_PARTS
from rkbench.views.report.page import render_page
from rkbench.views.site.listing import (
    ListedPush,
    Listing,
    board_path,
    model_path,
    moment,
    night_path,
    states,
)
from rkbench.views.site.trend_line import drawn_trend

PARTS = Path(__file__).parent / "page"
#: Rows of a list's page; the next ones are on the next.
ROWS = 100
#: The newest runs of a model or board that its page lists; the search finds the others.
NEWEST = 50
#: On the first page.
FIRST = 15
#: So many pushes, the newest, have their whole report with its drawings beside their page.
REPORTS = 5
SHOWN = (LATENCY_P50, GATED["p99"], NPU_MEMORY, GATED["cosine"])


@dataclass(frozen=True)
class SitePage:
    """A file of the site: where it is, what it shows as a digest, and what makes it."""

    path: str
    digest: str
    render: Callable[[], str]


def pages_of(listing: Listing, store: Store) -> Iterator[SitePage]:
    """Yield all pages of a store but the search's data, each to be rendered when it is needed."""
    for number, push in enumerate(listing.pushes):
        has_report = number < REPORTS
        shown = (push.rows, [listing.tags.get(row.run) for row in push.rows], has_report)
        yield _page(push.path, shown, partial(_push_page, push, listing, store, has_report))
        if has_report:
            yield _page(push.report, push.rows, partial(_report_page, push, store))
    for night in listing.nights:
        linked = [cell for cell in night.cells if cell.variant in listing.models]
        yield _page(night_path(night.id), (night, len(linked)), partial(_night_page, night, listing))
    for kind, groups, path in (
        ("model", listing.models, model_path),
        ("board", listing.boards, board_path),
    ):
        for name, rows in groups.items():
            accepted = [row.run for row in rows if row.run in listing.baselines]
            yield _page(path(name), (rows, accepted), partial(_named_page, kind, name, rows, listing))
    yield from _lists(listing)


@cache
def _ours() -> str:
    """Return a digest of what pages are made by: another version's pages are made anew."""
    folders = (PARTS, PARTS.parent, REPORT_PARTS, Path(page.__file__).parent)
    parts = sorted(path for folder in folders for path in folder.glob("*.*"))
    digest = hashlib.sha256(__version__.encode())
    for path in parts:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _page(path: str, shown: object, render: Callable[[], str]) -> SitePage:
    digest = hashlib.sha256(f"{_ours()} {shown!r}".encode(errors="surrogatepass")).hexdigest()
    return SitePage(path, digest, render)


def _render(template: str, path: str, title: str, **more: Any) -> str:
    root = "../" * path.count("/")
    text: str = _environment().get_template(template).render(root=root, title=title, path=path, **more)
    return text


@cache
def _environment() -> Any:
    environment = page_environment(PARTS, REPORT_PARTS)
    environment.globals.update(
        model_path=model_path, board_path=board_path, night_path=night_path, moment=moment,
        figure=figure, measures=SHOWN, utc=utc, how_it_ended=how_it_ended, MARK=MARK,
    )  # fmt: skip
    return environment


def figure(row: HistoryRow, measure: Measure) -> str:
    """Return a measure of a run as it is shown; a simulated one marked."""
    value = row.measures[measure.name]
    return UNKNOWN if value is None else f"{MARK if row.simulated else ''}{measure.unit.text(value)}"


def _collected(push: ListedPush, store: Store) -> tuple[list[Collected], list[str]]:
    """Return the runs of a push that can be read, and what is wrong with the others."""
    found, damaged = [], []
    for row in push.rows:
        try:
            run = store.run(row.run)
            if run is None:
                damaged.append(f"{row.run} is not in the store any more")
            else:
                found.append(Collected(run, store.latencies(row.run), tuple(store.readings(row.run))))
        except DocumentError as error:
            damaged.append(error.message)
    return found, damaged


def _push_page(push: ListedPush, listing: Listing, store: Store, has_report: bool) -> str:
    collected, damaged = _collected(push, store)
    content = content_of(collected, compare_collected(collected)) if collected else None
    title = content.title if content else f"{push.id} cannot be read"
    tags = list(dict.fromkeys(tag for row in push.rows for tag in listing.tags.get(row.run, ())))
    return _render(
        "push.html.j2", push.path, title,
        push=push, content=content, damaged=damaged, tags=tags, has_report=has_report,
    )  # fmt: skip


def _report_page(push: ListedPush, store: Store) -> str:
    collected, _ = _collected(push, store)
    return render_page(collected, compare_collected(collected)) if collected else ""


def _night_page(night: Night, listing: Listing) -> str:
    cells = [(cell, figures_of(cell)) for cell in night.cells]
    sections = list(night_sections(night))
    return _render(
        "night.html.j2", night_path(night.id), headline(night),
        night=night, cells=cells, sections=sections, figures=FIGURES,
        models=listing.models, boards=listing.boards,
    )  # fmt: skip


def _named_page(kind: str, name: str, rows: Sequence[HistoryRow], listing: Listing) -> str:
    trend = drawn_trend(trends(rows, LATENCY_P50, listing.baselines), LATENCY_P50, name)
    path = model_path(name) if kind == "model" else board_path(name)
    others = list(dict.fromkeys(row.board if kind == "model" else row.variant for row in rows))
    pushes = {row.push: push for row in rows[:NEWEST] for push in [ListedPush(row.push, row.push, (row,))]}
    return _render(
        "named.html.j2", path, name,
        kind=kind, rows=rows[:NEWEST], all_rows=rows, trend=trend, others=others, pushes=pushes,
        states=states(rows), baselines=listing.baselines,
    )  # fmt: skip


def _lists(listing: Listing) -> Iterator[SitePage]:
    """Yield the first page, and the lists, a page for every ROWS rows."""
    counts = [
        ("runs", len(listing.rows)),
        *((kind, len(items)) for kind, items in _kinds(listing).items()),
    ]
    tops = {kind: items[:FIRST] for kind, items in _kinds(listing).items()}
    yield _page(
        "index.html",
        (counts, tops),
        partial(_render, "index.html.j2", "index.html", "All runs", counts=dict(counts), tops=tops),
    )
    for kind, items in _kinds(listing).items():
        last = max(0, (len(items) - 1) // ROWS)
        for number in range(last + 1):
            path = list_path(kind, number)
            part = items[number * ROWS : (number + 1) * ROWS]
            paths = [list_path(kind, place) for place in (0, max(0, number - 1), min(last, number + 1), last)]
            words = {"kind": kind, "items": part, "number": number, "last": last, "paths": paths}
            yield _page(
                path,
                (part, number, last, len(items)),
                partial(_render, "list.html.j2", path, kind.capitalize(), total=len(items), **words),
            )


def _kinds(listing: Listing) -> dict[str, Sequence[Any]]:
    return {
        "pushes": listing.pushes,
        "models": [_summary(name, rows) for name, rows in listing.models.items()],
        "boards": [_summary(name, rows) for name, rows in listing.boards.items()],
        "nights": listing.nights,
    }


@dataclass(frozen=True)
class NamedSummary:
    """A model or a board as a line of a list: how many runs, and the last of them."""

    name: str
    count: int
    last: HistoryRow


def _summary(name: str, rows: Sequence[HistoryRow]) -> NamedSummary:
    return NamedSummary(name, len(rows), rows[0])


def list_path(kind: str, number: int) -> str:
    """Return where a page of a list is."""
    return f"{kind}.html" if number == 0 else f"{kind}-{number + 1}.html"
