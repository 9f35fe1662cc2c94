"""Conversions on other computers: a job goes out as words and bytes, the same files come back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import onnx
import pytest
from made_toolkit import make_environment
from onnx_networks import Network
from rkbench.conversion.workers import executors, offers
from rkbench.errors import ConversionError, ToolkitError
from rkbench.toolkit.environment import ToolkitEnvironment, folder_of
from rkbench.toolkit.jobs import ConversionJob, run_job
from rkbench.toolkit.shipped import ShippedJobs, elsewhere, run_shipped
from rkbench.variants.onnx_digest import external_files


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToolkitEnvironment:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = folder_of("2.5.0")
    folder.parent.mkdir(parents=True)
    return make_environment(folder)


def job_in(folder: Path) -> ConversionJob:
    folder.mkdir()
    case = folder / "case0_0.npy"
    np.save(case, np.ones((1, 4, 8, 8), "float32"))
    net = Network(1, 4, 8, 8).conv(4, 8).add("Relu").save(folder / "net.onnx")
    onnx.save(onnx.load(net), net, save_as_external_data=True, location="net.data", size_threshold=0)
    np.savez(folder / "given.npz", **{"inputs/x": np.ones((2, 1, 8, 8, 4), "float32")})
    return ConversionJob(
        net,
        "rk3588",
        "int8",
        folder / "out.rknn",
        [[case]],
        config={"quantized_algorithm": "mmse"},
        inputs=folder / "given.npz",
        outputs=folder / "out.replay.npz",
        log=folder / "out.log",
    )


def shipped(executor: Executor) -> ShippedJobs:
    return ShippedJobs(lambda _: executor, "tcp://scheduler:8786", external_files)


def test_what_comes_back_is_what_is_made_here(environment: ToolkitEnvironment, tmp_path: Path) -> None:
    here, there = job_in(tmp_path / "here"), job_in(tmp_path / "there")
    local = run_job(environment, here)
    with ThreadPoolExecutor() as pool:
        answer = shipped(pool)(elsewhere("2.5.0"), there)
    assert (answer.toolkit_version, answer.size_bytes) == ("2.5.0", local.size_bytes)
    assert there.output is not None
    assert here.output is not None
    assert there.output.read_bytes() == here.output.read_bytes()
    with np.load(tmp_path / "here/out.replay.npz") as mine, np.load(tmp_path / "there/out.replay.npz") as its:
        assert {name: its[name].tolist() for name in its} == {name: mine[name].tolist() for name in mine}
    assert "calibrated on 1 cases" in (tmp_path / "there/out.log").read_text()


def test_what_the_toolkit_refuses_there_is_told_here(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "refuse")
    with (
        ThreadPoolExecutor() as pool,
        pytest.raises(ConversionError, match=r"^net.onnx \(load\): The ONNX has a newer opset") as caught,
    ):
        shipped(pool)(environment, job_in(tmp_path / "there"))
    assert caught.value.stage == "load"


def test_a_worker_without_the_toolkit_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with (
        ThreadPoolExecutor() as pool,
        pytest.raises(ToolkitError, match="a worker of tcp://scheduler") as caught,
    ):
        shipped(pool)(elsewhere("2.5.0"), job_in(tmp_path / "there"))
    assert caught.value.hint == "there: bench toolkit install 2.5.0"


class Broken(Executor):
    """An executor that does not carry anything out: it fails, or never ends."""

    def __init__(self, error: BaseException | None) -> None:
        self._error = error

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert fn is run_shipped
        future: Future[Any] = Future()
        if self._error is not None:
            future.set_exception(self._error)
        return future


def test_a_worker_that_is_lost_costs_its_own_conversion(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="did not convert it: ModuleNotFoundError: No module") as caught:
        shipped(Broken(ModuleNotFoundError("No module named 'rkbench'")))(
            elsewhere("2.5.0"), job_in(tmp_path / "there")
        )
    assert "what was converted is kept" in (caught.value.hint or "")


def test_a_conversion_elsewhere_can_be_stopped(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(ConversionError, match="stopped"):
        shipped(Broken(None))(elsewhere("2.5.0"), job_in(tmp_path / "there"), stop=stop)


def test_workers_name_their_toolkits_among_their_resources() -> None:
    workers = {
        "tcp://a": {"resources": {"toolkit-2.5.0": 2, "GPU": 1}},
        "tcp://b": {"resources": {"toolkit-2.5.0": 1, "toolkit-2.3.0": 1}},
        "tcp://c": {},
    }
    assert offers(workers) == {"toolkit-2.5.0": 3, "toolkit-2.3.0": 1}


def test_a_toolkit_that_no_worker_offers_is_named() -> None:
    with pytest.raises(ToolkitError, match=r"no worker of tcp://a offers toolkit-2\.3\.0") as caught:
        executors(None, {"toolkit-2.5.0": 1}, "tcp://a")("2.3.0")
    assert "dask worker --resources toolkit-2.3.0=1" in (caught.value.hint or "")
