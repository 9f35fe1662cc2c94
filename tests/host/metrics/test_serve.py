"""`bench serve` over HTTP: targets, readiness, slow clients, a port that is taken."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bench_command import run_bench
from made_runs import collected, make_run
from metrics_values import parse
from other_thread import signal_another_thread
from rkbench.errors import UsageError
from rkbench.metrics.serve import make_server, parse_listen
from rkbench.store import open_store
from rkbench_web.server import BoundedServer

INVENTORY = """\
[boards.desk]
host = "192.168.1.20"
soc = "rk3588"
tags = ["lab", "top shelf"]

[boards."v6 and 模型"]
host = "fe80::1"
exporter_port = 9999

[boards.toy]
host = "virtual"
home = "/tmp/rkbench-toy"

[boards.fleeting]
host = "virtual"
"""


def test_every_board_is_a_target_with_its_tags(serve: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(INVENTORY)
    desk, other, toy = json.loads(get(serve() + "/sd")[1])
    assert desk == {
        "targets": ["192.168.1.20:9954"],
        "labels": {
            "__meta_rkbench_board": "desk",
            "__meta_rkbench_soc": "rk3588",
            "__meta_rkbench_runtime": "lite",
            "__meta_rkbench_simulated": "false",
            "__meta_rkbench_tags": ",lab,top shelf,",
            "__meta_rkbench_tag_lab": "true",
            "__meta_rkbench_tag_top_shelf": "true",
        },
    }
    assert other["targets"] == ["[fe80::1]:9999"]
    assert other["labels"]["__meta_rkbench_board"] == "v6 and 模型"
    assert toy["targets"] == ["127.0.0.1:9954"]
    assert toy["labels"]["__meta_rkbench_simulated"] == "true"


def test_a_virtual_board_without_a_home_is_no_target(serve: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(
        INVENTORY
    )  # at its address another one's exporter would answer for it
    url = serve()
    names = [item["labels"]["__meta_rkbench_board"] for item in json.loads(get(url + "/sd")[1])]
    assert names == ["desk", "v6 and 模型", "toy"]
    assert metrics(url)["rkbench_inventory_boards"] == 4


def test_an_edited_inventory_is_read_again_and_a_broken_edit_keeps_the_boards(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "bench.toml"
    url = serve()
    assert json.loads(get(url + "/sd")[1]) == []
    path.write_text(INVENTORY)
    assert len(json.loads(get(url + "/sd")[1])) == 3
    assert metrics(url)["rkbench_inventory_up"] == 1
    path.write_text(INVENTORY + "[boards.broken")
    assert len(json.loads(get(url + "/sd")[1])) == 3
    assert metrics(url)["rkbench_inventory_up"] == 0
    path.write_text('[boards.one]\nhost = "a"\n')
    assert json.loads(get(url + "/sd")[1])[0]["targets"] == ["a:9954"]
    assert metrics(url)["rkbench_inventory_up"] == 1


@pytest.mark.parametrize(
    "broken",
    ['[boards.a]\nhost = "x"\nhost = "y"', '[boards.a]\nhost = "x"\nbecome = "sudo \'"', "a = " + "[" * 5000],
)
def test_a_broken_inventory_counts_as_down_until_it_is_mended(
    serve: Callable[..., str], tmp_path: Path, broken: str
) -> None:
    path = tmp_path / "bench.toml"
    path.write_text(broken)
    url = serve()
    assert [metrics(url)["rkbench_inventory_up"] for _ in range(2)] == [0, 0]
    path.write_text('[boards.one]\nhost = "a"\n')
    assert metrics(url)["rkbench_inventory_up"] == 1


def test_an_ssh_config_that_breaks_and_is_mended_is_seen(
    serve: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = tmp_path / ".ssh/config"
    config.parent.mkdir()
    (tmp_path / "bench.toml").write_text('[boards.one]\nhost = "a"\n')
    url = serve()
    assert metrics(url)["rkbench_inventory_up"] == 1
    config.write_text("Host *\n  Port abc\n")
    assert [metrics(url)["rkbench_inventory_up"] for _ in range(2)] == [0, 0]
    config.write_text("Host *\n  Port 2222\n")
    assert metrics(url)["rkbench_inventory_up"] == 1


def test_ready_says_what_is_missing(serve: Callable[..., str], tmp_path: Path) -> None:
    url = serve()
    status, text = get(url + "/-/ready")
    assert (status, text.splitlines()) == (
        503,
        [
            f"not ready: no result store at {tmp_path / 'store'}: No such file or directory",
            "push something first (bench push), or name it: --store FILE",
        ],
    )
    assert get(url + "/-/healthy") == (200, "rkbench is healthy\n")
    save(tmp_path)
    assert get(url + "/-/ready") == (200, "rkbench is ready\n")
    holder = sqlite3.connect(tmp_path / "store", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    locked = get(url + "/-/ready")
    holder.close()
    assert locked[0] == 503
    assert "database is locked" in locked[1]


def test_the_store_is_shown_as_pages_made_beside_the_scrape(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    url = serve()
    assert get(url + "/")[0] == 503
    assert "no result store" in until(url, lambda status, text: "no result store" in text)
    save(tmp_path)
    again = serve()
    assert get(again + "/")[0] == 503
    assert metrics(again)["rkbench_store_up"] == 1
    shown = until(again, lambda status, text: status == 200)
    assert "Newest pushes" in shown
    for link in ("site.css", "site.js", "data/files.js", "pushes.html"):
        assert get(f"{again}/{link}")[0] == 200
    for link in (
        "site.json",
        "../store",
        "..%2fstore",
        "%2e%2e/store",
        ".new-1/index.html",
        "data/../../s",
    ):
        assert get(f"{again}/{link}")[0] == 404


def until(url: str, is_there: Callable[[int, str], bool]) -> str:
    """Return the first page once it is as it should be."""
    end_s = time.monotonic() + 100
    while not is_there(*(told := get(url + "/"))):
        assert time.monotonic() < end_s, told
        time.sleep(0.05)
    return told[1]


def test_a_client_that_says_nothing_holds_up_nobody(serve: Callable[..., str], tmp_path: Path) -> None:
    save(tmp_path)
    url = serve()
    port = int(url.rpartition(":")[2])
    with ExitStack() as clients:
        for _ in range(20):
            silent = clients.enter_context(socket.create_connection(("127.0.0.1", port)))
            silent.sendall(b"GET /metrics HTTP/1.0\r\n")  # and never the end of it
        assert metrics(url)["rkbench_results"] == 1


def test_both_formats_are_told_apart_by_what_the_client_accepts(
    serve: Callable[..., str], tmp_path: Path
) -> None:
    save(tmp_path)
    url = serve()
    assert get(url + "/metrics", "application/openmetrics-text")[1].endswith("# EOF\n")
    assert "# EOF" not in get(url + "/metrics")[1]
    assert get(url + "/no/such/page")[0] == 404


def test_a_port_that_is_taken_is_named(serve: Callable[..., str]) -> None:
    port = serve().rpartition(":")[2]
    with pytest.raises(UsageError, match=f"127.0.0.1 port {port}: Address already in use") as error:
        make_server(f"127.0.0.1:{port}")
    assert "another bench serve" in error.value.hint


def test_an_address_of_another_computer_is_said_to_be_one() -> None:
    with pytest.raises(UsageError, match="port 0: Cannot assign requested address") as error:
        make_server("192.0.2.1:0")
    assert error.value.hint.startswith("that is no address of this computer: --listen 0.0.0.0:PORT")


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9955", ("127.0.0.1", 9955)), ("[::1]:80", ("::1", 80)), (":1", ("0.0.0.0", 1))],
)
def test_addresses_are_read(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address


@pytest.mark.parametrize("text", ["", "9955", "host", "host:port", "host:99999"])
def test_nonsense_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        parse_listen(text)


def test_the_command_serves_on_loopback_until_it_is_told_to_stop(tmp_path: Path) -> None:
    save(tmp_path)
    code = "from rkbench.cli import main; main()"
    options = ["--listen", "127.0.0.1:0", "--store", str(tmp_path / "store")]
    command = [sys.executable, "-c", code, "serve", *options, "--inventory", str(tmp_path / "bench.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        url = line.split()[2].removesuffix("/metrics")
        assert url.startswith("http://127.0.0.1:")
        assert metrics(url)["rkbench_results"] == 1
        os.kill(process.pid, signal.SIGTERM)
        said = f"bench serve: 0 boards in {tmp_path / 'bench.toml'}\n"
        assert (process.wait(30), process.stderr.read()) == (0, said)


def test_the_command_says_at_once_that_there_is_no_store_and_serves_all_the_same(tmp_path: Path) -> None:
    options = ["--listen", "127.0.0.1:0", "--store", str(tmp_path / "store")]
    command = [sys.executable, "-c", "from rkbench.cli import main; main()", "serve", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url, *said = (process.stderr.readline() for _ in range(3))
        assert said == [
            f"bench serve: no result store at {tmp_path / 'store'}: No such file or directory\n",
            "bench serve:   → push something first (bench push), or name it: --store FILE\n",
        ]
        save(tmp_path)
        assert metrics(url.split()[2].rstrip("/"))["rkbench_results"] == 1
        process.terminate()
        assert "the result store can be read again" in process.stderr.read()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("foo://x", "no kind of result store is called 'foo': foo://x"),
        ("postgresql://ann@x:y/z", "the address of the result store is no URL of PostgreSQL"),
    ],
)
def test_an_address_that_no_store_can_have_is_refused(address: str, said: str) -> None:
    done = run_bench("serve", "--listen", "127.0.0.1:0", "--store", address)
    assert done.returncode == 2
    assert done.stderr.startswith(f"bench: {said}\n")


def test_the_command_ends_too_where_another_thread_takes_the_signal(tmp_path: Path) -> None:
    save(tmp_path)
    code = "from rkbench.cli import main; main()"
    options = ["--listen", "127.0.0.1:0", "--store", str(tmp_path / "store")]
    command = [sys.executable, "-c", code, "serve", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[2].rstrip("/")
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):  # whose thread waits for the question
            assert metrics(url)["rkbench_results"] == 1
            signal_another_thread(process.pid, signal.SIGTERM)
            try:
                assert process.wait(30) == 0
            finally:
                process.kill()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Run servers on free ports in this process; each call returns a URL."""
    with ExitStack() as running:

        def start(**options: Any) -> str:
            paths = {
                "store": tmp_path / "store",
                "site": tmp_path / "site",
                "inventory": tmp_path / "bench.toml",
            }
            server = make_server("127.0.0.1:0", **{**paths, **options})
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            running.callback(stop, server, thread)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


def stop(server: BoundedServer, thread: threading.Thread) -> None:
    server.shutdown()
    thread.join()
    server.server_close()


def save(folder: Path) -> None:
    with open_store(folder / "store") as store:
        store.save(collected(make_run()))


def metrics(url: str) -> dict[str, float]:
    return parse(get(url + "/metrics", "application/openmetrics-text")[1])


def get(url: str, accept: str = "*/*") -> tuple[int, str]:
    """Return status and text of a page."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Accept": accept}), timeout=60
        ) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
