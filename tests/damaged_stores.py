"""Stores with damage that nobody thought of: does each command end in words, in time and in little memory?

    python tests/damaged_stores.py [COUNT [FIRST]]    seeds (make stores): counts by kind, and what failed

A store is made by real nights on virtual boards. Each seed damages a copy of it in one way: bytes of the
file, a value of a row, a part of a document, or the schema. Then every command that opens a store is tried on
the copy, in a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peak_memory import forget_peak, peak_bytes
from prometheus_client import CollectorRegistry, generate_latest
from rkbench.cli import main
from rkbench.metrics.results import StoreCollector

#: No command takes longer on any store, however busy the computer is.
LIMIT_S = 20
#: More than the process that is forked for it had: a worker of pytest holds much already.
MEMORY_LIMIT_BYTES = 200 << 20
HELD, HUNG, TRACEBACK, FAT = "held", "hung", "traceback", "memory"
OUTCOMES = {70: TRACEBACK, 71: FAT}
COUNT = 3000
#: What a value of a row is damaged to, or what makes it.
VALUES: tuple[Any, ...] = (
    *(None, "", "x", "\x1b[2J", "{", "[]", "{}", "null", '"x"', "1e999", "[" * 50_000, "x" * 1_000_000),
    *(0, -1, 7, 2**63 - 1, -(2**63), 0.5, -1e308, float("inf"), float("nan")),
    *(b"", b"\xff\x00", b"\xff" * 9, zlib.compress(b"[]"), zlib.compress(b"[" * 50_000)),
    *(zlib.compress(bytes(8000)), lambda: zlib.compress(bytes(100_000_000), 1)),
    zlib.compress(b"\xff" * 800),
)
#: What a part of a document is damaged to.
PARTS: tuple[Any, ...] = (
    *(None, True, "", "x", "\u202e\x1b[2J", "9999-99-99", "1e999", [], [None], [[]], {}, {"a": None}),
    *(0, -1, 0.5, 1e308, -1e308, 10**30, 2**63, "x" * 100_000),
)
SCHEMA = (
    "DROP TABLE {table}",
    "ALTER TABLE {table} RENAME TO other",
    "ALTER TABLE {table} DROP COLUMN {column}",
    "ALTER TABLE {table} RENAME COLUMN {column} TO other",
    "ALTER TABLE {table} ADD COLUMN other TEXT",
    "CREATE TRIGGER t BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END",
    "PRAGMA user_version = {number}",
    "PRAGMA application_id = {number}",
    "DELETE FROM {table}",
)

Damage = Callable[[Path, random.Random], str]


@dataclass(frozen=True)
class Tried:
    """How the commands ended on one damaged store."""

    seed: int
    damage: str
    outcome: str
    detail: str = ""


def damage_bytes(path: Path, chance: random.Random) -> str:
    """Change the file as a disk or a copy does."""
    data = bytearray(path.read_bytes())
    page = 4096
    kind = chance.choice(("flips", "header", "cut", "zeroed", "swapped", "grown", "noise", "beside"))
    if kind == "flips":
        for _ in range(chance.choice((1, 8, 64))):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    elif kind == "header":
        data[chance.randrange(100)] = chance.randrange(256)
    elif kind == "cut":
        del data[chance.randrange(len(data)) :]
    elif kind == "zeroed":
        start = chance.randrange(len(data) // page) * page
        data[start : start + page] = bytes(page)
    elif kind == "swapped":
        one, other = (chance.randrange(len(data) // page) * page for _ in range(2))
        first, second = data[one : one + page], data[other : other + page]
        data[one : one + page], data[other : other + page] = second, first
    elif kind == "grown":
        data += chance.randbytes(chance.randrange(1, 3 * page))
    elif kind == "noise":
        start = chance.randrange(len(data))
        data[start : start + 200] = chance.randbytes(200)
    else:
        path.with_name(path.name + chance.choice(("-wal", "-journal"))).write_bytes(chance.randbytes(5000))
    path.write_bytes(data)
    return f"bytes: {kind}"


def damage_row(path: Path, chance: random.Random) -> str:
    """Set a column of one row, or of all, to what does not belong there."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        table, column = _some_column(db, chance)
        number = chance.randrange(len(VALUES))
        value = VALUES[number]() if callable(VALUES[number]) else VALUES[number]
        which = chance.choice(("", f" WHERE ROWID = (SELECT max(ROWID) FROM {table})"))
        if table in ("cells", "gates"):
            which = ""
        # A key, a NOT NULL: then nothing is damaged, which is an outcome too.
        with suppress(sqlite3.IntegrityError):
            db.execute(f"UPDATE {table} SET {column} = ?{which}", (value,))
        db.commit()
    return f"row: {table}.{column} = {str(value)[:20]!r}"


