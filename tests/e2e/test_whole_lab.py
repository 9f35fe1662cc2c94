"""A lab from end to end: labgrid, PostgreSQL, Prometheus, a red night, a comment; and docs/lab.md typed."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from bench_command import run_bench
from farm import Prometheus, Serve, poll
from labgrid_lab import LabgridLab
from merge_request_server import MergeRequestServer
from night_lab import DEMO
from past_nights import add_nights
from ports import free_port
from postgres_server import PostgresServer
from rkbench.nightly.begin import Terms
from rkbench.nightly.run import run_suite
from rkbench.results.night import CellBegun, Night, NightEvent
from rkbench.store import open_store
from sshd import Sshd

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/lab.md"
MODEL = DEMO / "digits.regrouped.int8.rknn"
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("prometheus")]


@pytest.fixture
def database() -> Iterator[str]:
    """The address of an empty database of a real PostgreSQL."""
    server = PostgresServer()
    yield server.url(server.database())
    server.close()


@pytest.fixture
def place(tmp_path: Path, patient_sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabgridLab]:
    """A labgrid lab whose place `shelf7` is a server of this computer with the virtual runtime."""
    pytest.importorskip("labgrid", reason="labgrid is not installed: pip install 'rkbench[labgrid]'")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    keys = (
        f'identity_files = ["{patient_sshd.client_key}"]\npython = "{sys.executable}"\nruntime = "virtual"\n'
    )
    keys += f'port = {patient_sshd.port}\nuser = "{patient_sshd.board.user}"\n'
    (tmp_path / "bench.toml").write_text(f'[boards.shelf7]\nhost = "127.0.0.1"\n{keys}')
    shutil.copy(patient_sshd.folder / "known_hosts", tmp_path / "bench.known_hosts")
    with LabgridLab(tmp_path / "labgrid", {"shelf7": {"soc": "rk3588"}}) as lab:
        monkeypatch.setenv("LG_COORDINATOR", lab.address)
        service = {"address": "127.0.0.1", "username": patient_sshd.board.user, "port": patient_sshd.port}
        lab.export({"shelf7": {"NetworkService": service}})
        yield lab


def test_a_night_by_a_place_is_stored_scraped_red_and_told(
    place: LabgridLab, database: str, tmp_path: Path
) -> None:
    """The nights before were a tenth faster: labgrid, PostgreSQL, Prometheus and a merge request say so."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'name = "lab"\nboards = ["labgrid:soc=rk3588"]\ngates = ["p50 history"]\n'
        f'[plans.default]\niterations = 100\nduration = 0\n[[models]]\nfiles = ["{MODEL}"]\n'
    )
    night = ("nightly", suite, "--inventory", tmp_path / "bench.toml", "--comment")
    with MergeRequestServer() as server:
        environment = {**os.environ, **server.gitlab(), "RKBENCH_STORE": database}
        first = run_bench(*night, environment=environment)
        assert (first.returncode, server.comments) == (0, {}), first.stdout + first.stderr
        with open_store(database) as store:
            like = store.night(*store.nights())
            assert like is not None
            source = random.Random(1)
            add_nights(store, like, 20, lambda *_: source.gauss(0.9, 0.003))
        red = run_bench(*night, environment=environment)
    assert red.returncode == 3, red.stdout + red.stderr
    (body,) = server.comments.values()
    assert "on labgrid:shelf7 (simulated): p50 history: regression: +" in body
    assert (server.wrong, place.owner("shelf7")) == ([], "")
    port = free_port()
    farm = SimpleNamespace(folder=tmp_path, store=database, inventory=tmp_path / "bench.toml")
    serve = Serve(farm, port)
    try:
        prometheus = Prometheus(tmp_path, port)
        try:
            gate = 'rkbench_gate_state{suite="lab", board="labgrid:shelf7", state="fail"} == 1'
            (found,) = poll(lambda: prometheus.query(gate))
            assert (found["metric"]["gate"], found["metric"]["simulated"]) == ("p50 history", "true")
            latency = 'rkbench_latency_seconds{board="labgrid:shelf7", quantile="0.5"}'
            (measured,) = poll(lambda: prometheus.query(latency))
            with open_store(database) as store:
                (stored,) = store.history(limit=1)
            assert float(measured["value"][1]) == stored.measures["latency_p50_s"]
        finally:
            prometheus.close()
    finally:
        serve.close()


def test_an_exporter_that_goes_in_a_night_costs_the_next_and_not_this_one(
    place: LabgridLab, tmp_path: Path
) -> None:
    """A board that is connected to needs no exporter; the next night is told what is missing."""
    suite, inventory = tmp_path / "suite.toml", tmp_path / "bench.toml"
    suite.write_text(
        'name = "lab"\nboards = ["labgrid:shelf7"]\ngates = ["size <= 10MB"]\n'
        f'[plans.default]\niterations = 100\nduration = 0\n[[models]]\nfiles = ["{MODEL}"]\n'
    )

    def run(hear: Callable[[NightEvent], None]) -> Night:
        return run_suite(
            suite, hear, Terms(retry_pause_s=0.0), store=str(tmp_path / "s"), inventory=inventory
        )

    night = run(lambda event: place.stop_exporter() if isinstance(event, CellBegun) else None)
    assert [cell.fault for cell in night.cells] == [None]
    assert night.exit_code == 0
    place.await_free("shelf7")
    later = run(lambda _: None)
    (fault,) = [board.fault for board in later.boards]
    assert fault is not None
    assert "has no address: a NetworkService is not " in fault.message
    assert fault.hint.startswith("is its exporter running? labgrid-client -p shelf7 show")
    assert later.exit_code == 1
    place.await_free("shelf7")


def steps() -> list[list[str]]:
    """Return the commands of each step of docs/lab.md."""
    return [block.splitlines() for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL)]


def test_no_step_of_the_page_has_more_than_five_commands() -> None:
    assert [len(step) <= 5 for step in steps()] == [True] * 6


def test_the_page_of_a_lab_is_typed(place: LabgridLab, database: str, tmp_path: Path) -> None:
    """Boards are virtual, and what serves for ever or installs is left to the tests that have it."""
    shutil.copytree(DEMO, tmp_path / "models")
    (tmp_path / "suite.toml").write_text(re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[0])
    stand_ins = {
        **dict.fromkeys(("root@192.168.1.20", "root@192.168.1.21"), "virtual"),
        "lab.example:20408": place.address,
        **{
            f"postgresql+psycopg://rkbench_{role}@db.lab/rkbench?sslmode=verify-full": database
            for role in ("owner", "writer")
        },
    }
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / ".local/share")}
    typed = 0
    lines = [line for step in steps() for line in step]
    for written_line, next_line in zip(lines, [*lines[1:], ""], strict=True):
        line = written_line
        for written, here in stand_ins.items():
            line = line.replace(written, here)
        words = shlex.split(line.replace("~", str(tmp_path)))
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            environment[name] = value
        elif words[0] == "bench" and words[1] != "serve" and "install-exporter" not in words:
            words = [environment["RKBENCH_STORE"] if word == "$RKBENCH_STORE" else word for word in words[1:]]
            done = run_bench(*words, environment=environment, folder=tmp_path)
            # The first night of a board has nothing to be held against yet.
            assert done.returncode == int(next_line.startswith("bench baseline")), (
                f"{line}\n{done.stdout}{done.stderr}"
            )
            typed += 1
    assert typed == 17
