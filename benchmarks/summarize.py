"""What it takes to summarise a long run: 1,000,000 latencies in 50,000 blocks, percentiles with bounds.

And those of a server that is busy half of its time, in about as many busy periods. Measured in processes of
their own: the CPU time of one summary (it has one thread: this is what it takes on a computer with nothing
else to do), and the peak of resident memory of it all.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.ratio import Ratio

LIMIT_S = 1.0
LIMIT_MB = 200.0
_BEFORE = """
import resource, time
from array import array
import numpy as np
import scipy.special
from rkbench.results.latencies import RawLatencies
from rkbench.results.parts import latency

source, count, block = np.random.default_rng(3588), 1_000_000, 20
"""
_STREAM = """
levels = np.repeat(source.normal(1, 0.01, count // block), block)
durations = (2e6 * levels * np.exp(source.normal(0, 0.02, count))).astype(np.int64)
starts = np.cumsum(durations) - durations
zeros = np.zeros(count, dtype=np.int64)
columns = [array("q", values.tobytes()) for values in (starts, durations, np.arange(count) // block, zeros)]
raw = RawLatencies(*columns)
del levels, durations, starts, zeros, columns
summarised = latency
"""
_SERVER = """
from rkbench.stats.clusters import BUSY_PERIOD, Clusters
between = source.exponential(4e6, count)
ahead = np.concatenate(([0.0], np.cumsum(2e6 - between[1:])))  # Lindley: what waits before each call
waits = ahead - np.minimum.accumulate(ahead)
zeros = np.zeros(count, dtype=np.int64)
values = (np.cumsum(between).astype(np.int64), (waits + 2e6).astype(np.int64), zeros, zeros)
raw = RawLatencies(*(array("q", column.tobytes()) for column in values))
del between, ahead, waits, zeros, values
def summarised(raw):
    calls = raw.in_busy_periods(1)
    levels = tuple(calls.firsts_of_blocks().in_parts(20).timed_arrays())
    return latency(calls, Clusters(*calls.timed_blocks_cut(), BUSY_PERIOD, levels))
"""
_AFTER = """
small = RawLatencies(*(column[:2000] for column in (raw.start_ns, raw.duration_ns, raw.block, raw.warmup)))
assert summarised(small) is not None
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
before_mb, started = peak_mb(), time.process_time()
found = summarised(raw)
print(time.process_time() - started, peak_mb() - before_mb, peak_mb())
assert found.count == count and len(found.bounds) == 5 and all(item.high_s for item in found.bounds)
"""


def run() -> list[Ratio]:
    """Return the seconds of a summary, and the peak memory of the process in MB."""
    found = []
    for name, made in (("latencies", _STREAM), ("latencies of a server", _SERVER)):
        code = _BEFORE + made + _AFTER
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        seconds, _, peak_mb = map(float, done.stdout.split())
        what = f"1,000,000 {name}"
        found += [
            Ratio(f"{what} summarised with bounds (CPU)", seconds, 0.0, "s", LIMIT_S, absolute=True),
            Ratio(f"{what}: peak memory of that process", peak_mb, 0.0, "MB", LIMIT_MB, absolute=True),
        ]
    return found