def damage_document(path: Path, chance: random.Random) -> str:
    """Change, remove or double one part of one JSON document."""
    with closing(sqlite3.connect(path)) as db:
        table = chance.choice(("runs", "runs", "runs", "nights", "cells", "noise_floors"))
        table = table if db.execute(f"SELECT 1 FROM {table}").fetchone() else "runs"
        keys = "night, position" if table == "cells" else "id"
        where = " AND ".join(f"{key} = ?" for key in keys.split(", "))
        *key, text = chance.choice(db.execute(f"SELECT {keys}, document FROM {table}").fetchall())
        document = json.loads(text)
        name = _change_part(document, chance)
        db.execute(f"UPDATE {table} SET document = ? WHERE {where}", (json.dumps(document), *key))
        db.commit()
    return f"document: {table} {name}"


def damage_schema(path: Path, chance: random.Random) -> str:
    """Change the schema as another program, or another version, does."""
    with closing(sqlite3.connect(path)) as db:
        table, column = _some_column(db, chance)
        sql = chance.choice(SCHEMA).format(
            table=table, column=column, number=chance.choice((0, 1, 3, 6, 8, 99, -1))
        )
        # A column of an index or a key cannot be dropped.
        with suppress(sqlite3.OperationalError):
            db.execute(sql)
        db.commit()
    return f"schema: {sql}"


DAMAGES: tuple[Damage, ...] = (damage_bytes, damage_row, damage_document, damage_document, damage_schema)


def try_damage(store: Path, seed: int, folder: Path) -> Tried:
    """Damage a copy of `store` in the way of `seed`, and try every command on it."""
    chance = random.Random(seed)
    place = folder / str(seed)
    place.mkdir()
    copy = place / "results.sqlite"
    shutil.copy(store, copy)
    damage = DAMAGES[seed % len(DAMAGES)](copy, chance)
    said = place / "said.txt"
    child = os.fork()
    if not child:
        _try_commands(copy, store, said)
    _, status = os.waitpid(child, 0)
    text = said.read_text(errors="replace")
    last = text.rpartition("$ ")[2].splitlines()[:1]
    if os.WIFSIGNALED(status):
        return Tried(seed, damage, HUNG, f"{last} ended by signal {os.WTERMSIG(status)}")
    if os.WEXITSTATUS(status):
        return Tried(seed, damage, OUTCOMES[os.WEXITSTATUS(status)], text.strip()[-1500:])
    shutil.rmtree(place)
    return Tried(seed, damage, HELD)


