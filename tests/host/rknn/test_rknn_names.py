"""Source node and rewrite from the names of compiled layers."""

from __future__ import annotations

import pytest
from rkbench.rknn.names import NodeOrigin, origin_of


@pytest.mark.parametrize(
    ("name", "node_type", "onnx_node", "rewrite"),
    [
        ("Conv:/model.0/conv/Conv", "ConvRelu", "/model.0/conv/Conv", None),
        ("Conv:GlobalAveragePool_77_2conv0", "Conv", "GlobalAveragePool_77", "pool_to_conv"),
        ("Conv:p2o.GlobalAveragePool.4_2conv1", "Conv", "p2o.GlobalAveragePool.4", "pool_to_conv"),
        ("Conv:Mean_3_gavg_2conv0", "Conv", "Mean_3", "pool_to_conv"),
        ("Conv:Reshape_5-gather_2conv", "Conv", "Reshape_5", "gather_to_conv"),
        ("Conv:Gemm_81#2", "Conv", "Gemm_81", "matmul_to_conv"),
        ("Conv:MatMul_44#2_ConvAdd", "ConvAdd", "MatMul_44", "matmul_to_conv"),
        ("Conv:fc_2gemm_2conv", "Conv", "fc", "matmul_to_conv"),
        ("exMatMul:/MatMul#1", "exMatMul", "/MatMul", None),
        ("Conv:Conv_12#1_tile0", "Conv", "Conv_12", "dense_tile"),
        ("Conv:target#1_branch0_ConvAdd", "ConvAdd", "target", "dense_tile"),
        ("Reshape:Squeeze_6_2rs", "Reshape", "Squeeze_6", "layout"),
        ("Conv:Conv_7_group_127", "Conv", "Conv_7", "group"),
        ("exNorm:ReduceMean_1_2ln", "exNorm", "ReduceMean_1", "layer_norm"),
        ("exSDPAttention:MatMul_39_2sdpa", "exSDPAttention", "MatMul_39", "attention"),
        ("Pad:Relu_6_pad", "Pad", "Relu_6", "padding"),
        ("Split:Relu_16_split", "Split", "Relu_16", "split"),
        ("Conv:Conv_19#1_tile3_ConvAddRelu", "ConvAddRelu", "Conv_19", "dense_tile"),
        ("exDataConvert:Relu_68__cvt_int8_float16", "exDataConvert", None, "dtype_conversion"),
        ("Reshape:Gemm_81_mm_tp_rs", "Reshape", "Gemm_81", "layout"),
        ("Reshape:onnx::MatMul_1_rs", "Reshape", "onnx::MatMul_1", "layout"),
        ("BatchNormalization:bn.2_BatchNormalizationRelu", "BatchNormalizationRelu", "bn.2", None),
        ("InputOperator:x", "InputOperator", None, None),
        ("OutputOperator:y", "OutputOperator", None, None),
        ("onnx::Add_1", "Add", "onnx::Add_1", None),
        ("", "Conv", None, None),
    ],
)
def test_names_tell_source_and_rewrite(
    name: str, node_type: str, onnx_node: str | None, rewrite: str | None
) -> None:
    assert origin_of(name, node_type) == NodeOrigin(onnx_node, rewrite)


def test_a_name_made_to_exhaust_the_patterns_is_cut_short() -> None:
    assert origin_of("Reshape:" + "_tp" * 100_000 + "x", "Reshape").rewrite is None
