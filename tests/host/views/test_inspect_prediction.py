"""What is said of an ONNX before it is converted: never that nothing happens where something will."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from inspect_samples import MODELS, json_of, sample_inspection
from rkbench.errors import ModelError
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.inspection.onnx_comparison import add_onnx
from rkbench.onnx import Prediction, predict_size
from rkbench.views.inspect.console import render_console

BLOAT = MODELS / "bloat3M_groupconv_cpg4.onnx"


def predicted(path: Path, target: str = "rk3588") -> dict[str, Any]:
    return json_of(inspect_file(Request(path, target=target)))


def test_groups_that_are_kept_are_said_to_cost_commands() -> None:
    assert predicted(BLOAT, "rk3568")["sentence"] == (
        "bloat3M_groupconv_cpg4.onnx (3.34 MB) will become about 7.15 MB (4.80 MB to 9.51 MB) for rk3568 "
        "fp16 (predicted): 13 "
        "nodes (Conv_110, Conv_123, Conv_136 and 10 more) take about 5.33 MB of commands: kept grouped, one "
        "convolution per group."
    )


def test_commands_that_nobody_can_predict_make_the_size_a_lower_bound() -> None:
    assert predicted(MODELS / "dw_dilated.onnx")["sentence"] == (
        "dw_dilated.onnx (24.9 kB) will become at least 77.1 kB for rk3588 fp16 (predicted): 1 node "
        "(GlobalAveragePool_13) takes 27.6 kB more than the weights need: pooling, made depthwise "
        "convolutions; the commands of 3 nodes (Conv_5, Conv_8 and Conv_11) come on top and nobody can "
        "predict them (dilated, commands blow up)."
    )


def test_a_target_that_nobody_measured_is_said_to_be_one() -> None:
    document = predicted(BLOAT, "rv1103")
    assert "at least" in document["sentence"]
    assert document["sentence"].endswith(
        "rv1103: which grouped convolutions it makes dense has not been measured."
    )
    assert {node["becomes"] for node in document["onnx"]["nodes"] if node["name"] == "Conv_19"} == {
        "grouped, kept or not"
    }
    assert document["onnx"]["fix"] == []


def test_the_cure_can_be_typed(tmp_path: Path) -> None:
    path = tmp_path / "my model.onnx"
    path.write_bytes(BLOAT.read_bytes())
    inspection = inspect_file(Request(path, target="rk3588"))
    assert inspection.onnx is not None
    (command,) = inspection.onnx.fix
    assert command.endswith(" # regroup")
    assert shlex.split(command, comments=True) == [
        *("bench", "fix", str(path), "--target", "rk3588", "--dtype", "fp16", "-o", "my model.fixed.onnx")
    ]
    assert f"         {command}\n" in render_console(inspection, 60)


def test_a_network_that_no_rewrite_makes_smaller_is_offered_none() -> None:
    assert predicted(MODELS.parent / "cases/relu16.onnx")["onnx"]["fix"] == []


def test_a_network_with_channel_shuffles_is_offered_their_cure() -> None:
    (command,) = predicted(MODELS / "chshuffle6.onnx")["onnx"]["fix"]
    assert command.startswith("bench fix ")


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no regular file"):
        predicted(path)


def test_a_healthy_file_that_is_large_beside_its_onnx_is_said_to_be_no_bloat() -> None:
    inspection = sample_inspection("mb_gap7_rk3588_i8")
    halved = Prediction(
        "rk3588", "fp16", None, 200_000, {"FLOAT16": 90_000, "FLOAT": 10_000}, (), 210_000, 200_000, 10_000,
        210_000, 110_000, 10_000, 10_000, (), file_bytes_low=210_000, file_bytes_high=230_000,
    )  # fmt: skip
    path = Path("halved.onnx")
    assert add_onnx(inspection, path, halved).sentence == (
        "mb_gap7_rk3588_i8.rknn is 630 kB, 3.1 times its ONNX, but nothing is unusual: halved.onnx (200 kB) "
        "stores its weights in half precision or less; its constants take 210 kB at fp16."
    )
    generated = replace(halved, elements={"FLOAT": 100_000}, weight_bytes=600_000)
    assert add_onnx(inspection, path, generated).sentence == (
        "mb_gap7_rk3588_i8.rknn is 630 kB, 3.1 times its ONNX, but nothing is unusual: halved.onnx (200 kB) "
        "generates weights that the file has to store; its constants take 600 kB at fp16."
    )
    ordinary = replace(halved, elements={"FLOAT": 100_000})
    assert add_onnx(inspection, path, ordinary).sentence == inspection.sentence


def test_bench_fix_is_no_cure_where_it_finds_nothing(tmp_path: Path) -> None:
    """Five groups of three channels cannot be merged into fewer that fit."""
    path = tmp_path / "prime.onnx"
    weights = onnx.numpy_helper.from_array(np.ones((15, 3, 3, 3), np.float32), "w")
    shape = [1, 15, 8, 8]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], name="Conv_1", group=5, pads=[1, 1, 1, 1])],
        "prime",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        [weights],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]  # a newer one has a cure of its own
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), path)
    assert predicted(path)["onnx"]["fix"] == []
    inspection = sample_inspection("grouped_c64_g16_rk3588_fp")
    beside = add_onnx(inspection, path, predict_size(path, "rk3588", "fp16"))
    told = [fix.snippet for cause in beside.causes for fix in cause.fix] + list(
        beside.answers.what_to_change.steps
    )
    assert not [text for text in told if text.startswith("bench fix")]
    known = {fix.action for cause in beside.causes for fix in cause.fix if fix.kind != "nothing"}
    steps = beside.answers.what_to_change.steps
    assert len(steps) == len(known)
    assert all(any(action in step for action in known) for step in steps)
    assert beside.causes[0].not_helping[0] == "bench fix: it finds nothing to change in prime.onnx"
