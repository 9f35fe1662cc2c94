"""A WSGI server with a thread for each client, so that a slow one holds up nobody."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from socketserver import ThreadingMixIn
from typing import Any, Callable, Iterable, Optional, Tuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

CLIENT_LIMIT_S = 10.0
Application = Callable[..., Iterable[bytes]]


class QuietHandler(WSGIRequestHandler):
    """Waits CLIENT_LIMIT_S for a client, and says nothing of each request."""

    timeout = CLIENT_LIMIT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - wsgiref's name
        """Say nothing."""


class BoundedServer(ThreadingMixIn, WSGIServer):
    """Serves `app` to at most `most_clients` at a time; who comes on top is turned away.

    Raises OSError where the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, address: Tuple[str, int], app: Application, most_clients: int, log: logging.Logger
    ) -> None:
        self._most_clients = most_clients
        self._free = threading.BoundedSemaphore(most_clients)
        self._log = log
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, QuietHandler)
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
            self._log.warning("more than %d clients at once: one is turned away", self._most_clients)
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
            self._log.info("client %s: %s", client_address, error)
        else:
            self._log.error("client %s", client_address, exc_info=True)


def parse_address(text: str) -> Optional[Tuple[str, int]]:
    """Return host and port of `HOST:PORT`, `[IPV6]:PORT` or `:PORT` (every address); None of nonsense."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        return None
    return host.strip("[]") or "0.0.0.0", int(port)


def answer(start_response: Any, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    """Answer a request of WSGI with one body."""
    start_response(status, [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
