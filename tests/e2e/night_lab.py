"""A lab for the tests of the nightly: two virtual boards with behaviour files, two models, one suite."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from rkbench.views.nightly.console import SCHEMA_FILE
from strict_schema import strict_validator

DEMO = Path(__file__).parents[2] / "host/rkbench/demo/data"
MODELS = ("digits.regrouped.fp16", "digits.regrouped.int8")
BOARDS = ("left", "right")
GATES = ("p50 within 5%", "p99 <= 12ms", "cosine >= 0.999", "load memory <= 80MB", "size <= 10MB")
SUITE = f"""
name = "lab"
boards = ["shelf"]
gates = {json.dumps(GATES)}
[plans.default]
iterations = 100
duration = 0
[[models]]
files = {json.dumps([f"{DEMO}/{model}.rknn" for model in MODELS])}
golden = "{DEMO}/golden.npz"
"""


class NightLab:
    """Its folder holds everything; `behave` says how a board is from now on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "results.sqlite"
        self.inventory = folder / "bench.toml"
        self.suite = folder / "suite.toml"
        self.suite.write_text(SUITE)
        self.inventory.write_text("".join(map(self._board, BOARDS)))
        (folder / "tmp").mkdir()
        for number, board in enumerate(BOARDS):
            self.behave(board, seed=number)

    def behave(self, board: str, **behaviour: Any) -> None:
        """Say how `board` behaves."""
        (self.folder / f"{board}.json").write_text(json.dumps(behaviour))

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start `bench`."""
        command = [sys.executable, "-u", "-c", "from rkbench.cli import main; main()", *map(str, arguments)]
        environment = {
            **os.environ,
            "RKBENCH_STORE": str(self.store),
            "RKBENCH_INVENTORY": str(self.inventory),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TMPDIR": str(self.folder / "tmp"),
        }
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `bench` to its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def night(self) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
        """Run a night to its end; returns what it said, and its JSON."""
        json_file = self.folder / "night.json"
        files = ("--junit", self.folder / "night.xml", "--markdown", self.folder / "night.md")
        done = self.run("nightly", self.suite, "--json", json_file, *files)
        night = json.loads(json_file.read_text())
        strict_validator(SCHEMA_FILE).validate(night)
        assert night["exit_code"] == done.returncode
        return done, night

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the store."""
        with sqlite3.connect(self.store) as db:
            found = db.execute(sql).fetchall()
        db.close()
        return found

    def _board(self, name: str) -> str:
        return (
            f'[boards.{name}]\nhost = "virtual"\nsoc = "rk3588"\ntags = ["shelf"]\n'
            f'behaviour = "{self.folder}/{name}.json"\n'
        )
