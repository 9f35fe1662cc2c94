"""What rkbench claims of caveats that look at the board: clocks, heat, load, memory, and the host's share.

A behaviour file moves the sensor files of an example board while a run goes on; the agent's sensors read
them every half second, and the host folds what it is told as in a push. What differs from run to run (which
clock, how hot, who else) is drawn with the run's seed, within what the truth still says.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from caveat_claims import BLOCK, FOUND, HEALTHY_VALID, QUIET, RUN, SECONDS, SEEDS, Row, batches
from rkbench.boards.virtual.trees import copy_tree
from rkbench.results.collect import Collector
from rkbench.results.model import VALID, RunResult
from rkbench_agent.board.environment import read_environment
from rkbench_agent.board.sensors import Sensors
from rkbench_agent.runtimes.behaviour import Behaviour
from rkbench_agent.runtimes.latency_model import LatencyModel, Work
from rkbench_agent.wire.messages import Finished
from rkbench_agent.wire.provenance import ALL_MEASURED
from rkbench_agent.wire.words import MODELLED, VIRTUAL

READING_NS = 500_000_000
TOP_HZ, PASSIVE_TRIP = 1_000_000_000, 75
STEPS_HZ = (300, 400, 500, 600, 700, 800, 900)
#: Files of governors: where they hold, nothing is to be said of clocks that follow a load.
GOVERNORS = ("sys/class/devfreq/*/governor", "sys/devices/system/cpu/cpufreq/policy*/scaling_governor")
#: A process takes and gives back pages of its own from block to block.
PAGES_BYTES = 50_000

Draw = Callable[[random.Random], dict[str, Any]]


@dataclass(frozen=True)
class BoardTruth:
    """What a board does, drawn anew for each run, and the caveat that has to name it."""

    name: str
    code: str
    draw: Draw
    held: bool = True


def healthy(draw: random.Random) -> dict[str, Any]:
    """A board at its highest clock, below its trip points, with a little other work."""
    return {
        "latency": {"median_ms": 10.0, "sigma": 0.01},
        "scatter": QUIET,
        "clock": {"hz": TOP_HZ, "factor": 1},
        "others": {"npu": [0, draw.uniform(0, 0.04), 0], "cpu": draw.uniform(0.02, 0.3)},
        "host_ms": draw.uniform(0, 4),
        "throttling": {"after_s": 3600, "factor": 1, "celsius": draw.uniform(60, PASSIVE_TRIP - 1)},
    }


def _slow_clock(draw: random.Random) -> dict[str, Any]:
    hz = draw.choice(STEPS_HZ) * 1_000_000
    return {"clock": {"hz": hz, "factor": TOP_HZ / hz}}


def _flapping(draw: random.Random) -> dict[str, Any]:
    hz = draw.choice(STEPS_HZ) * 1_000_000
    return {"flapping": {"factor": TOP_HZ / hz, "period_s": draw.uniform(0.4, 3), "hz": hz}}


def _hot(draw: random.Random) -> dict[str, Any]:
    hz, celsius = draw.choice(STEPS_HZ) * 1_000_000, draw.uniform(PASSIVE_TRIP, 95)
    hot = {"after_s": draw.uniform(5, 25), "factor": TOP_HZ / hz, "hz": hz, "celsius": celsius}
    return {"throttling": hot}


def _cpus_busy(draw: random.Random) -> dict[str, Any]:
    return {"others": {"npu": [0, 0, 0], "cpu": draw.uniform(0.5, 1)}}


def _core_busy(draw: random.Random) -> dict[str, Any]:
    return {"others": {"npu": [0, draw.uniform(0.1, 1), 0], "cpu": 0.1}}


def _host_bound(draw: random.Random) -> dict[str, Any]:
    return {"host_ms": draw.uniform(5.5, 20)}


def _growing(draw: random.Random) -> dict[str, Any]:
    return {"growth_bytes": int(draw.uniform(50_000, 500_000))}


TRUTHS = (
    BoardTruth("the NPU at one of 300 to 900 of 1,000 MHz", "below_max_clock", _slow_clock, held=False),
    BoardTruth("the NPU's clock flaps each 0.4 to 3 s", "clock_changed", _flapping, held=False),
    BoardTruth("75 to 95 °C after 5 to 25 s, and a lower clock", "throttling", _hot),
    BoardTruth("others take the CPUs to 50 to 100 %", "busy_during", _cpus_busy),
    BoardTruth("others take an NPU core that is not ours to 10 to 100 %", "busy_during", _core_busy),
    BoardTruth("5.5 to 20 ms beside rknn_run's 10 ms", "host_bound", _host_bound),
    BoardTruth("50 to 500 kB stay behind with each call", "growth", _growing),
)
CODES = ("below_max_clock", "clock_changed", "throttling", "busy_during", "npu_busy", "host_bound", "growth")


def pushed(truth: BoardTruth | None, seed: int, root: Path, seconds: float = SECONDS) -> RunResult:
    """Return a run on the board under `root`, whose files are moved meanwhile; None: nothing is wrong."""
    draw = random.Random(seed)
    values = healthy(draw) | (truth.draw(draw) if truth else {})
    _govern(root, "performance" if truth is None or truth.held else "simple_ondemand")
    model = LatencyModel("rk3588", Work(0, 0, 0, 0), Behaviour(values), seed, root)
    model.begin_load(0)
    sensors = Sensors(root)
    header = replace(RUN, provenance=replace(ALL_MEASURED, readings=None))
    collector = Collector([replace(header, plan=replace(header.plan, core_mask="0"))])
    collector.add(read_environment(root, VIRTUAL))
    collector.add(sensors.sample(-READING_NS))
    read_ns, grew = 0, 0.0
    for batch in batches(model, seconds):
        collector.add(batch)
        grew = max(grew, _growth(values, draw))
        end_ns = batch.start_ns[-1] + batch.duration_ns[-1]
        if end_ns >= read_ns:
            collector.add(sensors.sample(end_ns))
            read_ns = end_ns + READING_NS
    told = replace(ALL_MEASURED, readings=MODELLED)
    collector.add(Finished(RUN.id, 0, told, growth_bytes=int(grew), growth_iterations=BLOCK))
    return collector.result(RUN.id).run


def _growth(values: dict[str, Any], draw: random.Random) -> float:
    """Return by how much the process grew within a block."""
    return float(values.get("growth_bytes", 0)) * BLOCK + draw.gauss(0, PAGES_BYTES)


def _govern(root: Path, governor: str) -> None:
    for pattern in GOVERNORS:
        for path in root.glob(pattern):
            path.write_text(f"{governor}\n")


def codes_of(run: RunResult) -> set[str]:
    """Return the codes of what is said of a run."""
    return {found.code for found in run.caveats}


def found_rows(truth: BoardTruth, runs: int) -> list[Row]:
    """Return in how many of so many runs the caveat of a truth is said."""
    with example_board() as root:
        said = [truth.code in codes_of(pushed(truth, SEEDS + number, root)) for number in range(runs)]
    rate = sum(said) / runs
    return [(f"{truth.name}: {truth.code}", f">= {FOUND:g}", rate, rate >= FOUND)]


def healthy_rows(runs: int) -> list[Row]:
    """Return how often each caveat is said of a healthy board, and how many runs all rules leave VALID."""
    with example_board() as root:
        whole = [pushed(None, SEEDS + number, root) for number in range(runs)]
    rows: list[Row] = []
    for code in CODES:
        rate = sum(code in codes_of(run) for run in whole) / runs
        rows.append((f"healthy board, 30 s: {code}", "<= 0.01", rate, rate <= 0.01))
    valid = sum(run.verdict == VALID for run in whole) / runs
    bound = f">= {HEALTHY_VALID:g}"
    return [*rows, ("healthy board, 30 s: VALID by all rules", bound, valid, valid >= HEALTHY_VALID)]


@contextmanager
def example_board() -> Iterator[Path]:
    """Yield the root of an example board's files, whose sensors a run may move."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "board"
        copy_tree("rk3588", root)
        yield root
