"""Conversions as jobs: what the converter is told, what becomes of one that hangs, grows, dies or refuses."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, Timer

import numpy as np
import psutil
import pytest
from made_toolkit import SAMPLE, make_environment
from rkbench.errors import ConversionError, ToolkitError
from rkbench.toolkit.environment import ToolkitEnvironment
from rkbench.toolkit.jobs import ConversionJob, Limits, run_job

ONNX = Path(__file__).parents[2] / "data/models/dwm_c512_m2.onnx"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> ToolkitEnvironment:
    return make_environment(tmp_path_factory.mktemp("toolkit") / "2.5.0")


def job(tmp_path: Path, **words: object) -> ConversionJob:
    return ConversionJob(ONNX, "rk3588", output=tmp_path / "out.rknn", log=tmp_path / "log", **words)  # type: ignore[arg-type]


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def test_a_conversion_tells_size_versions_and_stages_and_leaves_the_file(
    environment: ToolkitEnvironment, tmp_path: Path
) -> None:
    answer = run_job(environment, job(tmp_path))
    assert (tmp_path / "out.rknn").read_bytes() == SAMPLE.read_bytes()
    assert answer.size_bytes == SAMPLE.stat().st_size
    assert answer.toolkit_version == "2.5.0"
    assert list(answer.duration_s) == ["load", "build", "export"]
    assert answer.peak_rss_bytes > 10_000_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "build False {}"),
        ({"dtype": "int8", "samples": 3}, "build True {} calibrated on 3 cases"),
        ({"dtype": "int8", "hybrid": "auto"}, "build True {'auto_hybrid': True}"),
        ({"dtype": "int16"}, "('quantized_dtype', 'w16a16i_dfp')"),
        ({"config": {"single_core_mode": True}}, "('single_core_mode', True)"),
    ],
)
def test_the_converter_is_told_what_the_job_says(
    environment: ToolkitEnvironment, tmp_path: Path, words: dict[str, object], said: str
) -> None:
    run_job(environment, job(tmp_path, **words))
    assert said in (tmp_path / "log").read_text()


def test_the_simulator_answers_for_the_inputs(environment: ToolkitEnvironment, tmp_path: Path) -> None:
    import onnx

    (value,) = onnx.load(ONNX).graph.input
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    case = np.random.default_rng(0).standard_normal((2, shape[0], *shape[2:], shape[1])).astype("float32")
    np.savez(tmp_path / "in.npz", **{f"inputs/{value.name}": case})
    answer = run_job(environment, job(tmp_path, inputs=tmp_path / "in.npz", outputs=tmp_path / "sim.npz"))
    with np.load(tmp_path / "sim.npz") as replay:
        assert replay[f"outputs/{answer.output_names[0]}"].shape[0] == 2
        assert len(set(replay["digests"])) == 2
        assert "simulator" in str(replay["source"])


@pytest.mark.parametrize(
    ("fault", "limits", "stage"),
    [
        ("hang", Limits(duration_s=1.5), "time limit"),
        ("grow", Limits(memory_bytes=250_000_000), "memory limit"),
        ("abort", Limits(), "died"),
    ],
)
def test_a_converter_that_does_not_end_well_is_ended_and_leaves_nothing(
    environment: ToolkitEnvironment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    limits: Limits,
    stage: str,
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", fault)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = children()
    with pytest.raises(ConversionError) as raised:
        run_job(environment, job(tmp_path), limits)
    assert raised.value.stage == stage
    assert raised.value.hint
    assert children() == before
    assert not (tmp_path / "out.rknn").exists()


def test_a_conversion_can_be_stopped(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "hang")
    stop, began = Event(), time.monotonic()
    Timer(0.5, stop.set).start()
    with pytest.raises(ConversionError, match="stopped"):
        run_job(environment, job(tmp_path), Limits(), stop)
    assert time.monotonic() - began < 60


def test_a_refusal_is_told_with_what_the_catalogue_knows(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "refuse")
    with pytest.raises(ConversionError) as raised:
        run_job(environment, job(tmp_path))
    assert raised.value.stage == "load"
    assert "newer opset" in raised.value.message
    assert "opset_version=19" in raised.value.hint


def test_what_is_no_onnx_is_refused_in_words(environment: ToolkitEnvironment, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_text("no onnx")
    with pytest.raises(ConversionError, match=r"x\.onnx \(load\)"):
        run_job(environment, ConversionJob(tmp_path / "x.onnx", "rk3588"))


def test_an_environment_that_was_broken_by_hand_says_how_it_is_made_anew(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "broken")
    with pytest.raises(ToolkitError, match=r"libfake\.so") as raised:
        run_job(environment, job(tmp_path))
    assert "bench toolkit install 2.5.0 --again" in raised.value.hint


def test_a_converter_that_ends_itself_is_told_with_its_last_words(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "exit")
    with pytest.raises(ConversionError, match=r"ended itself; .*scale_inf\.shape error!") as raised:
        run_job(environment, job(tmp_path))
    assert raised.value.stage == "died"
    assert str(tmp_path / "log") in raised.value.hint


def test_a_numpy_that_the_toolkit_was_not_built_for_is_named(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RKBENCH_FAKE_TOOLKIT", "numpy2")
    with pytest.raises(ToolkitError, match="numpy 2 is installed") as ours:
        run_job(environment, job(tmp_path))
    assert "bench toolkit install 2.5.0 --again" in ours.value.hint
    with pytest.raises(ToolkitError, match="numpy 2 is installed") as users:
        run_job(replace(environment, folder=None), job(tmp_path))
    assert "pip install 'numpy<2'" in users.value.hint


def test_a_python_that_is_gone_says_so(tmp_path: Path) -> None:
    gone = ToolkitEnvironment(tmp_path / "bin/python", "2.5.0", has_torch=False, folder=tmp_path)
    with pytest.raises(ToolkitError, match="broken") as raised:
        run_job(gone, job(tmp_path))
    assert "--again" in raised.value.hint


def test_nothing_of_the_callers_python_reaches_the_converter(
    environment: ToolkitEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('the wrong numpy')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run_job(environment, job(tmp_path)).size_bytes > 0
    assert os.environ["PYTHONPATH"] == str(tmp_path)
