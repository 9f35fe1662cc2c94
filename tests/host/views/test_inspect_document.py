"""The JSON of bench inspect: it fits its schema, and its numbers add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_samples import MODELS, hostile_model, json_of, sample_document, sample_inspection
from rkbench.inspection.document import Inspection
from rkbench.inspection.inspect_file import Request, inspect_file
from rkbench.inspection.inspect_model import inspect_model
from rkbench.inspection.onnx_comparison import source_node
from rkbench.schema import SCHEMAS
from strict_schema import strict_validator

SCHEMA_FILE = SCHEMAS / "rkbench-inspect-1.schema.json"
VALIDATOR = strict_validator(SCHEMA_FILE)
NAMES = sorted(path.stem for path in MODELS.glob("*.rknn"))


def check(inspection: Inspection) -> dict[str, Any]:
    parsed = json_of(inspection)
    VALIDATOR.validate(parsed)
    return parsed


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_fits_the_schema_and_adds_up(name: str) -> None:
    document = check(sample_inspection(name))
    size = document["file"]["size_bytes"]
    assert sum(document["sections"].values()) == size
    assert sum(cause["bytes"] for cause in document["causes"]) + document["ordinary"]["bytes"] == size
    layers = sum(layer["total_bytes"] for layer in document["layers"])
    assert layers + sum(document["unattributed"].values()) == size
    assert min(document["unattributed"].values()) >= 0


def test_the_four_questions_are_keys() -> None:
    answers = sample_document("hybrid_some_rk3588")["answers"]
    assert answers["convolutions_from_pooling"]["convolutions"] == [
        {
            "name": "GlobalAveragePool_77_2conv0",
            "source": "GlobalAveragePool_77",
            "kernel": [7, 7],
            "channels": 512,
            "bytes": 29_184,
        }
    ]
    floats = answers["float_or_cpu_layers"]["float"]
    assert [(layer["name"], layer["bytes"]) for layer in floats] == [("Conv_71", 5_632), ("Conv_75", 264_192)]
    assert answers["float_or_cpu_layers"]["cpu"] == []
    assert answers["why_this_big"]["causes"][0] == "float layers inside an int8 model: 136 kB (18 %)"
    assert answers["what_to_change"]["steps"][0].startswith("custom_quantize_layers: {}")


def test_layers_on_the_cpu_are_answered_with_a_reason() -> None:
    answer = sample_document("erf_rk3588_i8")["answers"]["float_or_cpu_layers"]
    assert answer["answer"] == (
        "Every layer that computes is quantized; none stayed float. 1 layer on the CPU (Erf): Erf_2."
    )
    assert answer["cpu"][0]["reason"] == "not known: no file seen has a layer of kind Erf on its NPU"


def test_the_myths_are_judged_by_what_they_own_here() -> None:
    myths = {myth["suspect"]: myth["bytes"] for myth in sample_document("hybrid_some_rk3588")["myths"]}
    assert myths == {
        "GlobalAveragePool becomes a convolution": 29_184,
        "a lost ReLU makes layers float": 0,
        "alignment padding": 1_872,
        "hybrid quantization shrinks the file": 136_408,
        "keep_initializers_as_inputs": 0,
        "torch.mean instead of GlobalAveragePool": 0,
        "AdaptiveAvgPool2d(1) instead of GlobalAveragePool": 0,
    }


def test_an_onnx_beside_the_file_is_mapped_node_by_node() -> None:
    request = Request(MODELS / "dw_dilated_rk3588_fp.rknn", onnx=MODELS / "dw_dilated.onnx")
    onnx = check(inspect_file(request))["onnx"]
    assert (onnx["file_bytes"], onnx["prediction"]["needed_weight_bytes"]) == (1_805_612, 11_796)
    assert round(onnx["ratio_to_onnx"], 1) == 72.4
    conv = next(node for node in onnx["nodes"] if node["name"] == "Conv_8")
    assert conv["layers"] == ["Pad:Relu_6_pad", "Conv:Conv_8"]
    assert conv["file_bytes"] > 1_500_000


@pytest.mark.parametrize(
    ("layer", "names", "node"),
    [
        ("Conv_0_tile1", {"Conv_0"}, "Conv_0"),
        ("Conv_0_tile1", {"Conv_0", "Conv_0_tile1"}, "Conv_0_tile1"),
        ("Conv_0_tile1", {"other"}, "Conv_0_tile1"),
        ("Conv_0_branch1", {"Conv_0"}, "Conv_0"),
        ("pool_2gavg", {"pool"}, "pool"),
        ("up_2deconv_tile0", {"up"}, "up"),
        ("Conv_0", {"Conv_0"}, "Conv_0"),
    ],
)
def test_a_part_belongs_to_its_node_unless_a_node_is_called_so(
    layer: str, names: set[str], node: str
) -> None:
    assert source_node(layer, names) == node


def test_a_shuffle_belongs_to_the_node_whose_result_it_makes() -> None:
    assert source_node("a/Reshape_output_0", {"a/Reshape"}, "gather_to_conv") == "a/Reshape"
    assert source_node("a/Reshape_output_0", {"a/Reshape"}) == "a/Reshape_output_0"


def test_an_onnx_alone_is_predicted() -> None:
    request = Request(MODELS / "bloat3M_groupconv_cpg4.onnx", target="rk3568", dtype="int8")
    document = check(inspect_file(request))
    assert (document["verdict"], document["file"], document["layers"]) == ("predicted", None, [])
    assert document["sentence"] == (
        "bloat3M_groupconv_cpg4.onnx (3.34 MB) will become about 31.5 MB (30.1 MB to 32.9 MB) for rk3568 "
        "int8 (predicted): 13 nodes (Conv_19, Conv_32, Conv_45 and 10 more) take 30.5 MB more "
        "than the weights need: grouped, made dense."
    )


def test_two_files_are_compared_by_their_causes() -> None:
    request = Request(MODELS / "mb_gap7_rk3588_i8.rknn", other=MODELS / "hybrid_some_rk3588.rknn")
    diff = check(inspect_file(request))["diff"]
    assert diff["size_difference_bytes"] == 134_784
    assert diff["causes"][0]["code"] == "float_layers"
    assert (diff["causes"][0]["before_bytes"], diff["causes"][0]["after_bytes"]) == (None, 136_408)
    assert diff["sentence"].startswith("hybrid_some_rk3588.rknn is 135 kB larger; ")


def test_files_of_equal_size_with_other_weights_are_told_apart(tmp_path: Path) -> None:
    data = bytearray((MODELS / "mb_gap7_rk3588_i8.rknn").read_bytes())
    with hostile_model() as model:
        assert model.file.size_bytes > 0
    position = data.index(b"\x80" * 4, 200_000) if b"\x80" * 4 in data[200_000:] else 300_000
    data[position] ^= 0x55
    other = tmp_path / "other.rknn"
    other.write_bytes(data)
    diff = check(inspect_file(Request(MODELS / "mb_gap7_rk3588_i8.rknn", other=other)))["diff"]
    assert (diff["size_difference_bytes"], diff["same_weights"]) == (0, False)
    assert diff["sentence"] == "other.rknn is of equal size; 1 constants hold other bytes, 0 layers differ."


def test_hostile_names_fit_the_schema_too() -> None:
    with hostile_model() as model:
        check(inspect_model(model))


def test_memory_is_stated_from_the_file() -> None:
    memory = sample_document("mb_gap7_rk3588_i8")["memory"]
    assert memory == {
        "weight_bytes": 446_912,
        "internal_bytes": 1_354_752,
        "compiler_constant_bytes": 0,
        "total_bytes": 1_801_664,
        "share_of_2_gb_board": 0.000900832,
        "provenance": "from_file",
    }


def test_commands_name_the_onnx_where_it_is_known() -> None:
    request = Request(MODELS / "g1_c512_cpg4_rk3568_fp.rknn", onnx=MODELS / "g1_c512_cpg4.onnx")
    document = check(inspect_file(request))
    asked = f"{MODELS / 'g1_c512_cpg4.onnx'} --target rk3568 --dtype fp16"
    command = f"bench fix {asked} -o g1_c512_cpg4.fixed.onnx # regroup, two_means"
    assert document["causes"][0]["fix"][0]["snippet"] == command
    assert document["answers"]["what_to_change"]["steps"][0].startswith(command)


@pytest.mark.parametrize(
    "layer",
    [
        "a/Relu_output_0_pad_slice#12_conv",
        "a/Relu_output_0_pad_slice_2sp3",
        "a/Relu_output_0_conv#1",
        "a/Relu_output_0_slice#1",
    ],
)
def test_a_part_that_is_named_after_a_map_belongs_to_the_convolution_that_reads_it(layer: str) -> None:
    """The 99 layers of PESTO's kernel of 1,175 taps stood at no node of its ONNX."""
    assert source_node(layer, {"b/Conv"}, None, {"a/Relu_output_0": "b/Conv"}) == "b/Conv"
    assert source_node(layer, {"b/Conv"}, None, {"other": "b/Conv"}) == layer
