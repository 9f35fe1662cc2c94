"""`bench nightly` end to end on virtual boards: nights that are green, red, cut short, and killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fake_boards import FakeSession
from night_lab import BOARDS, DEMO, GATES, MODELS, NightLab
from other_thread import signal_another_thread
from relay import Relay
from rkbench.boards.model import Board
from rkbench.boards.ssh.connection import CONNECT_TIMEOUT_S
from rkbench.nightly.lock import run_lock
from rkbench_agent.wire.messages import Message
from rkbench_agent.wire.plan import Plan
from sshd import Sshd

#: Past the login, within the agent: a bit of each such part of what goes up is flipped.
FLIP_EVERY_BYTES = 20_000
CELLS = len(MODELS) * len(BOARDS)


@pytest.fixture
def lab(tmp_path: Path) -> NightLab:
    return NightLab(tmp_path)


def failures(lab: NightLab) -> dict[str, str]:
    """Return the failed test cases of the JUnit file, board and gate against what they say."""
    suite = ElementTree.parse(lab.folder / "night.xml").getroot()[0]
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.attrib["tests"]) == CELLS * len(GATES)
    found = {}
    for case in cases:
        for element in case.findall("failure"):
            found[f"{case.attrib['classname']} {case.attrib['name']}"] = element.attrib["message"]
    assert len(found) == int(suite.attrib["failures"])
    return found


def test_a_baseline_a_green_night_and_a_red_one_that_names_both_regressions(lab: NightLab) -> None:
    done, night = lab.night()
    assert done.returncode == 1, done.stderr
    assert "no baseline yet: bench baseline accept last" in done.stdout
    accepted = lab.run("baseline", "accept", "last", "--note", "first night")
    assert accepted.returncode == 0, accepted.stderr
    assert accepted.stdout.count("\n") == CELLS
    listed = lab.run("baseline", "list").stdout
    assert listed.count(" default ") == CELLS

    for number, board in enumerate(BOARDS):
        lab.behave(board, seed=10 + number)
    done, night = lab.night()
    assert done.returncode == 0, done.stdout
    assert night["headline"] == "GREEN: lab, all 20 gates kept (simulated by virtual boards)"
    assert failures(lab) == {}

    slow, wrong = {"seed": 20, "latency": {"factor": 1.1}}, {"seed": 21, "outputs": "wrong"}
    lab.behave("left", per_model={MODELS[0]: slow})
    lab.behave("right", per_model={MODELS[1]: wrong})
    done, night = lab.night()
    assert done.returncode == 3
    found = failures(lab)
    assert list(found) == [
        "lab.left.default digits.regrouped.fp16: p50 within 5%",
        "lab.right.default digits.regrouped.int8: cosine >= 0.999",
    ]
    markdown = (lab.folder / "night.md").read_text()
    crossed = markdown.split("### Gates crossed")[1].split("\n\n")[1].splitlines()
    assert len(crossed) == 2
    assert "digits.regrouped.fp16 on left (simulated): p50 within 5%: +9." in crossed[0]
    assert "; again +9." in crossed[0]
    assert crossed[0].endswith("source of the latency predicted → modelled")
    assert "digits.regrouped.int8 on right (simulated): cosine >= 0.999" in crossed[1].replace("\\", "")
    states = {gate["state"] for cell in night["cells"] for gate in cell["gates"]}
    assert states == {"pass", "fail"}
    slow_gate = night["cells"][0]["gates"][0]
    assert [len(slow_gate["measurements"]), slow_gate["detail"]] == [2, "measured twice"]
    assert len(night["cells"][0]["runs"]) == 2
    assert {run for cell in night["cells"] for run in cell["runs"]} <= {
        run for (run,) in lab.rows("SELECT id FROM runs")
    }


def test_labels_and_a_function_of_ones_own_are_gates_of_a_night(lab: NightLab) -> None:
    (lab.folder / "labels.txt").write_text("3\n" * 64)
    (lab.folder / "own.py").write_text("def count(outputs, labels):\n    return outputs['logits'].shape[0]\n")
    gates = ("top1 >= 0%", "top-5 accuracy >= 99%", "metric >= 64")
    suite = lab.suite.read_text().replace('"shelf"', '"left"').replace(f', "{DEMO}/{MODELS[1]}.rknn"', "")
    scored = f'labels = "labels.txt"\nmetric = "own.py:count"\ngates = {json.dumps(gates)}\n'
    lab.suite.write_text(suite.replace("iterations = 1000", "iterations = 1000\nloads = 6") + scored)
    done, night = lab.night()
    assert done.returncode == 3, done.stderr
    (cell,) = night["cells"]
    told = {gate["gate"]: gate["state"] for gate in cell["gates"][-3:]}
    assert told == {"top-1 accuracy >= 0%": "pass", "top-5 accuracy >= 99%": "fail", "metric >= 64": "pass"}


def test_a_host_that_is_killed_goes_on_where_it_was(lab: NightLab) -> None:
    process = lab.start("nightly", lab.suite)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("[1/4]")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    done = lab.run("nightly", lab.suite)
    assert done.returncode == 1, done.stderr
    assert "going on with night-" in done.stderr
    lab.assert_nothing_lost_or_doubled()
    assert lab.rows("SELECT count(*), count(ended_unix_s) FROM nights") == [(1, 1)]


def test_ctrl_c_does_not_wait_for_a_model_that_hangs(lab: NightLab) -> None:
    """The other board is done long before the limit of the one that hangs, also on a busy machine."""
    lab.behave("left", hang={"stage": "inference"})
    short = lab.suite.read_text().replace(', "p99 <= 12ms", "cosine >= 0.999", "load memory <= 80MB"', "")
    lab.suite.write_text(short.replace("iterations = 1000", "iterations = 1"))
    process = lab.start("nightly", lab.suite)
    assert process.stderr is not None
    assert [process.stderr.readline()[:5] for _ in MODELS] == ["[1/4]", "[2/4]"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    boards, whole = (
        lab.rows("SELECT document ->> '$.board' FROM cells"),
        lab.rows("SELECT document FROM cells"),
    )
    assert boards == [("right",)] * 2, whole
    lab.behave("left")
    assert lab.run("nightly", lab.suite, "--resume").returncode == 1
    lab.assert_nothing_lost_or_doubled(gates=2)


def test_ctrl_c_does_not_wait_for_boards_that_are_being_connected_to(lab: NightLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        nothing = Path(os.devnull)
        lab.reach("left", "ann", deaf.getsockname()[1], nothing, nothing)
        process = lab.start("nightly", lab.suite)
        silent, _ = deaf.accept()
        with silent:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=CONNECT_TIMEOUT_S - 1)
    assert (process.returncode, "stopping: what was measured is kept" in err) == (130, True), err
    assert "Traceback" not in err


def test_a_night_hears_a_signal_that_another_thread_has_taken_while_it_waits(lab: NightLab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        nothing = Path(os.devnull)
        lab.reach("left", "ann", deaf.getsockname()[1], nothing, nothing)
        lab.suite.write_text(lab.suite.read_text().replace('boards = ["shelf"]', 'boards = ["left"]'))
        process = lab.start("nightly", lab.suite)
        silent, _ = deaf.accept()
        with silent:
            signal_another_thread(process.pid, signal.SIGTERM)
            _, err = process.communicate(timeout=CONNECT_TIMEOUT_S - 1)
    assert (process.returncode, "stopping: what was measured is kept" in err) == (130, True), err


def test_a_board_behind_a_link_that_flips_bits_costs_the_others_nothing(
    lab: NightLab, start_sshd: Callable[..., Sshd]
) -> None:
    server = start_sshd()
    with Relay(server.port) as relay:
        server.trust("ed25519", relay.port)
        lab.reach("left", server.board.user, relay.port, server.client_key, server.folder / "known_hosts")
        relay.tell = lambda: relay.flip_after(FLIP_EVERY_BYTES)
        relay.tell()
        done, night = lab.night()
    assert done.returncode == 1
    measured = {cell["board"]: cell["fault"] for cell in night["cells"]}
    assert measured["right"] is None
    assert "connection" in measured["left"]["message"]
    assert "Traceback" not in done.stderr


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the boards be fakes: `bench` does all the rest."""
    monkeypatch.setattr("rkbench.session.Sessions.open", lambda _, board: FakeSession(board))


