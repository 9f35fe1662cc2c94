"""The fixed cost of a push: everything but inference, against doing it by hand with ssh and scp.

By hand: `ssh true`, `scp` of 1 MB, `ssh python3 -c 'import numpy'`. Ours: connect, start the agent
(zipapp already there, as on every push but a board's first), upload 1 MB, start a worker that
imports numpy, load a model on the virtual runtime, and one iteration.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rkbench.boards.inventory import add_board, known_hosts_of

from benchmarks.loopback import Sshd, scp, ssh
from benchmarks.ratio import Ratio, interleaved_seconds

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "tests" / "data" / "models" / "mb_gap7_rk3588_i8.rknn"


def run() -> list[Ratio]:
    """Return the ratio of wall times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trees = ROOT / "host/rkbench/boards/virtual/trees/rk3588"
        server = Sshd(folder / "sshd", environment={"RKBENCH_SYS_ROOT": str(trees)})
        try:
            return [_measure(server, folder)]
        finally:
            server.close()


def _measure(server: Sshd, folder: Path) -> Ratio:
    megabyte = folder / "megabyte"
    megabyte.write_bytes(os.urandom(1_000_000))
    board = replace(server.board, python=sys.executable)
    inventory = folder / "bench.toml"
    add_board(inventory, replace(board, name="desk", runtime="virtual"))
    shutil.copy(server.folder / "known_hosts", known_hosts_of(inventory))

    def push() -> None:
        shutil.rmtree(server.home / ".cache/rkbench/objects", ignore_errors=True)
        command = [sys.executable, "-c", "from rkbench.cli import main; main()", "push", str(MODEL)]
        command += ["--board", "desk", "--inventory", str(inventory), "--iterations", "1", "--duration", "0"]
        command += ["--warmup", "0", "--json", str(folder / "out.json"), "--store", str(folder / "store")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def by_hand() -> None:
        ssh(server, server.port, "true")
        scp(server, server.port, megabyte)
        ssh(server, server.port, f"{sys.executable} -c 'import numpy'")

    ours, theirs = interleaved_seconds(push, by_hand, 7)
    return Ratio("fixed cost of a push vs ssh, scp, ssh by hand", ours, theirs, "s", 1.5)
