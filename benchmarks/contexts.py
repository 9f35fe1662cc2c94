"""Several contexts at once (`--scenario offline`, over `capi`) against the same calls in threads of C.

Both call our librknnrt double, which sleeps for what an inference takes: so what is seen is what Python's
threads add, and whether they overlap. Needs gcc.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rkbench_agent.run.crew import Crew
from rkbench_agent.runtimes.base import ModelSetup
from rkbench_agent.runtimes.capi import CapiRuntime
from rkbench_agent.scenarios.offline import engine_of, run_contexts
from rkbench_agent.wire.plan import RunSpec

from benchmarks.ratio import Ratio

EMULATED = Path(__file__).parents[1] / "tests/emulated"
CONTEXTS = 8
#: The best of so many, taken in turns: what others do on this computer only ever adds.
REPEATS = 25
#: Calls of each context, by what the double sleeps for one (microseconds).
CALLS = {5000: 40, 500: 300}


def run() -> list[Ratio]:
    """Return how much longer a call takes than in C, for 5 ms and 0.5 ms, and how three contexts overlap."""
    sys.path.insert(0, str(EMULATED))
    from double_build import build_runtime_double

    library = build_runtime_double("x86_64")
    os.environ.update(
        RKBENCH_LIBRKNNRT=str(library),
        RKNN_DOUBLE_INPUTS="x:1x2x2x1:float32:nhwc",
        RKNN_DOUBLE_OUTPUTS="y:1x3:float32",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model.rknn"
        model.write_bytes(b"RKNN" + bytes(60))
        program = _compile(folder, library)
        ratios = [_against_c(program, model, sleep_us) for sleep_us in CALLS]
        return [*ratios, _overlap(model)]


def _against_c(program: Path, model: Path, sleep_us: int) -> Ratio:
    os.environ["RKNN_DOUBLE_RUN_US"] = str(sleep_us)
    calls, ours, theirs = CALLS[sleep_us], [], []
    for _ in range(REPEATS):
        ours.append(CONTEXTS / _rate(model, CONTEXTS, calls) * 1e3)
        command = [str(program), str(model), str(CONTEXTS), str(calls)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        theirs.append(CONTEXTS / float(done.stderr.split()[-1]) * 1e3)
    name = f"offline, {CONTEXTS} contexts of {sleep_us / 1000:g} ms, over a loop in C"
    limit = 1.02 if sleep_us >= 5000 else 1.25
    return Ratio(name, min(ours), min(theirs), "ms", limit)


def _overlap(model: Path) -> Ratio:
    os.environ["RKNN_DOUBLE_RUN_US"] = "5000"
    three = statistics.median(_rate(model, 3, 60) for _ in range(5))
    one = statistics.median(_rate(model, 1, 60) for _ in range(5))
    return Ratio("offline, the rate of three contexts over one", three, one, "/s", 2.8, at_most=False)


def _rate(model: Path, contexts: int, calls: int) -> float:
    """Return the calls per second of all contexts: the sum of their own rates."""
    setup = ModelSetup(RunSpec("m", "m", "", 64, [], []), str(model), soc="rk3588")
    runtime = CapiRuntime(setup)
    runtime.read()
    runtime.initialise()
    inputs = [np.ones((1, 2, 2, 1), np.float32)]
    runtime.feed(inputs)
    crew = Crew(runtime, inputs, lambda: None)
    problem = crew.grow(["auto"] * contexts, warmups=2)
    assert not problem, problem
    lanes = run_contexts(crew.contexts, engine_of(runtime), contexts * calls, 0, beat=lambda: None)
    crew.release()
    runtime.release()
    return sum(
        lane.count * 1e9 / (lane.start_ns[-1] + lane.duration_ns[-1] - lane.start_ns[0]) for lane in lanes
    )


def _compile(folder: Path, library: Path) -> Path:
    program = folder / "bare_loop"
    source = Path(__file__).with_name("bare_loop.c")
    include = f"-I{EMULATED / 'doubles'}"
    rpath = f"-Wl,-rpath,{library.parent}"
    command = ["gcc", "-O2", include, "-o", str(program), str(source), str(library), rpath, "-lpthread"]
    subprocess.run(command, check=True)
    return program
