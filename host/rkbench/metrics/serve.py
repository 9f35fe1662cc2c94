"""`bench serve`: results and targets for Prometheus, until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from rkbench_web.server import SIGNAL_POLL_S, BoundedServer, parse_address

from rkbench.boards.finding import find_inventory
from rkbench.boards.labgrid.provider import ADDRESS
from rkbench.boards.labgrid.watching import WatchedPlaces
from rkbench.errors import UsageError
from rkbench.metrics.discovery import Targets
from rkbench.metrics.results import DEFAULT_MAX_SERIES, StoreCollector
from rkbench.metrics.site import ServedSite
from rkbench.metrics.web import App, listen_at
from rkbench.metrics.web_config import WebConfigFile
from rkbench.store import default_address
from rkbench.store.opening import check_address

DEFAULT_LISTEN = "127.0.0.1:9955"


def make_server(
    listen: str = DEFAULT_LISTEN,
    *,
    store: str | Path | None = None,
    inventory: Path | None = None,
    simulated: bool = False,
    max_series: int = DEFAULT_MAX_SERIES,
    site: Path | None = None,
    web_config: WebConfigFile | None = None,
    places: WatchedPlaces | None = None,
    results: StoreCollector | None = None,
) -> BoundedServer:
    """Return a server that listens, and answers once it is run. Raises UsageError.

    `site`: where the pages of the store are made; None: in the cache. `web_config`: TLS and who may ask;
    None: everybody, in plain text. `places`: of a labgrid lab, which the caller starts and closes.
    `results`: what reads the store, where the caller has it.
    """
    address = store or default_address()
    results = results or StoreCollector(address, simulated=simulated, max_series=max_series)
    targets = Targets(find_inventory(inventory), places)
    app = App(results, targets, ServedSite(str(address), site), str(address))
    return listen_at(parse_listen(listen), app, web_config)


def serve(
    listen: str,
    *,
    store: str | Path | None = None,
    inventory: Path | None = None,
    simulated: bool = False,
    max_series: int = DEFAULT_MAX_SERIES,
    web_config: Path | None = None,
) -> None:
    """Answer Prometheus until SIGTERM or Ctrl-C. What is wrong with the store is said at once.

    Raises UsageError, also where there is no such kind of store.
    """
    logging.basicConfig(level=logging.INFO, format="bench serve: %(message)s", stream=sys.stderr)
    config = WebConfigFile(web_config) if web_config else None
    coordinator = os.environ.get(ADDRESS)
    places = WatchedPlaces(coordinator) if coordinator else None
    address = store or default_address()
    check_address(address)
    results = StoreCollector(address, simulated=simulated, max_series=max_series)
    server = make_server(
        listen, store=store, inventory=inventory, web_config=config, places=places, results=results
    )
    signal.signal(signal.SIGTERM, _leave)
    host, port = listen.rpartition(":")[0], server.server_port
    scheme = "https" if config and config.now().context else "http"
    told = "%s://%s:%d/ is the store as pages; /metrics and /sd are for Prometheus"
    logging.getLogger("rkbench.serve").info(told, scheme, host or "0.0.0.0", port)
    threading.Thread(target=results.problem, name="store", daemon=True).start()
    if places:
        places.start()
    with server:
        server.serve_forever(poll_interval=SIGNAL_POLL_S)


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT` (every address). Raises UsageError."""
    address = parse_address(text)
    if address is None:
        raise UsageError(f"--listen {text!r} is no address", hint="HOST:PORT, as 127.0.0.1:9955")
    return address


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.exit(0)
