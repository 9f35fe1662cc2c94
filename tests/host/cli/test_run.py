"""`bench run`: outputs of a .rknn without a board, or the name of what is not modelled."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bench_command import BENCH, Done, run_bench
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, write_model

DATA = Path(__file__).parents[2] / "data"
NET = DATA / "npu/neck_rk3588_int8.rknn"
INPUTS = DATA / "npu/neck.inputs.npz"


def bench_run(tmp_path: Path, *arguments: str | Path) -> Done:
    environment = {**os.environ, "HOME": str(tmp_path)}
    return run_bench("run", *map(str, arguments), environment=environment, folder=tmp_path)


def test_all_cases_are_computed_and_written_as_a_replay(tmp_path: Path) -> None:
    done = bench_run(tmp_path, NET, "--inputs", INPUTS, "-o", "out.npz", "--layers")
    assert done.returncode == 0, done.stderr
    assert "2 cases computed by rkbench's model of the rk3588 NPU" in done.stdout
    assert "Resize:Resize_4" in done.stdout
    with np.load(tmp_path / "out.npz") as archive, np.load(NET.with_suffix(".npz")) as simulated:
        expected = simulated["outputs/LeakyRelu_7"]
        assert np.abs(archive["outputs/LeakyRelu_7"] - expected.reshape(2, 1, 16, 12, 12)).max() < 0.1
        assert archive["layers/Resize_4"].shape == (2, 1, 32, 12, 12)
        assert archive["digests"].tolist() == simulated["digests"].tolist()
        assert str(archive["source"]) == "rkbench NPU model"


def test_the_json_names_the_provenance_and_holds_every_output(tmp_path: Path) -> None:
    done = bench_run(tmp_path, NET, "--inputs", INPUTS, "--json", "-")
    told = json.loads(done.stdout)
    assert told["provenance"] == {"outputs": "computed"}
    assert [(each["name"], each["shape"]) for each in told["outputs"]] == [("LeakyRelu_7", [1, 16, 12, 12])]
    assert told["layers"] == []


def test_inputs_in_the_models_own_layout_give_the_same(tmp_path: Path) -> None:
    with np.load(INPUTS) as archive:
        np.savez(tmp_path / "nchw.npz", x=archive["inputs/x"].transpose(0, 1, 4, 2, 3))
    given = [
        json.loads(bench_run(tmp_path, NET, "--inputs", path, "--json", "-").stdout)["outputs"]
        for path in (INPUTS, tmp_path / "nchw.npz")
    ]
    assert given[0] == given[1]


def test_inputs_that_do_not_fit_are_told_with_both_sides(tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", x=np.zeros((1, 3, 8, 8), "float32"))
    done = bench_run(tmp_path, NET, "--inputs", "wrong.npz")
    assert done.returncode == 2
    assert "the model wants: input x [1, 3, 24, 24]" in done.stderr


REFUSED = (
    ("q_compress_weight_True_rk3568.rknn", "CNA.DCOMP_CTRL.DECOMP_CONTROL"),
    ("opt_mini_rknn_True_rk3588_fp.rknn", "RV1103/RV1106 kind"),
    ("gru_h16_rk3588_fp.rknn", "layer 'exGRU:GRU_0'"),
    ("opt_remove_weight_True_rk3588_fp.rknn", "it does not hold 22 of its weights"),
)


@pytest.mark.parametrize(("name", "words"), REFUSED)
def test_what_is_not_modelled_is_refused_by_its_name(tmp_path: Path, name: str, words: str) -> None:
    from rkbench.rknn import open_model

    with open_model(DATA / "models" / name) as model:
        shapes = {tensor.name: tensor.shape for tensor in model.inputs}
    np.savez(tmp_path / "in.npz", **{key: np.zeros(shape, "float32") for key, shape in shapes.items()})
    done = bench_run(tmp_path, DATA / "models" / name, "--inputs", "in.npz", "-o", "out.npz")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_a_file_that_cannot_be_written_is_told_before_anything_is_computed(tmp_path: Path) -> None:
    done = bench_run(tmp_path, NET, "--inputs", "none.npz", "-o", "nofolder/out.npz")
    assert done.returncode == 2
    assert "nofolder" in done.stderr


def test_bench_leaves_numpys_blas_one_thread_and_a_users_own_number() -> None:
    found = []
    for number in ({}, {"OPENBLAS_NUM_THREADS": "3"}):
        inherited = {name: text for name, text in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
        script = (
            f"import atexit, os\natexit.register(lambda: print(os.environ['OPENBLAS_NUM_THREADS']))\n{BENCH}"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "--version"],
            env={**inherited, **number},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(done.stdout.split()[-1])
    assert found == ["1", "3"]


def test_errors_speak_of_the_inputs_and_of_no_golden(tmp_path: Path) -> None:
    sound = np.zeros((1, 3, 24, 24), "float32")
    np.savez(tmp_path / "small.npz", x=np.zeros((1, 3, 8, 8), "float32"))
    np.savez(tmp_path / "nan.npz", x=np.full_like(sound, np.nan))
    np.savez(tmp_path / "wide.npz", x=np.full(sound.shape, 1e300))
    np.save(tmp_path / "array.npy", sound)
    (tmp_path / "text.npz").write_text("x")
    for name in ("small.npz", "nan.npz", "wide.npz", "array.npy", "text.npz", "none.npz"):
        done = bench_run(tmp_path, NET, "--inputs", name)
        assert done.returncode in (1, 2)
        assert "bench: " in done.stderr
        assert "golden" not in done.stderr, name


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(("wrong", "words"), [(np.nan, "NaN"), (-np.inf, "infinite, and the input is int8")])
def test_what_is_no_number_is_refused_with_its_first_place(
    tmp_path: Path, wrong: float, words: str, *, channels_last: bool
) -> None:
    cases = np.zeros((2, 24, 24, 3) if channels_last else (2, 3, 24, 24), "float32")
    first = (1, 5, 7, 2) if channels_last else (1, 2, 5, 7)
    cases[first] = cases[-1, -1, -1, -1] = wrong
    np.savez(tmp_path / "in.npz", **{"inputs/x": cases})
    done = bench_run(tmp_path, NET, "--inputs", "in.npz", "-o", "out.npz")
    told = " ".join(done.stderr.split())
    assert done.returncode == 1
    assert f"inputs in.npz: inputs/x, case 1: 2 of 1,728 values are {words};" in told
    assert f"the first is at {[0, *first[1:]]}" in told
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("-o", "in.npz"), "--out in.npz would overwrite the inputs"),
        (("-o", "./link.npz"), "--out link.npz would overwrite the inputs"),
        (("-o", "net.rknn"), "--out net.rknn would overwrite the model"),
        (("--json", "in.npz"), "--json in.npz would overwrite the inputs"),
        (("-o", "new", "--json", "new"), "--out and --json are one file: new"),
        (("-o", "-"), "--out -: an .npz cannot go to stdout"),
    ],
)
def test_no_file_that_is_read_is_overwritten(tmp_path: Path, given: tuple[str, ...], words: str) -> None:
    shutil.copy(INPUTS, tmp_path / "in.npz")
    shutil.copy(NET, tmp_path / "net.rknn")
    (tmp_path / "link.npz").symlink_to("in.npz")
    done = bench_run(tmp_path, "net.rknn", "--inputs", "in.npz", *given)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert (tmp_path / "in.npz").read_bytes() == INPUTS.read_bytes()
    assert (tmp_path / "net.rknn").read_bytes() == NET.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npz", "link.npz", "net.rknn"]


def test_outputs_may_go_into_a_pipe_which_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "read.npz").open("wb") as kept:
        reader = subprocess.Popen(["cat", "pipe"], cwd=tmp_path, stdout=kept)
        done = bench_run(tmp_path, NET, "--inputs", INPUTS, "-o", "pipe")
        assert (tmp_path / "pipe").is_fifo(), "a file has taken its place"
        assert (done.returncode, reader.wait(timeout=30)) == (0, 0), done.stderr
    with np.load(tmp_path / "read.npz") as archive:
        assert archive["outputs/LeakyRelu_7"].shape == (2, 1, 16, 12, 12)


def test_too_little_memory_is_told_without_a_traceback(tmp_path: Path) -> None:
    far = TensorSpec("y", "output", arena_offset=3 << 30)
    tensors = (
        TensorSpec("x", "input", size_bytes=256),
        far,
        TensorSpec("c", "register_commands", data=bytes(64)),
        TensorSpec("t", "tasks", data=bytes(40)),
    )
    graph = GraphSpec(tensors, (NodeSpec("Conv:y", inputs=(0,), outputs=(1,)),), inputs=(0,), outputs=(1,))
    (tmp_path / "far.rknn").write_bytes(write_model(FileSpec((graph,))))
    script = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\n{BENCH}"
    done = subprocess.run(
        [sys.executable, "-c", script, "run", "far.rknn", "--inputs", str(INPUTS)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("bench: memory is too short: Unable to allocate 3.00 GiB")
    assert "  → end other programs" in done.stderr


@pytest.mark.parametrize(
    "given",
    [
        ("predict", "net.rknn", "--json", "net.rknn"),
        ("inspect", "net.rknn", "--json", "./net.rknn"),
        ("inspect", "--html", "net.rknn", "net.rknn"),
        ("inspect", "net.rknn", "--tasks", "Conv", "--lang", "en", "--json=net.rknn", "--layers", "3"),
        ("inspect", "net.rknn", "--input-shape", "x=1", "--json", "net.rknn"),
        ("inspect", "net.rknn", "--against", "net.onnx", "--json", "net.rknn"),
        ("inspect", "net.rknn", "--against", "net.onnx", "--json", "net.onnx"),
        ("inspect", "net.onnx", "--json", "net.onnx"),
    ],
)
def test_no_model_is_overwritten_by_what_is_told_of_it(tmp_path: Path, given: tuple[str, ...]) -> None:
    onnx = DATA / "npu/neck.onnx"
    shutil.copy(NET, tmp_path / "net.rknn")
    shutil.copy(onnx, tmp_path / "net.onnx")
    done = run_bench(*given, environment={**os.environ, "HOME": str(tmp_path)}, folder=tmp_path)
    assert (done.returncode, "would overwrite the " in done.stderr) == (2, True), done.stderr
    assert (tmp_path / "net.rknn").read_bytes() == NET.read_bytes()
    assert (tmp_path / "net.onnx").read_bytes() == onnx.read_bytes()
