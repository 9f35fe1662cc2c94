"""The web server of `bench serve`: /metrics, /sd, /-/healthy, /-/ready; a thread for each client."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from rkbench import __version__
from rkbench.errors import UsageError
from rkbench.metrics.discovery import Targets
from rkbench.metrics.results import StoreCollector

CLIENT_LIMIT_S = 10.0
MAX_CLIENTS = 64
_PLAIN = "text/plain; charset=utf-8"
_INDEX = b"rkbench: /metrics (results), /sd (boards, for http_sd_configs), /-/healthy, /-/ready\n"
_log = logging.getLogger("rkbench.serve")
Answer = tuple[str, str, bytes]


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

    def __init__(self, results: StoreCollector, targets: Targets) -> None:
        self._results = results
        self._targets = targets
        self.registry = CollectorRegistry(auto_describe=False)
        for collector in (results, targets, HostCollector()):
            self.registry.register(collector)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        status, content_type, body = self._answer(environ.get("PATH_INFO"), environ.get("HTTP_ACCEPT", ""))
        start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, path: str, accept: str) -> Answer:
        if path == "/metrics":
            encode, content_type = choose_encoder(accept)
            return "200 OK", content_type, encode(self.registry)
        if path == "/sd":
            return "200 OK", "application/json", json.dumps(self._targets.targets(), indent=1).encode()
        if path == "/-/healthy":
            return "200 OK", _PLAIN, b"rkbench is healthy\n"
        if path == "/-/ready":
            return self._ready()
        return ("200 OK" if path == "/" else "404 Not Found"), _PLAIN, _INDEX

    def _ready(self) -> Answer:
        problem = self._results.problem()
        if problem is None:
            return "200 OK", _PLAIN, b"rkbench is ready\n"
        text = f"not ready: {problem.message}\n{problem.hint}\n"
        return "503 Service Unavailable", _PLAIN, text.encode()


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_LIMIT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - wsgiref's name
        """Say nothing of each request."""


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves `app` on (host, port); raises UsageError where the address cannot be listened on."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], app: Callable[..., Iterable[bytes]]) -> None:
        self._free = threading.BoundedSemaphore(MAX_CLIENTS)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise UsageError(
                f"cannot listen on {address[0]} port {address[1]}: {error.strerror}",
                hint="is another bench serve running? choose another: --listen HOST:PORT",
            ) from error
        self.set_app(app)

    def server_bind(self) -> None:
        """Bind without asking the name server for the own name, which can take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or turn the client away."""
        if not self._free.acquire(blocking=False):
            _log.warning("more than %d clients at once: one is turned away", MAX_CLIENTS)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line that a client went away or was too slow; everything else is a bug."""
        del request
        if isinstance(sys.exc_info()[1], OSError):
            _log.info("client %s: %s", client_address, sys.exc_info()[1])
        else:
            _log.error("client %s", client_address, exc_info=True)
