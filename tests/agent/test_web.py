"""The web server of exporter and host: who is answered while others dawdle, and what is no question."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from contextlib import ExitStack, contextmanager
from typing import Any, Iterable, Iterator, List

import pytest
from rkbench_web import server as web
from rkbench_web.server import BoundedServer, answer

LOG = logging.getLogger("rkbench.test_web")
SEATS = 4


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    del environ
    return answer(start_response, "200 OK", "text/plain", b"hello")


@contextmanager
def running(app: Any = hello) -> Iterator[BoundedServer]:
    with BoundedServer(("127.0.0.1", 0), app, SEATS, LOG) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def connect(server: BoundedServer, text: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.server_port), timeout=60)
    client.sendall(text)
    return client


def ask(server: BoundedServer, method: str = "GET") -> tuple[int, bytes, Any]:
    line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    line.request(method, "/")
    told = line.getresponse()
    found = (told.status, told.read(), told.headers)
    line.close()
    return found


def test_who_asks_at_once_is_answered_however_many_dawdle() -> None:
    with running() as server, ExitStack() as slow:
        clients = [slow.enter_context(connect(server, b"GET / HTTP/1.0\r\nX: ")) for _ in range(70)]
        assert ask(server)[:2] == (200, b"hello")
        assert clients[0].recv(1) == b""  # the first of them gave its seat up


def test_who_comes_while_all_are_being_answered_is_turned_away(caplog: pytest.LogCaptureFixture) -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()

    def wait(environ: Any, start_response: Any) -> Iterable[bytes]:
        asked.release()
        go_on.wait(60)
        return hello(environ, start_response)

    with running(wait) as server, ExitStack() as clients:
        for _ in range(SEATS):
            clients.enter_context(connect(server, b"GET / HTTP/1.0\r\n\r\n"))
            assert asked.acquire(timeout=60)
        assert clients.enter_context(connect(server)).recv(1) == b""
        go_on.set()
    assert "more than 4 clients at once: one is turned away" in caplog.text


def test_a_question_has_one_limit_however_many_bytes_trickle_in() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"G")
        with pytest.raises(TimeoutError):
            web._Until(ours, 0.0).readinto(bytearray(1))


def test_a_seat_is_free_again_where_no_thread_could_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with running() as server:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(SEATS + 1):
                with connect(server) as client:
                    assert client.recv(1) == b""
        assert ask(server)[0] == 200


def test_head_has_no_body_and_other_methods_are_refused() -> None:
    with running() as server:
        status, body, headers = ask(server, "HEAD")
        assert (status, body, headers["Content-Length"]) == (200, b"", "5")
        found: List[int] = []
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "X"):
            status, _, headers = ask(server, method)
            found.append(status)
            assert headers["Allow"] == "GET, HEAD"
        assert found == [405] * 5
