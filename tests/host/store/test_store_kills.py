"""Two hosts write one PostgreSQL store through `kill -9` of either and of the server: all of it is there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_runs import collected, make_run
from postgres_server import PostgresServer
from rkbench.store import open_store
from rkbench.store.spooling import Spool
from store_writer import item

TESTS = Path(__file__).parents[2]
#: In full by `make kills`; a few in every run of the tests.
KILLS = 20 if os.environ.get("RKBENCH_KILLS") else 3
SEEDS = range(5) if os.environ.get("RKBENCH_KILLS") else range(1)
LIMIT_S = 60.0


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that keeps what it says it has: with fsync."""
    running = PostgresServer(durable=True)
    yield running
    running.close()


class Host:
    """A process that writes, and is started anew where it was killed."""

    def __init__(self, name: str, address: str, folder: Path) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self._command = [sys.executable, str(TESTS / "store_writer.py"), address, name, str(self.folder)]
        self._environment = {
            **os.environ,
            "XDG_DATA_HOME": str(self.folder),
            "PYTHONPATH": f"{TESTS}:{TESTS / 'host'}",
        }
        self.start()

    def start(self) -> None:
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=said, stderr=said)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def taken(self) -> list[str]:
        file = self.folder / "taken"
        return file.read_text().split() if file.exists() else []

    def wait_for_more(self, count: int) -> None:
        """Wait until the store, or this computer in its stead, took so many more runs of it."""
        wanted = len(self.taken()) + count
        limit_s = time.monotonic() + LIMIT_S
        while len(self.taken()) < wanted:
            assert self.process.poll() is None, (self.folder / "said").read_text()
            assert time.monotonic() < limit_s, (self.folder / "said").read_text()
            time.sleep(0.01)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_doubled_or_torn(server: PostgresServer, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    address = server.url(server.database())
    open_store(address).close()
    hosts = [Host(name, address, tmp_path) for name in ("a", "b")]
    try:
        for number in range(KILLS):
            for host in hosts:
                host.wait_for_more(chance.randrange(1, 12))
            time.sleep(chance.random() * 0.05)  # anywhere in a transaction; not waited for, but chosen
            if number % 3 == 2:
                server.kill()
                time.sleep(chance.random() * 0.5)  # what is measured meanwhile lies on the hosts
                server.start()
            else:
                victim = chance.choice(hosts)
                victim.kill()
                victim.start()
    finally:
        for host in hosts:
            host.kill()
    _take_in_what_waits(address, hosts)
    _check(address, [run_id for host in hosts for run_id in host.taken()])


def _take_in_what_waits(address: str, hosts: list[Host]) -> None:
    for host in hosts:
        spool = Spool(address, host.folder / "rkbench")
        with open_store(address) as store:
            store.save(collected(make_run(1, push=f"end{host.folder.name}")))
            spool.take_in(store)
        assert not spool.is_waiting()


def _check(address: str, taken: list[str]) -> None:
    with open_store(address) as store:
        assert store.faults() == []
        stored = [run.run_id for run in store.stored(after=0, limit=1_000_000)]
        assert len(stored) == len(set(stored))
        assert set(taken) - set(stored) == set()
        assert len(taken) > 10 * KILLS
        ours = [run_id for run_id in stored if not run_id.startswith("end")]
        assert len(store.history()) == len(stored)
        for run_id in ours:  # those, too, that were in before anybody was told
            push, _, number = run_id.rpartition("-")
            expected = item(push, int(number))
            assert store.run(run_id) == expected.run
            assert store.latencies(run_id) == expected.latencies
            assert store.readings(run_id) == list(expected.readings)
        of_nights = {run for name in store.nights() for run in _runs_of(store.night(name))}
        assert {row.run for row in store.history() if row.night} == of_nights
        assert of_nights == {run_id for run_id in ours if not run_id.endswith("-06")}


def _runs_of(night: object) -> list[str]:
    return [run for cell in night.cells for run in cell.runs]  # type: ignore[attr-defined]  # a Night
