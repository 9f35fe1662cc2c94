"""What is said of an ONNX before it is converted: never that nothing happens where something will."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from inspect_samples import MODELS
from rkbench.errors import ModelError
from rkbench.views.inspect.console import render_console
from rkbench.views.inspect.show import Request, inspect_file

BLOAT = MODELS / "bloat3M_groupconv_cpg4.onnx"


def predicted(path: Path, target: str = "rk3588") -> dict[str, Any]:
    return inspect_file(Request(path, target=target))


def test_groups_that_are_kept_are_said_to_cost_commands() -> None:
    assert predicted(BLOAT, "rk3568")["sentence"] == (
        "bloat3M_groupconv_cpg4.onnx (3.34 MB) will become about 6.97 MB for rk3568 fp16 (predicted): 13 "
        "nodes (Conv_19, Conv_32, Conv_45 and 10 more) take about 5.12 MB of commands: kept grouped, one "
        "convolution per group."
    )


def test_commands_that_nobody_can_predict_make_the_size_a_lower_bound() -> None:
    assert predicted(MODELS / "dw_dilated.onnx")["sentence"] == (
        "dw_dilated.onnx (24.9 kB) will become at least 97.6 kB for rk3588 fp16 (predicted): the commands of "
        "3 nodes (Conv_5, Conv_8 and Conv_11) come on top and nobody can predict them (dilated, commands "
        "blow up)."
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
    document = predicted(path)
    (command,) = document["onnx"]["fix"]
    assert shlex.split(command) == [
        *("bench", "fix", str(path), "--target", "rk3588", "--dtype", "fp16", "-o", "my model.fixed.onnx")
    ]
    assert f"         {command}\n" in render_console(document, 60)


def test_a_network_without_grouped_convolutions_is_offered_no_rewrite() -> None:
    assert predicted(MODELS / "chshuffle6.onnx")["onnx"]["fix"] == []


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="no regular file"):
        predicted(path)
