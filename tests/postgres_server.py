"""A real PostgreSQL of the tests: Debian's programs, a data folder of its own, a socket and a port."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ports import free_port

#: A computer that is busy starts it slowly.
START_LIMIT_S = 60.0
OWNER, WRITER, READER = "rkbench_owner", "rkbench_writer", "rkbench_reader"
PASSWORDS = {OWNER: "o-pass-word", WRITER: "w-pass-word", READER: "r-pass-word"}
ROLES = Path(__file__).parents[1] / "deploy" / "postgresql" / "roles.sql"


def programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs; skips the test where none is installed."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True
    )
    if not found:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return found[0].parent


class PostgresServer:
    """A server that is started, stopped, killed and held; passwords are asked of all but its superuser.

    PostgreSQL does not run as root, so that there it runs as nobody.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="rkbench-pg-", dir="/tmp"))
        self.port = free_port()
        self._as_nobody = os.getuid() == 0
        if self._as_nobody:
            shutil.chown(self.folder, "nobody", "nogroup")
        self.data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        words = ["--auth-local=trust", "--auth-host=scram-sha-256", "-U", "postgres", "--no-sync"]
        self._run("initdb", "-D", str(self.data), "-E", "UTF8", "--locale=C.UTF-8", *words)
        sync = "on" if durable else "off"
        settings = (
            f"port = {self.port}",
            f"unix_socket_directories = '{self.folder}'",
            "listen_addresses = '127.0.0.1'",
            "shared_buffers = 32MB",
            f"fsync = {sync}",
            f"full_page_writes = {sync}",
            "autovacuum = off" if not durable else "autovacuum = on",
            "max_connections = 60",
        )
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(settings) + "\n")
        self.start()

    def secure(self, certificate: Path, key: Path) -> None:
        """Start it again with TLS, and let nobody in without it but by the socket."""
        self.stop()
        for path, name in ((certificate, "server.crt"), (key, "server.key")):
            copied = Path(shutil.copy(path, self.data / name))
            copied.chmod(0o600)
            if self._as_nobody:
                shutil.chown(copied, "nobody", "nogroup")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("ssl = on\n")
        access = self.data / "pg_hba.conf"
        access.write_text(re.sub(r"^host\b", "hostssl", access.read_text(), flags=re.MULTILINE))
        self.start()

    def _command(self, program: str, *words: str) -> list[str]:
        prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if self._as_nobody else []
        return [*prefix, str(self.programs / program), *words]

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            self._command(program, *words), check=False, capture_output=True, cwd="/", text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self.data)), stdout=log, stderr=log, cwd="/"
            )
        limit_s = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.admin("SELECT 1")
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None and time.monotonic() < limit_s, self.log()
                time.sleep(0.05)

    def log(self) -> str:
        """Return what it logged."""
        return (self.folder / "log").read_text("utf-8", "replace")

    def stop(self) -> None:
        """Stop it at once, in order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it; its children end by themselves, and what it left is put right when it starts."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        children = self._children()
        self._process.send_signal(number)
        self._process.wait()
        self._process = None
        limit_s = time.monotonic() + START_LIMIT_S
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            assert time.monotonic() < limit_s, "a child of PostgreSQL stays"
            time.sleep(0.02)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def hold(self) -> None:
        """Let it and all its children stand still: its sockets stay open, and it says nothing."""
        assert self._process is not None
        for pid in (self._process.pid, *self._children()):
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        assert self._process is not None
        for pid in (*self._children(), self._process.pid):
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop it, and remove what it left."""
        with contextlib.suppress(OSError, AssertionError):
            self.go_on()
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def admin(self, *statements: str, database: str = "postgres") -> list[Any]:
        """Say something as its superuser, and return the rows of the last statement."""
        rows: list[Any] = []
        with psycopg.connect(
            host=str(self.folder), port=self.port, user="postgres", dbname=database, autocommit=True
        ) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows

    def tablespace(self, folder: Path) -> str:
        """Make the folder one, and return its name."""
        if self._as_nobody:
            shutil.chown(folder, "nobody", "nogroup")
        for parent in folder.parents:  # pytest keeps its folders from others
            if self._as_nobody and parent.is_relative_to(Path(tempfile.gettempdir())):
                parent.chmod(parent.stat().st_mode | 0o011)
        self.admin(f"CREATE TABLESPACE small LOCATION '{folder}'")
        return "small"

    def fill(self, statement: str, database: str) -> None:
        """Say something again and again, until the disk is full."""
        try:
            for _ in range(10_000):
                self.admin(statement, database=database)
        except psycopg.errors.DiskFull:
            return
        raise AssertionError("the disk has room for more")

    def database(self, *, roles: bool = False, options: str = "") -> str:
        """Return the name of a new, empty database; with `roles` one of ours, as deploy/ makes it."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE template0 {options}')
        if roles:
            self._make_roles(name)
        return name

    def _make_roles(self, database: str) -> None:
        words = ["-h", str(self.folder), "-p", str(self.port), "-U", "postgres", "-d", database]
        done = subprocess.run(
            ["psql", *words, "-v", "ON_ERROR_STOP=1", "-q", "-f", str(ROLES)],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        self.admin(*(f"ALTER ROLE {role} PASSWORD '{word}'" for role, word in PASSWORDS.items()))

    def url(self, database: str, role: str = "postgres", options: Sequence[str] = ()) -> str:
        """Return the address of a store in it; its superuser comes by the socket."""
        if role == "postgres":
            words = [f"host={self.folder}", f"port={self.port}", *options]
            return f"postgresql+psycopg://postgres@/{database}?{'&'.join(words)}"
        return f"postgresql+psycopg://{role}@127.0.0.1:{self.port}/{database}" + (
            f"?{'&'.join(options)}" if options else ""
        )
