"""A push on a busy board, looked at in a terminal: whatever is drawn says what goes on."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from bench_command import BENCH

DATA = Path("host/rkbench/demo/data").resolve()
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: What the line at the bottom may say, in the order of a push.
WORDS = (
    "beginning",
    "checking 2 models",
    "connecting to desk",
    "bringing what it lacks of 5 files to the board",
    "sending",
    "foretelling latencies",
    "measuring 2 variants",
    "desk is busy (NPU 42 %), waiting",
    "int8: loading",
    "int8: golden",
    "int8: warming up",
    "int8: inference",
    "is stored",
    "comparing 2 runs",
)


def watched(*words: object, columns: int = 80) -> str:
    """Return all that a command writes on its stderr, a terminal of so many columns; it ends well."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    command = [sys.executable, "-c", BENCH, *map(str, words)]
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.DEVNULL, env=environment) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += (piece := os.read(ours, 65536))
            except OSError:  # EIO: nobody has the other end any more
                break
            if not piece:
                break
        os.close(ours)
    assert running.returncode == 0, shown.decode()
    return shown.decode()


def frames(shown: str) -> list[str]:
    """Return the last line of everything that was drawn: each drawing goes back to its first line."""
    drawn = [ESCAPES.sub("", piece).strip() for piece in re.split(r"\x1b\[2K(?:\x1b\[1A\x1b\[2K)*", shown)]
    return [piece.splitlines()[-1].strip() for piece in drawn if piece]


def test_whatever_is_drawn_of_a_push_on_a_busy_board_says_what_goes_on(tmp_path: Path) -> None:
    behaviour = tmp_path / "behaviour.json"
    behaviour.write_text(json.dumps({"others": {"npu": [0, 0.42, 0]}}))
    inventory = tmp_path / "bench.toml"
    inventory.write_text(f'[boards.desk]\nhost = "virtual"\nbehaviour = "{behaviour}"\n')
    models = (DATA / "digits.int8.rknn", DATA / "digits.regrouped.int8.rknn")
    shown = watched(
        *("push", *models, "--board", "desk", "--inventory", inventory, "--store", tmp_path / "s"),
        *("--golden", DATA / "golden.npz", "--no-interleave", "--quick"),
    )
    lines = frames(shown)
    silent = [line for line in lines if not any(word in line for word in WORDS)]
    assert silent == []
    # Before its second run the board is waited for for 5 s; that each has its word is held by a clock moved
    # by hand in tests/host/views/test_progress.py.
    waits = {int(second) for second in re.findall(r"desk is busy \(NPU 42 %\), waiting (\d) s", shown)}
    assert len(waits) >= 2
