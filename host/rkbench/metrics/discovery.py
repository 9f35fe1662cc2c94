"""http_sd: the boards of the inventory as scrape targets, read again whenever it or ssh_config changes."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from rkbench.boards.health import health_file, taken_out
from rkbench.boards.held import held_of
from rkbench.boards.labgrid.watching import KnownPlace, WatchedPlaces, places_as_boards
from rkbench.boards.model import Board
from rkbench.boards.provider import Boards
from rkbench.boards.ssh.config import SSH_CONFIG_FILES, host_of
from rkbench.errors import BenchError, ConnectError
from rkbench.units import printable

_log = logging.getLogger("rkbench.serve")


class Targets(Collector):
    """The boards of the inventory at `path`, and the places of a labgrid lab.

    A broken edit changes nothing but `rkbench_inventory_up`, a coordinator that is down nothing but
    `rkbench_labgrid_up`.
    """

    def __init__(self, path: Path, places: WatchedPlaces | None = None) -> None:
        self._path = path
        self._places = places
        self._lock = threading.Lock()
        self._signature: object = None
        self._body = b"[]"
        self._boards: tuple[Board, ...] = ()
        self._is_up = True
        self._warned = ""

    def document(self) -> bytes:
        """Return the target groups as JSON, in the form that http_sd_config takes."""
        with self._lock:
            self._refresh()
            return self._body

    def collect(self) -> Iterable[Metric]:
        """Return how the inventory is."""
        self.document()
        text = "1 while the inventory can be read; at 0 the boards of before are kept."
        yield GaugeMetricFamily("rkbench_inventory_up", text, value=int(self._is_up))
        yield GaugeMetricFamily(
            "rkbench_inventory_boards", "Boards of the inventory.", value=len(self._boards)
        )
        if self._places is not None:
            yield from _labgrid(self._places)
        text = "1 for a board that is taken out because it failed again and again; others are not named."
        quarantined = GaugeMetricFamily("rkbench_board_quarantined", text, labels=["board"])
        for name in taken_out(self._boards):
            quarantined.add_metric([name], 1)
        yield quarantined
        yield from _held(self._boards)

    def _refresh(self) -> None:
        places = self._places.places if self._places else ()
        files = (self._path, health_file(self._path), *SSH_CONFIG_FILES)
        signature = [places, *(_signature(path.expanduser()) for path in files)]
        if signature == self._signature:
            return
        try:
            boards = Boards(self._path).listed()
            out = taken_out(boards)
            hidden = {item.place.name for item in places}  # what is said there adds to the place
            shown = [board for board in boards if board.name not in hidden and not _is_fleeting(board)]
            groups = [target_group(board, quarantined=board.name in out) for board in shown]
            self._body = json.dumps([*groups, *self._of_places(boards, places)], indent=1).encode()
            self._boards = boards
        except BenchError as error:
            self._signature, self._is_up = None, False
            self._warn(error.message)
            return
        # Only now: what could not be read is read again at every scrape until it is mended.
        self._signature, self._is_up, self._warned = signature, True, ""
        number = len(boards)
        _log.info("%d board%s in %s", number, "" if number == 1 else "s", printable(str(self._path)))

    def _of_places(self, boards: Iterable[Board], places: tuple[KnownPlace, ...]) -> list[dict[str, object]]:
        """Return the target groups of places; one whose address is none is told and left out."""
        found = []
        for board in places_as_boards(places, {board.name: board for board in boards}, self._path):
            try:
                found.append(target_group(board))
            except ConnectError as error:
                _log.warning("left out: %s", printable(error.message))
        return found

    def _warn(self, problem: str) -> None:
        """Say once what is wrong."""
        if problem != self._warned:
            self._warned = problem
            _log.warning("the boards stay as they were: %s", printable(problem))


def _labgrid(places: WatchedPlaces) -> Iterable[Metric]:
    """Return how the coordinator is, and how many of its places can be scraped."""
    text = "1 while labgrid's coordinator answers; at 0 the places of before are kept."
    yield GaugeMetricFamily("rkbench_labgrid_up", text, value=int(places.is_up))
    found = sum(bool(item.address) for item in places.places)
    text = "Places of labgrid whose NetworkService is offered and reached without a proxy."
    yield GaugeMetricFamily("rkbench_labgrid_places", text, value=found)


def _held(boards: Iterable[Board]) -> Iterable[Metric]:
    """Return how long boards were held, and how often, by kind of command."""
    labels = ["board", "command"]
    text = "Seconds that pushes and nights of this inventory held a board; their waiting is not among them."
    seconds = CounterMetricFamily("rkbench_board_held_seconds", text, labels=labels)
    text = "How often pushes and nights of this inventory held a board; a night holds it for each cell."
    times = CounterMetricFamily("rkbench_board_holds", text, labels=labels)
    for name, held in held_of(boards).items():
        for command, value in held.seconds.items():
            seconds.add_metric([name, command], value)
        for command, count in held.times.items():
            times.add_metric([name, command], count)
    return seconds, times


def target_group(board: Board, *, quarantined: bool = False) -> dict[str, object]:
    """Return one board as a target group. Its tags are one label, `,a,b,`, and a label each.

    Raises BenchError where ssh_config cannot be read.
    """
    host = "127.0.0.1" if board.simulated else host_of(board)
    address = f"[{host}]" if ":" in host else host
    labels = {
        "board": board.name,
        "soc": board.soc or "",
        "runtime": board.runtime,
        "simulated": str(board.simulated).lower(),
        "quarantined": "true" if quarantined else "",
        "tags": f",{','.join(board.tags)}," if board.tags else "",
        **{f"tag_{_label(tag)}": "true" for tag in board.tags},
    }
    return {
        "targets": [f"{address}:{board.exporter_port}"],
        "labels": {f"__meta_rkbench_{name}": value for name, value in labels.items() if value},
    }


def _is_fleeting(board: Board) -> bool:
    """Return whether a board lives no longer than a command: what answers at its address is another's."""
    return board.simulated and board.home is None


def _label(tag: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", tag)


def _signature(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return (status.st_mtime_ns, status.st_size, status.st_ino)
