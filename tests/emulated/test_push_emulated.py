"""`bench push` over real SSH to emulated boards: the real RKNNLite, our double, the vendor's librknnrt.

On T1 the double computes a known function, so output error can be asserted to the digit; on T2 memory
is the vendor's own, while outputs and latency mean nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from bench_command import run_bench
from emulated_board import BoardFactory, EmulatedBoard
from rkbench.session import Sessions

pytestmark = [pytest.mark.emulated, pytest.mark.timeout(240)]
T1 = pytest.mark.xdist_group("T1")
T2 = pytest.mark.xdist_group("T2")
INT8, HYBRID = "mb_gap7_rk3588_i8", "hybrid_some_rk3588"
#: A model is timed no longer than this where the number of calls is not what is tested.
TIMED_LIMIT_S = 0.1
#: The tensors of INT8, for the double.
TENSORS = {
    "RKNN_DOUBLE_INPUTS": "x:1x224x224x3:int8:nhwc:0.036174:6",
    "RKNN_DOUBLE_OUTPUTS": "Gemm_81:1x100:float16:undefined",
    "RKNN_DOUBLE_RUN_US": "2500",
    "RKNN_DOUBLE_WEIGHT_BYTES": "446912",
    "RKNN_DOUBLE_INTERNAL_BYTES": "1354752",
    "RKNN_DOUBLE_DMA_BYTES": "2105344",
}


class Desk:
    """A user's machine: an inventory with one emulated board, a store, and `bench`.

    All pushes to a board go over one SSH session, and to one agent.
    """

    def __init__(self, folder: Path, board: EmulatedBoard, models: Path) -> None:
        self.board, self._models, self._folder = board, models, folder
        inventory = folder / "bench.toml"
        inventory.write_text(
            f'[boards.rock]\nhost = "{board.host}"\nport = {board.port}\nuser = "{board.user}"\n'
            f'identity_files = ["{board.key_file}"]\n'
        )
        inventory.with_name("bench.known_hosts").write_text(board.known_hosts.read_text())
        self._environment = {
            **os.environ,
            "RKBENCH_STORE": str(folder / "results.sqlite"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "RKBENCH_INVENTORY": str(inventory),
        }

    def push(
        self,
        *models: str,
        runtime: str,
        options: tuple[object, ...] = (),
        limit_s: float = TIMED_LIMIT_S,
    ) -> tuple[int, dict[str, Any]]:
        """Push models, each timed for `limit_s` at most (0: 12 blocks); returns exit code and JSON."""
        document = self._folder / "push.json"
        files = [str(self._models / f"{name}.rknn") for name in models]
        short = ["--iterations", "10", "--duration", "0.05", "--warmup", "1", "--no-interleave"]
        takes_turns = not {"--scenario", "--interfere-with"} & set(map(str, options))
        limit = ("--max-duration", limit_s, *(["--quick"] if takes_turns else []))
        options = ("--board", "rock", "--runtime", runtime, "--json", document, *short, *limit, *options)
        with mock.patch.object(Sessions, "open", lambda _, board: self.board.line(board)):
            done = run_bench("push", *files, *options, environment=self._environment)
        assert document.exists(), done.stderr
        return done.returncode, json.loads(document.read_text())


@contextmanager
def told(board: EmulatedBoard, **settings: str) -> Iterator[None]:
    """Give a board's double settings for a while."""
    board.tell_double(**settings)
    try:
        yield
    finally:
        board.tell_double()


@pytest.fixture(scope="session")
def double_board(emulated_board: BoardFactory) -> EmulatedBoard:
    """T1 with the tensors of INT8."""
    return emulated_board("rk3588", tier="T1", env=TENSORS)


@pytest.fixture(scope="session")
def vendor_board(emulated_board: BoardFactory) -> EmulatedBoard:
    """T2: the vendor's librknnrt."""
    return emulated_board("rk3588", tier="T2", env={"RKBENCH_TEST": "push"})


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """Three cases, and what the double makes of them (doubles/tensors.h)."""
    x = np.random.RandomState(5).randint(0, 64, (3, 1, 224, 224, 3)).astype(np.float32)
    flat = x.reshape(3, -1)
    k = 7 * np.arange(100)
    y = 0.5 * flat[:, k] + 0.25 * flat[:, k + 1]
    path = tmp_path / "golden.npz"
    np.savez(path, **{"inputs/x": x, "outputs/Gemm_81": y.reshape(3, 1, 100).astype(np.float32)})
    return path


