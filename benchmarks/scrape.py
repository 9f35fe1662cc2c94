"""What scrapes cost: a board's exporter against node_exporter, `bench serve` against plain gauges.

The board: CPU time of the whole exporter process over many scrapes, each with fresh readings (more than
a second apart for ours; node_exporter keeps nothing), on this machine's own /proc and /sys and, beside
it, the recorded tree of an RK3588. The host: collecting and rendering 20,000 series of stored results
against prometheus-client rendering as many plain gauges.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from rkbench.boards.exporter.zipapp import build_exporter
from rkbench.boards.virtual.trees import copy_tree
from rkbench.metrics.results import StoreCollector
from rkbench.store import open_store

from benchmarks.ratio import Ratio, interleaved_seconds

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tests"), str(ROOT / "tests/host")]

from made_runs import collected, make_run  # noqa: E402
from ports import free_port  # noqa: E402

NODE_EXPORTER = "/usr/bin/prometheus-node-exporter"
SCRAPES = 40
#: Longer than the exporter keeps its readings.
GAP_S = 1.02
SERIES = 20_000


def run() -> list[Ratio]:
    """Return the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*_board(folder), _host(folder)]


def _board(folder: Path) -> list[Ratio]:
    if not Path(NODE_EXPORTER).exists():
        print(f"  boards are left out: no {NODE_EXPORTER} (Debian)", file=sys.stderr)
        return []
    archive = folder / "exporter.pyz"
    archive.write_bytes(build_exporter().data)
    copy_tree("rk3588", folder / "tree")
    theirs_port, port, tree_port = free_port(), free_port(), free_port()
    servers = [
        _start([NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{theirs_port}", "--log.level=error"], {}),
        _start([sys.executable, str(archive), "serve", "--listen", f"127.0.0.1:{port}"], {}),
        _start(
            [sys.executable, str(archive), "serve", "--listen", f"127.0.0.1:{tree_port}"],
            {"RKBENCH_SYS_ROOT": str(folder / "tree")},
        ),
    ]
    try:
        theirs, ours, tree = _cpu_seconds(servers, (theirs_port, port, tree_port))
    finally:
        for server in servers:
            server.terminate()
            server.wait()
    return [
        Ratio("board scrape vs node_exporter, same machine (CPU)", ours * 1e3, theirs * 1e3, "ms", 2.0),
        Ratio("scrape of an RK3588's files vs node_exporter (CPU)", tree * 1e3, theirs * 1e3, "ms", 2.0),
    ]


def _start(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)


def _cpu_seconds(servers: list[subprocess.Popen[bytes]], ports: tuple[int, ...]) -> list[float]:
    """Return the CPU time of one scrape of each server, taken in turns; the first ones warm up."""
    for port in ports:
        _first_scrape(port)
    before = [_process_cpu_s(server.pid) for server in servers]
    for _ in range(SCRAPES):
        time.sleep(GAP_S)
        for port in ports:
            _scrape(port)
    return [
        (_process_cpu_s(server.pid) - start) / SCRAPES for server, start in zip(servers, before, strict=True)
    ]


def _scrape(port: int) -> bytes:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=accept)
    with urllib.request.urlopen(request, timeout=30) as page:
        data: bytes = page.read()
        return data


def _first_scrape(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            _scrape(port)
            _scrape(port)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _process_cpu_s(pid: int) -> float:
    """Return user and system time of a process so far, that of threads that have ended included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _host(folder: Path) -> Ratio:
    path = folder / "store"
    with open_store(path) as store:
        item = collected(make_run())
        for number in range(SERIES // 40):
            variant = replace(item.run.variant, name=f"model{number}.int8", sha256=f"{number:064x}")
            store.save(replace(item, run=replace(item.run, id=f"{number:08d}", variant=variant)))
    ours = CollectorRegistry()
    collector = StoreCollector(path, max_series=SERIES)
    ours.register(collector)
    generate_latest(ours)
    count = sum(len(metric.samples) for metric in collector.collect())
    gauge = Gauge("plain", "As many plain gauges.", ["number"], registry=(theirs := CollectorRegistry()))
    for number in range(count):
        gauge.labels(str(number)).set(number)
    seconds = interleaved_seconds(lambda: generate_latest(ours), lambda: generate_latest(theirs), 7)
    name = f"bench serve, {count} series vs as many plain gauges"
    return Ratio(name, seconds[0] * 1e3, seconds[1] * 1e3, "ms", 3.0)
