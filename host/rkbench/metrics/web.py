"""What `bench serve` serves: /metrics, /sd, /running, /-/healthy, /-/ready; at / the site of the store."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry
from rkbench_web.labels import EscapedLabels
from rkbench_web.server import BoundedServer, answer

from rkbench import __version__
from rkbench.errors import UsageError
from rkbench.metrics.discovery import Targets
from rkbench.metrics.guarding import guarded
from rkbench.metrics.results import StoreCollector
from rkbench.metrics.running import running_json, running_page
from rkbench.metrics.site import Answer, ServedSite
from rkbench.metrics.web_config import WebConfigFile
from rkbench.units import printable

MAX_CLIENTS = 64
_PLAIN = "text/plain; charset=utf-8"
_INDEX = b"rkbench: / (pages), /metrics (results), /sd (boards, for http_sd_configs), /running, /-/healthy\n"
_log = logging.getLogger("rkbench.serve")


class HostCollector(Collector):
    """What `bench serve` itself is and uses."""

    def collect(self) -> Iterable[Metric]:
        """Return version, CPU time and memory."""
        yield InfoMetricFamily("rkbench_host", "Version of bench serve.", value={"version": __version__})
        text = "CPU time that bench serve has used."
        yield CounterMetricFamily("process_cpu_seconds", text, value=time.process_time())
        text, resident = "Memory that bench serve takes.", psutil.Process().memory_info().rss
        yield GaugeMetricFamily("process_resident_memory_bytes", text, value=resident)


class App:
    """The WSGI application."""

    def __init__(self, results: StoreCollector, targets: Targets, site: ServedSite, address: str) -> None:
        """Serve results, targets, pages, and what runs with the store at `address`."""
        self._address = address
        self._results = results
        self._site = site
        self._targets = targets
        self.registry = CollectorRegistry(auto_describe=False)
        self._shown: Any = EscapedLabels(self.registry, printable)
        for collector in (results, targets, HostCollector()):
            self.registry.register(collector)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        status, content_type, body = self._answer(environ.get("PATH_INFO"), environ.get("HTTP_ACCEPT", ""))
        return answer(start_response, status, content_type, body)

    def _answer(self, path: str, accept: str) -> Answer:
        if path == "/metrics":
            encode, content_type = choose_encoder(accept)
            return "200 OK", content_type, encode(self._shown)
        if path == "/sd":
            return "200 OK", "application/json", self._targets.document()
        if path == "/running":
            return "200 OK", "text/html; charset=utf-8", running_page(self._address)
        if path == "/running.json":
            return "200 OK", "application/json", running_json(self._address)
        if path == "/-/healthy":
            return "200 OK", _PLAIN, b"rkbench is healthy\n"
        if path == "/-/ready":
            return self._ready()
        return self._site.answer(path) or ("404 Not Found", _PLAIN, _INDEX)

    def _ready(self) -> Answer:
        problem = self._results.problem()
        if problem is None:
            return "200 OK", _PLAIN, b"rkbench is ready\n"
        text = "".join(
            f"{printable(line)}\n" for line in (f"not ready: {problem.message}", *problem.hint.split("\n"))
        )
        return "503 Service Unavailable", _PLAIN, text.encode()


_IN_USE = "is another bench serve running? choose another: --listen HOST:PORT"
_LISTEN_HINTS = {
    errno.EADDRNOTAVAIL: "that is no address of this computer: --listen 0.0.0.0:PORT means all that it has",
    errno.EACCES: "ports below 1024 are root's: choose another: --listen HOST:PORT",
}


def listen_at(address: tuple[str, int], app: App, config: WebConfigFile | None = None) -> BoundedServer:
    """Return a server that listens, and answers once it is run, as `config` says; raises UsageError."""
    try:
        if config is None:
            return BoundedServer(address, app, MAX_CLIENTS, _log)
        return BoundedServer(address, guarded(app, config.now), MAX_CLIENTS, _log, _encrypted(config))
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address[0]} port {address[1]}: {error.strerror}",
            hint=_LISTEN_HINTS.get(error.errno or 0, _IN_USE),
        ) from error


def _encrypted(config: WebConfigFile) -> Callable[[socket.socket], socket.socket]:
    """Return what makes TLS of a client's socket where there is a certificate; nothing is read of it yet."""

    def secure(client: socket.socket) -> socket.socket:
        context = config.now().context
        if context is None:
            return client
        return context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)

    return secure
