"""The web server of the board's exporter: slow clients, many clients, a port that is taken."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator, Tuple

import pytest

pytest.importorskip("prometheus_client")

from rkbench_agent.errors import ListenError
from rkbench_agent.exporter import web
from rkbench_agent.exporter.command import identity
from rkbench_agent.exporter.web import parse_listen

AGENT = Path(__file__).parents[2] / "agent"
CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from rkbench_agent.exporter.command import main; sys.exit(main())"
)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Tuple[subprocess.Popen[str], int]]:
    """A running exporter of an empty tree, and its port."""
    with start(tmp_path, "127.0.0.1:0") as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        yield process, int(line.rsplit(" ", 1)[1])
        process.kill()


def test_clients_that_say_nothing_hold_up_nobody(exporter: Tuple[subprocess.Popen[str], int]) -> None:
    port = exporter[1]
    with ExitStack() as silent:
        for _ in range(web.MAX_CLIENTS - 1):
            client = silent.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"GET /metrics HTTP/1.0\r\n")  # and never the end of it
        assert "rkbench_sensor_success" in get(port, "/metrics")


def test_it_tells_who_it_is_and_ends_when_it_is_told_to(
    exporter: Tuple[subprocess.Popen[str], int],
) -> None:
    process, port = exporter
    assert get(port, "/-/healthy") == identity() + "\n"
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 0


def test_it_ends_too_where_another_thread_takes_the_signal(
    exporter: Tuple[subprocess.Popen[str], int],
) -> None:
    process, port = exporter
    with socket.create_connection(("127.0.0.1", port)):  # whose thread waits for the question
        assert get(port, "/-/healthy")
        second = sorted(int(task.name) for task in Path(f"/proc/{process.pid}/task").iterdir())[1]
        assert ctypes.CDLL(None).tgkill(process.pid, second, signal.SIGTERM) == 0
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(tmp_path, f"127.0.0.1:{port}") as process:
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == (
        f"rkbench-exporter: cannot listen on 127.0.0.1 port {port}: Address already in use; choose another\n"
    )


@pytest.mark.parametrize("text", ["", "9954", "host:port", "host:99999"])
def test_nonsense_is_no_address(text: str) -> None:
    with pytest.raises(ListenError, match="no address"):
        parse_listen(text)


def test_addresses_are_read() -> None:
    assert parse_listen("[::1]:80") == ("::1", 80)
    assert parse_listen(":9954") == ("0.0.0.0", 9954)


def start(folder: Path, listen: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(AGENT), "serve", "--listen", listen, "--cache", str(folder)]
    environ = {**os.environ, "RKBENCH_SYS_ROOT": str(folder)}
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as page:
        text: str = page.read().decode()
        return text
