"""A night as it would be run: its cells by board, what is left out, and what they took before. Only looks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rkbench.boards.health import quarantine_words, taken_out
from rkbench.boards.model import Board
from rkbench.boards.provider import open_boards
from rkbench.campaign.running import read_running
from rkbench.errors import StoreError, StoreUnavailableError
from rkbench.nightly.begin import Terms, to_go_on_with
from rkbench.nightly.cells import Cell, Unfit, boards_of, fingerprint, left_out, make_cells
from rkbench.nightly.converting import NightModel, foresee_models
from rkbench.nightly.outlook import CellKey, took_in
from rkbench.nightly.suite import NightPlan, Suite, load_suite
from rkbench.stats.gates import Gate
from rkbench.store import Store, default_address, open_store

#: What a cell took is looked for in so many nights of its suite, the newest first.
NIGHTS = 20
#: Nobody waits long for what is only a look.
STORE_WAIT_S = 2.0


@dataclass(frozen=True)
class DryCell:
    """A cell that would be measured by `plan`; `took_s` in the newest night that measured it, None where none
    did. `made`: of a model that is converted first."""

    variant: str
    plan: NightPlan
    took_s: float | None
    gates: tuple[Gate, ...] = ()
    made: NightModel | None = None


@dataclass(frozen=True)
class DryBoard:
    """A board with the cells that it would measure. `out` is why it is taken out, `users` what of this
    computer uses it with the same store; both are empty where nothing is known against it."""

    board: Board
    cells: tuple[DryCell, ...]
    out: str = ""
    users: tuple[str, ...] = ()

    @property
    def took_s(self) -> float | None:
        """What its cells took together, as far as that is known of all of them."""
        return sum(cell.took_s for cell in self.cells if cell.took_s is not None) if self.is_known else None

    @property
    def is_known(self) -> bool:
        """Whether each cell was measured before."""
        return all(cell.took_s is not None for cell in self.cells)


@dataclass(frozen=True)
class DryNight:
    """What `bench nightly` would do now. `goes_on` is the night that broke off and would be gone on with, of
    whose cells `done` are measured; `no_history` why the store tells nothing."""

    suite: str
    boards: tuple[DryBoard, ...]
    left_out: tuple[Unfit, ...]
    goes_on: str = ""
    done: int = 0
    no_history: str = ""

    @property
    def measuring(self) -> tuple[DryBoard, ...]:
        """The boards that are not taken out."""
        return tuple(board for board in self.boards if not board.out)

    @property
    def took_s(self) -> float | None:
        """How long the board took that took longest; None where one has a cell that is new."""
        known = [board.took_s for board in self.measuring]
        told = [value for value in known if value is not None]
        return max(told) if told and len(told) == len(known) else None


def look_at(
    path: Path,
    terms: Terms,
    *,
    store: str | None = None,
    inventory: Path | None = None,
    unix_s: Callable[[], float] = time.time,
) -> DryNight:
    """Return what a night of the suite in `path` would be. Raises what `run_suite` raises before it begins,
    but of a store that cannot be read or is not there yet nothing is known."""
    suite = load_suite(path)
    boards = open_boards(inventory)
    models = foresee_models(suite, boards_of(suite, boards.find))
    cells = make_cells(suite, boards.find, models)
    without = left_out(suite, boards.find)
    address = store or default_address()
    try:
        with open_store(address, wait_s=STORE_WAIT_S, create=False) as opened:
            return _looked(suite, cells, without, address, opened, terms, unix_s())
    except StoreUnavailableError as error:
        reason = error.message
    except StoreError as error:
        if Path(address).exists():
            raise
        reason = error.message
    return DryNight(suite.name, _boards(cells, {}, address), without, no_history=reason)


def _looked(
    suite: Suite,
    cells: Sequence[Cell],
    without: tuple[Unfit, ...],
    address: str,
    store: Store,
    terms: Terms,
    now_s: float,
) -> DryNight:
    open_night = to_go_on_with(suite.name, fingerprint(suite, cells), store, terms, now_s)
    done = {cell.key for cell in open_night.cells} if open_night else set()
    todo = [cell for cell in cells if cell.key not in done]
    took = took_in(store, store.nights(suite=suite.name, limit=NIGHTS))
    goes_on = open_night.id if open_night else ""
    return DryNight(suite.name, _boards(todo, took, address), without, goes_on, len(cells) - len(todo))


def _boards(cells: Sequence[Cell], took: dict[CellKey, float], address: str) -> tuple[DryBoard, ...]:
    of_board: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        of_board[cell.board.name].append(cell)
    boards = [found[0].board for found in of_board.values()]
    out, users = taken_out(boards), _users(address)
    return tuple(
        DryBoard(
            board,
            tuple(
                DryCell(cell.variant, cell.plan, took.get(cell.key), cell.gates, cell.made)
                for cell in of_board[board.name]
            ),
            quarantine_words(out[board.name]) if board.name in out else "",
            tuple(users.get(board.name, ())),
        )
        for board in boards
    )


def _users(address: str) -> dict[str, list[str]]:
    """Return what of this computer uses which board with this store."""
    found: dict[str, list[str]] = defaultdict(list)
    for document in read_running(address):
        for name, board in document.get("boards", {}).items():
            if board.get("doing"):
                found[name].append(
                    f"{document.get('kind')} {document.get('what')}, process {document['pid']}"
                )
    return found
