"""What it takes to summarise a long run: 1,000,000 latencies in 50,000 blocks, percentiles with bounds.

Measured in a process of its own: the CPU time of one summary (it has one thread: this is what it takes on a
computer with nothing else to do), and the peak of resident memory of it all.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.ratio import Ratio

LIMIT_S = 1.0
LIMIT_MB = 200.0
_CODE = """
import resource, time
from array import array
import numpy as np
import scipy.special
from rkbench.runs.latencies import RawLatencies
from rkbench.runs.parts import latency

source, count, block = np.random.default_rng(3588), 1_000_000, 20
levels = np.repeat(source.normal(1, 0.01, count // block), block)
durations = (2e6 * levels * np.exp(source.normal(0, 0.02, count))).astype(np.int64)
starts = np.cumsum(durations) - durations
zeros = np.zeros(count, dtype=np.int64)
columns = [array("q", values.tobytes()) for values in (starts, durations, np.arange(count) // block, zeros)]
raw = RawLatencies(*columns)
del levels, durations, starts, zeros, columns
small = RawLatencies(*(column[:2000] for column in (raw.start_ns, raw.duration_ns, raw.block, raw.warmup)))
assert latency(small) is not None
def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
before_mb, started = peak_mb(), time.process_time()
found = latency(raw)
print(time.process_time() - started, peak_mb() - before_mb, peak_mb())
assert found.count == count and len(found.bounds) == 5 and all(item.high_s for item in found.bounds)
"""


def run() -> list[Ratio]:
    """Return the seconds of a summary, and the peak memory of the process in MB."""
    done = subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True, text=True)
    seconds, _, peak_mb = map(float, done.stdout.split())
    return [
        Ratio("1,000,000 latencies summarised with bounds (CPU)", seconds, 0.0, "s", LIMIT_S, absolute=True),
        Ratio("peak memory of that process", peak_mb, 0.0, "MB", LIMIT_MB, absolute=True),
    ]
