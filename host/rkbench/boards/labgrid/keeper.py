"""A process of its own that acquires a place, and releases it once whoever started it is gone.

It is told nothing but the end of its standard input: a process that is killed closes its pipes. It says
one JSON object a line: {"waiting_for": words, "queue": words}, {"acquired": {...}}, {"lost": why} or
{"back": true}.
What it acquires is on disk before it asks, so that the next keeper releases what none was left to release.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from rkbench.boards.labgrid import records
from rkbench.boards.labgrid.coordinator import Coordinator, LabPlace
from rkbench.boards.labgrid.turn import PlaceTurn
from rkbench.errors import BenchError, BoardBusyError, LabgridError, NoBoardError, NoCoordinatorError

#: Pauses between asking again: for a place that somebody has, for a coordinator that is gone.
ASK_AGAIN_S = 0.5
#: So long a coordinator that is gone is asked to release.
RELEASE_LIMIT_S = 50.0


class Keeper:
    """Keeps one place for one owner until `ended`."""

    def __init__(self, address: str, place: str, owner: str, wait_s: float) -> None:
        self._address, self._place, self._owner, self._wait_s = address, place, owner, wait_s
        self.ended = threading.Event()
        self._record: Path | None = None

    def run(self) -> None:
        """Acquire, keep, release; raises BenchErrors where the place cannot be had."""
        coordinator = Coordinator(self._address, self._owner)
        try:
            release_left(coordinator)
            self._record = records.write(self._address, self._place, self._owner)
            if self._acquired(coordinator):
                _say({"acquired": _described(coordinator, self._place)})
            while not self.ended.wait(ASK_AGAIN_S):
                if coordinator.ended.is_set():
                    coordinator.close()
                    _say({"lost": f"labgrid's coordinator {self._address} is gone"})
                    coordinator = self._back()
        finally:
            self._release(coordinator)

    def _acquired(self, coordinator: Coordinator) -> bool:
        """Acquire the place, at once or after those who wait for it; False where that is no longer wanted."""
        place = self._place_now(coordinator)
        if not place.acquired and not place.reservation:
            with suppress(LabgridError):  # somebody was faster, or it cannot be had: the second time says so
                coordinator.acquire(self._place)
                return True
        turn = PlaceTurn(coordinator, self._place)
        try:
            return self._waited(coordinator, turn)
        finally:
            turn.end()

    def _waited(self, coordinator: Coordinator, turn: PlaceTurn) -> bool:
        deadline, told = time.monotonic() + self._wait_s, None
        while not self.ended.is_set():
            has_it = turn.has_come()
            place = self._place_now(coordinator)
            if has_it and not place.acquired:
                coordinator.acquire(self._place)
                return True
            state = {"waiting_for": turn.holder(place), "queue": turn.position(place)}
            if time.monotonic() >= deadline:
                raise BoardBusyError(
                    f"labgrid's place {self._place!r} is {state['waiting_for'] or 'not given to anybody'}",
                    hint=f"wait for them; or: labgrid-client -p {self._place} release --kick",
                )
            if state != told and state["waiting_for"]:
                told = state
                _say(state)
            self.ended.wait(ASK_AGAIN_S)
        return False

    def _place_now(self, coordinator: Coordinator) -> LabPlace:
        """Return the place as it is now; raises NoBoardError."""
        coordinator.sync()
        place = coordinator.place(self._place)
        if place is None:
            names = ", ".join(item.name for item in coordinator.places()) or "none"
            raise NoBoardError(f"labgrid has no place {self._place!r}", hint=f"its places: {names}")
        return place

    def _back(self) -> Coordinator:
        """Return a new conversation, with the place acquired again: a coordinator forgets who had what."""
        while True:
            try:
                coordinator = Coordinator(self._address, self._owner)
            except NoCoordinatorError:
                if self.ended.wait(ASK_AGAIN_S):
                    raise
                continue
            place = coordinator.place(self._place)
            with suppress(LabgridError):
                if place is not None and not place.acquired:
                    coordinator.acquire(self._place)
                _say({"back": place is not None and place.acquired in ("", self._owner)})
            return coordinator

    def _release(self, coordinator: Coordinator) -> None:
        """Release the place if it is ours, over the line that is open or a new one; a record that is left
        says that it still is."""
        deadline = time.monotonic() + RELEASE_LIMIT_S
        while self._record is not None:
            try:
                if coordinator.ended.is_set():
                    coordinator.close()
                    coordinator = Coordinator(self._address, self._owner)
                coordinator.release(self._place, self._owner)
                self._record.unlink(missing_ok=True)
                break
            except BenchError:
                if time.monotonic() > deadline:
                    break
                time.sleep(ASK_AGAIN_S)
        coordinator.close()


def release_left(coordinator: Coordinator) -> None:
    """Release what keepers could not that were killed, as by a power cut; of this coordinator."""
    for path, record in records.left_behind():
        if record.coordinator == coordinator.address:
            with suppress(BenchError):
                coordinator.release(record.place, record.owner)
                path.unlink(missing_ok=True)


def _described(coordinator: Coordinator, name: str) -> dict[str, Any]:
    coordinator.sync()
    place = coordinator.place(name)
    found = [vars(resource) for resource in coordinator.resources(name)]
    return {"tags": place.tags if place else {}, "resources": found}


def _say(what: dict[str, Any]) -> None:
    with suppress(OSError, ValueError):  # nobody is left to hear it
        print(json.dumps(what), flush=True)


def main() -> int:
    """Keep the place that the command line names until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the pipe is what counts
    address, place, owner, wait_s = sys.argv[1:]
    keeper = Keeper(address, place, owner, float(wait_s))

    def listen() -> None:
        # Not by sys.stdin, whose lock this thread would still have when the interpreter ends.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        keeper.ended.set()

    threading.Thread(target=listen, name="end", daemon=True).start()
    try:
        keeper.run()
    except BenchError as error:
        _say({"error": error.message, "hint": error.hint, "kind": type(error).__name__})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