@pytest.mark.usefixtures("fakes")
def test_ctrl_c_ends_a_night_that_goes_on_later(lab: NightLab, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(FakeSession):
        """The second model of each board is interrupted, and goes on until its line is cut."""

        def __init__(self, board: Board) -> None:
            super().__init__(board)
            self._cut = threading.Event()

        def run(self, plan: Plan) -> Iterator[Message]:
            if len(self.plans) == 1:
                os.kill(os.getpid(), signal.SIGINT)
                assert self._cut.wait(60)
            yield from super().run(plan)

        def abort(self) -> None:
            self._cut.set()

    with monkeypatch.context() as patch:
        patch.setattr("rkbench.session.Sessions.open", lambda _, board: Interrupted(board))
        done = lab.run("nightly", lab.suite)
    assert done.returncode == 130, done.stderr
    assert "interrupted, " in done.stdout
    again = lab.run("nightly", lab.suite, "--resume")
    assert again.returncode == 1
    assert "going on with night-" in again.stderr
    lab.assert_nothing_lost_or_doubled()
    assert lab.run("nightly", lab.suite, "--resume").returncode == 2


@pytest.mark.usefixtures("fakes")
def test_a_second_nightly_is_told_who_runs_the_first(lab: NightLab) -> None:
    with run_lock(str(lab.store), "lab", "ann@desk (process 7)"):
        done = lab.run("nightly", lab.suite)
    assert done.returncode == 1
    assert "another nightly is running: lab of ann@desk (process 7), since 2" in done.stderr
    assert lab.run("nightly", lab.suite).returncode == 1
    assert len(lab.rows("SELECT id FROM nights")) == 1
