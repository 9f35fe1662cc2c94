"""What it takes to look at what is stored: the newest of 100,000 runs, and a page of 12 variants x 12 quads.

CPU time of whole commands, this process's and the system's on its behalf: what they take on a computer with
nothing else to do. The page's size in MB stands beside it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.ratio import Ratio

HISTORY_LIMIT_S, REPORT_LIMIT_S, PAGE_LIMIT_MB = 1.0, 3.0, 3.0
REPEATS = 3
_HISTORY = """
import datetime, sqlite3, sys
from dataclasses import replace
sys.path.insert(0, "tests/host")
from made_runs import collected, make_run
from rkbench.results.history import history_row
from rkbench.store import open_store
from rkbench.store.rows import history_columns
from rkbench.store.sqlite.history import _INSERT

path = sys.argv[1]
with open_store(path) as store:
    store.save(collected(make_run()))
db = sqlite3.connect(path)
((document,),) = db.execute("SELECT document FROM runs")
first, start = history_row(make_run()), datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)
runs, rows = [], []
for number in range(100_000):
    at, push = start + datetime.timedelta(minutes=7 * number), f"01k{number // 4:023d}"
    row = replace(first, run=f"{push}-{number % 4 + 1:02d}", push=push, started_unix_s=at.timestamp(),
                  started_at=at.isoformat(timespec="milliseconds"), variant=f"net{number % 40}")
    words = (row.run, push, row.started_at, row.board, row.soc, row.variant, row.sha256)
    runs.append((*words, 0, 0, 0, document))
    rows.append(history_columns(row))
names = "id, push, started_at, board, soc, model, sha256, simulated, partial, failed, document"
db.executemany(f"INSERT INTO runs ({names}) VALUES ({', '.join('?' * 11)})", runs)
db.executemany(_INSERT, rows)
db.commit()
"""
_REPORT = """
import sys
from dataclasses import replace
sys.path.insert(0, "tests/host")
from made_runs import collected, make_run
from rkbench.store import open_store

with open_store(sys.argv[1]) as store:
    for number in range(1, 13):
        run = make_run(number, f"mobilenetv2.rk3588.recipe-{number}")
        store.save(collected(run, 2_260_000 - number * 80_000, quads=12, loads=1, size=50))
"""


def run() -> list[Ratio]:
    """Return the seconds of both commands, and the size of the page."""
    with tempfile.TemporaryDirectory() as folder:
        past, push, page = (str(Path(folder) / name) for name in ("past.sqlite", "push.sqlite", "page.html"))
        for code, path in ((_HISTORY, past), (_REPORT, push)):
            subprocess.run([sys.executable, "-c", code, path], check=True)
        listed = _cpu_seconds("history", "--model", "net1*", "--store", past)
        drawn = _cpu_seconds("report", "last", "--store", push, "-o", page)
        size_mb = os.stat(page).st_size / 1e6  # noqa: PTH116 - one call, no object
    return [
        Ratio("bench history, 100,000 runs (CPU)", listed, 0.0, "s", HISTORY_LIMIT_S, absolute=True),
        Ratio("bench report, 12 variants x 12 quads (CPU)", drawn, 0.0, "s", REPORT_LIMIT_S, absolute=True),
        Ratio("... its page", size_mb, 0.0, "MB", PAGE_LIMIT_MB, absolute=True),
    ]


def _cpu_seconds(*words: str) -> float:
    """Return the least CPU time of a command in a process of its own; a first one warms up."""
    found = []
    for _ in range(1 + REPEATS):
        before = _children_s()
        subprocess.run([sys.executable, "-m", "rkbench", *words], check=True, capture_output=True)
        found.append(_children_s() - before)
    return min(found[1:])


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
