"""Places of a real labgrid coordinator: acquired, reached, cycled, and released whatever happens."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from bench_command import run_bench
from labgrid_lab import LabgridLab, PowerSwitch
from merge_request_server import MergeRequestServer
from night_lab import DEMO
from past_nights import add_nights
from rkbench.boards.labgrid import records
from rkbench.boards.labgrid.provider import LabgridBoards
from rkbench.boards.provider import open_boards
from rkbench.errors import BoardBusyError, ConnectError, NoBoardError
from rkbench.session import Sessions
from rkbench.store import open_store
from sshd import Sshd

pytest.importorskip("labgrid", reason="labgrid is not installed: pip install 'rkbench[labgrid]'")
#: Coordinator, exporter and keepers are interpreters that start, on a busy computer.
pytestmark = pytest.mark.timeout(400)

MODEL = DEMO / "digits.regrouped.int8.rknn"
#: A host that holds a place until it is killed.
HOLDER = """
import sys, time
from pathlib import Path
from rkbench.boards.labgrid.provider import LabgridBoards
with LabgridBoards(Path("bench.toml")).hold("labgrid:rock") as board:
    print(board.address, flush=True)
    time.sleep(600)
"""
#: One that holds the first free one of two places.
ANY_HOLDER = """
import time
from rkbench.boards.provider import open_boards
boards = open_boards()
with boards.first(boards.find("labgrid:shelf=2")):
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def power() -> Iterator[PowerSwitch]:
    with PowerSwitch() as switch:
        yield switch


@pytest.fixture
def lab(tmp_path: Path, power: PowerSwitch, monkeypatch: pytest.MonkeyPatch) -> Iterator[LabgridLab]:
    """Return a lab with the place `rock`, whose address is nobody's, and `bare`, which has nothing."""
    places = {"rock": {"soc": "rk3588", "shelf": "2"}, "bare": {"soc": "rk3568", "shelf": "2"}}
    with LabgridLab(tmp_path / "labgrid", places) as found:
        monkeypatch.setenv("LG_COORDINATOR", found.address)
        service = {"address": "127.0.0.1", "username": "ann", "port": 9}
        switch = {"model": "simplerest", "host": power.url, "index": 1}
        found.export({"rock": {"NetworkService": service, "NetworkPowerPort": switch}})
        yield found


def boards(tmp_path: Path, wait_s: float = 30.0) -> LabgridBoards:
    return LabgridBoards(tmp_path / "bench.toml", wait_s=wait_s)


def test_a_place_is_acquired_while_it_is_held_and_its_service_is_the_address(
    lab: LabgridLab, tmp_path: Path
) -> None:
    (found,) = open_boards(None).find("labgrid:rock")
    assert (found.name, found.soc, found.tags) == ("labgrid:rock", "rk3588", ("2", "rk3588"))
    assert lab.owner("rock") == ""
    with boards(tmp_path).hold("labgrid:rock") as board:
        assert board.address == "ann@127.0.0.1:9"
        assert ":rkbench-" in lab.owner("rock")
    assert lab.owner("rock") == ""
    assert list(records.folder().iterdir()) == []


def test_tags_name_every_place_that_has_them(lab: LabgridLab, tmp_path: Path) -> None:
    names = [
        [item.name for item in boards(tmp_path).find(word)]
        for word in ("labgrid:shelf=2", "labgrid:soc=rk3568,shelf=2")
    ]
    assert names == [["labgrid:bare", "labgrid:rock"], ["labgrid:bare"]]
    with pytest.raises(NoBoardError, match=r"labgrid has no place with soc=rk3568,shelf=9") as refused:
        boards(tmp_path).find("labgrid:soc=rk3568,shelf=9")
    assert refused.value.hint == (
        "its places: bare, rock; to tag one: labgrid-client -p PLACE set-tags soc=rk3568 shelf=9"
    )


def test_a_place_that_is_not_there_is_refused_with_how_to_make_it(lab: LabgridLab, tmp_path: Path) -> None:
    with pytest.raises(NoBoardError, match=r"labgrid has no place 'shelf7'") as refused:
        boards(tmp_path).find("labgrid:shelf7")
    assert refused.value.hint == "its places: bare, rock; to make it: labgrid-client -p shelf7 create"