@T1
@pytest.mark.parametrize("runtime", ["lite", "capi", "capi-zero-copy"])
def test_a_push_measures_outputs_stages_and_memory(
    runtime: str, double_board: EmulatedBoard, golden: Path, models: Path, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, double_board, models)
    code, document = desk.push(INT8, runtime=runtime, options=("--golden", golden))
    assert code == 0
    (run,) = document["runs"]
    assert (run["failure"], run["simulated"]) == (None, True)  # the processor is emulated
    (output,) = run["outputs"]
    assert (output["name"], output["shape"], output["max_abs_error"]) == ("Gemm_81", [1, 100], 0.0)
    assert run["board"]["runtime_version"] == "2.3.2"
    assert run["latency"]["stages"]["run"]["min_s"] >= 0.0025
    load = run["load"]
    assert (load["npu_weight_bytes"], load["npu_internal_bytes"]) == (446912, 1354752)
    assert load["npu_total_bytes"] == 2105344
    is_split = run["latency"]["stages"]["set_inputs"] is not None
    assert is_split is (runtime == "capi")


@T1
def test_a_wrong_output_is_told_by_its_error(
    double_board: EmulatedBoard, golden: Path, models: Path, tmp_path: Path
) -> None:
    with told(double_board, OUTPUT_SHIFT="2"):
        desk = Desk(tmp_path, double_board, models)
        _, document = desk.push(INT8, runtime="lite", options=("--golden", golden))
    (output,) = document["runs"][0]["outputs"]
    assert (output["max_abs_error"], output["mean_abs_error"]) == (2.0, 2.0)


