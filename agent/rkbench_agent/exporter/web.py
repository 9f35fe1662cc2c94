"""What the exporter serves, and where: /metrics and /-/healthy."""

from __future__ import annotations

import logging
import socket
from typing import Any, Iterable, Tuple

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry
from rkbench_web.labels import EscapedLabels
from rkbench_web.server import Application, BoundedServer, answer, parse_address

from rkbench_agent.errors import ListenError
from rkbench_agent.wire.text import printable

MAX_CLIENTS = 32
_log = logging.getLogger("rkbench-exporter")


def listen_at(address: Tuple[str, int], app: Application) -> BoundedServer:
    """Return a server that listens, and answers once it is run; raises ListenError."""
    try:
        return BoundedServer(address, app, MAX_CLIENTS, _log)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {address[0]} port {address[1]}: {error.strerror}; choose another"
        ) from error


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
    address = parse_address(text)
    if address is None:
        raise ListenError(f"no address: {text!r}; HOST:PORT or [IPV6]:PORT")
    return address


def metrics_app(registry: CollectorRegistry, identity: str) -> Application:
    """Return the WSGI application: /metrics, and `identity` at /-/healthy."""

    shown: Any = EscapedLabels(registry, printable)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            encode, content_type = choose_encoder(environ.get("HTTP_ACCEPT", ""))
            return answer(start_response, "200 OK", content_type, encode(shown))
        if path == "/-/healthy":
            return answer(start_response, "200 OK", "text/plain; charset=utf-8", f"{identity}\n".encode())
        text = f"{identity}: the metrics are at /metrics\n".encode()
        return answer(start_response, "200 OK" if path == "/" else "404 Not Found", "text/plain", text)

    return app
