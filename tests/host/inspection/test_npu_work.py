"""`bench inspect --tasks`: tasks in words, what is not explained, who lies where in memory, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench_command import run_bench
from rkbench.errors import UsageError
from rkbench.inspection.npu_document import TensorLife
from rkbench.inspection.npu_work import inspect_npu
from rkbench.rknn import open_model
from rkbench.views.inspect.html_npu import memory_map
from rknn_writer import MODELS

SAMPLE = MODELS / "mb_gap7_rk3588_i8.rknn"


def test_a_task_is_told_in_words() -> None:
    with open_model(SAMPLE) as model:
        first, *_ = inspect_npu(model, "Conv_3").tasks
    assert first.words == (
        "dense 3x3 convolution stride 2x2 in int8 of 3 x 100 x 224 to 16 kernels, 2.30 kB of weights, 11 + 1"
        " banks of 32 KiB; adds a bias, scales, relu, requantizes x 29767 / 2^22 - 128,"
        " writes 32 x 50 x 112 int8"
    )
    assert (first.macs, first.mac_cycles) == (50 * 112 * 27 * 16, 50 * 112 * 9)
    assert first.mac_fill_ratio == pytest.approx(3 * 16 / 1024)
    assert first.written_bytes == 32 * 50 * 112


def test_what_nobody_has_explained_is_named() -> None:
    with open_model(MODELS / "grouped_c64_g16_rk3568_i8.rknn") as model:
        npu = inspect_npu(model)
    assert [(word.what, word.count) for word in npu.unknown] == [("0x5024", 3)]
    assert npu.explained_ratio == pytest.approx(0.9937, abs=1e-4)


def test_the_memory_map_says_who_lies_where_and_when() -> None:
    with open_model(SAMPLE) as model:
        npu = inspect_npu(model)
        internal_bytes = model.memory.internal_bytes
    assert max(life.offset_bytes + life.size_bytes for life in npu.memory) == internal_bytes
    for life in npu.memory:
        for other in npu.memory:
            apart = (
                life.offset_bytes + life.size_bytes <= other.offset_bytes
                or other.offset_bytes + other.size_bytes <= life.offset_bytes
                or life.last_layer < other.first_layer
                or other.last_layer < life.first_layer
            )
            assert apart or life is other or "_exSecondary" in life.name + other.name, (life, other)


def test_a_layer_that_is_not_there_is_a_usage_error() -> None:
    with open_model(SAMPLE) as model, pytest.raises(UsageError, match="--tasks Conv_99: no layer"):
        inspect_npu(model, "Conv_99")


def test_a_file_whose_commands_cannot_be_decoded_says_why() -> None:
    path = MODELS / "opt_mini_rknn_True_rk3588_fp.rknn"
    done = run_bench("inspect", str(path), "--tasks", "all")
    assert done.returncode == 0
    assert "its NPU commands cannot be decoded" in " ".join(done.stdout.split())


def test_the_page_and_the_json_hold_what_layers_cost(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = run_bench("inspect", str(SAMPLE), "--json", "-", "--html", str(page))
    npu = json.loads(done.stdout)["npu"]
    assert npu["latency"]["layers"][0]["costs"]["macs"] == 5419008
    assert npu["latency"]["layers"][0]["bound"] == "macs"
    assert '"bound":"macs"' in page.read_text("utf-8")


def test_the_plain_view_decodes_nothing() -> None:
    assert "NPU tasks\n" not in run_bench("inspect", str(SAMPLE)).stdout


def test_tasks_of_an_onnx_are_refused() -> None:
    done = run_bench("inspect", str(MODELS / "chshuffle6.onnx"), "--tasks", "all")
    assert (done.returncode, "--tasks need a .rknn" in done.stderr) == (2, True)


def test_channels_that_a_layer_does_not_have_are_a_cause() -> None:
    with open_model(SAMPLE) as model:
        npu = inspect_npu(model)
        (node,) = [n for n in model.nodes if n.name == "Conv:Conv_7"]
    (cause,) = npu.traffic_causes
    assert (cause.code, cause.layers[0]) == ("padding_traffic", "Conv_7")
    (conv_7,) = [layer for layer in npu.traffic if layer.node == node.index]
    assert conv_7.padding_bytes == (64 - 16) * 112 * 112
    assert cause.bytes == sum(layer.padding_bytes for layer in npu.traffic)


def test_a_task_that_fills_a_table_says_so() -> None:
    with open_model(MODELS.parent / "npu/swishes_rk3588_int8.rknn") as model:
        npu = inspect_npu(model, "all")
    fills = [task for task in npu.tasks if task.words.startswith("fills the activation table with 1,")]
    assert len(fills) == sum(layer.table_fills for layer in npu.traffic) > 0


def test_the_picture_has_a_box_for_each_tensor() -> None:
    lives = (TensorLife("a<b", 0, 100, 0, 1), TensorLife("c", 100, 300, 1, 3))
    picture = memory_map(lives, {1: "Conv_1"})
    assert picture.count("<rect ") == 2
    assert "a&lt;b: 100 B at 0x0, layers 0 to 1" in picture
    assert 'x="250.0" y="0.0" width="750.0" height="225.0"' in picture
    assert "Fullest at layer 1 (Conv_1): 400 B" in picture
    assert ">a&lt;b<br>100 B</span>" in picture
    assert "<span>400 B</span><span>200 B</span><span>0 B</span>" in picture
    assert "<span>layer 0</span><span>layer 3</span>" in picture


def test_a_box_without_room_has_no_name_in_the_picture() -> None:
    lives = (TensorLife("flat", 0, 1, 0, 9), TensorLife("tall", 1, 99, 0, 9), TensorLife("thin", 1, 99, 0, 0))
    picture = memory_map((*lives, TensorLife("end", 0, 1, 99, 99)), {})
    assert [name for name in ("flat", "tall", "thin") if f">{name}<br>" in picture] == ["tall"]
    assert memory_map((), {}) == ""
