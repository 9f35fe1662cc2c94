"""The home folder that a user of the first version left, and `bench` run in it, in this process.

What is kept, and how it was made: tests/data/first_version/README.md. Nothing of the product is imported
but what the command `bench` starts.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import json
import lzma
import math
import os
import shutil
import sqlite3
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench_command import Done, entry_point, run_bench

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parents[1] / "data/first_version"
#: What the inventory and the exporters of the kept boards listen on, and how to know a text to fill in.
DESK_PORT, BALCONY_PORT = 2222, 9961
FILLED_IN = (".json", ".sh", ".service")
MODELS = ("digits.regrouped.fp16", "digits.regrouped.int8")
QUICK = ("--iterations", "100", "--duration", "0")


class Home:
    """A home folder with the inventory, the store and the lab of the first version's user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lab = folder / "lab"
        self.inventory = folder / ".config/rkbench/bench.toml"
        self.known_hosts = folder / ".config/rkbench/bench.known_hosts"
        self.store = folder / ".local/share/rkbench/results.sqlite"
        self._words = {"@HOME@": str(folder), "@PYTHON@": sys.executable}
        (self.lab / "models").mkdir(parents=True)
        self.inventory.parent.mkdir(parents=True)
        self.store.parent.mkdir(parents=True)
        self.inventory.write_text(self.filled((KEPT / "bench.toml").read_text()))
        shutil.copy(KEPT / "bench.known_hosts", self.known_hosts)
        self.store.write_bytes(kept_store())
        for name in ("suite.toml", "digits.golden.npz", "hand.npz"):
            shutil.copy(KEPT / name, self.lab / name)
        for name in [f"{model}.{kind}" for model in MODELS for kind in ("rknn", "replay.npz")]:
            (self.lab / "models" / name).symlink_to(find(name))
        self.behave("shelf", seed=6)

    def bench(self, *arguments: object, programs: Path | None = None) -> Done:
        """Run `bench` here; `programs` is a folder put before the PATH."""
        path = f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]
        environment = {"HOME": str(self.folder), "PATH": path, "LANG": "C.UTF-8", "COLUMNS": "100"}
        return run_bench(*arguments, environment=environment, folder=self.lab)

    def behave(self, board: str, **behaviour: Any) -> None:
        """Say how the virtual board `board` behaves from now on."""
        (self.lab / f"{board}.json").write_text(json.dumps(behaviour))

    def unpack(self, *boards: str, **words: str) -> None:
        """Bring virtual boards as the first version left them, and the host's cache of goldens.

        `words` stand in place of others in the texts there.
        """
        self._words |= words
        places = (".cache/", *(f"boards/{board}{end}" for board in boards for end in "/."))
        with tarfile.open(KEPT / "home.tar.xz") as archive:
            archive.extraction_filter = lambda member, _: member  # our own: links within sysfs
            wanted = [member for member in archive if f"{member.name}/".startswith(places)]
            archive.extractall(self.folder, wanted)
        for member in wanted:
            path = self.folder / member.name
            if path.suffix in FILLED_IN and member.isfile():
                path.write_text(self.filled(path.read_text()))
        for name, told in json.loads((KEPT / "elsewhere.json").read_text()).items():
            if name.startswith(places):
                (self.folder / name).write_bytes(find(told["source"]).read_bytes()[: told["bytes"]])

    def filled(self, text: str) -> str:
        """Return `text` with what differs from home to home."""
        for word, other in self._words.items():
            text = text.replace(word, other)
        return text


@cache
def find(name: str) -> Path:
    """Return the file of that name in the package, else in the repository: wherever it lies by now."""
    package = sys.modules[entry_point().__module__.partition(".")[0]]
    folders = [ROOT / "tests/data", *sorted(path for path in ROOT.glob("[!.]*") if path.is_dir())]
    if package.__file__ is not None:
        folders.insert(0, Path(package.__file__).parent)
    found = next((path for folder in folders for path in folder.rglob(name)), None)
    assert found is not None, f"{name} is nowhere in the repository"
    return found


