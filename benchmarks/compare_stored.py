"""`bench compare` of two stored runs against `python -c pass` and the statistics of their comparison.

The two runs have 12 quads each. What the statistics take is timed in processes of their own (without reading
the runs) and added to an empty one, once with the import of numpy and scipy.special that they are made with,
which has the limit, and once without: that reading is told and not judged, because the import of numpy
alone is more than five times `python -c pass`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.ratio import Ratio, interleaved_seconds

LIMIT = 5.0
#: What is told and not judged.
NO_LIMIT = float("inf")
REPEATS = 21
_RUNS = """
import sys
sys.path.insert(0, "tests/host")
from made_runs import collected, make_run
from rkbench.store import open_store

with open_store(sys.argv[1]) as store:
    for number, name in enumerate(("net.fp16", "net.int8"), 1):
        level_ns = 2_260_000 - number * 80_000
        store.save(collected(make_run(number, name), level_ns, quads=12, loads=1, size=200))
"""
_STATISTICS = """
import sys, time
begin = time.perf_counter()
import numpy, scipy.special
imported_s = time.perf_counter() - begin
from rkbench.results.side_by_side import Side, side_by_side
from rkbench.results.verdict import verdict_sentence
from rkbench.store import open_store
from rkbench.store.lookup import find_runs

with open_store(sys.argv[1]) as store:
    runs = find_runs(store, "last")
    latencies = {run.id: store.latencies(run.id) for run in runs}
sides = [(Side(run.id, run.id, run.started_at, (run.id,)), [run]) for run in runs]
begin = time.perf_counter()
found = side_by_side(sides, latencies, verdict_sentence)
print(imported_s, time.perf_counter() - begin)
assert found.variants[0].comparison.latency_tests[0].judgement == "faster"
"""


def run() -> list[Ratio]:
    """Return the ratio of process times."""
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store.sqlite")
        subprocess.run([sys.executable, "-c", _RUNS, store], check=True)
        compared, nothing = interleaved_seconds(lambda: _compare(store), _nothing, REPEATS)
        taken = [_statistics_s(store) for _ in range(REPEATS)]
    imports, sums = (statistics.median(column) for column in zip(*taken, strict=True))
    with_imports, without = (nothing + imports + sums) * 1e3, (nothing + sums) * 1e3
    return [
        Ratio("bench compare vs python + its statistics", compared * 1e3, with_imports, "ms", LIMIT),
        Ratio("the same, statistics without their imports", compared * 1e3, without, "ms", NO_LIMIT),
    ]


def _statistics_s(store: str) -> tuple[float, float]:
    """Return the seconds of the imports and of the statistics."""
    command = [sys.executable, "-c", _STATISTICS, store]
    imported, took = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(imported), float(took)


def _compare(store: str) -> None:
    command = [sys.executable, "-c", "from rkbench.cli import main; main()"]
    subprocess.run([*command, "compare", "last", "--store", store], check=True, stdout=subprocess.DEVNULL)


def _nothing() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)
