"""How long a night takes yet: what its cells took the last time, or what others take tonight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from rkbench.nightly.cells import Cell
from rkbench.results.night import CellResult
from rkbench.store import Store

CellKey = tuple[str, str, str]


def took_before(store: Store, suite: str, night: str) -> dict[CellKey, float]:
    """Return how many seconds each cell took in the last night of `suite` before `night`."""
    earlier = [name for name in store.nights(suite=suite, limit=2) if name != night]
    return took_in(store, earlier[:1])


def took_in(store: Store, nights: Sequence[str]) -> dict[CellKey, float]:
    """Return how many seconds each cell took in the first of `nights` that measured it."""
    took: dict[CellKey, float] = {}
    for name in nights:
        found = store.night(name)
        took = {**(dict(_durations(found.cells)) if found is not None else {}), **took}
    return took


class NightOutlook:
    """Boards go on side by side, the cells of a board one after the other."""

    def __init__(self, cells: Sequence[Cell], before: Mapping[CellKey, float]) -> None:
        self._cells = cells
        self._before = before

    def left_s(self, results: Mapping[int, CellResult]) -> float | None:
        """Return the seconds until the last board is done, by `results` so far; None where nothing tells."""
        tonight = dict(_durations(results.values()))
        left: dict[str, float] = defaultdict(float)
        for cell in self._cells:
            if cell.position in results:
                continue
            expected_s = self._expected_s(cell, tonight)
            if expected_s is None:
                return None
            left[cell.board.name] += expected_s
        return max(left.values(), default=0.0)

    def _expected_s(self, cell: Cell, tonight: Mapping[CellKey, float]) -> float | None:
        before = self._before.get(cell.key)
        if before is not None:
            return before
        on_board = [took_s for key, took_s in tonight.items() if key[1] == cell.board.name]
        alike = on_board or list(tonight.values())
        return sum(alike) / len(alike) if alike else None


def _durations(cells: Iterable[CellResult]) -> list[tuple[CellKey, float]]:
    return [(cell.key, cell.duration_s) for cell in cells if cell.fault is None and cell.duration_s]