@T1
@pytest.mark.parametrize(("runtime", "shared"), [("lite", False), ("capi", True)])
def test_offline_runs_contexts_beside_each_other(
    runtime: str, shared: bool, double_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    options = ("--scenario", "offline", "--contexts", "1,3", "--placement", "spread")
    desk = Desk(tmp_path, double_board, models)
    code, document = desk.push(INT8, runtime=runtime, options=options, limit_s=0)
    (run,) = document["runs"]
    assert (code, run["failure"], run["offline"]["shares_weights"]) == (0, None, shared)
    steps = run["offline"]["steps"]
    assert [(step["placement"], step["contexts"]) for step in steps] == [("spread", 1), ("spread", 3)]
    assert all(step["count"] >= 10 for step in steps)
    # 2,105,344 B of one context, of which 446,912 B are weights
    assert [step["npu_bytes"] for step in steps] == [2105344, 5422208 if shared else 6316032]


@T1
def test_a_server_runs_on_a_board(double_board: EmulatedBoard, models: Path, tmp_path: Path) -> None:
    options = ("--scenario", "server", "--rate", "2000")
    desk = Desk(tmp_path, double_board, models)
    code, document = desk.push(INT8, runtime="lite", options=options, limit_s=0)
    (run,) = document["runs"]
    (only,) = run["server"]["tries"]
    assert (code, only["count"], run["failure"]) == (0, 1000, None)
    assert only["served_per_s"] < 400 < only["rate_per_s"]  # a call takes 2.5 ms: the queue grows


@T1
def test_a_soak_runs_on_a_board(double_board: EmulatedBoard, models: Path, tmp_path: Path) -> None:
    options = ("--scenario", "soak", "--duration", "1")
    desk = Desk(tmp_path, double_board, models)
    code, document = desk.push(INT8, runtime="lite", options=options, limit_s=0)
    (run,) = document["runs"]
    soak = run["soak"]
    assert (code, run["failure"], soak["changed"], soak["digested"]) == (0, None, 0, soak["count"])
    assert soak["elapsed_s"] >= 1.0


@T1
def test_two_models_run_beside_each_other(double_board: EmulatedBoard, models: Path, tmp_path: Path) -> None:
    other = ("--interfere-with", models / f"{INT8}.rknn", "--placement", "spread", "--iterations", "24")
    desk = Desk(tmp_path, double_board, models)
    code, document = desk.push(INT8, runtime="lite", options=other, limit_s=0)
    (run,) = document["runs"]
    assert (code, run["failure"]) == (0, None)
    (only,) = run["interference"]["placements"]
    for model, mask in ((only["own"], "0"), (only["other"], "1")):
        assert (model["core_mask"], model["outputs"]["repeats"]) == (mask, True)
        assert (model["outputs"]["compared"] >= 24, model["outputs"]["changed"]) == (True, [])
        assert 0 < model["alone_per_s"] < 400  # a call takes 2.5 ms


FAULTS: list[tuple[str, dict[str, str], str, str, str | None]] = [
    ("lite", {"INIT_RET": "-6"}, "load", "RKNN_ERR_MODEL_INVALID", None),
    ("lite", {"RUN_FAULT": "-,-,segv"}, "first_inference", "SIGSEGV", "SIGSEGV"),
    ("capi", {"RUN_RET": "0,0,0,0,0,0,0,0,0,0,0,0,-2"}, "inference", "RKNN_ERR_TIMEOUT", None),
]


@T1
@pytest.mark.parametrize(("runtime", "settings", "stage", "text", "signal"), FAULTS)
def test_a_fault_fails_the_run_and_says_why(
    runtime: str,
    settings: dict[str, str],
    stage: str,
    text: str,
    signal: str | None,
    double_board: EmulatedBoard,
    models: Path,
    tmp_path: Path,
) -> None:
    with told(double_board, **settings):
        code, document = Desk(tmp_path, double_board, models).push(INT8, runtime=runtime, limit_s=0)
    assert code == 1
    failure = document["runs"][0]["failure"]
    assert (failure["stage"], failure["signal"]) == (stage, signal)
    assert text in json.dumps(failure)


@T1
def test_rknnlite_says_nothing_of_a_failed_run_but_the_log_does(
    double_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    line = "E failed to submit!, op id: 3, op name: Conv:conv1, flags: 0x5, task start: 0, task number: 66"
    with told(double_board, RUN_RET="-1", RUN_LOG=line):
        code, document = Desk(tmp_path, double_board, models).push(INT8, runtime="lite")
    assert code == 1
    assert "failed to submit!" in json.dumps(document["runs"][0]["failure"])


@T2
@pytest.mark.parametrize("runtime", ["lite", "capi"])
def test_the_npu_memory_is_what_the_device_gave_and_the_file_says(
    runtime: str, vendor_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    (vendor_board.folder / "double.log").unlink(missing_ok=True)
    code, document = Desk(tmp_path, vendor_board, models).push(INT8, HYBRID, runtime=runtime)
    assert code == 0
    loads = [run["load"] for run in document["runs"]]
    assert [load["npu_weight_bytes"] for load in loads] == [446912, 577216]
    assert [load["npu_internal_bytes"] for load in loads] == [1354752, 1354752]
    given = allocated_by_process(vendor_board)
    assert [load["npu_total_bytes"] for load in loads] == [2105344, 2240512]
    assert given[:2] == [2105344, 2240512]


def allocated_by_process(board: EmulatedBoard) -> list[int]:
    """Return what the device gave to each process, in order of their first allocation."""
    given: dict[str, int] = {}
    for line in (board.folder / "double.log").read_text().splitlines():
        found = re.match(r"(\d+) MEM_CREATE handle=\d+ size=(\d+)", line)
        if found:
            given[found[1]] = given.get(found[1], 0) + int(found[2])
    return list(given.values())


@T2
def test_a_model_that_aborts_the_runtime_does_not_stop_the_other(
    vendor_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, vendor_board, models)
    code, document = desk.push("erf_rk3588_i8", INT8, runtime="lite")
    assert code == 1
    first, second = (run["failure"] for run in document["runs"])
    assert (first["stage"], first["signal"], second) == ("load", "SIGABRT", None)
    assert "unsupport Erf op" in json.dumps(first)


@T2
def test_a_job_that_the_driver_refuses_is_a_failure_over_capi(
    vendor_board: EmulatedBoard, models: Path, tmp_path: Path
) -> None:
    with told(vendor_board, SUBMIT_ERRNO="110"):
        code, document = Desk(tmp_path, vendor_board, models).push(INT8, runtime="capi")
    assert code == 1
    assert "failed to submit!" in json.dumps(document["runs"][0]["failure"])
