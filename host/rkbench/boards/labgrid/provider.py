"""`--board labgrid:PLACE`, or `labgrid:TAG=VALUE` for every place with that tag: acquired while in use."""

from __future__ import annotations

import getpass
import json
import logging
import os
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rkbench.boards.inventory import known_hosts_of, load_inventory
from rkbench.boards.labgrid.coordinator import ANSWER_LIMIT_S, Coordinator, LabPlace
from rkbench.boards.labgrid.turn import no_place, wanted_of
from rkbench.boards.model import Board
from rkbench.errors import (
    BenchError,
    BoardBusyError,
    ConnectError,
    LabgridError,
    NoBoardError,
    NoCoordinatorError,
    UsageError,
)

SCHEME = "labgrid:"
#: What labgrid's own client reads.
ADDRESS = "LG_COORDINATOR"
DEFAULT_ADDRESS = "127.0.0.1:20408"
#: A place that somebody has is waited for.
WAIT_S = 600.0
#: The keeper that does not answer is asked no longer; acquiring takes 10 s a resource of a deaf exporter.
_ANSWER_LIMIT_S = 120.0
#: A coordinator that has not answered by then is said to be waited for.
_TOLD_FROM_S = 1.0
#: A keeper releases before it ends.
_FAREWELL_S = 30.0
SERVICE = "NetworkService"
#: Of a place's resources these switch its power; any of them does for labgrid's own client.
_POWER = ("Power", "Sispm", "YKUSH")
_ERRORS: Mapping[str, type[BenchError]] = {
    kind.__name__: kind
    for kind in (UsageError, NoBoardError, BoardBusyError, ConnectError, LabgridError, NoCoordinatorError)
}
_log = logging.getLogger("rkbench.labgrid")


class LabgridBoards:
    """The places of the coordinator in $LG_COORDINATOR; an entry of bench.toml that has a place's name
    says what labgrid does not: `python`, `runtime`, `identity_files`."""

    def __init__(self, inventory: Path, *, wait_s: float = WAIT_S) -> None:
        self._inventory = inventory
        self._wait_s = wait_s
        self._found: dict[str, tuple[Board, ...]] = {}
        #: What is acquired until the end of a `first`, by its place: owner, and what the keeper told.
        self._mine: dict[str, tuple[str, Mapping[str, Any]]] = {}

    def names(self) -> tuple[str, ...]:
        """Return nothing: a coordinator is asked when one of its places is."""
        return ()

    def find(self, word: str) -> tuple[Board, ...]:
        """Return the boards of the places that `word` names; raises ConnectError, NoBoardError."""
        if not word.startswith(SCHEME):
            return ()
        if word not in self._found:
            self._found[word] = self._ask(word.removeprefix(SCHEME))
        return self._found[word]

    @contextmanager
    def hold(self, name: str) -> Iterator[Board]:
        """Acquire the place of a board and yield how it is reached; it is released in any case."""
        described, place = self.find(name)[0], name.removeprefix(SCHEME)
        if place in self._mine:
            yield _reached(described, place, *self._mine[place])
            return
        owner = _new_owner()
        with _keeper(_address(), place, owner, self._wait_s) as told:
            yield _reached(described, place, owner, told)

    @contextmanager
    def first(self, boards: Sequence[Board]) -> Iterator[Sequence[Board]]:
        """Yield the boards of places of a few tags with the first that is free in front, acquired meanwhile.

        labgrid's queue says which that is: one reservation for all of them. Others stay as they are.
        """
        names = [board.name for board in boards]
        tags = [word for word, found in self._found.items() if [board.name for board in found] == names]
        if len(names) < 2 or not tags:
            yield boards
            return
        owner = _new_owner()
        with ExitStack() as use:
            keeper = _keeper(_address(), tags[0].removeprefix(SCHEME), owner, self._wait_s)
            try:
                told = use.enter_context(keeper)
            except LabgridError as error:  # as where the exporter of the one that is free is gone
                _log.warning("%s; trying its places one by one", error.message)
                yield boards
                return
            place = str(told["place"])
            self._mine[place] = (owner, told)
            use.callback(self._mine.pop, place)
            yield sorted(boards, key=lambda board: board.name != f"{SCHEME}{place}")

    def _ask(self, wanted: str) -> tuple[Board, ...]:
        who, address = f"{socket.gethostname()}/{getpass.getuser()}:rkbench", _address()
        with _told_of_silence(address), Coordinator(address, who) as coordinator:
            places = coordinator.places()
        found = [place for place in places if place.fits(wanted_of(wanted))]
        if not found:
            raise no_place(wanted, places)
        return tuple(map(self._board, found))

    def _board(self, place: LabPlace) -> Board:
        entries = {board.name: board for board in load_inventory(self._inventory).boards}
        return board_of(place, entries.get(place.name), known_hosts_of(self._inventory))


