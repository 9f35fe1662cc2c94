"""Nights that a lab has behind it: one that was measured, again and again, a little different each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from rkbench.results.ids import new_night_id
from rkbench.results.model import Verdict
from rkbench.results.night import CellResult, GateResult, Night
from rkbench.store import Store

#: What a night does to a cell: its value by its factor; the place of night and cell.
Factor = Callable[[int, int], float]
DAY_S = 86400.0


def add_nights(
    store: Store, like: Night, count: int, factor: Factor, verdict: Verdict = "VALID", **epoch: str
) -> list[Night]:
    """Write `count` nights like `like`, one a day, the oldest first, and return them with their cells.

    `epoch` is what was another one then.
    """
    nights = []
    for place in range(count):
        started = like.started_unix_s - (count - place) * DAY_S
        night = replace(like, id=new_night_id(started), started_unix_s=started, ended_unix_s=started + 60)
        cells = [
            scaled(cell, factor(place, number), verdict, epoch) for number, cell in enumerate(like.cells)
        ]
        night = replace(night, cells=tuple(cells), pooled=(), scatter=(), epochs=())
        store.save_night(night)
        for number, cell in enumerate(cells):
            store.save_cell(night, number, cell, ())
        nights.append(night)
    return nights


def scaled(cell: CellResult, factor: float, verdict: Verdict, epoch: Mapping[str, str]) -> CellResult:
    """Return a cell whose latencies took `factor` times as long, and which no gate was crossed by."""
    gates = tuple(_scaled(gate, factor) for gate in cell.gates)
    assert cell.epoch is not None
    return replace(cell, runs=(), beside=(), gates=gates, epoch=replace(cell.epoch, **epoch), verdict=verdict)


def _scaled(gate: GateResult, factor: float) -> GateResult:
    first = gate.measurements[0]
    if gate.unit != "s" or first.value is None:
        return gate
    history = None if gate.history is None else replace(gate.history, twice=first.value * factor * 1.001)
    return replace(
        gate, state="pass", measurements=(replace(first, value=first.value * factor),), history=history
    )
