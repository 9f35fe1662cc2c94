"""A labgrid lab on loopback: its real coordinator and exporter, and a power switch that counts."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, TypeVar

from ports import free_port
from rkbench.boards.labgrid.coordinator import Coordinator

Answer = TypeVar("Answer")

BIN = Path(sys.executable).parent
#: A computer that is busy starts Python slowly.
START_LIMIT_S = 60.0


class PowerSwitch(AbstractContextManager["PowerSwitch"]):
    """What labgrid's `simplerest` driver switches: `said` has 0 and 1 in order."""

    def __init__(self) -> None:
        self.said: list[str] = []
        said = self.said

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said.append(self.path.rpartition("/")[2])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/relay/{{index}}/{{value}}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class LabgridLab(AbstractContextManager["LabgridLab"]):
    """Use it in a `with`; everything lies in its folder. `places` have their resources by group, and tags."""

    def __init__(self, folder: Path, places: Mapping[str, Mapping[str, str]]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "places.yaml").write_text(json.dumps({name: _place(name, places[name]) for name in places}))
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._exporter: subprocess.Popen[bytes] | None = None
        self._coordinator: subprocess.Popen[bytes] | None = None
        self.start_coordinator()

    def start_coordinator(self) -> None:
        """Start the coordinator, which reads what it wrote of places before."""
        self._coordinator = self._start("labgrid-coordinator", "-l", self.address)
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < deadline, (self.folder / "labgrid-coordinator.log").read_text()
            time.sleep(0.05)

    def stop_coordinator(self) -> None:
        """Kill the coordinator; who had what is forgotten with it."""
        _kill(self._coordinator)

    def stop_exporter(self) -> None:
        """Kill the exporter."""
        _kill(self._exporter)

    def export(self, resources: dict[str, dict[str, Any]], *options: str) -> None:
        """Start an exporter of groups of resources, and wait until they are known."""
        (self.folder / "exporter.yaml").write_text(json.dumps(resources))
        command = ("labgrid-exporter", "-c", self.address, "-n", "lab", *options, "exporter.yaml")
        self._exporter = self._start(*command)
        count = sum(map(len, resources.values()))
        deadline = time.monotonic() + START_LIMIT_S
        while (
            self._asked(lambda coordinator: sum(len(coordinator.resources(group)) for group in resources))
            < count
        ):
            assert time.monotonic() < deadline, (self.folder / "labgrid-exporter.log").read_text()
            time.sleep(0.1)

    def client(self, *arguments: str) -> str:
        """Run labgrid's own client as another user, and return what it said."""
        command = [str(BIN / "labgrid-client"), "-x", self.address, *arguments]
        environment = {**os.environ, "LG_HOSTNAME": "desk", "LG_USERNAME": "bob"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def owner(self, place: str) -> str:
        """Return who has acquired a place; "" for nobody."""
        found = self._asked(lambda coordinator: coordinator.place(place))
        assert found is not None
        return found.acquired

    def await_free(self, place: str, limit_s: float = 60.0) -> None:
        """Return once nobody has a place; fails after the limit."""
        deadline = time.monotonic() + limit_s
        while owner := self.owner(place):
            assert time.monotonic() < deadline, f"{place} is still acquired by {owner}"
            time.sleep(0.2)

    def release(self, place: str, owner: str) -> None:
        """Release what `owner` has, sooner than labgrid's own client starts."""
        self._asked(lambda coordinator: coordinator.release(place, owner))

    def await_reservations(self, count: int) -> None:
        """Return once there are so many; one that nobody asks after any more is gone within two minutes."""
        _await(lambda: self._asked(lambda coordinator: len(coordinator.reservations())) == count)

    def await_reserved(self, place: str) -> None:
        """Return once a place is kept for somebody, who has not acquired it."""

        def is_reserved(coordinator: Coordinator) -> bool:
            found = coordinator.place(place)
            return found is not None and bool(found.reservation) and not found.acquired

        _await(lambda: self._asked(is_reserved))

    def __exit__(self, *_: object) -> None:
        _kill(self._exporter)
        _kill(self._coordinator)

    def _asked(self, ask: Callable[[Coordinator], Answer]) -> Answer:
        with Coordinator(self.address, "desk/eve") as coordinator:
            return ask(coordinator)

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.log").open("ab") as log:
            command = [str(BIN / program), *arguments]
            return subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )


def _place(name: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what a coordinator writes down of a place that has all resources of its own group."""
    match = {"exporter": "*", "group": name, "cls": "*", "name": None, "rename": None}
    return {"aliases": [], "comment": "", "tags": dict(tags), "matches": [match]}


def _await(holds: Callable[[], bool], limit_s: float = 150.0) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()
