"""A WSGI server with a thread for each client, so that a slow one holds up nobody.

A client has CLIENT_LIMIT_S to ask, all in all, and as long to take its answer. Where more come than there
are seats for, the one that has waited longest without having asked gives its seat up: who asks at once, as
Prometheus does, is answered however many others dawdle.
"""

from __future__ import annotations

import io
import logging
import socket
import sys
import threading
import time
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any, Callable, Dict, Iterable, Optional, Tuple, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

CLIENT_LIMIT_S = 10.0
#: For `serve_forever`: Python hears of a signal that comes just before the wait, or that another thread
#: takes, only when the wait is over.
SIGNAL_POLL_S = 1.0
_NOT_ENCRYPTED = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nask by https://\n"
Application = Callable[..., Iterable[bytes]]


class _Until(io.RawIOBase):
    """What a socket gives until a moment, however slowly it comes; raises TimeoutError after it."""

    def __init__(self, sock: socket.socket, limit_s: float) -> None:
        self._sock = sock
        self._limit_s = limit_s
        self._end_s = time.monotonic() + limit_s

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into `buffer` as much as there is."""
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"did not ask within {self._limit_s:g} s")
        self._sock.settimeout(left_s)
        try:
            return self._sock.recv_into(buffer)
        finally:
            self._sock.settimeout(self._limit_s)


class _Within(io.RawIOBase):
    """A socket that takes an answer within a limit from its first byte on.

    `sendall` of an encrypted socket bounds each piece by itself. Raises ConnectionAbortedError, which wsgiref
    takes for a client that went away, after it has told why.
    """

    def __init__(self, sock: socket.socket, limit_s: float, tell: Callable[[object], None]) -> None:
        self._sock = sock
        self._limit_s = limit_s
        self._tell = tell
        self._end_s: Optional[float] = None

    def writable(self) -> bool:
        """Tell that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Write all of `data`."""
        if self._end_s is None:
            self._end_s = time.monotonic() + self._limit_s
        view = memoryview(data).cast("B")
        try:
            self._send(view, self._end_s)
        except OSError as error:
            slow = isinstance(error, (TimeoutError, socket.timeout))  # two classes before 3.10
            self._tell(f"did not take its answer within {self._limit_s:g} s" if slow else error)
            raise ConnectionAbortedError from error
        return len(view)

    def _send(self, view: memoryview, end_s: float) -> None:
        done = 0
        while done < len(view):
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._sock.settimeout(left_s)
            done += self._sock.send(view[done:])


class QuietHandler(WSGIRequestHandler):
    """Waits CLIENT_LIMIT_S for a client's question, and says nothing of each request."""

    timeout = CLIENT_LIMIT_S

    def setup(self) -> None:
        """Bound the whole question in time, and the whole answer, not each of their bytes."""
        super().setup()
        self.rfile.close()
        # Before the handshake, whose time counts.
        self.rfile = io.BufferedReader(_Until(self.connection, CLIENT_LIMIT_S))
        self.wfile = cast(Any, _Within(self.connection, CLIENT_LIMIT_S, self._tell))
        shake_hands = getattr(self.connection, "do_handshake", None)
        if shake_hands is None:
            return
        try:
            shake_hands()
        except OSError as error:
            if getattr(error, "reason", "") == "HTTP_REQUEST":
                socket.socket.recv(self.connection, 65536)  # else closing would tear the answer away
                socket.socket.send(self.connection, _NOT_ENCRYPTED)
            raise

    def _tell(self, what: object) -> None:
        cast(BoundedServer, self.server).tell(self.client_address, what)

    def parse_request(self) -> bool:
        """Read the question; False where it is none, or where the seat is another's by now."""
        return super().parse_request() and cast(BoundedServer, self.server).has_asked(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - wsgiref's name
        """Say nothing."""


class BoundedServer(ThreadingMixIn, WSGIServer):
    """Serves `app` to at most `most_clients` at a time; see above for who is turned away.

    `secure` makes an encrypted socket of a client's, whose handshake its own thread does. Raises OSError
    where the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        address: Tuple[str, int],
        app: Application,
        most_clients: int,
        log: logging.Logger,
        secure: Optional[Callable[[socket.socket], socket.socket]] = None,
    ) -> None:
        self._secure = secure
        self._most_clients = most_clients
        self._lock = threading.Lock()
        # Who has a seat, in the order of coming, and whether it has asked.
        self._asked: Dict[socket.socket, bool] = {}
        self._log = log
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, QuietHandler)
        self.set_app(read_only(app))

    def server_bind(self) -> None:
        """Bind without asking the name server for the own name, which can take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]
        self.setup_environ()

    def get_request(self) -> Tuple[socket.socket, Any]:
        """Accept a client; raises OSError, which ends it alone."""
        request, address = super().get_request()
        if self._secure is None:
            return request, address
        try:
            return self._secure(request), address
        except OSError as error:
            self.tell(address, error)
            request.close()
            raise

    def tell(self, client_address: object, what: object) -> None:
        """Say in one line that a client went away, or was too slow."""
        self._log.info("client %s: %s", client_address, what)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or turn the client away."""
        if not self._seat(request):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except (RuntimeError, MemoryError) as error:  # no memory for one more thread
            self._leave(request)
            self._log.warning("client %s: cannot be answered: %s", client_address, error)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def has_asked(self, request: socket.socket) -> bool:
        """Note that the client has asked; False where it has lost its seat."""
        with self._lock:
            if request not in self._asked:
                return False
            self._asked[request] = True
            return True

    def _seat(self, request: socket.socket) -> bool:
        """Give the client a seat, at need that of one that dawdles; False where all are being answered."""
        with self._lock:
            is_full = len(self._asked) >= self._most_clients
            idle = next((other for other, asked in self._asked.items() if not asked), None)
            if is_full and idle is not None:
                del self._asked[idle]
                with suppress(OSError):  # it went by itself
                    socket.socket.shutdown(idle, socket.SHUT_RDWR)  # of an encrypted one its own, at once
            seated = not is_full or idle is not None
            if seated:
                self._asked[request] = False
        if is_full:
            self._log.warning("more than %d clients at once: one is turned away", self._most_clients)
        return seated

    def _leave(self, request: socket.socket) -> None:
        with self._lock:
            self._asked.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say in one line that a client went away or was too slow; everything else is a bug."""
        del request
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.tell(client_address, error)
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


def read_only(app: Application) -> Application:
    """Return `app` as it answers GET; HEAD gets no body, and every other method a 405."""

    def guarded(environ: Any, start_response: Any) -> Iterable[bytes]:
        method = environ.get("REQUEST_METHOD")
        if method not in ("GET", "HEAD"):
            body = b"only GET and HEAD are answered\n"
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
            start_response("405 Method Not Allowed", [*headers, ("Allow", "GET, HEAD")])
            return [body]
        answered = app(environ, start_response)
        return answered if method == "GET" else []

    return guarded
