"""The places of a coordinator as boards, kept current by a thread: who asks for them never waits."""

from __future__ import annotations

import getpass
import logging
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rkbench.boards.inventory import known_hosts_of
from rkbench.boards.labgrid.coordinator import Coordinator, LabPlace, Resource
from rkbench.boards.labgrid.provider import SERVICE, board_of
from rkbench.boards.model import Board
from rkbench.errors import BenchError
from rkbench.units import printable

#: What changed at the coordinator is known so much later, and one that is gone is asked again so often.
LOOK_AGAIN_S = 5.0
_log = logging.getLogger("rkbench.serve")


@dataclass(frozen=True)
class KnownPlace:
    """A place and the address of its NetworkService; "" where none can be reached directly now."""

    place: LabPlace
    address: str


class WatchedPlaces:
    """What the coordinator at `address` said last; it stays while that is down, with `is_up` False."""

    def __init__(self, address: str, *, look_again_s: float = LOOK_AGAIN_S) -> None:
        self._address = address
        self._look_again_s = look_again_s
        self._ended = threading.Event()
        self._warned = ""
        self._thread: threading.Thread | None = None
        self.places: tuple[KnownPlace, ...] = ()
        self.is_up = False

    def start(self) -> None:
        """Begin to listen."""
        self._thread = threading.Thread(target=self._listen, name="places", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                self._follow()
            except BenchError as error:
                self._down(error.message)
            self._ended.wait(self._look_again_s)

    def _follow(self) -> None:
        """Take what the coordinator says until it is gone."""
        owner = f"{socket.gethostname()}/{getpass.getuser()}:rkbench-serve"
        with Coordinator(self._address, owner) as coordinator:
            while True:
                self.places = tuple(
                    # Who has it is not told, and would make all targets anew at every use.
                    KnownPlace(
                        replace(place, acquired="", reservation=""),
                        _address_of(coordinator.resources(place.name)),
                    )
                    for place in coordinator.places()
                )
                if not self.is_up:
                    self.is_up, self._warned = True, ""
                    _log.info("%d places of labgrid at %s", len(self.places), printable(self._address))
                if coordinator.ended.wait(self._look_again_s) or self._ended.is_set():
                    break
        if not self._ended.is_set():
            self._down(f"labgrid's coordinator {self._address} is gone")

    def _down(self, problem: str) -> None:
        """Say once what is wrong."""
        self.is_up = False
        if problem != self._warned:
            self._warned = problem
            _log.warning("the places of labgrid stay as they were: %s", printable(problem))


def places_as_boards(
    places: tuple[KnownPlace, ...], entries: Mapping[str, Board], inventory: Path
) -> tuple[Board, ...]:
    """Return the boards of places that have an address; an entry of its name adds to what labgrid knows."""
    return tuple(
        replace(
            board_of(item.place, entries.get(item.place.name), known_hosts_of(inventory)), host=item.address
        )
        for item in places
        if item.address
    )


def _address_of(resources: tuple[Resource, ...]) -> str:
    """Return the address of the service that is offered now, unless it is reached through a proxy alone."""
    services = [item for item in resources if item.cls == SERVICE and item.available and not item.proxy]
    return str(services[0].params.get("address", "")) if services else ""
