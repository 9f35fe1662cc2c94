"""`bench serve` with 100,000 series and 10,000 boards: `make scale` prints the table of docs/prometheus.md.

A real `bench serve`, asked over HTTP. Times are wall time of the answer and, behind it, CPU time of the
server; the first answer, and the least of three after it. Memory is the server's after each.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/host")]

from made_runs import collected, make_run  # noqa: E402
from ports import free_port  # noqa: E402
from rkbench.results.records import Variant  # noqa: E402
from rkbench.store import open_store  # noqa: E402

CODE = "from rkbench.cli import main; main()"
SERIES, BOARDS = 100_000, 10_000
OPENMETRICS = "application/openmetrics-text"


def fill_store(path: Path, series: int) -> None:
    """Save results of 25 boards until they have so many series."""
    from rkbench.metrics.results import StoreCollector

    def save(first: int, last: int) -> None:
        with open_store(path) as store:
            for number in range(first, last):
                item = collected(make_run(number + 1))
                variant = Variant(f"net{number // 25}.int8", f"{number:064x}", 1_000_000 + number)
                board = replace(item.run.board, name=f"rack{number % 25}")
                store.save(replace(item, run=replace(item.run, variant=variant, board=board)))

    save(0, 1)
    told = {family.name: family for family in StoreCollector(path).collect()}
    save(1, series // int(told["rkbench_series"].samples[0].value) + 1)


def fill_inventory(path: Path, boards: int) -> None:
    """Write so many boards."""
    entries = (
        f'[boards.rack{number}]\nhost = "10.0.{number // 250}.{number % 250}"\nsoc = "rk3588"\n'
        f'tags = ["lab", "shelf{number % 100}"]\n'
        for number in range(boards)
    )
    path.write_text("\n".join(entries))


def asked(server: psutil.Process, url: str, accept: str = "*/*") -> tuple[float, float, bytes]:
    """Return wall time and the server's CPU time of an answer, and the answer."""
    used = sum(server.cpu_times()[:2])
    start = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=600) as page:
        body = page.read()
    return time.perf_counter() - start, sum(server.cpu_times()[:2]) - used, body


def row(server: psutil.Process, url: str, accept: str, told: Callable[[bytes], str]) -> str:
    """Return what asking once, and three times more, takes; `told` of an answer says how much it was."""
    first = asked(server, url, accept)
    again = [asked(server, url, accept) for _ in range(3)]
    wall_s, cpu_s = min(item[0] for item in again), min(item[1] for item in again)
    figures = (f"{first[0]:.2f} ({first[1]:.2f})", f"{wall_s:.2f} ({cpu_s:.2f})")
    memory = server.memory_info().rss / 1e6
    return " | ".join([told(first[2]), *figures, f"{len(first[2]) / 1e6:.1f} MB", f"{memory:.0f} MB"])


def series_of(body: bytes) -> str:
    """Return how many series an answer of /metrics has."""
    (line,) = (line for line in body.decode().splitlines() if line.startswith("rkbench_series "))
    return f"/metrics, {float(line.split()[1]):,.0f} series"


def main(series: int, boards: int) -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="rkbench-series-"))
    store, inventory, port = folder / "store", folder / "bench.toml", free_port()
    fill_store(store, series)
    fill_inventory(inventory, boards)
    words = ["--listen", f"127.0.0.1:{port}", "--store", str(store), "--inventory", str(inventory)]
    command = [sys.executable, "-c", CODE, "serve", *words, "--max-series", str(2 * series)]
    try:
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            url = process.stderr.readline().split()[2].rstrip("/")
            server = psutil.Process(process.pid)
            print("asked | first, s (CPU) | again, s (CPU) | answer | memory of the server")
            print(row(server, f"{url}/sd", "*/*", lambda _: f"/sd, {boards:,} boards"), flush=True)
            print(row(server, f"{url}/metrics", OPENMETRICS, series_of), flush=True)
            process.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    counts = [int(word) for word in sys.argv[1:]]
    main(*(counts or (SERIES, BOARDS)))
