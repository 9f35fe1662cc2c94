"""Prediction before conversion, against the byte sums of real conversions (rknn-toolkit2 2.5.0)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_networks import Network, grouped
from rkbench.errors import ModelError, UsageError
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.onnx import predict_size
from rkbench.rknn.targets import Dtype
from rkbench.views.inspect.json import render_json

BLOAT = "bloat3M_groupconv_cpg4.onnx"


@pytest.mark.parametrize(
    ("name", "target", "dtype", "real_constants"),
    [
        (BLOAT, "rk3588", "fp16", 62_565_776),
        (BLOAT, "rk3588", "int8", 31_482_624),
        (BLOAT, "rk3568", "fp16", 1_724_976),
        (BLOAT, "rk3568", "int8", 31_367_784),
        ("chshuffle6.onnx", "rk3588", "fp16", 763_424),
        ("chshuffle6.onnx", "rk3568", "int8", 404_592),
        ("const_ofshape_concat.onnx", "rk3588", "fp16", 1_624_480),
        ("dwm_c512_m2.onnx", "rk3588", "fp16", 9_594_944),
        ("dwm_c512_m2.onnx", "rk3568", "int8", 4_820_096),
        ("dw_dilated.onnx", "rk3588", "fp16", 41_536),
        ("g1_c512_cpg4.onnx", "rk3588", "int8", 2_422_528),
    ],
)
def test_constants_are_predicted_within_3_percent(
    data: Path, name: str, target: str, dtype: Dtype, real_constants: int
) -> None:
    prediction = predict_size(data / "models" / name, target, dtype)
    assert abs(prediction.weight_bytes - real_constants) <= 0.03 * real_constants


def test_an_rk3576_file_is_predicted_within_2_percent_of_a_real_one(tmp_path: Path) -> None:
    """37,262 bytes is `g_k3s1_rk3576.rknn` of the public repository gahingwoo/linux-rk3576-npu."""
    path = Network(1, 16, 80, 80).conv(16, 16).save(tmp_path / "g_k3s1.onnx")
    prediction = predict_size(path, "rk3576", "int8")
    assert prediction.weight_bytes == 21_760
    assert abs(prediction.file_bytes - 37_262) <= 0.02 * 37_262


def test_a_network_without_convolutions_lacks_what_the_compiler_adds_for_them(tmp_path: Path) -> None:
    """11,060 bytes is `bare_add_c32_16.rknn` of the public repository gregordinary/rocket-userspace."""
    path = Network(1, 32, 16, 16).add("Add", "x").save(tmp_path / "add.onnx")
    prediction = predict_size(path, "rk3576", "int8")
    assert prediction.weight_bytes == 0
    assert abs(prediction.file_bytes - 11_060) <= 0.07 * 11_060


@pytest.mark.parametrize(
    ("target", "dtype", "dense", "smaller"),
    [
        ("rk3588", "fp16", 13, "int8"),
        ("rk3588", "int8", 13, "int8"),
        ("rk3568", "int8", 13, "fp16"),
        ("rk3568", "fp16", 0, "fp16"),
    ],
)
def test_the_bloated_network_has_13_dense_layers_except_on_rk3568_fp16(
    data: Path, target: str, dtype: Dtype, dense: int, smaller: str
) -> None:
    prediction = predict_size(data / "models" / BLOAT, target, dtype)
    names = [node.name for node in prediction.nodes if node.becomes == "grouped, made dense"]
    assert len(names) == dense
    assert prediction.smaller_dtype == smaller


def test_a_toolkit_of_2_3_0_makes_it_dense_on_rk3568_fp16_too(data: Path) -> None:
    prediction = predict_size(data / "models" / BLOAT, "rk3568", "fp16", "2.3.0")
    assert abs(prediction.file_bytes - 62_709_102) <= 0.03 * 62_709_102


def test_the_first_bloated_node_says_why(data: Path) -> None:
    node = predict_size(data / "models" / BLOAT, "rk3588", "fp16").bloated[0]
    rule = "4 channels per group: rk3588 fp16 keeps multiples of 8"
    assert node.note == f"{rule}, all else is stored as a dense block with zeros"
    assert (node.weight_bytes, node.needed_bytes) == (4_720_640, 36_864)


def test_24_channels_per_group_are_smaller_in_fp16_than_in_int8_on_rk3588(tmp_path: Path) -> None:
    path = grouped(480, 24).save(tmp_path / "cpg24.onnx")
    (node,) = [node for node in predict_size(path, "rk3588", "int8").nodes if node.name == "target"]
    assert (node.weight_bytes_fp16, node.weight_bytes_int8) == (279_040, 2_077_440)
    assert node.smaller_dtype == "fp16"


def test_a_folded_constant_belongs_to_the_node_that_uses_it(data: Path) -> None:
    prediction = predict_size(data / "models" / "const_ofshape_concat.onnx", "rk3588", "fp16")
    node = prediction.bloated[0]
    assert (node.type, node.becomes, node.weight_bytes) == ("Concat", "folded constants", 1_605_632)
    assert "computed by nodes" in node.note


def test_six_channel_shuffles_are_six_dense_1x1(data: Path) -> None:
    prediction = predict_size(data / "models" / "chshuffle6.onnx", "rk3588", "fp16")
    shuffles = [node for node in prediction.nodes if node.becomes == "channel shuffle, made a dense 1x1"]
    assert [node.weight_bytes for node in shuffles] == [115_200] * 6


def test_wide_dilations_are_flagged_on_three_cores_and_their_commands_not_guessed(data: Path) -> None:
    path = data / "models" / "dw_dilated.onnx"
    flagged = [node for node in predict_size(path, "rk3588", "fp16").nodes if node.command_bytes is None]
    assert [node.becomes for node in flagged] == ["dilated, commands blow up"] * 3
    assert all(node.command_bytes is not None for node in predict_size(path, "rk3568", "fp16").nodes)


def test_weights_that_two_convolutions_share_are_counted_once(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8)
    shared = network.weights("shared", 16, 16, 3, 3)
    network.conv(16, 16, weights=shared, bias=False, name="a").conv(
        16, 16, weights=shared, bias=False, name="b"
    )
    prediction = predict_size(network.save(tmp_path / "shared.onnx"), "rk3568", "fp16")
    assert [node.weight_bytes for node in prediction.nodes] == [4608, 0]


def test_initializers_that_are_inputs_too_change_nothing(tmp_path: Path) -> None:
    plain = predict_size(grouped(32, 4).save(tmp_path / "plain.onnx"), "rk3588", "fp16")
    network = grouped(32, 4)
    network.extra_inputs = [
        helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, list(tensor.dims))
        for tensor in network.initializers
    ]
    listed = predict_size(network.save(tmp_path / "listed.onnx"), "rk3588", "fp16")
    assert listed.weight_bytes == plain.weight_bytes == 21_248


def test_weights_stored_in_16_bits_are_told_and_counted_by_element(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8)
    network.element_type = TensorProto.FLOAT16
    prediction = predict_size(network.conv(16, 16).save(tmp_path / "half.onnx"), "rk3568", "int8")
    assert prediction.elements == {"FLOAT16": 2320}
    assert prediction.needed_weight_bytes == 2320
    assert any("2320 weights are stored in 16 bits" in note for note in prediction.notes)


def test_weights_computed_by_nodes_are_known_as_such(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8)
    shape = network.constant("shape", np.array([16, 16, 3, 3], "int64"))
    network.nodes.append(helper.make_node("ConstantOfShape", [shape], ["made"], name="fill"))
    path = network.conv(16, 16, weights="made", bias=False, name="target").save(tmp_path / "made.onnx")
    (node,) = predict_size(path, "rk3568", "fp16").nodes
    assert (node.weight_bytes, node.needed_bytes) == (4608, 0)
    assert node.note == "its weights are computed by nodes (made): the ONNX does not store them"


@pytest.mark.parametrize(
    ("zeros", "bytes_stored"),
    [("stored", 0), ("filled", 0), ("looked up", 0), ("other numbers", 16 * 64 * 2)],
)
def test_a_map_of_zeros_is_not_added_at_all(zeros: str, bytes_stored: int, tmp_path: Path) -> None:
    """Converted with rknn-toolkit2 2.5.0: 60,587 B with zeros, however made, 331,435 with another map."""
    network = Network(1, 16, 8, 8).conv(16, 16)
    whole, made = (1, 16, 8, 8), "made"
    if zeros in ("stored", "other numbers"):
        numbers = np.arange(1024, dtype="float32") * (zeros != "stored")
        made = network.constant("m", numbers.reshape(whole))
    elif zeros == "looked up":
        table = network.constant("table", np.zeros((3, 1024), "float32"))
        place, sides = network.constant("place", np.array([2])), network.constant("sides", np.array(whole))
        network.nodes.append(helper.make_node("Gather", [table, place], ["row"], name="pick"))
        network.nodes.append(helper.make_node("Reshape", ["row", sides], ["made"], name="shape"))
    else:
        sides = network.constant("sides", np.array(whole))
        network.nodes.append(helper.make_node("ConstantOfShape", [sides], ["made"], name="fill"))
    path = network.add("Add", made, name="sum").save(tmp_path / "sum.onnx")
    stored = {node.name: node.weight_bytes for node in predict_size(path, "rk3588", "fp16").nodes}
    assert stored.get("sum", 0) == bytes_stored


def test_missing_external_weights_are_told_and_predicted_all_the_same(tmp_path: Path) -> None:
    whole = grouped(64, 4).save(tmp_path / "whole.onnx")
    model = onnx.load(whole)
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    prediction = predict_size(tmp_path / "split.onnx", "rk3588", "fp16")
    assert prediction.weight_bytes == predict_size(whole, "rk3588", "fp16").weight_bytes == 77_312
    assert "external weights are missing: w.bin; counted by their declared shapes" in prediction.notes


def test_a_symbolic_batch_counts_as_one(tmp_path: Path) -> None:
    path = Network("N", 16, 8, 8).conv(16, 16).save(tmp_path / "batch.onnx")
    prediction = predict_size(path, "rk3568", "fp16")
    assert prediction.notes == ("input x: dimensions N counted as 1",)


def test_a_quantized_graph_is_predicted_as_int8_whatever_is_asked(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8)
    scale = network.constant("scale", np.float32(0.1).reshape(()))
    zero = network.constant("zero", np.zeros((), "int8"))
    network.add("QuantizeLinear", scale, zero).add("DequantizeLinear", scale, zero).conv(16, 16)
    prediction = predict_size(network.save(tmp_path / "qdq.onnx"), "rk3568", "fp16")
    assert "the graph is quantized already (QDQ): predicted as INT8" in prediction.notes
    assert [node.weight_bytes for node in prediction.nodes] == [2432 + 5120]  # with the table of its output


@pytest.mark.parametrize(
    "content", [b"", b"RKNN" + bytes(100), b"version https://git-lfs.github.com/spec/v1\n"]
)
def test_a_file_that_is_no_onnx_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"other\.onnx"):
        predict_size(path, "rk3588", "fp16")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        predict_size(tmp_path / "none.onnx", "rk3588", "fp16")


@pytest.mark.parametrize(("target", "dtype"), [("rk9999", "fp16"), ("rk3588", "int4")])
def test_unknown_targets_and_dtypes_are_usage_errors(tmp_path: Path, target: str, dtype: str) -> None:
    path = Network(1, 4, 8, 8).conv(4, 4).save(tmp_path / "a.onnx")
    with pytest.raises(UsageError, match="unknown"):
        predict_size(path, target, dtype)


def test_the_json_is_plain_and_marked_as_predicted(data: Path) -> None:
    inspection = inspect_file(Request(data / "models" / BLOAT, target="rk3588", dtype="fp16"))
    found = json.loads(render_json(inspection))["onnx"]["prediction"]
    assert found["provenance"] == "predicted"
    assert found["file_bytes_is_estimate"] is True
    assert found["nodes"][8]["becomes"] == "grouped, made dense"


def test_the_missing_extra_is_named_with_its_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("rkbench.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx_ir", None)
    with pytest.raises(UsageError) as caught:
        __import__("rkbench.onnx")
    assert caught.value.hint == "pip install 'rkbench[onnx]'"


def test_a_damaged_onnx_is_predicted_or_refused_but_never_crashes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = grouped(16, 4).save(tmp_path / "whole.onnx").read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for place in random.integers(0, len(damaged), size=3):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "damaged.onnx").write_bytes(damaged)
        try:
            predict_size(tmp_path / "damaged.onnx", "rk3588", "fp16")
        except ModelError:
            refused += 1
    assert 0 < refused < 200
    assert capfd.readouterr().err == ""


def test_the_size_has_bounds_but_where_commands_cannot_be_predicted(tmp_path: Path) -> None:
    plain = predict_size(Network(1, 16, 80, 80).conv(16, 16).save(tmp_path / "a.onnx"), "rk3588", "fp16")
    assert plain.file_bytes_high is not None
    assert plain.file_bytes_low < plain.file_bytes < plain.file_bytes_high
    assert plain.file_bytes_high - plain.file_bytes == plain.file_bytes - plain.file_bytes_low
    wide = Network(1, 16, 80, 80).conv(16, 16, dilations=[24, 24]).save(tmp_path / "b.onnx")
    assert predict_size(wide, "rk3588", "fp16").file_bytes_high is None
    assert predict_size(wide, "rk3568", "int8").file_bytes_high is None  # DeepLabV3: 33.3 MB, not 12.3


@pytest.mark.parametrize("dtype", ["fp16", "int8"])
def test_an_input_that_is_handed_on_is_predicted_whatever_the_dtype_adds_to_it(
    tmp_path: Path, dtype: str
) -> None:
    """In int8 alone an output so wide has a table: the node was looked up in fp16 and not found there."""
    network = Network(1, 1, 7, 16).add("Identity", name="again")
    network.value = "x"
    path = network.conv(1, 16).save(tmp_path / "again.onnx", outputs=("again_out",))
    assert predict_size(path, "rk3568", dtype).weight_bytes_int8 > 5_000
