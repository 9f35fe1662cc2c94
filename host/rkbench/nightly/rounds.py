"""A night with gates on history: the past that it is judged by, and what is measured again at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Event as Flag

from rkbench.nightly.by_history import ByHistory, chosen_twice
from rkbench.nightly.cells import Cell
from rkbench.nightly.measuring import CellMeasurer, Measured, not_measured
from rkbench.nightly.pairing import is_virtual
from rkbench.nightly.past import CellKey, make_pasts, read_nights
from rkbench.results.night import Fault, Night, NightListener, Told
from rkbench.store import Store


def in_rounds(
    measurer: CellMeasurer, cells: Sequence[Cell], stop: Flag, late: Callable[[], Fault | None]
) -> Iterator[Measured]:
    """Yield each cell as it is done: at the end those that are measured again, once each in turn.

    Until `stop` is set; once `late` says why, nothing more is begun.
    """
    waiting: list[Measured] = []
    for cell in cells:
        if stop.is_set():
            return
        fault = late()
        measured = measurer.measure(cell) if fault is None else not_measured(cell, fault)
        if measured.further:
            waiting.append(measured)
        else:
            yield measured
    while waiting:
        todo, waiting = waiting, []
        for measured in todo:
            if stop.is_set():
                return
            again = measurer.measure_again(measured) if late() is None else replace(measured, further=0)
            if again.further:
                waiting.append(again)
            else:
                yield again


def by_history(
    store: Store, night: Night, cells: Sequence[Cell], todo: Sequence[Cell], listener: NightListener
) -> ByHistory:
    """Return what judges `todo` by the nights before, of all `cells`; what cannot be read is told."""
    asked: dict[str, dict[tuple[CellKey, bool], None]] = defaultdict(dict)
    for cell in cells:
        for gate in cell.gates:
            if gate.of_history:
                asked[gate.quantity.word][cell.key, is_virtual(cell)] = None
    if not asked:
        return ByHistory()
    nights, problems = read_nights(store, night.suite, night.id)
    for problem in problems:
        listener(Told(None, problem))
    accepted = {
        ((item.variant, item.board, item.plan), item.simulated): item.night
        for item in store.baselines(night.suite)
    }
    pasts = make_pasts(nights, {word: tuple(keys) for word, keys in asked.items()}, accepted)
    own = [cell.key for cell in todo if any(gate.of_history for gate in cell.gates)]
    return ByHistory(pasts, chosen_twice(own, len(nights)) if own else frozenset())
