"""`bench fix` as a whole: what it writes, what it refuses, what it says."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from bench_command import run_bench
from onnx_networks import Network, grouped
from rkbench.errors import ModelError, UsageError
from rkbench.onnx import fix, open_onnx
from rkbench.onnx.rewrites import chosen
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, constant_array, replace_constant
from rkbench.onnx.verify import verify

BLOAT = "bloat3M_groupconv_cpg4.onnx"


@pytest.mark.parametrize(
    ("target", "dtype", "predicted_bytes"),
    [
        ("rk3588", "fp16", 8_083_222),
        ("rk3588", "int8", 5_697_251),
        ("rk3568", "fp16", 4_600_458),
        ("rk3568", "int8", 3_105_733),
    ],
)
def test_the_bloated_network_shrinks_and_computes_the_same(
    data: Path, tmp_path: Path, target: str, dtype: str, predicted_bytes: int
) -> None:
    report = fix(data / "models" / BLOAT, target, dtype, tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes].count("regroup") == 13
    assert report.verification is not None
    assert report.verification.relative_difference < 1e-3
    assert report.after.file_bytes == predicted_bytes


def test_a_network_without_grouped_convolutions_is_left_alone(tmp_path: Path) -> None:
    path = Network(1, 4, 8, 8).conv(4, 16).save(tmp_path / "plain.onnx")
    found = run_bench("fix", path, "--target", "rk3588", "-o", tmp_path / "out.onnx")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == (
        "nothing to fix for rk3588 fp16: no change would make the .rknn smaller; nothing written\n"
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["plain.onnx"]


def test_a_folder_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    found = run_bench("fix", path, "--target", "rk3588", "-o", "/proc/out.onnx")  # refuses root too
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "bench: /proc/out.onnx cannot be written: No such file or directory\n"
        "  → name a file in another folder with -o\n"
    )


def test_the_command_tells_what_it_did(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    found = run_bench("fix", path, "--target", "rk3568", "--dtype", "int8", "-o", tmp_path / "out.onnx")
    lines = found.stdout.splitlines()
    assert lines[0].startswith("target: 64 groups of 4 channels -> 16 of 16 (regroup; predicted ")
    assert lines[1].startswith("predicted .rknn for rk3568 int8: ")
    assert "tolerance 0.001; inputs, seed 20240607: normal, mean 0, deviation 1;" in lines[2]
    assert lines[3] == f"wrote {tmp_path / 'out.onnx'}"
    assert lines[4].startswith("the ONNX itself grows, 43.5 kB -> 154 kB: ")
    assert lines[4].endswith("only the .rknn goes to the board")


def test_json_on_stdout_stands_alone(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    found = run_bench("fix", path, "--target", "rk3588", "-o", tmp_path / "out.onnx", "--json", "-")
    report = json.loads(found.stdout)
    assert report["schema"] == "rkbench-fix/1"
    assert report["changes"][0]["rewrite"] == "regroup"
    assert report["verification"]["is_equal"] is True


def test_the_input_is_never_overwritten(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    with pytest.raises(UsageError, match="is the input"):
        fix(path, "rk3588", "fp16", tmp_path / "." / "model.onnx", force=True)


def test_another_file_is_overwritten_only_with_force(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    other = tmp_path / "other.onnx"
    other.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        fix(path, "rk3588", "fp16", other)
    assert other.read_text() == "mine"
    fix(path, "rk3588", "fp16", other, force=True)
    onnx.checker.check_model(onnx.load(other), full_check=True)


def spoil(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """A rewrite that lies: it scales the weights."""
    if node.name != "target" or "spoilt" in node.meta:
        return None
    weights = constant_array(node.inputs[1])
    assert weights is not None

    def apply() -> None:
        node.meta["spoilt"] = True
        replace_constant(node, 1, weights * 1.01, context.graph)

    return Proposal("target", "spoil", "scales the weights", None, None, apply)


def test_a_rewrite_that_changes_results_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"differs by 0\.01 relative, more than 0\.001: not written"):
        fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=[Rewrite("spoil", "", "", spoil)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_external_weights_stay_external(tmp_path: Path) -> None:
    model = onnx.load(grouped(256, 4).save(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "out").mkdir()
    fix(tmp_path / "model.onnx", "rk3588", "fp16", tmp_path / "out" / "fixed.onnx")
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == ["fixed.onnx", "fixed.onnx.data"]
    assert verify(tmp_path / "whole.onnx", tmp_path / "out" / "fixed.onnx").is_equal


@pytest.mark.parametrize(
    ("output", "message", "hint"),
    [
        ("", "a folder", "name a file in it: -o {folder}/model.onnx"),
        ("out.rknn", "an ONNX is written here", "-o {folder}/out.onnx; bench convert makes a .rknn"),
    ],
)
def test_what_an_onnx_is_not_written_to_is_refused(
    tmp_path: Path, output: str, message: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        fix(grouped(256, 4).save(tmp_path / "model.onnx"), "rk3588", "fp16", tmp_path / output, force=True)
    assert caught.value.hint == hint.format(folder=tmp_path)


def test_an_onnx_is_not_said_to_grow_from_a_size_to_the_same(tmp_path: Path) -> None:
    network = Network(1, 16, 3, 5).conv(16, 32, (1, 1)).add("Transpose", perm=[0, 2, 3, 1]).add("Flatten")
    network.add("Gemm", network.weights("matrix", 480, 2400), network.weights("shift", 2400))
    path = network.save(tmp_path / "model.onnx")
    found = run_bench("fix", path, "--target", "rk3588", "-o", tmp_path / "out.onnx")
    assert found.stdout.splitlines()[-1] == f"wrote {tmp_path / 'out.onnx'}"


def test_a_renamed_input_keeps_its_weights(tmp_path: Path) -> None:
    """m.onnx with m.onnx.data, renamed old.onnx: a new m.onnx would have taken the old one's weights."""
    model = onnx.load(grouped(256, 4).save(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "old.onnx", save_as_external_data=True, location="m.onnx.data")
    weights = (tmp_path / "m.onnx.data").read_bytes()
    with pytest.raises(UsageError, match=r"m\.onnx\.data holds the weights of .*old\.onnx") as caught:
        fix(tmp_path / "old.onnx", "rk3588", "fp16", tmp_path / "m.onnx", force=True)
    assert caught.value.hint == "name another file with -o"
    assert (tmp_path / "m.onnx.data").read_bytes() == weights


def test_weights_of_another_file_are_overwritten_by_force_alone(tmp_path: Path) -> None:
    model = onnx.load(grouped(256, 4).save(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin")
    (tmp_path / "out.onnx.data").write_bytes(b"of another")
    with pytest.raises(UsageError, match=r"out\.onnx\.data exists"):
        fix(tmp_path / "model.onnx", "rk3588", "fp16", tmp_path / "out.onnx")
    assert fix(tmp_path / "model.onnx", "rk3588", "fp16", tmp_path / "out.onnx", force=True).changes


def test_what_is_written_is_sound_and_its_shapes_can_be_followed(tmp_path: Path) -> None:
    """A constant that is one number once had another shape in its declaration: nothing behind it had one."""
    network = Network(1, 16, 56, 56).conv(16, 64, (1, 1))
    numbers = [network.constant(name, np.full(64, value, "float32")) for name, value in (("s", 1), ("o", 0))]
    path = network.add("InstanceNormalization", *numbers).conv(64, 32, (3, 3)).save(tmp_path / "model.onnx")
    report = fix(path, "rk3568", "fp16", tmp_path / "out.onnx", rewrites=chosen(["pooled_norm"]))
    assert [change.rewrite for change in report.changes] == ["pooled_norm"]
    onnx.shape_inference.infer_shapes(onnx.load(tmp_path / "out.onnx"), strict_mode=True)
    written = open_onnx(tmp_path / "out.onnx")
    assert written.notes == ()
    assert all(value.shape is not None for node in written.graph for value in node.outputs)


def test_missing_external_weights_are_named(tmp_path: Path) -> None:
    model = onnx.load(grouped(256, 4).save(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    with pytest.raises(ModelError, match=r"its weights are not here: w\.bin"):
        fix(tmp_path / "model.onnx", "rk3588", "fp16", tmp_path / "out.onnx")


def test_a_target_that_nobody_measured_is_refused(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    with pytest.raises(UsageError, match="nobody has measured"):
        fix(path, "rv1106", "int8", tmp_path / "out.onnx")


@pytest.mark.parametrize(
    ("name", "shape", "cases"),
    [
        ("x", (1, 4, 8, 8), 1),
        ("inputs/x", (3, 1, 4, 8, 8), 3),
        ("x", (2, 4, 8, 8), 2),
        ("inputs/x", (2, 1, 8, 8, 4), 2),
    ],
)
def test_given_inputs_are_cases_of_their_own(
    tmp_path: Path, name: str, shape: tuple[int, ...], cases: int
) -> None:
    path = grouped(64, 4).save(tmp_path / "model.onnx")
    np.savez(tmp_path / "given.npz", **{name: np.ones(shape, "float32")})
    told = verify(path, path, tmp_path / "given.npz").cases
    assert told[3:] == tuple(f"given.npz, case {number}" for number in range(cases))


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [("y", (1, 4, 8, 8), "has no member 'x'; it has y"), ("x", (1, 4, 9, 9), "the model wants")],
)
def test_inputs_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, shape: tuple[int, ...], words: str
) -> None:
    path = grouped(64, 4).save(tmp_path / "model.onnx")
    np.savez(tmp_path / "given.npz", **{name: np.ones(shape, "float32")})
    with pytest.raises(UsageError, match=words):
        verify(path, path, tmp_path / "given.npz")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("pipe", "no regular file"),
        ("npy", "a single array"),
        ("zip", "BadZip|not a zip"),
        ("empty", "No data"),
    ],
)
def test_inputs_that_are_no_archive_are_refused(tmp_path: Path, kind: str, words: str) -> None:
    path = grouped(64, 4).save(tmp_path / "model.onnx")
    given = tmp_path / "given"
    if kind == "pipe":
        os.mkfifo(given)
    elif kind == "npy":
        with given.open("wb") as stream:
            np.save(stream, np.ones(3))
    else:
        given.write_bytes(b"PK\x03\x04 cut off" if kind == "zip" else b"")
    with pytest.raises(UsageError, match=words):
        verify(path, path, given)


def test_a_network_that_onnxruntime_cannot_run_is_refused(tmp_path: Path) -> None:
    path = grouped(64, 4).save(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.node[1].op_type = "NoSuchLayer"
    onnx.save(model, tmp_path / "broken.onnx")
    with pytest.raises(ModelError, match="onnxruntime cannot run"):
        verify(path, tmp_path / "broken.onnx")