@cache
def kept_store(name: str = "results") -> bytes:
    """Return a store as the first version left it."""
    return lzma.decompress((KEPT / f"{name}.sqlite.xz").read_bytes())


def kept_rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on the store as the first version left it, unpacked in `folder`."""
    path = folder / "as_it_was.sqlite"
    path.write_bytes(kept_store())
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


@dataclass(frozen=True)
class Printed:
    """What the first version printed for a command."""

    arguments: tuple[str, ...]
    status: int
    stdout: str

    @property
    def document(self) -> Any:
        """Its JSON."""
        return json.loads(self.stdout)


@cache
def printed(*start: str) -> tuple[Printed, ...]:
    """Return what the first version printed for all commands that start so."""
    items = json.loads(lzma.decompress((KEPT / "printed.json.xz").read_bytes()))
    found = [Printed(tuple(item["arguments"]), item["status"], item["stdout"]) for item in items]
    return tuple(item for item in found if item.arguments[: len(start)] == start)


def lacking(old: Any, new: Any, place: str = "") -> list[str]:
    """Return where `new` does not say what `old` said. It may say more, and round the last digit."""
    if isinstance(old, dict):
        if not isinstance(new, dict):
            return [f"{place}: {new!r}, was an object"]
        return [
            line
            for key, value in old.items()
            for line in (
                lacking(value, new[key], f"{place}.{key}") if key in new else [f"{place}.{key}: gone"]
            )
        ]
    if isinstance(old, list):
        if not isinstance(new, list) or len(old) != len(new):
            return [f"{place}: {new!r}, was a list of {len(old)}"]
        pairs = enumerate(zip(old, new, strict=True))
        return [line for number, (one, two) in pairs for line in lacking(one, two, f"{place}[{number}]")]
    if {type(old), type(new)} in ({float}, {int, float}):
        return [] if math.isclose(old, new, rel_tol=1e-9) else [f"{place}: {new!r}, was {old!r}"]
    return [] if type(old) is type(new) and old == new else [f"{place}: {new!r}, was {old!r}"]


def numbers(value: Any) -> Any:
    """Return a JSON value without its words: sentences may be put better."""
    if isinstance(value, dict):
        return {key: numbers(item) for key, item in value.items() if not isinstance(item, str)}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def without_agreement(value: Any) -> Any:
    """Return outputs without agreements, which are told of goldens of classes alone, and with those told."""
    if isinstance(value, dict):
        return {key: without_agreement(item) for key, item in value.items() if not key.startswith("top")}
    return [without_agreement(item) for item in value] if isinstance(value, list) else value


def compared(document: dict[str, Any]) -> dict[str, Any]:
    """Return a comparison with its metrics by name, but p99: the first version took it from 100 calls."""
    metrics = {metric["name"]: metric for metric in document["comparison"]["metrics"]}
    metrics.pop("latency_p99_s", None)
    return {**document["comparison"], "metrics": metrics}


def without_p99(row: dict[str, str]) -> dict[str, str]:
    """Return what is still told of a run: its first version took p99 from 100 iterations, which tell none."""
    few = int(row.get("iterations") or 662) < 662
    return {name: value for name, value in row.items() if not (few and name == "latency_p99_s")}


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    return list(csv.DictReader(io.StringIO(text)))


def files(folder: Path) -> set[str]:
    """Return all files and links under `folder`, but for what Python compiles."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(folder)) for path in found if path.parent.name != "__pycache__"}


def fingerprints(known_hosts: Path) -> dict[str, str]:
    """Return the SHA-256 of each host's key, as ssh shows it."""
    found = {}
    for line in known_hosts.read_text().splitlines():
        if line and not line.startswith("#"):
            host, _, key = line.split()
            digest = hashlib.sha256(base64.b64decode(key)).digest()
            found[host] = f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
    return found
