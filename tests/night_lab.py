"""A lab for the tests of the nightly: two virtual boards with behaviour files, two models, one suite."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench_command import BENCH, Done, run_bench
from rkbench.views.nightly.console import SCHEMA_FILE
from strict_schema import strict_validator

DEMO = Path(__file__).parents[1] / "host/rkbench/demo/data"
MODELS = ("digits.regrouped.fp16", "digits.regrouped.int8")
BOARDS = ("left", "right")
GATES = ("p50 within 5%", "p99 <= 12ms", "cosine >= 0.999", "load memory <= 80MB", "size <= 10MB")
SUITE = f"""
name = "lab"
boards = ["shelf"]
gates = {json.dumps(GATES)}
[plans.default]
iterations = 1000
duration = 0
[[models]]
files = {json.dumps([f"{DEMO}/{model}.rknn" for model in MODELS])}
golden = "{DEMO}/golden.npz"
"""


class NightLab:
    """All of it is in its folder, new or of an earlier lab; `behave` says how a board is from now on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "results.sqlite"
        self.inventory = folder / "bench.toml"
        self.suite = folder / "suite.toml"
        if self.suite.exists():
            return
        self.suite.write_text(SUITE)
        self.inventory.write_text("".join(map(self._board, BOARDS)))
        (folder / "tmp").mkdir()
        for number, board in enumerate(BOARDS):
            self.behave(board, seed=number)

    def behave(self, board: str, **behaviour: Any) -> None:
        """Say how `board` behaves."""
        (self.folder / f"{board}.json").write_text(json.dumps(behaviour))

    def own_models(self) -> None:
        """Let the suite measure copies of the models, which can change."""
        (self.folder / "models").mkdir()
        for model in MODELS:
            for file in (f"{model}.rknn", f"{model}.replay.npz"):
                shutil.copy(DEMO / file, self.folder / "models")
        self.suite.write_text(SUITE.replace(f"{DEMO}/digits", "models/digits"))

    def change(self, *models: str) -> None:
        """Let the files of `models` be others, which do the same."""
        for model in models:
            with (self.folder / f"models/{model}.rknn").open("ab") as file:
                file.write(bytes(16))

    def reach(self, board: str, user: str, port: int, key: Path, known_hosts: Path) -> None:
        """Let `board` be one with an address: a server on this computer."""
        address = f'host = "127.0.0.1"\nport = {port}\nuser = "{user}"\nidentity_files = ["{key}"]\n'
        other = f'[boards.{board}]\n{address}soc = "rk3588"\ntags = ["shelf"]\npython = "{sys.executable}"\n'
        self.inventory.write_text(other + "".join(self._board(name) for name in BOARDS if name != board))
        self.inventory.with_name("bench.known_hosts").write_bytes(known_hosts.read_bytes())

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start `bench` as a process that can be interrupted and killed."""
        command, pipe = [sys.executable, "-u", "-c", BENCH, *map(str, arguments)], subprocess.PIPE
        return subprocess.Popen(command, env=self._environment(), stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: object) -> Done:
        """Run `bench` to its end."""
        return run_bench(*arguments, environment=self._environment())

    def night(self) -> tuple[Done, dict[str, Any]]:
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

    def assert_nothing_lost_or_doubled(self, gates: int = len(GATES)) -> None:
        """Every run belongs to one cell, every cell of a night is there once, and so are its `gates`."""
        lost = self.rows(
            "SELECT id FROM runs"
            " WHERE id NOT IN (SELECT value FROM cells, json_each(cells.document, '$.runs'))"
        )
        assert lost == []
        named = self.rows("SELECT value FROM cells, json_each(cells.document, '$.runs')")
        assert len(named) == len(set(named)) == self.rows("SELECT count(*) FROM runs")[0][0]
        for night, ended in self.rows("SELECT id, ended_unix_s FROM nights"):
            keys = self.rows(
                "SELECT document ->> '$.variant', document ->> '$.board' FROM cells"
                f" WHERE night = '{night}' ORDER BY position"
            )
            assert len(keys) == len(set(keys))
            kept = self.rows(f"SELECT count(*) FROM gates WHERE night = '{night}'")[0][0]
            assert kept == gates * len(keys)
            if ended is not None:
                assert sorted(keys) == sorted((model, board) for model in MODELS for board in BOARDS)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RKBENCH_STORE": str(self.store),
            "RKBENCH_INVENTORY": str(self.inventory),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def _board(self, name: str) -> str:
        return (
            f'[boards.{name}]\nhost = "virtual"\nsoc = "rk3588"\ntags = ["shelf"]\n'
            f'behaviour = "{self.folder}/{name}.json"\n'
        )