def test_an_entry_of_the_inventory_says_what_labgrid_does_not(lab: LabgridLab, tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text('[boards.rock]\nhost = "x"\npython = "/opt/py"\nruntime = "capi"\n')
    with boards(tmp_path).hold("labgrid:rock") as board:
        assert (board.host, board.python, board.runtime) == ("127.0.0.1", "/opt/py", "capi")


def test_an_error_in_the_with_releases_the_place(lab: LabgridLab, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), boards(tmp_path).hold("labgrid:rock"):
        raise ZeroDivisionError
    assert lab.owner("rock") == ""


def test_a_place_that_somebody_has_is_waited_for_and_then_refused(
    lab: LabgridLab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab.client("-p", "rock", "acquire")
    with (
        pytest.raises(BoardBusyError, match="is acquired by desk/bob"),
        boards(tmp_path, 0.0).hold("labgrid:rock"),
    ):
        pass
    assert lab.owner("rock") == "desk/bob"
    free = threading.Timer(3.0, lab.client, ("-p", "rock", "release"))
    free.start()
    with boards(tmp_path).hold("labgrid:rock"):
        assert ":rkbench-" in lab.owner("rock")
    free.join()
    assert "labgrid's place rock is acquired by desk/bob; waiting for it" in caplog.text


def test_two_hosts_after_one_place_have_it_one_after_the_other(lab: LabgridLab, tmp_path: Path) -> None:
    held: list[str] = []

    def hold() -> None:
        with boards(tmp_path, 100.0).hold("labgrid:rock"):
            held.append(lab.owner("rock"))

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(held)) == 2
    assert lab.owner("rock") == ""


def test_who_waits_stands_in_the_queue_of_labgrid_and_says_where(
    lab: LabgridLab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each begins to wait once the one before it has said that it does."""
    lab.client("-p", "rock", "acquire")
    order: list[int] = []

    def hold(number: int) -> None:
        with boards(tmp_path, 200.0).hold("labgrid:rock"):
            order.append(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(3)]
    for number, thread in enumerate(threads):
        thread.start()
        await_text(caplog, f"waiting for it: {number + 1} of {number + 1} who wait")
    lab.client("-p", "rock", "release")
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]
    assert "reservation" not in lab.client("reservations").lower()


def test_a_place_that_is_kept_for_somebody_else_is_not_taken(
    lab: LabgridLab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = re.findall(r"token: (\w+)", lab.client("reserve", "name=rock"))[0]
    with (
        pytest.raises(BoardBusyError, match="is reserved by desk/bob"),
        boards(tmp_path, 0.0).hold("labgrid:rock"),
    ):
        pass
    owners: list[str] = []

    def hold() -> None:
        with boards(tmp_path, 200.0).hold("labgrid:rock"):
            owners.append(lab.owner("rock"))

    holder = threading.Thread(target=hold)
    holder.start()
    await_text(caplog, "labgrid's place rock is reserved by desk/bob; waiting for it: 1 of 1 who wait")
    lab.client("cancel-reservation", token)
    holder.join()
    assert ":rkbench-" in owners[0]


def test_of_the_places_with_a_tag_the_free_one_is_first_and_held_meanwhile(
    lab: LabgridLab, tmp_path: Path
) -> None:
    """The place whose name comes first is somebody's."""
    lab.client("-p", "bare", "acquire", "--allow-unmatched")
    found = boards(tmp_path)
    with found.first(found.find("labgrid:shelf=2")) as (one, other):
        owner = lab.owner("rock")
        assert (one.name, other.name) == ("labgrid:rock", "labgrid:bare")
        assert ":rkbench-" in owner
        for _ in range(2):
            with found.hold(one.name) as board:
                assert (board.address, lab.owner("rock")) == ("ann@127.0.0.1:9", owner)
        assert lab.owner("rock") == owner
    assert (lab.owner("rock"), lab.owner("bare")) == ("", "desk/bob")
    assert "reservation" not in lab.client("reservations").lower()


def test_where_none_of_the_places_is_free_the_first_that_becomes_free_is_taken(
    lab: LabgridLab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for place in ("rock", "bare"):
        lab.client("-p", place, "acquire", "--allow-unmatched")
    found = boards(tmp_path, 0.0)
    held = "bare acquired by desk/bob, rock acquired by desk/bob"
    with (
        pytest.raises(BoardBusyError, match=f"of labgrid's places with shelf=2 none is free: {held}"),
        found.first(found.find("labgrid:shelf=2")),
    ):
        pass
    names: list[str] = []

    def hold() -> None:
        late = boards(tmp_path, 200.0)
        with late.first(late.find("labgrid:shelf=2")) as places:
            names.extend([places[0].name, lab.owner("rock")])

    holder = threading.Thread(target=hold)
    holder.start()
    told = f"labgrid's places with shelf=2: {held}; waiting for the first that is free: 1 of 1 who wait"
    await_text(caplog, told)
    lab.client("-p", "rock", "release")
    holder.join()
    assert names[0] == "labgrid:rock"
    assert ":rkbench-" in names[1]
    assert (lab.owner("rock"), lab.owner("bare")) == ("", "desk/bob")


def test_boards_that_are_named_one_by_one_stay_as_they_are(lab: LabgridLab, tmp_path: Path) -> None:
    found = boards(tmp_path)
    for asked in (found.find("labgrid:rock"), [*found.find("labgrid:rock"), *found.find("labgrid:bare")]):
        with found.first(asked) as told:
            assert list(told) == list(asked)
            assert lab.owner("rock") == ""


def await_text(caplog: pytest.LogCaptureFixture, text: str) -> None:
    deadline = time.monotonic() + 100
    while text not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.05)


def start_holder(tmp_path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ann@127.0.0.1:9\n"
    return holder


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_host_that_is_killed_leaves_no_place_acquired(lab: LabgridLab, tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    assert ":rkbench-" in lab.owner("rock")
    kill(holder)
    lab.await_free("rock")


def test_what_a_power_cut_left_is_released_at_the_next_start(lab: LabgridLab, tmp_path: Path) -> None:
    holder = start_holder(tmp_path)
    (record,) = records.folder().iterdir()
    os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)
    kill(holder)
    assert ":rkbench-" in lab.owner("rock")
    with pytest.raises(ConnectError, match="has no address"), boards(tmp_path).hold("labgrid:bare"):
        pass
    assert lab.owner("rock") == ""
    assert list(records.folder().iterdir()) == []


def test_what_somebody_else_has_since_is_never_released(lab: LabgridLab, tmp_path: Path) -> None:
    path = records.write(lab.address, "rock", "desk/ann:rkbench-1")
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another"}))
    lab.client("-p", "rock", "acquire")
    with pytest.raises(BoardBusyError), boards(tmp_path, 0.0).hold("labgrid:rock"):
        pass
    assert (lab.owner("rock"), path.exists()) == ("desk/bob", False)


def test_a_coordinator_that_is_gone_meanwhile_has_the_place_again_when_it_is_back(
    lab: LabgridLab, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with boards(tmp_path).hold("labgrid:rock"):
        lab.stop_coordinator()
        lab.start_coordinator()
        deadline = time.monotonic() + 60
        while "is ours again" not in caplog.text:
            assert time.monotonic() < deadline, caplog.text
            time.sleep(0.1)
        assert ":rkbench-" in lab.owner("rock")
    assert "is gone: rock is used on" in caplog.text
    lab.await_free("rock")


def test_a_place_without_its_exporter_has_no_address(lab: LabgridLab, tmp_path: Path) -> None:
    lab.stop_exporter()
    with pytest.raises(ConnectError), boards(tmp_path).hold("labgrid:rock"):
        pass
    lab.await_free("rock")


def test_a_coordinator_that_is_down_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One whose port is refused is not waited for: the refusal may come before the wait begins.
    monkeypatch.setattr("rkbench.boards.labgrid.coordinator.ANSWER_LIMIT_S", 3600.0)
    monkeypatch.setenv("LG_COORDINATOR", "127.0.0.1:9")
    with pytest.raises(ConnectError, match=r"labgrid's coordinator 127\.0\.0\.1:9 does not answer"):
        boards(tmp_path).find("labgrid:rock")


def test_a_coordinator_that_says_nothing_is_said_to_be_waited_for_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("rkbench.boards.labgrid.coordinator.ANSWER_LIMIT_S", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        monkeypatch.setenv("LG_COORDINATOR", address)
        with pytest.raises(ConnectError, match=f"labgrid's coordinator {address} does not answer"):
            boards(tmp_path).find("labgrid:rock")
    assert f"labgrid's coordinator {address} has not answered yet; waiting for it up to 30 s" in caplog.text


def test_a_board_that_does_not_answer_is_cycled_once(
    lab: LabgridLab,
    tmp_path: Path,
    power: PowerSwitch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("rkbench.boards.power.BOOT_LIMIT_S", 0.0)
    found = boards(tmp_path)
    with Sessions(found.hold) as sessions:
        for _ in range(2):
            with pytest.raises(ConnectError):
                sessions.open(found.find("labgrid:rock")[0])
    assert power.said == ["0", "1"]
    assert caplog.text.count("does not answer: its power is cycled, once") == 1


@pytest.fixture
def inventory(lab: LabgridLab, tmp_path: Path, patient_sshd: Sshd) -> Path:
    """Let `rock` be a server of this computer with the virtual runtime."""
    lab.stop_exporter()
    service = {"address": "127.0.0.1", "username": patient_sshd.board.user, "port": patient_sshd.port}
    lab.export({"rock": {"NetworkService": service}})
    found = tmp_path / "bench.toml"
    keys = f'identity_files = ["{patient_sshd.client_key}"]\npython = "{sys.executable}"\n'
    found.write_text(f'[boards.rock]\nhost = "x"\n{keys}runtime = "virtual"\n')
    found.with_name("bench.known_hosts").write_bytes((patient_sshd.folder / "known_hosts").read_bytes())
    return found


def test_a_place_is_checked_and_released(lab: LabgridLab, inventory: Path) -> None:
    done = run_bench("boards", "check", "labgrid:rock", "--inventory", inventory)
    assert "labgrid:rock" in done.stdout, done.stderr
    assert lab.owner("rock") == ""


def test_a_place_behind_an_isolating_exporter_is_reached_through_it(
    lab: LabgridLab, inventory: Path, patient_sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exporter names its own host as the way; ssh_config knows how that is reached."""
    lab.stop_exporter()
    service = {"address": "127.0.0.1", "username": patient_sshd.board.user, "port": patient_sshd.port}
    lab.export({"rock": {"NetworkService": service}}, "--isolated")
    with boards(tmp_path).hold("labgrid:rock") as board:
        gate = board.proxy_jump
    assert gate == socket.getfqdn()
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    keys = f"  IdentityFile {patient_sshd.client_key}\n  User {patient_sshd.board.user}\n"
    told = f"Host {gate}\n  HostName 127.0.0.1\n  Port {patient_sshd.port}\n{keys}"
    (tmp_path / ".ssh/config").write_text(told)
    done = run_bench("boards", "check", "labgrid:rock", "--inventory", inventory)
    assert "labgrid:rock" in done.stdout, done.stderr
    log = (patient_sshd.folder / "log").read_text()
    assert "direct-tcpip" in log or log.count("Accepted publickey") >= 2
    assert lab.owner("rock") == ""


def test_a_push_to_any_place_of_a_tag_runs_on_the_free_one(
    lab: LabgridLab, inventory: Path, tmp_path: Path
) -> None:
    lab.client("-p", "bare", "acquire", "--allow-unmatched")
    places = ("--board", "labgrid:shelf=2", "--any", "--inventory", inventory)
    run = ("--iterations", "20", "--duration", "0", "--json", tmp_path / "push.json")
    done = run_bench("push", MODEL, *places, "--store", tmp_path / "results.sqlite", *run)
    assert done.returncode == 0, done.stderr
    (made,) = json.loads((tmp_path / "push.json").read_text())["runs"]
    assert made["board"]["name"] == "labgrid:rock"
    assert "trying the next board" not in done.stderr
    assert (lab.owner("rock"), lab.owner("bare")) == ("", "desk/bob")


def test_a_push_waits_for_a_place_as_long_as_it_is_told(
    lab: LabgridLab, inventory: Path, tmp_path: Path
) -> None:
    lab.client("-p", "rock", "acquire")
    places = ("--inventory", inventory, "--store", tmp_path / "results.sqlite")
    done = run_bench("push", MODEL, "--board", "labgrid:rock", "--wait", "1", *places)
    assert done.returncode == 1
    assert "bench: labgrid's place 'rock' is acquired by desk/bob" in done.stderr


def test_a_night_waits_for_a_place_as_long_as_its_suite_says(
    lab: LabgridLab, inventory: Path, tmp_path: Path
) -> None:
    lab.client("-p", "rock", "acquire")
    suite = tmp_path / "suite.toml"
    suite.write_text(
        'name = "lab"\nboards = ["labgrid:rock"]\ngates = ["size <= 10MB"]\n'
        f'[plans.default]\nwait = 1\n[[models]]\nfiles = ["{MODEL}"]\n'
    )
    done = run_bench("nightly", suite, "--store", tmp_path / "results.sqlite", "--inventory", inventory)
    assert done.returncode == 1
    assert "takes no part: labgrid's place 'rock' is acquired by desk/bob" in done.stderr


def test_a_push_that_no_board_can_run_waits_for_none(
    lab: LabgridLab, inventory: Path, tmp_path: Path
) -> None:
    for place in ("rock", "bare"):
        lab.client("-p", place, "acquire", "--allow-unmatched")
    (tmp_path / "no.rknn").write_bytes(b"no model")
    places = ("--board", "labgrid:shelf=2", "--any", "--inventory", inventory)
    done = run_bench("push", tmp_path / "no.rknn", *places, "--store", tmp_path / "results.sqlite")
    assert done.returncode != 0
    assert "no.rknn" in done.stderr
    assert "waiting for" not in done.stderr


def test_a_night_by_a_place_is_red_for_a_step_and_tells_its_merge_request(
    lab: LabgridLab, inventory: Path, tmp_path: Path
) -> None:
    """The nights before were a tenth faster."""
    suite, store = tmp_path / "suite.toml", tmp_path / "results.sqlite"
    suite.write_text(
        'name = "lab"\nboards = ["labgrid:soc=rk3588"]\ngates = ["p50 history"]\n'
        f'[plans.default]\niterations = 100\nduration = 0\n[[models]]\nfiles = ["{MODEL}"]\n'
    )
    night = ("nightly", suite, "--store", store, "--inventory", inventory, "--comment")
    with MergeRequestServer() as server:
        environment = {**os.environ, **server.github()}
        done = run_bench(*night, environment=environment)
        assert (done.returncode, server.comments) == (0, {}), done.stderr
        with open_store(store) as opened:
            like = opened.night(*opened.nights())
            assert like is not None
            source = random.Random(1)
            add_nights(opened, like, 20, lambda *_: source.gauss(0.9, 0.003))
        done = run_bench(*night, environment=environment)
    assert done.returncode == 3, done.stdout + done.stderr
    (body,) = server.comments.values()
    assert "on labgrid:rock (simulated): p50 history: regression: +" in body
    assert (server.wrong, lab.owner("rock")) == ([], "")


#: `make kills` has 20 moments: 10 while a host starts, asks or holds, 5 while it waits its turn, and 5
#: when its turn has come and the place is not acquired yet.
MOMENTS = (10, 5, 5) if os.environ.get("RKBENCH_KILLS") else (2, 1, 1)


@pytest.mark.timeout(1200)
def test_a_host_killed_at_any_moment_leaves_no_place_acquired(lab: LabgridLab, tmp_path: Path) -> None:
    """While it starts, asks, holds."""
    source = random.Random(3588)
    for _ in range(MOMENTS[0]):
        holder = start_waiting(tmp_path)
        time.sleep(source.uniform(0.0, 3.0))
        holder.kill()
        holder.wait()
        lab.await_free("rock")
    with boards(tmp_path).hold("labgrid:rock"):
        assert ":rkbench-" in lab.owner("rock")
    lab.await_free("rock")


@pytest.mark.timeout(1200)
def test_a_host_killed_while_it_waits_its_turn_leaves_neither_place_nor_reservation(
    lab: LabgridLab, tmp_path: Path
) -> None:
    source = random.Random(3588)
    for number in range(MOMENTS[1]):
        for place in ("rock", "bare"):
            lab.client("-p", place, "acquire", "--allow-unmatched")
        holder = start_waiting(tmp_path, (HOLDER, ANY_HOLDER)[number % 2])
        lab.await_reservations(1)
        time.sleep(source.uniform(0.0, 1.0))
        holder.kill()
        holder.wait()
        for place in ("rock", "bare"):
            lab.release(place, "desk/bob")
        lab.await_reservations(0)
        lab.await_free("rock")
        lab.await_free("bare")
    assert list(records.folder().glob("*")) == []


@pytest.mark.timeout(1200)
def test_a_host_killed_when_its_turn_has_come_leaves_no_place_acquired(
    lab: LabgridLab, tmp_path: Path
) -> None:
    """The keeper is stopped meanwhile, so that only the moment decides; now and then killed as well."""
    for number in range(MOMENTS[2]):
        lab.client("-p", "rock", "acquire")
        holder = start_waiting(tmp_path)
        lab.await_reservations(1)
        (keeper,) = psutil.Process(holder.pid).children()
        keeper.suspend()
        lab.release("rock", "desk/bob")
        lab.await_reserved("rock")
        holder.kill()
        if number % 2:
            keeper.kill()
        keeper.resume()
        holder.wait()
        lab.await_free("rock")
        with boards(tmp_path, 200.0).hold("labgrid:rock"):
            assert ":rkbench-" in lab.owner("rock")
        lab.await_free("rock")
        lab.await_reservations(0)


def start_waiting(tmp_path: Path, program: str = HOLDER) -> subprocess.Popen[bytes]:
    """Start a host that wants a place, whenever it gets it."""
    null = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=null, stdin=null)
