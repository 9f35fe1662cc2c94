"""A nightly of 20 virtual boards x 4 models: is every board busy while work waits for it, in little memory?

A board is busy while it carries out a plan of ours, from the plan going out to its Done. Its time runs from
the first plan of the night, on any board, to its own last Done: between two plans the host prepares the
next variant, judges gates and writes the store. The models travel before, in the pre-flight. The 20 SSH
servers of the virtual boards live in the host process too, so its memory and its time are more than with
real boards; agents and workers are processes of their own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rkbench.boards.model import Board
from rkbench.boards.provider import Boards, open_boards
from rkbench.nightly.begin import Terms
from rkbench.nightly.cells import fingerprint, make_cells
from rkbench.nightly.night import run_night
from rkbench.nightly.suite import load_suite
from rkbench.results.night import Night
from rkbench.session import Session, Sessions
from rkbench.store import Store, open_store
from rkbench_agent.wire.messages import Message
from rkbench_agent.wire.plan import Plan

from benchmarks.ratio import Ratio

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "host/rkbench/demo/data"
BOARDS = 20
BUSY_LEAST = 0.8
MEMORY_LIMIT_MB = 500
SUITE = f"""
boards = ["shelf"]
gates = ["p50 within 5%", "p99 <= 50ms", "cosine >= 0.99", "load memory <= 200MB", "size <= 100MB"]
[[models]]
files = ["{DEMO}/digits.*.rknn"]
golden = "{DEMO}/golden.npz"
"""


def run() -> list[Ratio]:
    """Return the share of time that the least busy board was busy, and the memory of the host."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.nightly_load", folder]
        environment = {**os.environ, "TMPDIR": folder, "XDG_CACHE_HOME": f"{folder}/cache"}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    print(f"  {found['cells']} cells in {found['wall_s']:.1f} s", file=sys.stderr)
    return [
        Ratio("20 boards x 4 models: least busy", found["busy"], 0.0, "", BUSY_LEAST, False, True),
        Ratio("host process of that nightly, RSS", found["rss_mb"], 0.0, "MB", MEMORY_LIMIT_MB, True, True),
    ]


class _Timed:
    """A session that notes when it carries out a plan."""

    def __init__(self, session: Session, plans: list[tuple[float, float]]) -> None:
        self._session = session
        self._plans = plans
        self.hello = session.hello
        self.environment = session.environment
        self.upload = session.upload
        self.cancel = session.cancel
        self.enough = session.enough

    def run(self, plan: Plan) -> Iterator[Message]:
        began = time.monotonic()
        yield from self._session.run(plan)
        self._plans.append((began, time.monotonic()))

    def __enter__(self) -> _Timed:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


def _main(folder: Path) -> None:
    """Run a night, and print what it took."""
    entry = '[boards.b{0:02}]\nhost = "virtual"\nsoc = "rk3588"\ntags = ["shelf"]\n'
    (folder / "bench.toml").write_text("".join(entry.format(number) for number in range(BOARDS)))
    (folder / "suite.toml").write_text(SUITE)
    plans: dict[str, list[tuple[float, float]]] = {}

    boards = open_boards(folder / "bench.toml")
    with open_store(folder / "results.sqlite") as store, Sessions(boards.hold) as sessions:

        def connect(board: Board) -> Any:
            return _Timed(sessions.open(board), plans.setdefault(board.name, []))

        began = time.monotonic()
        night = _night(folder, store, boards, connect)
        wall_s = time.monotonic() - began
    first = min(of_board[0][0] for of_board in plans.values())
    busy = [
        sum(end - start for start, end in of_board) / (of_board[-1][1] - first) for of_board in plans.values()
    ]
    assert all(cell.fault is None for cell in night.cells), night.problems
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"busy": min(busy), "rss_mb": peak_kb * 1024 / 1e6, "cells": len(night.cells), "wall_s": wall_s}
    print(json.dumps(found))


def _night(folder: Path, store: Store, boards: Boards, connect: Any) -> Night:
    suite = load_suite(folder / "suite.toml")
    cells = make_cells(suite, boards.find)
    return run_night(suite.name, fingerprint(suite, cells), cells, store, connect, lambda _: None, Terms())


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