def _try_commands(store: Path, whole: Path, said: Path) -> None:
    """Run each command in this process, which ends here: 0, or as it failed."""
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    forget_peak()
    before_bytes = peak_bytes()
    code = 0
    try:
        for words in _commands(whole):
            print("$", *words, flush=True)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_S)
            sys.argv = ["bench", *words, "--store", str(store)]
            try:
                main()
            except SystemExit:
                sys.stdout.flush()
        print("$ a scrape", flush=True)
        signal.alarm(LIMIT_S)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(StoreCollector(store, simulated=True))
        generate_latest(registry)
    except BaseException:  # noqa: BLE001 - whatever it is, it is what is looked for
        traceback.print_exc()
        code = 70
    grown_bytes = peak_bytes() - before_bytes
    if grown_bytes > MEMORY_LIMIT_BYTES and not code:
        print(f"{grown_bytes >> 20} MB more")
        code = 71
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _commands(whole: Path) -> tuple[tuple[str, ...], ...]:
    with closing(sqlite3.connect(whole)) as db:
        ((run, push),) = db.execute("SELECT id, push FROM runs ORDER BY id LIMIT 1").fetchall()
    return (
        ("history",),
        ("history", "--board", "left"),
        ("show", "last"),
        ("show", run, "--json", "-"),
        ("show", push),
        ("compare", "last", run),
        ("tag",),
        ("nights",),
        ("history", "--plot", "p50"),
        ("store", "check"),
        ("export",),
        ("export", "--raw", run),
        ("baseline", "list"),
        ("baseline", "accept", "last"),
    )


def _some_column(db: sqlite3.Connection, chance: random.Random) -> tuple[str, str]:
    names = db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    table = chance.choice(sorted(row[0] for row in names))
    return table, chance.choice([row[1] for row in db.execute(f"PRAGMA table_info({table})")])


def _change_part(document: Any, chance: random.Random) -> str:
    """Change a part of `document`, at any depth; returns what was done."""
    name, place = "", document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = chance.choice(keys)
        name = f"{name}.{key}"
        inner = place[key]
        if not (isinstance(inner, (dict, list)) and inner) or chance.random() < 0.2:
            break
        place = inner
    kind = chance.choice(("changed", "changed", "changed", "removed", "doubled"))
    if kind == "removed":
        del place[key]
    elif kind == "doubled" and isinstance(place, list):
        place += [inner] * 1000
    else:
        place[key] = chance.choice(PARTS)
    return f"{name} {kind}"


def make_store(folder: Path) -> Path:
    """Make a store with nights, their runs, gates and baselines, and a noise floor, as a user does."""
    # Where a store is only damaged, no night is run: the lab is costly to import.
    from night_lab import DEMO, MODELS, NightLab

    lab = NightLab(folder)
    for words in (
        ("nightly", lab.suite),
        ("baseline", "accept", "last"),
        ("nightly", lab.suite),
        ("push", DEMO / f"{MODELS[1]}.rknn", "--board", "left", "--quick", "--noise-floor"),
    ):
        done = lab.run(*words)
        # The first night has no baseline to hold its gates against, which it says by exit code 1.
        if done.returncode not in (0, 1, 3) or not lab.store.exists():
            raise RuntimeError(f"{words}: {done.stderr}")
    with closing(sqlite3.connect(lab.store)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    return lab.store


def run(count: int, first: int = 0) -> int:
    """Try `count` seeds and print what was found; returns an exit code."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="rkbench-stores-") as name:
        folder = Path(name)
        (folder / "lab").mkdir()
        os.environ["XDG_DATA_HOME"] = os.environ["XDG_CACHE_HOME"] = str(folder / "home")
        store = make_store(folder / "lab")
        counts: Counter[tuple[str, str]] = Counter()
        for seed in range(first, first + count):
            tried = try_damage(store, seed, folder)
            counts[tried.damage.partition(":")[0], tried.outcome] += 1
            if tried.outcome != HELD:
                print(f"{tried.outcome}: seed {seed}: {tried.damage}: {tried.detail}\n", flush=True)
    for (kind, outcome), number in sorted(counts.items()):
        print(f"{kind}: {number} {outcome}")
    return int(any(outcome != HELD for _, outcome in counts))


if __name__ == "__main__":
    sys.exit(run(*map(int, sys.argv[1:] or [COUNT])))
