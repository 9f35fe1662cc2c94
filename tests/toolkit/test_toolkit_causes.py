"""The reference case, converted for real: 3.3 MB that become 63, 32 and 31 MB, and 7 MB."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from rkbench.inspection.causes import Attribution, Cause, find_causes
from rkbench.onnx import predict_size
from rkbench.rknn import open_model
from toolkit_jobs import Convert

BLOCKS = ("Conv_19", "Conv_32", "Conv_45", "Conv_58", "Conv_71", "Conv_84", "Conv_97")
BLOCKS += ("Conv_110", "Conv_123", "Conv_136", "Conv_149", "Conv_162", "Conv_175")
# Elements of the ONNX's weights: what any file needs at 2 or 1 bytes each.
ELEMENTS = 832_500


def diagnose(path: Path) -> Attribution:
    with open_model(path) as model:
        return find_causes(model)


def cause(attribution: Attribution, code: str) -> Cause:
    return next(cause for cause in attribution.causes if cause.code == code)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("target", "dtype", "size_bytes", "element_bytes"),
    [
        ("rk3588", "fp16", 63_317_358, 2),
        ("rk3588", "int8", 32_026_952, 1),
        ("rk3568", "int8", 31_485_384, 1),
    ],
)
def test_the_grouped_cause_owns_the_excess_and_names_every_layer(
    target: str, dtype: str, size_bytes: int, element_bytes: int, data: Path, convert: Convert
) -> None:
    path = data / "models" / "bloat3M_groupconv_cpg4.onnx"
    answer = convert(path, target, dtype)
    assert answer["size_bytes"] == size_bytes
    with open_model(answer["output"]) as model:
        sections, attribution = model.sections, find_causes(model)
    dense = cause(attribution, "grouped_conv_dense")
    assert (attribution.lead, dense.layers) == ("grouped_conv_dense", BLOCKS)
    excess = size_bytes - ELEMENTS * element_bytes
    assert dense.bytes >= 0.95 * excess
    predicted = predict_size(path, target, dtype).weight_bytes
    constants = sections.weights + sections.compiler_constants + sections.cpu_constants
    assert abs(predicted - constants) <= 0.03 * constants


@pytest.mark.timeout(300)
def test_groups_that_the_rk3568_keeps_in_fp16_are_called_what_they_are(data: Path, convert: Convert) -> None:
    answer = convert(data / "models" / "bloat3M_groupconv_cpg4.onnx", "rk3568", "fp16")
    attribution = diagnose(answer["output"])
    assert "grouped_conv_dense" not in [cause.code for cause in attribution.causes]
    kept = cause(attribution, "groups_kept_apart")
    assert (attribution.lead, kept.layers) == ("groups_kept_apart", BLOCKS)
    assert set(kept.sections) == {"register_commands", "tasks", "structure"}
    assert kept.bytes > 0.95 * (answer["size_bytes"] - 2 * ELEMENTS - 500_000)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("target", "dtype"), [("rk3588", "fp16"), ("rk3588", "int8"), ("rk3568", "fp16")])
def test_a_depthwise_multiplier_is_named(target: str, dtype: str, data: Path, convert: Convert) -> None:
    attribution = diagnose(convert(data / "models" / "dwm_c512_m2.onnx", target, dtype)["output"])
    dense = cause(attribution, "depthwise_multiplier")
    assert (attribution.lead, dense.layers) == ("depthwise_multiplier", ("Conv_6",))
    assert dense.share > 0.96


@pytest.mark.timeout(300)
def test_one_core_list_cures_the_dilated_network(data: Path, convert: Convert) -> None:
    path = data / "models" / "dw_dilated.onnx"
    answer = convert(path, "rk3588", "fp16", config={"single_core_mode": True})
    assert answer["size_bytes"] == 90_540
    assert "core_lists" not in [cause.code for cause in diagnose(answer["output"]).causes]


@pytest.mark.timeout(300)
def test_float16_by_hybrid_quantization_keeps_dense_groups_dense(data: Path, convert: Convert) -> None:
    path = data / "models" / "bloat3M_groupconv_cpg4.onnx"
    answer = convert(path, "rk3568", "int8", hybrid=dict.fromkeys(BLOCKS, "float16"))
    assert answer["size_bytes"] == 62_205_768
    assert cause(diagnose(answer["output"]), "grouped_conv_dense").layers == BLOCKS


def test_mean_and_std_of_every_channel_are_metadata(tmp_path: Path, convert: Convert) -> None:
    shape = [1, 1024, 64]
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="Relu_0")
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"]
    graph = onnx.helper.make_graph([node], "sequence", ports[:1], ports[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path / "sequence.onnx"
    onnx.save(model, path)
    config = {"mean_values": [[0.25] * 1024], "std_values": [[2.0] * 1024]}
    plain, described = convert(path, "rk3588", "fp16"), convert(path, "rk3588", "fp16", config=config)
    grown = described["size_bytes"] - plain["size_bytes"]
    attribution = diagnose(described["output"])
    assert (attribution.lead, grown) == ("metadata", 23_488)
    assert abs(cause(attribution, "metadata").bytes - grown) <= 2_048
