"""What it takes to look at what is stored: 100,000 runs listed, 12 variants as a page, 10,000 as a site.

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
SITE_LIMIT_S, SITE_AGAIN_LIMIT_S, VIEW_LIMIT_KB = 60.0, 5.0, 100.0
EXPORT_LIMIT_MB = 100.0
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
_SITE = """
import datetime, sys
from dataclasses import replace
sys.path.insert(0, "tests/host")
from made_runs import collected, make_run
from rkbench.store import open_store

start = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
with open_store(sys.argv[1]) as store:
    for number in range(int(sys.argv[2]), int(sys.argv[3])):
        push, at = number // 4, start + datetime.timedelta(minutes=30 * (number // 4))
        run = make_run(number % 4 + 1, f"net{push % 50}.recipe-{number % 4}", push=f"01k{push:023d}",
                       started_at=at.isoformat(timespec="milliseconds"))
        board = replace(run.board, name=f"rack-{push % 12}")
        store.save(collected(replace(run, board=board), 2_260_000 - number % 4 * 200_000))
"""


def run() -> list[Ratio]:
    """Return the seconds of both commands, and the size of the page."""
    with tempfile.TemporaryDirectory() as folder:
        past, push, page = (str(Path(folder) / name) for name in ("past.sqlite", "push.sqlite", "page.html"))
        for code, path in ((_HISTORY, past), (_REPORT, push)):
            subprocess.run([sys.executable, "-c", code, path], check=True)
        listed = _cpu_seconds("history", "--model", "net1*", "--store", past)
        exported = _peak_mb("export", "--csv", os.devnull, "--store", past)
        drawn = _cpu_seconds("report", "last", "--store", push, "-o", page)
        size_mb = os.stat(page).st_size / 1e6  # noqa: PTH116 - one call, no object
    return [
        *_site(),
        Ratio("bench history, 100,000 runs (CPU)", listed, 0.0, "s", HISTORY_LIMIT_S, absolute=True),
        Ratio(
            "bench export --csv, 100,000 runs (memory)", exported, 0.0, "MB", EXPORT_LIMIT_MB, absolute=True
        ),
        Ratio("bench report, 12 variants x 12 quads (CPU)", drawn, 0.0, "s", REPORT_LIMIT_S, absolute=True),
        Ratio("... its page", size_mb, 0.0, "MB", PAGE_LIMIT_MB, absolute=True),
    ]


def _site() -> list[Ratio]:
    """Return the seconds of a site of 10,000 runs, and of the same with one more; what the first view loads.

    A browser has 2 s for that view: what it loads is a page of some rows, whatever the store holds.
    """
    with tempfile.TemporaryDirectory() as folder:
        store, site = str(Path(folder) / "store.sqlite"), Path(folder) / "site"
        subprocess.run([sys.executable, "-c", _SITE, store, "0", "10000"], check=True)
        first = _cpu_seconds("report", "--site", str(site), "--store", store, repeats=0)
        subprocess.run([sys.executable, "-c", _SITE, store, "10000", "10001"], check=True)
        again = _cpu_seconds("report", "--site", str(site), "--store", store, repeats=0)
        view_kb = sum((site / name).stat().st_size for name in ("index.html", "site.css", "site.js")) / 1e3
    return [
        Ratio("bench report --site, 10,000 runs (CPU)", first, 0.0, "s", SITE_LIMIT_S, absolute=True),
        Ratio("... again after one new run (CPU)", again, 0.0, "s", SITE_AGAIN_LIMIT_S, absolute=True),
        Ratio("... what its first view loads", view_kb, 0.0, "kB", VIEW_LIMIT_KB, absolute=True),
    ]


def _cpu_seconds(*words: str, repeats: int = REPEATS) -> float:
    """Return the least CPU time of a command in a process of its own; of several, a first one warms up."""
    found = []
    for _ in range(1 + repeats):
        before = _children_s()
        subprocess.run([sys.executable, "-m", "rkbench", *words], check=True, capture_output=True)
        found.append(_children_s() - before)
    return min(found[1:] or found)


def _peak_mb(*words: str) -> float:
    """Return the most memory that a command in a process of its own held."""
    code = "import sys; from rkbench.cli import main; from peak_memory import peak_bytes\n"
    code += "try: main()\nexcept SystemExit: print(peak_bytes(), file=sys.stderr)"
    command = [sys.executable, "-c", code, *words]
    environment = {**os.environ, "PYTHONPATH": "tests"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(done.stderr.split()[-1]) / 1e6


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
