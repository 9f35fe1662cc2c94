"""The web server of the exporter: a thread for each client, so that a slow one holds up nobody."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from socketserver import ThreadingMixIn
from typing import Any, Callable, Iterable, Tuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from rkbench_agent.errors import ListenError

CLIENT_LIMIT_S = 10.0
MAX_CLIENTS = 32
_log = logging.getLogger("rkbench-exporter")


class _QuietHandler(WSGIRequestHandler):
    timeout = CLIENT_LIMIT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - wsgiref's name
        """Say nothing of each request."""


class ExporterServer(ThreadingMixIn, WSGIServer):
    """Serves at most MAX_CLIENTS at a time; who comes on top is turned away."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: Tuple[str, int], app: Callable[..., Iterable[bytes]]) -> None:
        self._free = threading.BoundedSemaphore(MAX_CLIENTS)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            super().__init__(address, _QuietHandler)
        except OSError as error:
            raise ListenError(
                f"cannot listen on {address[0]} port {address[1]}: {error.strerror}; choose another"
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
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            _log.info("client %s: %s", client_address, error)
        else:
            _log.error("client %s", client_address, exc_info=True)


def can_listen(host: str, port: int) -> bool:
    """Tell whether the address is free."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def parse_listen(text: str) -> Tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT`; raises ListenError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise ListenError(f"no address: {text!r}; HOST:PORT or [IPV6]:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)


def metrics_app(registry: CollectorRegistry, identity: str) -> Callable[..., Iterable[bytes]]:
    """Return the WSGI application: /metrics, and `identity` at /-/healthy."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            encode, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
            return _answer(start_response, "200 OK", content_type, encode(registry))
        if path == "/-/healthy":
            return _answer(start_response, "200 OK", "text/plain; charset=utf-8", f"{identity}\n".encode())
        text = f"{identity}: the metrics are at /metrics\n".encode()
        return _answer(start_response, "200 OK" if path == "/" else "404 Not Found", "text/plain", text)

    return app


def _answer(start_response: Any, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
