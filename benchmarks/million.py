"""A store of a million runs, on both engines: `make scale` prints the table of docs/nightly.md.

The runs are made inside the engine, of one that was saved as any run is: 40 variants on 25 boards, an hour
apart. Times are the least of three, of calls in this process (a prune and a first scrape are one call), as
wall time and, behind it, CPU time of this process: what others on the computer take lengthens the first.
"""

from __future__ import annotations

import resource
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/host")]

from made_runs import collected, make_run  # noqa: E402
from peak_memory import forget_peak, peak_bytes  # noqa: E402
from postgres_server import PostgresServer  # noqa: E402
from rkbench.campaign.keeping import prune_store  # noqa: E402
from rkbench.metrics.results import StoreCollector  # noqa: E402
from rkbench.store import open_store  # noqa: E402
from rkbench.store.rows import WRITTEN  # noqa: E402

VARIANTS, BOARDS = 40, 25
FIRST_UNIX_S = 1_500_000_000
HOUR_S = 3600
#: What each engine calls the number of a run, and makes of it: its id, its push, and when it started.
SQLITE = {
    "numbers": "(WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
    " SELECT i FROM n)",
    "push": "printf('01m%023d', i)",
    "at": "strftime('%Y-%m-%dT%H:%M:%S.000+00:00', {unix}, 'unixepoch')",
    "text": "CAST({} AS TEXT)",
}
POSTGRES = {
    "numbers": "generate_series({first}::bigint, {last}) AS i",
    "push": "'01m' || lpad(i::text, 23, '0')",
    "at": "to_char(to_timestamp({unix}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.000+00:00')",
    "text": "({})::text",
}


def statements(words: dict[str, str], first: int, last: int) -> list[str]:
    """Return what makes the runs `first` to `last` of the one that is there."""
    unix = f"{FIRST_UNIX_S} + i * {HOUR_S}"
    made = {
        "id": f"{words['push']} || '-01'",
        "run": f"{words['push']} || '-01'",
        "push": words["push"],
        "started_at": words["at"].format(unix=unix),
        "started_unix_s": unix,
        "board": f"'rack' || {words['text'].format(f'i % {BOARDS}')}",
        "variant": f"'net' || {words['text'].format(f'(i / {BOARDS}) % {VARIANTS}')}",
        "latency_p50_s": "0.00226 + (i % 100) * 0.00000001",
    }
    made["model"] = made["variant"]
    numbers = words["numbers"].format(first=first, last=last)
    runs = ["id", "push", "started_at", "board", "soc", "model", "sha256", "simulated", "partial", "failed"]
    tables = {
        "runs": ("runs", [*runs, "document"]),
        "history": ("history", list(WRITTEN)),
        "latencies": ("latencies", ["run", "start_ns", "duration_ns", "block", "warmup"]),
        "readings": ("readings", ["run", "document"]),
    }
    return [
        f"INSERT INTO {table} ({', '.join(columns)})"
        f" SELECT {', '.join(made.get(name, f'old.{name}') for name in columns)}"
        f" FROM {numbers}, (SELECT * FROM {table} LIMIT 1) AS old"
        for table, columns in tables.values()
    ]


def seconds(act: Callable[[], object], repeats: int = 3) -> str:
    """Return the least wall time of some calls, and the least CPU time."""
    found = []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        act()
        found.append((time.perf_counter() - start, time.process_time() - used))
    wall_s, cpu_s = (min(times) for times in zip(*found, strict=True))
    return f"{wall_s:.3f} ({cpu_s:.3f})"


def measure(address: str, fill: Callable[[int, int], None], counts: list[int]) -> list[list[str]]:
    """Return a row of figures for each number of runs."""
    with open_store(address) as store:
        store.save(collected(make_run(1, "net0")))
    rows, there = [], 1
    for count in counts:
        fill(there, count - 1)
        there = count
        rows.append(_row(address, count))
    return rows


def _row(address: str, count: int) -> list[str]:
    with open_store(address) as store:
        found = store.history(model="net7", board="rack3")
        series = seconds(lambda: store.history(model="net7", board="rack3"))
        newest = seconds(lambda: store.history(limit=20))
        last = seconds(lambda: store.pushes(limit=1))
        named = seconds(lambda: store.find("000123"))
    collector = StoreCollector(address)
    first = seconds(lambda: list(collector.collect()), 1)
    again = seconds(lambda: list(collector.collect()))
    forget_peak()
    before = peak_bytes()
    gone = []
    # The oldest tenth.
    took = seconds(lambda: gone.append(prune_store(address, FIRST_UNIX_S + count // 10 * HOUR_S).runs), 1)
    grown = (peak_bytes() - before) / 1e6
    return [
        f"{count:,}", f"{len(found)} rows {series}", newest, last, named,
        first, again, f"{gone[0]} in {took}, +{grown:.0f} MB",
    ]  # fmt: skip


def main(counts: list[int]) -> None:
    """Print the table."""
    folder = Path(tempfile.mkdtemp(prefix="rkbench-million-"))
    server = PostgresServer(durable=False)
    try:
        file = folder / "store.sqlite"

        def fill_file(first: int, last: int) -> None:
            with sqlite3.connect(file) as db:
                for statement in statements(SQLITE, first, last):
                    db.execute(statement)
            db.close()

        name = server.database()

        def fill_server(first: int, last: int) -> None:
            server.admin(*statements(POSTGRES, first, last), "ANALYZE", database=name)

        print("engine | runs | a series, s (CPU) | newest 20 | last | by id | first scrape | scrape | prune")
        for engine, address, fill in (
            ("SQLite", str(file), fill_file),
            ("PostgreSQL", server.url(name), fill_server),
        ):
            for row in measure(address, fill, counts):
                print(" | ".join([engine, *row]), flush=True)
        print(f"CPU of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s")
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [10_000, 1_000_000])
