"""What the shell may complete: boards, runs, nights, variants, SoCs, targets, runtimes, core masks.

Asked at every press of TAB, so each imports little and only when asked; whatever goes wrong, a broken
inventory or a store that is locked, offers nothing and says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rkbench.boards.model import Board
    from rkbench.results.history import HistoryRow
    from rkbench.store import Store

#: So many of the latest runs and nights are offered where nothing is typed yet ...
RECENT = 20
#: ... and so many are looked through for what fits the letters that are.
LOOKED_THROUGH = 2000


def boards(context: typer.Context, incomplete: str) -> list[str]:
    """Return what `--board` takes: names, SoCs and tags of the inventory, and the virtual boards."""
    return offer(incomplete, lambda: _board_words(context), virtual_boards)


def inventory_boards(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names in the inventory."""
    return offer(incomplete, lambda: (board.name for board in _inventory(context)))


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Return `last`, the latest pushes and the latest runs: as lists show them, or whole if so begun."""
    return offer(incomplete, lambda: ("last",), lambda: _run_ids(context, incomplete))


def nights(context: typer.Context, incomplete: str) -> list[str]:
    """Return `last` and the latest nights."""
    return offer(incomplete, lambda: ("last",), lambda: _night_ids(context))


def variants(context: typer.Context, incomplete: str) -> list[str]:
    """Return the variants of the latest runs."""
    return offer(incomplete, lambda: (row.variant for row in _latest_runs(context)))


def socs(incomplete: str) -> list[str]:
    """Return the SoCs whose boards are known."""
    from rkbench_agent.wire.socs import SOCS

    return offer(incomplete, lambda: SOCS)


def toolkits(incomplete: str) -> list[str]:
    """Return the versions of the converter that can be installed."""
    from rkbench.toolkit.versions import VERSIONS

    return offer(incomplete, lambda: VERSIONS)


def recipes(incomplete: str) -> list[str]:
    """Return the recipes of a conversion, as they are typed."""
    from rkbench.conversion.recipes import ALL

    return offer(incomplete, lambda: (recipe.word for recipe in ALL))


def targets(incomplete: str) -> list[str]:
    """Return what a model can be compiled for."""
    from rkbench.rknn.targets import TARGETS

    return offer(incomplete, lambda: TARGETS)


def dtypes(incomplete: str) -> list[str]:
    """Return how weights can be stored."""
    return offer(incomplete, lambda: ("fp16", "int8"))


def runtimes(incomplete: str) -> list[str]:
    """Return the runtimes of the agent."""
    from rkbench_agent.wire.words import RUNTIMES

    return offer(incomplete, lambda: RUNTIMES)


def core_masks(incomplete: str) -> list[str]:
    """Return the core masks, and the word for all of them in turn."""
    from rkbench_agent.wire.words import CORE_MASKS

    from rkbench.campaign.settings import SWEEP

    return offer(incomplete, lambda: (*CORE_MASKS, SWEEP))


def placements(incomplete: str) -> list[str]:
    """Return how contexts can lie on the cores."""
    from rkbench_agent.wire.words import PLACEMENTS

    return offer(incomplete, lambda: PLACEMENTS)


def scenarios(incomplete: str) -> list[str]:
    """Return the scenarios of the agent."""
    from rkbench_agent.wire.words import SCENARIOS

    return offer(incomplete, lambda: SCENARIOS)


def gates(incomplete: str) -> list[str]:
    """Return the words of measures, as gates say them."""
    from rkbench.results.measures import GATED

    return offer(incomplete, lambda: GATED)


def minimized(incomplete: str) -> list[str]:
    """Return the words of what variants can be ranked by."""
    from rkbench.results.gating import minimizable

    return offer(incomplete, minimizable)


def offer(incomplete: str, *sources: Callable[[], Iterable[str]]) -> list[str]:
    """Return each word of `sources` that begins as typed, once; a source that fails has none."""
    words: dict[str, None] = {}
    for source in sources:
        try:
            words.update(dict.fromkeys(source()))
        except Exception:  # noqa: BLE001 - a traceback in the middle of the user's command line helps nobody
            continue
    return [word for word in words if word.startswith(incomplete)]


def virtual_boards() -> list[str]:
    """Return the boards that everybody has."""
    return ["virtual", "virtual:rk3588", "virtual:rk3568"]


def _board_words(context: typer.Context) -> Iterable[str]:
    found = _inventory(context)
    yield from (board.name for board in found)
    yield from (board.soc for board in found if board.soc)
    yield from (tag for board in found for tag in board.tags)


def _inventory(context: typer.Context) -> tuple[Board, ...]:
    from rkbench.boards.provider import open_boards

    return open_boards(_named(context, "inventory")).listed()


def _run_ids(context: typer.Context, incomplete: str) -> Iterable[str]:
    from rkbench.results.ids import short_ids

    latest = _latest_runs(context, LOOKED_THROUGH if incomplete else RECENT)
    ids = (*(row.push for row in latest), *(row.run for row in latest))
    yield from short_ids(ids).values()
    yield from ids if incomplete else ()


def stored(context: typer.Context, incomplete: str) -> list[str]:
    """Return what stored runs can be called: `last`, tags, ids of runs and nights."""
    return offer(
        incomplete,
        lambda: ("last",),
        lambda: _tags(context),
        lambda: _run_ids(context, incomplete),
        lambda: _night_ids(context),
    )


def _tags(context: typer.Context) -> list[str]:
    with _open_store(context) as store:
        return list(dict.fromkeys(item.tag for item in store.tags()))


def _latest_runs(context: typer.Context, count: int = RECENT) -> list[HistoryRow]:
    with _open_store(context) as store:
        return store.history(limit=count)


def _night_ids(context: typer.Context) -> list[str]:
    with _open_store(context) as store:
        return store.nights(limit=RECENT)


def _open_store(context: typer.Context) -> Store:
    """Open the store that the command would use; raises where there is none, for TAB makes no files."""
    from rkbench.store import open_store

    return open_store(context.params.get("store"), create=False)


def _named(context: typer.Context, option: str) -> Path | None:
    found = context.params.get(option)
    return Path(found) if found else None
