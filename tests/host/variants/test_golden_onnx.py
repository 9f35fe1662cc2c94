"""Goldens by onnxruntime: from files, from nothing, and when they are made again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from bench_command import BENCH, run_bench
from onnx import TensorProto, helper
from rkbench.errors import GoldenError, ModelError
from rkbench.variants.golden import read_metadata
from rkbench.variants.golden_expected import golden_from_onnx
from rkbench.variants.golden_onnx import describe, make_golden


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """An ONNX that adds `x` [batch, 2] to itself."""
    node = helper.make_node("Add", ["x", "x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2]) for name in "xy"]
    graph = helper.make_graph([node], "doubler", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    path = tmp_path / "doubler.onnx"
    onnx.save(model, str(path))
    return path


def test_expected_outputs_are_those_of_onnxruntime(doubler: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.array([[1, 2], [3, 4]], np.float32))
    out = make_golden(doubler, tmp_path / "in.npz", tmp_path / "out.npz")
    with np.load(out) as archive:
        assert archive["inputs/x"].tolist() == [[[1, 2]], [[3, 4]]]
        assert archive["outputs/y"].tolist() == [[[2, 4]], [[6, 8]]]


def test_a_folder_of_npy_is_one_case_a_file_in_the_order_of_names(doubler: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cases"
    folder.mkdir()
    np.save(folder / "b.npy", np.array([3, 4], np.float32))
    np.save(folder / "a.npy", np.array([[1, 2]], np.float32))
    out = make_golden(doubler, folder, tmp_path / "out.npz")
    with np.load(out) as archive:
        assert archive["outputs/y"].tolist() == [[[2, 4]], [[6, 8]]]


def test_random_inputs_are_seeded_and_said_to_be_random(doubler: Path, tmp_path: Path) -> None:
    first = make_golden(doubler, None, tmp_path / "a.npz", cases=3, seed=7)
    second = make_golden(doubler, None, tmp_path / "b.npz", cases=3, seed=7)
    assert first.read_bytes() == second.read_bytes()
    known = read_metadata(first)
    assert (known["cases"], known["seed"]) == (3, 7)
    assert str(known["inputs"]).startswith("random: standard normal")
    assert "a.npz: 3 cases, random inputs (seed 7), outputs by onnxruntime" in describe(first)


def test_cases_limits_what_is_read(doubler: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((5, 2), np.float32))
    assert read_metadata(make_golden(doubler, tmp_path / "in.npz", tmp_path / "o.npz", cases=2))["cases"] == 2


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of goldens that are computed; everything else is in `tmp_path` itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/rkbench/host/expected"


def test_what_an_onnx_expects_is_computed_once_and_kept_in_the_cache(
    doubler: Path, tmp_path: Path, cache: Path
) -> None:
    told: list[str] = []
    golden = golden_from_onnx(doubler, None, tell=told.append)
    assert (golden.parent, read_metadata(golden)["cases"]) == (cache, 16)
    (line,) = told
    assert line.startswith("16 cases, random inputs (seed 0), outputs by onnxruntime")
    assert line.endswith(f"kept for the next push in {golden}")
    inode = golden.stat().st_ino
    assert golden_from_onnx(doubler, None, tell=told.append).stat().st_ino == inode
    assert told == [line]
    assert {path.name for path in tmp_path.iterdir()} == {"doubler.onnx", "cache"}


def test_other_inputs_make_another_golden_and_leave_the_first(
    doubler: Path, tmp_path: Path, cache: Path
) -> None:
    golden = golden_from_onnx(doubler, None)
    np.savez(tmp_path / "in.npz", x=np.zeros((5, 2), np.float32))
    other = golden_from_onnx(doubler, tmp_path / "in.npz")
    assert (read_metadata(other)["cases"], read_metadata(golden)["cases"]) == (5, 16)
    assert golden_from_onnx(doubler, tmp_path / "in.npz") == other
    assert len(list(cache.iterdir())) == 2


def test_a_golden_beside_the_onnx_is_used_while_it_fits(doubler: Path, tmp_path: Path, cache: Path) -> None:
    assert run_bench("golden", doubler, "--cases", "2").returncode == 0
    own = tmp_path / "doubler.golden.npz"
    told: list[str] = []
    assert golden_from_onnx(doubler, None, tell=told.append) == own
    assert (told, cache.exists()) == ([], False)
    model = onnx.load(str(doubler))
    model.graph.node[0].op_type = "Mul"
    onnx.save(model, str(doubler))
    assert golden_from_onnx(doubler, None, tell=told.append).parent == cache
    assert told[0] == (
        f"doubler.golden.npz beside doubler.onnx is not used, it was made of another version of the ONNX;"
        f" to use it: --golden {own}"
    )
    assert read_metadata(own)["cases"] == 2


@pytest.mark.parametrize(
    ("content", "reason"), [(b"noise", "cannot be read"), (None, "is none that bench made")]
)
def test_somebodys_file_beside_the_onnx_is_told_and_left_alone(
    doubler: Path, tmp_path: Path, cache: Path, content: bytes | None, reason: str
) -> None:
    own = tmp_path / "doubler.golden.npz"
    np.savez(own, x=np.zeros(2))
    if content is not None:
        own.write_bytes(content)
    before, told = own.read_bytes(), list[str]()
    assert golden_from_onnx(doubler, None, tell=told.append).parent == cache
    assert f"is not used, it {reason}; to use it: --golden {own}" in told[0]
    assert own.read_bytes() == before


def test_a_cache_that_cannot_be_is_told(
    doubler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(GoldenError, match="no folder for prepared goldens") as refused:
        golden_from_onnx(doubler, None)
    assert "XDG_CACHE_HOME" in refused.value.hint


def test_a_golden_of_the_users_own_is_never_replaced(doubler: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.zeros(2))
    before = (tmp_path / "mine.npz").read_bytes()
    done = run_bench("golden", doubler, "-o", tmp_path / "mine.npz")
    assert (done.returncode, (tmp_path / "mine.npz").read_bytes()) == (1, before)
    assert "is in the way: it is not a golden that bench made" in done.stderr


@pytest.mark.parametrize("command", ["golden", "fix"])
def test_onnxruntime_keeps_and_sends_nothing(doubler: Path, tmp_path: Path, command: str) -> None:
    """It would put an id of this computer and a queue of events into the cache."""
    words = [command, str(doubler), "-o", str(tmp_path / f"out.{'npz' if command == 'golden' else 'onnx'}")]
    words += ["--target", "rk3588"] if command == "fix" else []
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = {**kept, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", BENCH, *words], env=environment, check=False, timeout=60)
    assert (done.returncode, list(tmp_path.rglob("*icrosoft*"))) == (0, [])


def test_inputs_that_do_not_fit_show_both_sides(doubler: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.zeros((5, 3), np.float32))
    with pytest.raises(GoldenError) as caught:
        make_golden(doubler, tmp_path / "in.npz", tmp_path / "out.npz")
    assert "the model wants: input x [1, 2] float32" in caught.value.message
    assert "the golden has:  x [5, 3] float32" in caught.value.message
    assert not (tmp_path / "out.npz").exists()


def test_an_empty_folder_is_named(doubler: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(GoldenError, match=r"none: no picture .*, \.npy or \.npz file in it"):
        make_golden(doubler, tmp_path / "none", tmp_path / "out.npz")


def test_what_is_no_onnx_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"noise")
    with pytest.raises(ModelError, match="onnxruntime cannot load it"):
        make_golden(tmp_path / "m.onnx", None, tmp_path / "out.npz")
    with pytest.raises(GoldenError, match="no such file"):
        make_golden(tmp_path / "absent.onnx", None, tmp_path / "out.npz")


def test_a_folder_that_is_not_there_is_named(doubler: Path, tmp_path: Path) -> None:
    with pytest.raises(GoldenError, match="the golden cannot be written there: No such file or directory"):
        make_golden(doubler, None, tmp_path / "absent" / "out.npz")


def test_inputs_that_the_model_cannot_run_on_are_named(tmp_path: Path) -> None:
    """Random indices of 0 or 1 do not fit a table of one row."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [1, 1], [1.0])
    values = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, [8]),
        helper.make_tensor_value_info("y", TensorProto.FLOAT, [8, 1]),
    ]
    node = helper.make_node("Gather", ["table", "ids"], ["y"])
    graph = helper.make_graph([node], "lookup", values[:1], values[1:], [table])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    onnx.save(model, str(tmp_path / "lookup.onnx"))
    with pytest.raises(GoldenError, match="onnxruntime cannot run it on these inputs"):
        make_golden(tmp_path / "lookup.onnx", None, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_sizes_that_the_onnx_leaves_open_are_given_or_refused(tmp_path: Path, cache: Path) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "height", "width"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, "height", "width"])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "open", [x], [y])
    path = tmp_path / "open.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    with pytest.raises(GoldenError, match="no fixed shape") as refused:
        golden_from_onnx(path, None)
    assert "--input-shape" in refused.value.hint
    small = golden_from_onnx(path, None, {"x": (1, 3, 4, 6)})
    with np.load(small) as golden:
        assert golden["outputs/y"].shape == (16, 1, 3, 4, 6)
    assert golden_from_onnx(path, None, {"x": (1, 3, 4, 6)}) == small
    assert golden_from_onnx(path, None, {"x": (1, 3, 8, 8)}) != small
