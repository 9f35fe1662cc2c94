"""A host of the kill test: it writes runs and cells of nights of its own for ever, and notes what was taken.

Arguments: address, its name, its folder. Every id is a line of `taken` there, once the store has said yes.
"""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from made_runs import collected, make_run
from rkbench.errors import StoreError
from rkbench.results.collect import Collected
from rkbench.results.night import CellResult, Night
from rkbench.store import open_store
from rkbench.store.base import Store
from rkbench.store.postgres import patient

CELLS = 5


def item(push: str, number: int) -> Collected:
    """Return the run of this id, whose latencies tell it from others."""
    return collected(make_run(number, push=push), 1_000_000 + 1000 * number + sum(map(ord, push)))


def write_for_ever(address: str, name: str, folder: Path) -> None:
    patient.LEFT_ALONE_S = 0.2
    taken = os.open(folder / "taken", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for turn in count():
        try:
            with open_store(address, wait_s=1.0) as store:
                _write_night(store, f"{name}{os.getpid():07d}x{turn:06d}", taken)
        except StoreError:
            continue  # it is away where a command begins; the next one asks again


def _write_night(store: Store, push: str, taken: int) -> None:
    night = Night(f"night-{push}", push[:1], "f", 1000.0)
    store.save_night(night)
    for number in range(1, CELLS + 1):
        run = item(push, number)
        cell = CellResult("m", "fp16", "desk", f"p{number}", runs=(run.run.id,))
        store.save_cell(night, number, cell, [run])
        _note(taken, run.run.id)
    single = item(push, CELLS + 1)
    store.save(single)
    _note(taken, single.run.id)


def _note(taken: int, run_id: str) -> None:
    os.write(taken, f"{run_id}\n".encode())
    os.fsync(taken)


if __name__ == "__main__":
    write_for_ever(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
