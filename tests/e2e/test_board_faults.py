"""What boards get wrong: every fault of a real sshd's board yields its row of the catalogue, and the cure.

The board is a recorded tree behind a real OpenSSH server. RKNNLite is the agent tests' stand-in, which
prints what librknnrt was seen to print; crashes, hangs and the kernel's words are the virtual runtime's.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rkbench.boards.model import Board
from rkbench.boards.virtual.board import VirtualBoard
from rkbench.boards.virtual.trees import copy_tree
from rkbench.campaign import Outcome, PushOptions, run_campaign
from rkbench.campaign.check import check_board
from rkbench.campaign.settings import settings_of
from rkbench.catalogue import Diagnosis
from rkbench.errors import ConnectionLostError, ModelError
from rkbench.results.events import Event, Measuring, Note
from rkbench.results.model import Failure, RunResult
from rkbench.session import Session, open_session
from rkbench.store import open_store
from rkbench.store.lookup import find_runs
from rkbench_agent.wire.plan import RunSettings
from rkbench_agent.wire.words import BEAT_INTERVAL_S, SILENCE_LIMIT_S
from sshd import Sshd

DEMO = Path(__file__).parents[2] / "host/rkbench/demo/data"
STANDIN = Path(__file__).parents[1] / "agent/standin"
MODEL = DEMO / "digits.regrouped.fp16.rknn"

StartBoard = Callable[..., Board]


@pytest.fixture
def start_board(start_sshd: Callable[..., Sshd], tmp_path: Path) -> StartBoard:
    """Start a board: `tree` gets the folder of its files, before it starts."""

    def start(
        soc: str = "rk3588",
        runtime: str = "lite",
        behaviour: dict[str, Any] | None = None,
        tree: Callable[[Path], object] = lambda root: None,
        **environment: str,
    ) -> Board:
        root = tmp_path / "tree"
        copy_tree(soc, root)
        tree(root)
        words = {"RKBENCH_SYS_ROOT": str(root), "PYTHONPATH": str(STANDIN), "STANDIN_SOC": soc}
        words["RKBENCH_SILENCE_LIMIT_S"] = f"{SILENCE_LIMIT_S}"  # the host has its usual one, too
        words["RKBENCH_BEAT_INTERVAL_S"] = f"{BEAT_INTERVAL_S}"
        if behaviour is not None:
            (tmp_path / "behaviour.json").write_text(json.dumps(behaviour))
            words["RKBENCH_VIRTUAL_BEHAVIOUR"] = str(tmp_path / "behaviour.json")
        words.update({name: f'"{value}"' for name, value in environment.items()})
        server: Sshd = start_sshd(environment=words)
        return replace(server.board, runtime=runtime, python=sys.executable)

    return start


def push(board: Board, folder: Path, *models: Path, notes: list[str] | None = None, **order: Any) -> Outcome:
    """Push models to a board; `notes` gets what the user is told meanwhile."""
    settings = settings_of({"iterations": 20, "duration": 0.0, "loads": 1, "quads": 1, **order})
    wishes = PushOptions(models or (MODEL,), settings, force=bool(order.get("force")))

    def listen(event: Event) -> None:
        if isinstance(event, Note) and notes is not None:
            notes.append(event.text)

    with open_store(folder / "results.sqlite") as store:
        return run_campaign(wishes, board, partial(open_session, board), store, listen)


def failure_of(outcome: Outcome) -> Failure:
    (run,) = outcome.runs
    assert run.failure is not None
    return run.failure


def first(failure: Failure) -> Diagnosis:
    """Return the diagnosis that the user reads first."""
    assert failure.diagnoses, failure
    return failure.diagnoses[0]


@pytest.mark.parametrize(
    ("line", "number", "reason", "advice"),
    [
        (
            "failed to open rknpu module, need to insmod rknpu dirver!",
            13,
            "missing",
            "groups render and video",
        ),
        ("Invalid RKNN model version 6", 1, "runtime_error", "librknnrt.so of the toolkit's version"),
        (
            "This rknn model is for RK3568, but current platform is RK3588",
            59,
            "runtime_error",
            "target_platform",
        ),
        (
            "parseRKNN: exportDataSize large then model size: 33760256 vs 1000000!",
            60,
            "runtime_error",
            "SHA-256",
        ),
        (
            "failed to allocate handle, ret: -1, errno: 12, errstr: Cannot allocate memory",
            21,
            "out_of_memory",
            "smaller model",
        ),
        ("failed to malloc npu memory!, size: 59187712, flags: 0x2", 24, "out_of_memory", "cma="),
        (
            "The core_mask is only supported by ['RK3588', 'RK3576'].",
            44,
            "runtime_error",
            "--cores auto",
        ),
        (
            "OSError: /usr/lib/librknnrt.so: invalid ELF header",
            52,
            "runtime_error",
            "file /usr/lib/librknnrt.so",
        ),
        (
            "!!! It is detected that some necessary files are missing in the container.",
            65,
            "runtime_error",
            "--runtime capi",
        ),
    ],
)
def test_a_refused_load_yields_its_row_of_the_catalogue(
    start_board: StartBoard, tmp_path: Path, line: str, number: int, reason: str, advice: str
) -> None:
    board = start_board(STANDIN_INIT="RKNN_ERR_FAIL", STANDIN_INIT_LINE=line)
    failure = failure_of(push(board, tmp_path))
    assert (failure.stage, failure.reason) == ("load", reason)
    assert first(failure).number == number
    assert line in first(failure).line
    assert advice in first(failure).advice


def test_a_submit_that_fails_is_a_failure_although_rknnlite_returns_outputs(
    start_board: StartBoard, tmp_path: Path
) -> None:
    failure = failure_of(push(start_board(STANDIN_FAIL_RUN="3"), tmp_path))
    assert (failure.stage, failure.reason) == ("first_inference", "runtime_error")
    assert first(failure).number == 34


def test_an_unsupported_op_that_aborts_is_named(start_board: StartBoard, tmp_path: Path) -> None:
    line = {
        "stage": "load",
        "text": "E RKNN: ERROR: unsupport cstDualResidual op in current",
        "stream": "stderr",
    }
    behaviour = {"log": [line], "crash": {"stage": "load", "signal": "SIGABRT"}}
    failure = failure_of(push(start_board(runtime="virtual", behaviour=behaviour), tmp_path))
    assert (failure.stage, failure.reason, failure.signal) == ("load", "crash", "SIGABRT")
    assert first(failure).number == 61
    assert "replace the op" in first(failure).advice


def test_a_segfault_in_an_inference_keeps_what_was_measured(start_board: StartBoard, tmp_path: Path) -> None:
    behaviour = {"crash": {"stage": "inference", "iteration": 200, "signal": "SIGSEGV"}}
    board = start_board(runtime="virtual", behaviour=behaviour)
    (run,) = push(board, tmp_path, iterations=100).runs
    assert run.failure is not None
    assert (run.failure.stage, run.failure.reason, run.failure.signal) == ("inference", "crash", "SIGSEGV")
    assert run.failure.diagnoses == ()
    assert run.latency is not None
    assert 0 < run.latency.count <= 200


def test_a_hang_is_explained_by_the_kernel(start_board: StartBoard, tmp_path: Path) -> None:
    behaviour = {"hang": {"stage": "inference", "iteration": 200}}
    board = start_board(runtime="virtual", behaviour=behaviour, tree=lambda root: (root / "dev/kmsg").touch())
    order = PushOptions(
        (MODEL,),
        RunSettings(
            min_iterations=100,
            min_duration_s=0.0,
            load_timeout_s=60.0,
            first_inference_timeout_s=60.0,
            inference_timeout_s=3.0,
        ),
    )

    def listen(event: Event) -> None:
        if isinstance(event, Measuring) and event.stage == "inference" and event.done:
            with (tmp_path / "tree/dev/kmsg").open("a") as kmsg:
                kmsg.write("3,9,9,-;RKNPU: job timeout, flags: 0x0: core 0 irq status: 0x0\n")

    with open_store(tmp_path / "results.sqlite") as store:
        failure = failure_of(run_campaign(order, board, partial(open_session, board), store, listen))
    assert (failure.stage, failure.reason) == ("inference", "hang")
    assert first(failure).number == 33
    assert "lower the NPU's clock" in first(failure).advice


def test_the_loader_itself_refuses_a_web_page_for_a_library(start_board: StartBoard, tmp_path: Path) -> None:
    page = tmp_path / "librknnrt.so"
    page.write_text("<!DOCTYPE html><html>Not Found</html>")

    def put(root: Path) -> None:
        (root / "usr/lib").mkdir(parents=True)
        shutil.copy(page, root / "usr/lib/librknnrt.so")

    board = start_board(runtime="capi", tree=put, RKBENCH_LIBRKNNRT=str(page))
    notes: list[str] = []
    failure = failure_of(push(board, tmp_path, notes=notes))
    assert (failure.stage, failure.reason, first(failure).number) == ("load", "missing", 52)
    assert any("/usr/lib/librknnrt.so is a web page, not the library" in note for note in notes)


def test_a_model_that_the_runtime_is_too_old_for_is_not_sent(start_board: StartBoard, tmp_path: Path) -> None:
    def put(root: Path) -> None:
        (root / "usr/lib").mkdir(parents=True)
        library = b"\x7fELF\x02\x01\x01" + bytes(11) + b"\xb7\x00" + bytes(50)
        (root / "usr/lib/librknnrt.so").write_bytes(library + b"librknnrt version: 1.4.0 (a)\0")

    board = start_board(tree=put)
    with pytest.raises(
        ModelError, match=r"needs librknnrt 1\.5\.2 or newer, the board has 1\.4\.0"
    ) as refusal:
        push(board, tmp_path)
    assert "install librknnrt.so 2.5.0 or newer" in refusal.value.hint
    notes: list[str] = []
    run = push(board, tmp_path, notes=notes, force=True).runs[0]
    assert run.failure is None
    assert any(note.startswith("fail: digits.regrouped.fp16.rknn: container") for note in notes)
    assert "runtime_version_mismatch" in [caveat.code for caveat in run.caveats]


def test_a_truncated_model_is_named_before_anything_is_sent(start_board: StartBoard, tmp_path: Path) -> None:
    cut = tmp_path / "cut.rknn"
    cut.write_bytes(MODEL.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"cut\.rknn"):
        push(start_board(), tmp_path, cut)


def test_a_core_mask_on_an_rk3568_is_left_away_with_a_caveat(start_board: StartBoard, tmp_path: Path) -> None:
    board = start_board("rk3568")
    notes: list[str] = []
    (run,) = push(board, tmp_path, notes=notes, force=True, core_mask="all").runs
    assert run.failure is None
    assert "core_mask_ignored" in [caveat.code for caveat in run.caveats]
    assert any("is compiled for rk3588" in note for note in notes)


def test_a_failure_without_a_word_carries_what_the_doctor_had_against_the_board(
    start_board: StartBoard, tmp_path: Path
) -> None:
    def break_board(root: Path) -> None:
        shutil.rmtree(root / "dev/dri")
        (root / ".dockerenv").touch()

    board = start_board(tree=break_board, STANDIN_INIT="RKNN_ERR_FAIL", STANDIN_INIT_LINE="something new")
    notes: list[str] = []
    failure = failure_of(push(board, tmp_path, notes=notes))
    causes = [diagnosis.cause for diagnosis in failure.diagnoses]
    assert {diagnosis.number for diagnosis in failure.diagnoses} == {None}
    assert [cause.partition(":")[0] for cause in causes][:3] == ["device node", "container", "librknnrt"]
    assert [note.partition(": ")[0] for note in notes].count("fail") >= 3


# -- a board that reboots -------------------------------------------------------------------------


def cut_and(change: Callable[[Path], object], folder: Path) -> RunResult:
    """Push to a virtual board that is cut off in the middle, after which `change` happens to its files."""
    with VirtualBoard(Board("rock", "virtual", soc="rk3588", simulated=True)) as virtual:
        boot = virtual.folder / "tree/proc/sys/kernel/random/boot_id"
        boot.parent.mkdir(parents=True)
        boot.write_text("11111111-aaaa-bbbb-cccc-dddddddddddd\n")
        cut = False

        @contextmanager
        def connect() -> Iterator[Session]:
            if cut and boot.read_text() == "":
                raise ConnectionLostError("no answer")
            with open_session(virtual.board) as session:
                yield session

        def listen(event: Event) -> None:
            nonlocal cut
            if isinstance(event, Measuring) and event.stage == "inference" and event.done and not cut:
                cut = True
                for transport in virtual._server._transports:
                    transport.close()
                change(boot)

        order = PushOptions((MODEL,), RunSettings(min_iterations=5000, min_duration_s=0.0))
        with open_store(folder / "results.sqlite") as store:
            return run_campaign(order, virtual.board, connect, store, listen).runs[0]


@pytest.mark.parametrize(
    ("boot_id", "told"),
    [
        ("22222222-aaaa-bbbb-cccc-dddddddddddd\n", "the board has REBOOTED meanwhile (its boot id changed)"),
        ("11111111-aaaa-bbbb-cccc-dddddddddddd\n", "has not rebooted: the network or the agent was cut off"),
        ("", "the board does not answer now"),
    ],
)
def test_after_a_cut_the_failure_says_whether_the_board_rebooted(
    tmp_path: Path, boot_id: str, told: str
) -> None:
    run = cut_and(lambda boot: boot.write_text(boot_id), tmp_path)
    assert run.partial
    assert run.failure is not None
    assert run.failure.stage == "connection"
    assert told in run.failure.message
    assert run.latency is not None
    with open_store(tmp_path / "results.sqlite") as store:
        assert find_runs(store, run.id)[0].failure == run.failure


# -- the doctor -----------------------------------------------------------------------------------


def test_the_doctor_names_what_a_bare_host_lacks(start_sshd: Callable[..., Sshd]) -> None:
    board = replace(start_sshd().board, python=sys.executable)
    found = check_board(board, (), partial(open_session, board))
    fails = {check.code for check in found.checks if check.verdict == "fail"}
    assert {"soc", "driver", "device_node", "runtime", "lite"} <= fails
    assert found.checks[0].code == "agent"


def test_the_doctor_judges_a_board_without_python(start_sshd: Callable[..., Sshd]) -> None:
    board = replace(start_sshd().board, python="/opt/none/python3")
    found = check_board(board, (), partial(open_session, board))
    assert [(check.code, check.verdict) for check in found.checks] == [("ssh", "ok"), ("python", "fail")]
    assert "apt-get install -y python3" in found.checks[1].fix


def test_the_doctor_judges_models_and_what_is_none(start_board: StartBoard, tmp_path: Path) -> None:
    pointer = tmp_path / "pointer.rknn"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    board = start_board("rk3568", runtime="virtual")
    found = check_board(board, (MODEL, pointer), partial(open_session, board))
    of_models = [(check.model, check.code, check.verdict) for check in found.checks if check.model]
    assert of_models == [
        (MODEL.name, "model_npu", "fail"),
        (MODEL.name, "model_container", "ok"),
        (MODEL.name, "model_toolkit", "ok"),
        ("pointer.rknn", "model_file", "fail"),
    ]
    assert found.verdict == "fail"
