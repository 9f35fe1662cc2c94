"""`bench nightly` on many virtual boards x 4 models: how long do boards stand idle, in how much memory?

A board is idle while it is not held though a cell of it waits: from the night's begin to the end of its own
last hold. That is looked at twenty times a second: is the agent's lock taken on the board? Beside it stands
what the night records, `idle_recorded`: the share in which the board is neither sent models nor
runs a cell, held or not.

All boards, their SSH servers and their agents are on this computer, so it computes for them as well: the
night takes as long as it has cores, and the memory of the host process holds the servers too. The first night
sends the models, which the boards have in the second. `python -m benchmarks.nightly_load 50` prints a line of
figures for both: part of `make scale`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.ratio import Ratio

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "host/rkbench/demo/data"
BENCH = "from rkbench.cli import main; main()"
BOARDS = 20
IDLE_MOST = 0.2
MEMORY_LIMIT_MB = 500
LOOK_S = 0.05
SUITE = f"""
boards = ["shelf"]
gates = ["p50 within 5%", "p99 <= 50ms", "cosine >= 0.99", "load memory <= 200MB", "size <= 100MB"]
[[models]]
files = ["{DEMO}/digits.*.rknn"]
golden = "{DEMO}/golden.npz"
"""
#: No baseline is accepted: what is relative is not measured.
NO_BASELINE = 1


@dataclass(frozen=True)
class Load:
    """What a night took. Idle shares are those of the board that stood idle longest, and of all together.

    `begun_s`: when the last board was held for the first time; `idle_after`: the greatest idle share from a
    board's own first hold on.
    """

    boards: int
    cells: int
    measured: int
    wall_s: float
    host_cpu_s: float
    rss_mb: float
    idle_most: float
    idle_mean: float
    idle_recorded: float
    begun_s: float
    idle_after: float


def run() -> list[Ratio]:
    """Return the share of time that the most idle board was idle in a second night, and the host's memory."""
    first, second = measure(BOARDS)
    print(f"  {first}\n  {second}", file=sys.stderr)
    assert second.measured == second.cells, second
    return [
        Ratio("20 boards x 4 models: most idle", second.idle_most, 0.0, "", IDLE_MOST, True, True),
        Ratio("host process of that nightly, RSS", second.rss_mb, 0.0, "MB", MEMORY_LIMIT_MB, True, True),
    ]


def measure(boards: int) -> tuple[Load, Load]:
    """Run two nights on so many virtual boards, and return what each took."""
    with tempfile.TemporaryDirectory(prefix="rkbench-load-") as folder:
        names = [f"b{number:02}" for number in range(boards)]
        _prepare(Path(folder), names)
        return _measured(Path(folder), names), _measured(Path(folder), names)


def _prepare(folder: Path, boards: list[str]) -> None:
    entry = '[boards.{0}]\nhost = "virtual"\nsoc = "rk3588"\ntags = ["shelf"]\nhome = "{1}/{0}"\n'
    (folder / "bench.toml").write_text("".join(entry.format(board, folder) for board in boards))
    (folder / "suite.toml").write_text(SUITE)


def _measured(folder: Path, boards: list[str]) -> Load:
    files = {"--inventory": "bench.toml", "--store": "results.sqlite", "--json": "night.json"}
    words = [text for word, name in files.items() for text in (word, str(folder / name))]
    command = [sys.executable, "-c", BENCH, "nightly", str(folder / "suite.toml"), *words]
    environment = {**os.environ, "TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.monotonic()
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        looks, rss_bytes, cpu_s = _watched(process, {board: _lock(folder, board) for board in boards})
    wall_s = time.monotonic() - began
    if process.returncode != NO_BASELINE:
        raise RuntimeError(f"bench nightly ended with {process.returncode}: {(folder / 'said').read_text()}")
    night = json.loads((folder / "night.json").read_text())
    idle = [_idle_ratio(looks, board, night["started_unix_s"]) for board in boards]
    firsts = [min(unix_s for unix_s, held in looks if board in held) for board in boards]
    cells = night["cells"]
    return Load(
        len(boards),
        len(boards) * len(list(DEMO.glob("digits.*.rknn"))),
        sum(cell["fault"] is None for cell in cells),
        round(wall_s, 1),
        round(cpu_s, 1),
        round(rss_bytes / 1e6, 1),
        round(max(idle), 3),
        round(sum(idle) / len(idle), 3),
        round(max(board["idle_ratio"] for board in night["boards"]), 3),
        round(max(firsts) - night["started_unix_s"], 1),
        round(max(_idle_ratio(looks, *item) for item in zip(boards, firsts, strict=True)), 3),
    )


def _lock(folder: Path, board: str) -> Path:
    return folder / board / ".cache/rkbench/lock"


def _watched(
    process: subprocess.Popen[bytes], locks: dict[str, Path]
) -> tuple[list[tuple[float, frozenset[str]]], int, float]:
    """Return which boards were held at each look (Unix time), the host's most memory, and its CPU time."""
    looks, most_bytes, cpu_s, host = [], 0, 0.0, psutil.Process(process.pid)
    while process.poll() is None:
        looks.append((time.time(), frozenset(board for board, lock in locks.items() if _is_held(lock))))
        try:
            most_bytes = max(most_bytes, host.memory_info().rss)
            cpu_s = sum(host.cpu_times()[:2])
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            break
        time.sleep(LOOK_S)
    process.wait()
    return looks, most_bytes, cpu_s


def _is_held(lock: Path) -> bool:
    """Return whether an agent holds the board: it writes who it is into the file, and empties it after."""
    try:
        return lock.stat().st_size > 0
    except OSError:
        return False


def _idle_ratio(looks: list[tuple[float, frozenset[str]]], board: str, begun_unix_s: float) -> float:
    """Return the share of the looks from the night's begin to the last that saw the board held."""
    seen = [board in held for unix_s, held in looks if unix_s >= begun_unix_s]
    while seen and not seen[-1]:
        seen.pop()
    return 1 - sum(seen) / len(seen) if seen else 1.0


if __name__ == "__main__":
    for load in measure(int(sys.argv[1]) if sys.argv[1:] else BOARDS):
        print(load, flush=True)
