"""Each caveat of a run end to end: a virtual board that behaves so, the verdict, and what the advice does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rkbench.boards.provider import open_boards
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.campaign import PushOptions, run_campaign
from rkbench.results.model import RunResult
from rkbench.session import open_session
from rkbench.store import open_store
from rkbench_agent.wire.plan import RunSettings

pytestmark = pytest.mark.xdist_group("staged")  # one push serves most tests
MODEL = Path(__file__).parents[1] / "data/models/mb_gap7_rk3588_i8.rknn"
SECONDS = 30.0
#: What a quiet board reads, so that its sensors are its own; each variant overrides what it stages.
BOARD = {
    "seed": 3588,
    "latency": {"median_ms": 10, "sigma": 0.01},
    "scatter": {"block": 0.001},
    "clock": {"hz": 1_000_000_000, "factor": 1},
    "others": {"npu": [0, 0, 0], "cpu": 0.05},
}
THIRDS = [{"share": 0.34, "factor": 1}, {"share": 0.33, "factor": 1.15}, {"share": 0.33, "factor": 1.3}]
SLOW = {"hz": 500_000_000, "factor": 2}
#: Seconds are of the whole plan: what drifts stands first, what gets hot last.
STAGED: dict[str, dict[str, Any]] = {
    "drift": {"drift": {"ratio": 0.05, "over_s": SECONDS}},
    "healthy": {},
    "slow_start": {"cold": {"calls": 40, "factor": 1.5}},
    "slow_turns": {"slow_turns": {"calls": 1, "factor": 1.2}},
    "periodic": {"periodic": {"every_s": 0.977, "extra_ms": 5}},
    "blocks_differ": {"scatter": {"block": 0.01}},
    "autocorrelated": {"wander": {"memory": 0.99, "sd": 0.04}},
    "modes": {"modes": THIRDS},
    "below_max_clock": {"clock": SLOW},
    "busy_during": {"others": {"npu": [0, 0.5, 0], "cpu": 0.7}},
    "host_bound": {"host_ms": 8},
    "growth": {"growth_bytes": 100_000},
    "throttling": {
        "throttling": {"after_s": 12.5 * SECONDS, "factor": 1.8, "hz": 600_000_000, "celsius": 90}
    },
}


def push(
    folder: Path, staged: Mapping[str, Mapping[str, Any]], settings: RunSettings
) -> dict[str, RunResult]:
    """Push one copy of the model for each truth, one after the other; return the runs by their truth."""
    (folder / "b.json").write_text(json.dumps({**BOARD, "per_model": staged}))
    (folder / "bench.toml").write_text(
        f'[boards.v]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "{folder / "b.json"}"\n'
    )
    files = tuple(Path(shutil.copy(MODEL, folder / f"{name}.rknn")) for name in staged)
    (described,) = open_boards(folder / "bench.toml").find("v")
    with VirtualBoard(described) as virtual, open_store(folder / "results.sqlite") as store:
        order = PushOptions(files, replace(settings, min_duration_s=SECONDS, interleave=False))
        outcome = run_campaign(
            order, virtual.board, lambda: open_session(virtual.board), store, lambda _: None
        )
    return {run.variant.name: run for run in outcome.runs}


def codes(run: RunResult) -> set[str]:
    return {found.code for found in run.caveats}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunResult]:
    return push(tmp_path_factory.mktemp("staged"), STAGED, RunSettings(core_mask="0", calm_limit_s=0))


@pytest.mark.parametrize("code", [code for code in STAGED if code != "healthy"])
def test_a_caveat_names_what_the_board_does_and_nothing_else(staged: dict[str, RunResult], code: str) -> None:
    always = codes(staged["healthy"])
    # A level that wanders has drifted, or its blocks differ, as chance has it.
    wanders = {"drift", "blocks_differ"}
    beside = {"throttling": {"modes", "clock_changed"}, "autocorrelated": wanders}.get(code, set())
    assert codes(staged[code]) - always - beside == {code}


def test_a_run_with_nothing_against_it_but_its_clocks_is_unpinned(staged: dict[str, RunResult]) -> None:
    assert codes(staged["healthy"]) == {"simulated", "no_golden", "governor", "cpu_governor"}
    verdicts = {name: run.verdict for name, run in staged.items()}
    assert {name for name, verdict in verdicts.items() if verdict == "UNPINNED"} == {"healthy", "host_bound"}
    assert set(verdicts.values()) == {"UNPINNED", "SUSPECT"}


def test_messages_say_what_was_staged(staged: dict[str, RunResult]) -> None:
    told = {
        code: next(item.message for item in staged[code].caveats if item.code == code)
        for code in STAGED
        if code != "healthy"
    }
    assert told["periodic"] == "slow calls come every 977 ms: something else runs in that rhythm"
    assert told["below_max_clock"] == "the NPU ran at 500 MHz, never at its 1.00 GHz"
    assert told["throttling"] == (
        "soc-thermal reached 90.0 °C (the kernel throttles from 75.0 °C on there), and the clock of NPU moved"
    )
    (modes,) = [item for item in staged["throttling"].caveats if item.code == "modes"]
    fast, slow = modes.message.split(", which no mean describes: ")[1].split(", ")
    # The reading nearest to the step may be of either side of it: the board is read beside the calls.
    assert re.search(r"NPU at (600 MHz to )?1\.00 GHz", fast) and "(NPU at 600 MHz)" in slow


def test_what_the_advice_says_helps(tmp_path: Path) -> None:
    """`--pin` holds the clocks, `--warmup` takes up a slow start; then nothing is against the runs."""
    flapping = {"factor": 1.5, "period_s": 0.5, "hz": 600_000_000}
    ill = {"clock": {"clock": SLOW}, "flapping": {"flapping": flapping}, "cold": STAGED["slow_start"]}
    cured = push(tmp_path, ill, RunSettings(pin=True, warmup_iterations=50))
    assert {name: run.verdict for name, run in cured.items()} == dict.fromkeys(ill, "VALID")
