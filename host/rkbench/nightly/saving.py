"""The cells of a night as they end: each into the store at once, and what it refuses once more at the end."""

from __future__ import annotations

from collections.abc import Mapping

from rkbench.errors import StoreError
from rkbench.nightly.measuring import Measured
from rkbench.results.night import CellResult, Night
from rkbench.store import Store


class SavedCells:
    """What has ended of a night, by its place among all cells; `done` are those of an earlier start."""

    def __init__(self, store: Store, done: Mapping[int, CellResult]) -> None:
        self._store = store
        self._unsaved: list[Measured] = []
        self.results: dict[int, CellResult] = dict(done)

    def take(self, night: Night, measured: Measured) -> str | None:
        """Save a cell; returns what the store said that refused it, which must not cost the rest."""
        self.results[measured.cell.position] = measured.result
        try:
            self._save(night, measured)
        except StoreError as error:
            self._unsaved.append(measured)
            return error.message
        return None

    def save_rest(self, night: Night) -> tuple[str, ...]:
        """Try again what was refused; returns what still is, in words."""
        problems = []
        for measured in self._unsaved:
            try:
                self._save(night, measured)
            except StoreError as error:
                problems.append(f"{' '.join(measured.result.key)}: not saved: {error.message}")
        return tuple(problems)

    def in_order(self) -> tuple[CellResult, ...]:
        """Return what has ended, in the order of the cells."""
        return tuple(self.results[key] for key in sorted(self.results))

    def _save(self, night: Night, measured: Measured) -> None:
        self._store.save_cell(night, measured.cell.position, measured.result, measured.runs)
