"""What it takes to compare a push: 10 candidates with 12 quads each against a baseline and each other.

The work is that of the host when a push ends or is shown: blocks into quads, 55 pairs, exact intervals.
It has one thread: its CPU time is what it takes on a computer with nothing else to do.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.ratio import Ratio

LIMIT_S = 1.0
_CODE = """
import random, time
from rkbench.results.latencies import RawLatencies
from rkbench.results.latency_tests import latency_tests
from rkbench.results.model import RunResult
from rkbench.results.records import BoardRecord, PlanRecord, Variant
from rkbench_agent.wire.messages import Latencies
from rkbench_agent.wire.provenance import Provenance

source, runs, quads, calls = random.Random(3588), 11, 12, 50
def run(number):
    return RunResult(
        f"p-{number:02d}", "p", "2026-11-26T00:00:00.000+00:00", "0.1.0", False, False, "VALID", Provenance(),
        BoardRecord("desk"), Variant("m", "a" * 64, 1), PlanRecord(),
    )
raw = {f"p-{number:02d}": RawLatencies() for number in range(runs)}
clock = 0
for quad in range(quads):
    for place, name in enumerate([*raw, *reversed(raw)]):
        clock += 1
        durations = [int(2e6 * source.lognormvariate(0, 0.02)) for _ in range(calls)]
        block = 2 * quad + (place >= runs)
        raw[name].append(Latencies(name, block, False, [clock] * calls, durations, load=0))
everyone = [run(number) for number in range(runs)]
started = time.process_time()
against, pairs = latency_tests(everyone[0], everyone[1:], raw)
print(time.process_time() - started)
assert len(against) == 10 and len(pairs) == 45 and all(test.units == quads for test in (*against, *pairs))
"""


def run() -> list[Ratio]:
    """Return the seconds of one comparison, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", _CODE], check=True, capture_output=True, text=True)
    seconds = float(done.stdout)
    return [Ratio("10 candidates x 12 quads compared (CPU)", seconds, 0.0, "s", LIMIT_S, absolute=True)]
