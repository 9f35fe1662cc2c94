"""A conversation with labgrid's coordinator, in its own messages; labgrid is imported here alone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rkbench.errors import LabgridError, NoCoordinatorError, UsageError

#: A coordinator that says nothing for so long is down.
ANSWER_LIMIT_S = 30.0
#: An exporter that does not answer holds an acquiring or releasing coordinator for 10 s a resource.
ACQUIRE_LIMIT_S = 60.0
NOT_INSTALLED = "boards of labgrid need the extra `labgrid`"
#: States of a reservation, by labgrid's numbers: it waits, it has its place, which is acquired.
_WAITING, _HAS_PLACE = 0, (1, 2)


@dataclass(frozen=True)
class Resource:
    """Something a place has: its class, its parameters, and whether its exporter offers it now."""

    cls: str
    params: dict[str, Any]
    available: bool
    proxy: str = ""
    """The host to go through, where the exporter says that it is needed."""


@dataclass(frozen=True)
class LabPlace:
    """A place: `acquired` is who has it, `reservation` the token of one for which it is kept ("": none)."""

    name: str
    acquired: str = ""
    reservation: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def fits(self, wanted: Mapping[str, str]) -> bool:
        """Return whether it has all these tags; `name` is its name."""
        return wanted.items() <= {**self.tags, "name": self.name}.items()


@dataclass(frozen=True)
class Reserved:
    """Somebody's reservation of any place that has these tags; a tag `name` is the place's name."""

    token: str
    owner: str
    is_waiting: bool
    wanted: dict[str, str]

    def may_have(self, place: LabPlace) -> bool:
        """Return whether the place can become theirs."""
        return place.fits(self.wanted)


class Coordinator:
    """An open conversation as `owner` (host/user); use it in a `with`."""

    def __init__(self, address: str, owner: str) -> None:
        self._grpc, self._pb2, stubs = _labgrid()
        # A coordinator knows its clients by their connection: two of one process must not share one.
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.keepalive_time_ms", 7500)]
        self.address = address
        self._channel = self._grpc.insecure_channel(address, options=[*options, ("grpc.enable_retries", 0)])
        self._stub = stubs.CoordinatorStub(self._channel)
        self._said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._synced = threading.Event()
        self._resources: dict[tuple[str, str, str, str], Any] = {}
        self._places: dict[str, Any] = {}
        self.ended = threading.Event()  # set once the coordinator is gone
        self._begin(owner)

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation; what was acquired stays so."""
        self._said.put(None)
        self._call.cancel()
        self._channel.close()

    def places(self) -> tuple[LabPlace, ...]:
        """Return all places, by name."""
        found = sorted(self._places.values(), key=lambda place: str(place.name))
        return tuple(LabPlace(item.name, item.acquired, item.reservation, dict(item.tags)) for item in found)

    def place(self, name: str) -> LabPlace | None:
        """Return the place of that name."""
        return next((place for place in self.places() if place.name == name), None)

    def resources(self, name: str) -> tuple[Resource, ...]:
        """Return what the place of that name has by its matches."""
        place = self._places.get(name)  # it may have been deleted just now
        if place is None:
            return ()
        matches = [tuple(map(str, (m.exporter, m.group, m.cls, m.name))) for m in place.matches]
        found = [item for path, item in list(self._resources.items()) if any(_fits(path, m) for m in matches)]
        return tuple(map(self._resource, found))

    def acquire(self, name: str) -> None:
        """Acquire a place; raises LabgridError where somebody has it, or its exporter is gone."""
        request = self._pb2.AcquirePlaceRequest(placename=name)
        self._asked(lambda: self._stub.AcquirePlace(request, timeout=ACQUIRE_LIMIT_S))

    def release(self, name: str, owner: str) -> None:
        """Release a place if `owner` has it."""
        request = self._pb2.ReleasePlaceRequest(placename=name, fromuser=owner)
        self._asked(lambda: self._stub.ReleasePlace(request, timeout=ACQUIRE_LIMIT_S))

    def reserve(self, wanted: Mapping[str, str]) -> str:
        """Ask for a place with these tags (`name` is its name), which who reserves first has next.

        Returns the token of the reservation; one that is not polled for a minute is gone.
        """
        request = self._pb2.CreateReservationRequest()
        request.filters["main"].filter.update(wanted)
        answer = self._asked(lambda: self._stub.CreateReservation(request, timeout=ANSWER_LIMIT_S))
        return str(answer.reservation.token)

    def poll(self, token: str) -> str:
        """Return the place that a reservation has by now ("": none yet), and keep it; LabgridError: gone."""
        request = self._pb2.PollReservationRequest(token=token)
        found = self._asked(lambda: self._stub.PollReservation(request, timeout=ANSWER_LIMIT_S)).reservation
        if found.state not in (_WAITING, *_HAS_PLACE):
            raise LabgridError(f"labgrid: reservation {token} has expired")
        return str(found.allocations["main"]) if found.state in _HAS_PLACE else ""

    def cancel(self, token: str) -> None:
        """Give a reservation up."""
        request = self._pb2.CancelReservationRequest(token=token)
        self._asked(lambda: self._stub.CancelReservation(request, timeout=ANSWER_LIMIT_S))

    def reservations(self) -> tuple[Reserved, ...]:
        """Return all reservations, in the order in which they are served."""
        request = self._pb2.GetReservationsRequest()
        found = self._asked(lambda: self._stub.GetReservations(request, timeout=ANSWER_LIMIT_S)).reservations
        ordered = sorted(found, key=lambda item: (-item.prio, item.created))
        return tuple(
            Reserved(item.token, item.owner, item.state == _WAITING, dict(item.filters["main"].filter))
            for item in ordered
        )

    def sync(self) -> None:
        """Return once all is known that the coordinator knew when asked; raises NoCoordinatorError."""
        self._synced.clear()
        message = self._pb2.ClientInMessage()
        message.sync.id = 1
        self._said.put(message)
        # It may have been gone before `clear`, which then took what `_listen` sets at its end.
        if self.ended.is_set() or not self._synced.wait(ANSWER_LIMIT_S) or self.ended.is_set():
            raise self._down()

    def _begin(self, owner: str) -> None:
        first, places, resources = (self._pb2.ClientInMessage() for _ in range(3))
        first.startup.version, first.startup.name = "rkbench", owner
        places.subscribe.all_places, resources.subscribe.all_resources = True, True
        for message in (first, places, resources):
            self._said.put(message)
        self._call = self._stub.ClientStream(iter(self._said.get, None))
        threading.Thread(target=self._listen, name="labgrid", daemon=True).start()
        try:
            self.sync()
        except NoCoordinatorError:
            self.close()
            raise

    def _listen(self) -> None:
        with suppress(self._grpc.RpcError):  # it is gone, which `ended` says
            for message in self._call:
                for update in message.updates:
                    self._take(update)
                if message.HasField("sync"):
                    self._synced.set()
        self.ended.set()
        self._synced.set()

    def _take(self, update: Any) -> None:
        kind = update.WhichOneof("kind")
        if kind == "place":
            self._places[update.place.name] = update.place
        elif kind == "del_place":
            self._places.pop(update.del_place, None)
        elif kind == "resource":
            self._resources[_path(update.resource.path, update.resource.cls)] = update.resource
        else:
            gone = _path(update.del_resource, "")
            for path in [path for path in self._resources if (*path[:2], "", path[3]) == gone]:
                del self._resources[path]

    def _resource(self, item: Any) -> Resource:
        params, extra = _values(item.params), _values(item.extra)
        needed = bool(extra.get("proxy_required"))
        return Resource(item.cls, params, bool(item.avail), str(extra.get("proxy", "")) if needed else "")

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except self._grpc.RpcError as error:
            codes = self._grpc.StatusCode
            if error.code() in (codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.CANCELLED):
                raise self._down() from error
            raise LabgridError(f"labgrid: {error.details()}") from error

    def _down(self) -> NoCoordinatorError:
        return NoCoordinatorError(
            f"labgrid's coordinator {self.address} does not answer",
            hint="start it (labgrid-coordinator), or name another: LG_COORDINATOR=HOST:PORT",
        )


def _labgrid() -> tuple[Any, Any, Any]:
    try:
        import grpc
        from labgrid.remote.generated import labgrid_coordinator_pb2, labgrid_coordinator_pb2_grpc
    except ImportError as error:
        raise UsageError(NOT_INSTALLED, hint="pip install 'rkbench[labgrid]'") from error
    return grpc, labgrid_coordinator_pb2, labgrid_coordinator_pb2_grpc


def _path(path: Any, cls: str) -> tuple[str, str, str, str]:
    return (path.exporter_name, path.group_name, cls, path.resource_name)


def _fits(path: tuple[str, ...], match: tuple[str, ...]) -> bool:
    """Return whether a place's match means a resource, as labgrid does: by patterns of file names."""
    from fnmatch import fnmatchcase

    return all(fnmatchcase(part, wanted or "*") for part, wanted in zip(path, match, strict=True))


def _values(params: Any) -> dict[str, Any]:
    return {
        key: getattr(value, value.WhichOneof("kind"))
        for key, value in params.items()
        if value.WhichOneof("kind")
    }