def board_of(place: LabPlace, entry: Board | None, known_hosts: Path) -> Board:
    """Return a place as a board, as far as it is known without being acquired; `entry`: of the inventory."""
    board = entry or Board(place.name, place.name, known_hosts_files=(known_hosts,))
    soc = place.tags.get("soc") or board.soc
    return replace(board, name=f"{SCHEME}{place.name}", soc=soc, tags=tuple(sorted(place.tags.values())))


@contextmanager
def _told_of_silence(address: str) -> Iterator[None]:
    """Say that a coordinator is waited for, where the body takes its time."""
    told = "labgrid's coordinator %s has not answered yet; waiting for it up to %.0f s"
    timer = threading.Timer(_TOLD_FROM_S, _log.warning, (told, address, ANSWER_LIMIT_S))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _address() -> str:
    return os.environ.get(ADDRESS) or DEFAULT_ADDRESS


def _new_owner() -> str:
    """Return who acquires: this host and user, and eight digits, others for every hold."""
    return f"{socket.gethostname()}/{getpass.getuser()}:rkbench-{secrets.token_hex(4)}"


def _reached(board: Board, place: str, owner: str, told: Mapping[str, Any]) -> Board:
    """Return a board with the address of its NetworkService, and what cycles its power."""
    services = [item for item in told["resources"] if item["cls"] == SERVICE]
    there = [item for item in services if item["available"]]
    if not there:
        lacks = "is not offered by its exporter now" if services else "is not among its resources"
        raise ConnectError(
            f"labgrid's place {place!r} has no address: a {SERVICE} {lacks}",
            hint=f"is its exporter running? labgrid-client -p {place} show; an exporter offers a"
            f" {SERVICE} with address and username",
        )
    params = there[0]["params"]
    power = any(word in item["cls"] for item in told["resources"] for word in _POWER)
    return replace(
        board,
        host=str(params["address"]),
        port=int(params.get("port", 22)),
        user=str(params["username"]),
        proxy_jump=there[0]["proxy"] or board.proxy_jump,
        power_cycle=_cycle_command(place, owner) if power else (),
    )


def _cycle_command(place: str, owner: str) -> tuple[str, ...]:
    """Return labgrid's own client as the owner of the place: it knows the drivers of its resources."""
    host, _, user = owner.partition("/")
    names = (f"{ADDRESS}={_address()}", f"LG_HOSTNAME={host}", f"LG_USERNAME={user}")
    beside = Path(sys.executable).with_name("labgrid-client")
    client = str(beside) if beside.exists() else shutil.which("labgrid-client") or beside.name
    return ("env", *names, client, "-p", place, "power", "cycle")


@contextmanager
def _keeper(address: str, place: str, owner: str, wait_s: float) -> Iterator[Mapping[str, Any]]:
    """Yield what is known of a place that a process of its own keeps until the end; raises BenchErrors."""
    command = [sys.executable, "-m", "rkbench.boards.labgrid.keeper", address, place, owner, str(wait_s)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    assert process.stdin is not None
    said: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(process, place, said), name="labgrid", daemon=True).start()
    try:
        yield _acquired(said, place, wait_s)
    finally:
        process.stdin.close()
        try:
            process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            _log.warning("labgrid's place %s is not released yet: its keeper goes on trying", place)


def _acquired(said: queue.SimpleQueue[dict[str, Any]], place: str, wait_s: float) -> Mapping[str, Any]:
    try:
        told = said.get(timeout=wait_s + _ANSWER_LIMIT_S)
    except queue.Empty:
        told = {"error": f"labgrid's place {place!r} could not be acquired in time"}
    if "acquired" in told:
        acquired: dict[str, Any] = told["acquired"]
        return acquired
    kind = _ERRORS.get(told.get("kind", ""), ConnectError)
    raise kind(told["error"], hint=told.get("hint", ""))


def _hear(process: subprocess.Popen[str], place: str, said: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Tell what a keeper says that nobody waits for, and pass on the rest; a thread's body."""
    assert process.stdout is not None
    began = time.monotonic()
    with process.stdout:
        for line in process.stdout:
            told = json.loads(line)
            if "waiting_for" in told:
                queue_words = f": {told['queue']}" if told["queue"] else ""
                told_words = "labgrid's place %s is %s; waiting for it%s"
                if "=" in place:
                    told_words = "labgrid's places with %s: %s; waiting for the first that is free%s"
                _log.warning(told_words, place, told["waiting_for"], queue_words)
            elif "lost" in told:
                _log.warning("%s: %s is used on", told["lost"], place)
            elif "back" in told:
                state = "is ours again" if told["back"] else "was given to somebody else"
                _log.warning("labgrid's coordinator is back: place %s %s", place, state)
            else:
                said.put(told)
    lived = time.monotonic() - began
    said.put({"error": f"the keeper of labgrid's place {place!r} ended after {lived:.1f} s"})
