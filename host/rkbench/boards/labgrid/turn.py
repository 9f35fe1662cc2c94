"""Waiting for a place in labgrid's own queue: a reservation, whose token is nobody else's business."""

from __future__ import annotations

from contextlib import suppress

from rkbench.boards.labgrid.coordinator import Coordinator, LabPlace
from rkbench.errors import BenchError, LabgridError


class PlaceTurn:
    """A turn at the place of that name. It is asked for by reserving, and ended by giving that up."""

    def __init__(self, coordinator: Coordinator, name: str) -> None:
        self._coordinator = coordinator
        self._name = name
        self._token = coordinator.reserve(name)

    def has_come(self) -> bool:
        """Return whether it is our turn; one that was forgotten, as after a stopped computer, begins anew."""
        try:
            return self._coordinator.poll(self._token)
        except LabgridError:
            self._token = self._coordinator.reserve(self._name)
            return self._coordinator.poll(self._token)

    def holder(self, place: LabPlace) -> str:
        """Return in words who has the place, or for whom it is kept; "" where nobody."""
        if place.acquired:
            return f"acquired by {place.acquired}"
        others = [item.owner for item in self._coordinator.reservations() if item.token == place.reservation]
        return f"reserved by {others[0]}" if others else ""

    def position(self, place: LabPlace) -> str:
        """Return in words how many come before us, of all who wait for the place."""
        waiting = [
            item.token
            for item in self._coordinator.reservations()
            if item.is_waiting and item.may_have(place)
        ]
        if self._token not in waiting:
            return ""
        return f"{waiting.index(self._token) + 1} of {len(waiting)} who wait"

    def end(self) -> None:
        """Give the reservation up, whose place is acquired by now, or no longer wanted."""
        with suppress(BenchError):  # it is gone, or the coordinator is: then it expires within a minute
            self._coordinator.cancel(self._token)
