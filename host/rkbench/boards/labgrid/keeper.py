"""A process of its own that acquires a place, and releases it once whoever started it is gone.

The place has a name, or is any with the tags `KEY=VALUE,...`: then whichever is free first.

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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rkbench.boards.labgrid import records
from rkbench.boards.labgrid.coordinator import Coordinator, LabPlace
from rkbench.boards.labgrid.turn import PlaceTurn, no_place, wanted_of
from rkbench.errors import BenchError, BoardBusyError, LabgridError, NoCoordinatorError

#: Pauses between asking again: for a place that somebody has, for a coordinator that is gone.
ASK_AGAIN_S = 0.5
#: So long a coordinator that is gone is asked to release.
RELEASE_LIMIT_S = 50.0


class Keeper:
    """Keeps one place, that is or has what is `wanted`, for one owner until `ended`."""

    def __init__(self, address: str, wanted: str, owner: str, wait_s: float) -> None:
        self._address, self._wanted, self._owner, self._wait_s = address, wanted, owner, wait_s
        self._place = ""
        self.ended = threading.Event()
        self._record: Path | None = None

    def run(self) -> None:
        """Acquire, keep, release; raises BenchErrors where the place cannot be had."""
        coordinator = Coordinator(self._address, self._owner)
        try:
            release_left(coordinator)
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
        """Acquire a place, at once or after those who wait for it; False where that is no longer wanted."""
        wanted = wanted_of(self._wanted)
        (first, *others) = self._places_now(coordinator, wanted)
        if not (others or first.acquired or first.reservation):
            with suppress(LabgridError):  # somebody was faster, or it cannot be had: the second time says so
                self._acquire(coordinator, first.name)
                return True
        turn = PlaceTurn(coordinator, wanted)
        try:
            return self._waited(coordinator, turn, wanted)
        finally:
            turn.end()

    def _waited(self, coordinator: Coordinator, turn: PlaceTurn, wanted: Mapping[str, str]) -> bool:
        deadline, told = time.monotonic() + self._wait_s, None
        while not self.ended.is_set():
            ours = turn.place()
            places = self._places_now(coordinator, wanted)
            if any(place.name == ours and not place.acquired for place in places):
                self._acquire(coordinator, ours)
                return True
            state = {"waiting_for": turn.holders(), "queue": turn.position()}
            if time.monotonic() >= deadline:
                what, them = f"labgrid's place {self._wanted!r} is", "wait for them"
                kick = f"; or: labgrid-client -p {self._wanted} release --kick"
                if "name" not in wanted:
                    what, kick = f"of labgrid's places with {self._wanted} none is free:", ""
                raise BoardBusyError(
                    f"{what} {state['waiting_for'] or 'not given to anybody'}", hint=them + kick
                )
            if state != told and state["waiting_for"]:
                told = state
                _say(state)
            self.ended.wait(ASK_AGAIN_S)
        return False

    def _acquire(self, coordinator: Coordinator, place: str) -> None:
        """Acquire a place; that it is ours to release is on disk before."""
        if self._record is None or place != self._place:
            self._place = place
            self._record = records.write(self._address, place, self._owner)
        coordinator.acquire(place)

    def _places_now(self, coordinator: Coordinator, wanted: Mapping[str, str]) -> tuple[LabPlace, ...]:
        """Return the places that would do as they are now, at least one; raises NoBoardError."""
        coordinator.sync()
        found = tuple(place for place in coordinator.places() if place.fits(wanted))
        if not found:
            raise no_place(self._wanted, coordinator.places())
        return found

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
    return {"place": name, "tags": place.tags if place else {}, "resources": found}


def _say(what: dict[str, Any]) -> None:
    with suppress(OSError, ValueError):  # nobody is left to hear it
        print(json.dumps(what), flush=True)


def main() -> int:
    """Keep a place that the command line names until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the pipe is what counts
    address, wanted, owner, wait_s = sys.argv[1:]
    keeper = Keeper(address, wanted, owner, float(wait_s))

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
