"""A push of twelve variants at 80 columns, from its first word to its last: it fits on one screen."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench_command import BENCH
from rkbench.store import open_store
from rkbench.store.lookup import find_runs
from terminal_screen import shown_lines

#: Twelve processes start and load three times each, on however busy a computer.
pytestmark = pytest.mark.timeout(400)
LINES, COLUMNS = 40, 80
ROW = re.compile(r"\S+ +.*≈(VALID|SUSPECT|UNPINNED)$")
DEMO = Path("host/rkbench/demo/data").resolve()
NET = Path("tests/data/models/mb_gap7_rk3588_i8.rknn").resolve()
THIRDS = [{"share": 0.34, "factor": 1}, {"share": 0.33, "factor": 1.15}, {"share": 0.33, "factor": 1.3}]
#: How the copies of a net behave, so that each has doubts of its own.
MIXED: dict[str, Any] = {
    "healthy": {},
    "drift": {"drift": {"ratio": 0.05, "over_s": 3}},
    "slow-start": {"cold": {"calls": 40, "factor": 1.5}},
    "slow-turns": {"slow_turns": {"calls": 1, "factor": 1.2}},
    "periodic": {"periodic": {"every_s": 0.977, "extra_ms": 5}},
    "blocks-differ": {"scatter": {"block": 0.01}},
    "autocorrelated": {"wander": {"memory": 0.99, "sd": 0.04}},
    "modes": {"modes": THIRDS},
    "below-max-clock": {"clock": {"hz": 500_000_000, "factor": 2}},
    "host-bound": {"host_ms": 8},
    "growth": {"growth_bytes": 100_000},
    "throttling": {"throttling": {"after_s": 20, "factor": 1.8, "hz": 600_000_000, "celsius": 90}},
}
QUIET = {
    "seed": 3588, "latency": {"median_ms": 10, "sigma": 0.01}, "scatter": {"block": 0.001},
    "clock": {"hz": 1_000_000_000, "factor": 1}, "others": {"npu": [0, 0, 0], "cpu": 0.05},
}  # fmt: skip


def of_the_demo(folder: Path) -> list[str]:
    """Return what is typed for each of the demo's variants three times, with their golden."""
    variants = [f"digits.{kind}{dtype}" for kind in ("", "regrouped.") for dtype in ("fp16", "int8")]
    for variant, copy in itertools.product(variants, "abc"):
        for end in ("rknn", "replay.npz"):
            shutil.copy(DEMO / f"{variant}.{end}", folder / f"{variant}.cal-{copy}.{end}")
    return ["--board", "virtual", "--golden", str(DEMO / "golden.npz")]


def of_mixed_doubts(folder: Path) -> list[str]:
    """Return what is typed for twelve copies of a net, of which each gives another reason to doubt it."""
    behaviour = folder / "b.json"
    per_model = {f"net.rk3588.{name}": behaves for name, behaves in MIXED.items()}
    behaviour.write_text(json.dumps({**QUIET, "per_model": per_model}))
    (folder / "bench.toml").write_text(
        f'[boards.v]\nhost = "virtual"\nsoc = "rk3588"\nbehaviour = "{behaviour}"\n'
    )
    for name in per_model:
        shutil.copy(NET, folder / f"{name}.rknn")
    return ["--board", "v", "--inventory", str(folder / "bench.toml")]


@pytest.fixture(params=[of_the_demo, of_mixed_doubts])
def words(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """What is typed: twelve files on a virtual board."""
    options = request.param(tmp_path)
    models = sorted(map(str, tmp_path.glob("*.rknn")))
    assert len(models) == 12
    store = str(tmp_path / "s")
    return [sys.executable, "-c", BENCH, "push", *models, *options, "--store", store, "--quick"]


def environment(tmp_path: Path) -> dict[str, str]:
    named = {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return {**{key: value for key, value in os.environ.items() if key != "NO_COLOR"}, **named}


def check_all_is_there(lines: list[str], store: Path) -> None:
    """Hold what was shown to the runs: a row each, and of every kind of caveat its words or its name."""
    assert len([line for line in lines if ROW.match(line)]) == 12, lines
    assert max(map(len, lines)) <= COLUMNS
    text = " ".join(" ".join(lines).split())
    with open_store(store) as opened:
        runs = find_runs(opened, "last")
    kinds: dict[str, list[str]] = {}
    for run in runs:
        for caveat in run.caveats:
            kinds.setdefault(caveat.code, []).append(" ".join(caveat.message.split()))
    kinds.pop("simulated")
    counted = {
        code: f"{code.replace('_', ' ')} ({len(who)} run"
        if len(who) < 12
        else f"{code.replace('_', ' ')} (all"
        for code, who in kinds.items()
    }
    missing = [code for code, who in kinds.items() if who[0] not in text and counted[code] not in text]
    assert not missing, text


def test_a_terminal_shows_all_of_it_in_at_most_40_lines(words: list[str], tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment(tmp_path)) as running:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:  # EIO: nobody has the other end any more
                break
        os.close(ours)
    lines = shown_lines(written.decode())
    assert running.returncode == 0, lines
    check_all_is_there(lines, tmp_path / "s")
    assert len(lines) <= LINES, lines


def test_piped_results_and_progress_have_at_most_40_lines(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, env=environment(tmp_path), check=True)
    results, progress = done.stdout.splitlines(), done.stderr.splitlines()
    check_all_is_there(results, tmp_path / "s")
    assert len(results) + len(progress) <= LINES, [*progress, *results]
