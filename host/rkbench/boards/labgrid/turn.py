"""Waiting for a place in labgrid's own queue: a reservation, whose token is nobody else's business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

from rkbench.boards.labgrid.coordinator import Coordinator, LabPlace
from rkbench.errors import BenchError, LabgridError, NoBoardError


def wanted_of(word: str) -> dict[str, str]:
    """Return the tags that `soc=rk3588,shelf=2` means; `rock` is the name of a place, which is one too."""
    if "=" not in word:
        return {"name": word}
    pairs = (pair.partition("=") for pair in word.split(","))
    return {key: value for key, _, value in pairs}


def no_place(word: str, places: Iterable[LabPlace]) -> NoBoardError:
    """Return the error that none of `places` is what `word` means."""
    names = ", ".join(place.name for place in places) or "none"
    if "=" not in word:
        return NoBoardError(
            f"labgrid has no place {word!r}",
            hint=f"its places: {names}; to make it: labgrid-client -p {word} create",
        )
    return NoBoardError(
        f"labgrid has no place with {word}",
        hint=f"its places: {names}; to tag one: labgrid-client -p PLACE set-tags {word.replace(',', ' ')}",
    )


class PlaceTurn:
    """A turn at a place with all tags of `wanted`: asked for by reserving, ended by giving that up."""

    def __init__(self, coordinator: Coordinator, wanted: Mapping[str, str]) -> None:
        self._coordinator = coordinator
        self._wanted = wanted
        self._token = coordinator.reserve(wanted)

    def place(self) -> str:
        """Return the place that is ours to acquire, "" before our turn.

        A turn that was forgotten, as after a stopped computer, begins anew.
        """
        try:
            return self._coordinator.poll(self._token)
        except LabgridError:
            self._token = self._coordinator.reserve(self._wanted)
            return self._coordinator.poll(self._token)

    def places(self) -> tuple[LabPlace, ...]:
        """Return all places that would do."""
        found = self._coordinator.places()
        return tuple(place for place in found if place.fits(self._wanted))

    def holders(self) -> str:
        """Return in words who has the places, or for whom they are kept; "" where nobody."""
        places = self.places()
        held = {place.name: self._holder(place) for place in places}
        if len(places) == 1:
            return next(iter(held.values()))
        return ", ".join(f"{name} {words}" for name, words in held.items() if words)

    def position(self) -> str:
        """Return in words how many come before us, of all who wait for such a place."""
        places = self.places()
        waiting = [
            item.token
            for item in self._coordinator.reservations()
            if item.is_waiting and any(item.may_have(place) for place in places)
        ]
        if self._token not in waiting:
            return ""
        return f"{waiting.index(self._token) + 1} of {len(waiting)} who wait"

    def end(self) -> None:
        """Give the reservation up, whose place is acquired by now, or no longer wanted."""
        with suppress(BenchError):  # it is gone, or the coordinator is: then it expires within a minute
            self._coordinator.cancel(self._token)

    def _holder(self, place: LabPlace) -> str:
        if place.acquired:
            return f"acquired by {place.acquired}"
        others = [item.owner for item in self._coordinator.reservations() if item.token == place.reservation]
        return f"reserved by {others[0]}" if others else ""
