"""Tables of layers of every known form become layers; anything else is left as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from rkbench.results.profile import map_layers, parse_layers, read_profile
from rkbench.rknn import open_model

DATA = Path(__file__).parents[2] / "data"
PROFILES = DATA / "profiles"


def text_of(name: str) -> str:
    return (PROFILES / name).read_text()


def test_the_real_table_of_1_5_2_is_read_whole() -> None:
    layers = parse_layers(text_of("perf_detail_1.5.2_mb_gap7_rk3588_i8.txt"))
    assert len(layers) == 24
    third = layers[2]
    assert (third.number, third.name, third.op, third.unit, third.dtype) == (
        3,
        "Conv:Conv_7",
        "ConvRelu",
        "NPU",
        "INT8",
    )
    assert (third.ddr_cycles, third.npu_cycles, third.moved_bytes) == (67_986, 1_764, 402_063)
    assert sum(round(layer.duration_s * 1e6) for layer in layers) == 1379
    assert sum(layer.share for layer in layers) == pytest.approx(1.0)
    assert [layer.unit for layer in layers].count("CPU") == 3


def test_the_table_of_2_3_has_empty_cells_and_three_units() -> None:
    layers = parse_layers(text_of("layer_table_2.3_rk3588.txt"))
    assert [(layer.number, layer.unit, layer.name) for layer in layers] == [
        (1, "CPU", "InputOperator:x"),
        (2, "NPU", ""),
        (3, "NPU", "Conv:/block.0/conv/Conv"),
        (4, "CPU", "Resize:/up/Resize"),
        (5, "GPU", "MatMul:/head/MatMul"),
        (6, "CPU", "OutputOperator:y"),
    ]
    assert (layers[1].ddr_cycles, layers[1].npu_cycles, layers[1].moved_bytes) == (6095, 13107, 90_112)
    assert layers[3].share == pytest.approx(190 / 400)


def test_the_table_of_1_4_has_no_workload_column() -> None:
    layers = parse_layers(text_of("layer_table_1.4_rk3568.txt"))
    assert [(layer.op, layer.duration_s, layer.moved_bytes) for layer in layers] == [
        ("InputOperator", 21e-6, 3072),
        ("ConvRelu", 75e-6, 19_968),
        ("exSoftmax13", 24e-6, 32_768),
    ]
    assert layers[1].npu_cycles == 1058


def test_the_columns_of_the_guide_for_2_3_are_read() -> None:
    layers = parse_layers(text_of("layer_table_2.x_rk3576.txt"))
    assert [(layer.name, layer.ddr_cycles, layer.npu_cycles) for layer in layers] == [
        ("InputOperator:x", 0, 0),
        ("Conv:/stem/Conv", 941, 105),
    ]


def test_lines_of_the_runtimes_log_carry_the_same_table() -> None:
    plain = text_of("layer_table_2.3_rk3588.txt")
    logged = "".join(f"D RKNN: [05:07:06.566] {line}\n" for line in plain.splitlines())
    assert [layer.name for layer in parse_layers(logged)] == [layer.name for layer in parse_layers(plain)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Total Operator Elapsed Time(us): 14147\n",
        text_of("layer_table_rknn1.txt"),
        text_of("layer_table_2.3_rk3588.txt").replace("GPU", "DSP"),
        text_of("layer_table_2.3_rk3588.txt").replace(" 190 ", " n/a "),
        text_of("layer_table_2.3_rk3588.txt").replace("7000/20000/20000", "7000/20000"),
    ],
    ids=["empty", "no table", "RKNN1", "unknown unit", "no number", "other cycles"],
)
def test_what_has_another_form_is_kept_raw_and_not_guessed(text: str) -> None:
    profile = read_profile("capi", text)
    assert (profile.layers, profile.total_s, profile.text) == ((), None, text)


def test_layers_are_mapped_to_the_nodes_of_the_rknn() -> None:
    profile = read_profile("capi", text_of("perf_detail_1.5.2_mb_gap7_rk3588_i8.txt"))
    with open_model(DATA / "models/mb_gap7_rk3588_i8.rknn") as model:
        mapped = map_layers(profile, [node.name for node in model.nodes])
    assert [layer.node for layer in mapped.layers] == list(range(24))
    assert mapped.layers[20].onnx_node == "GlobalAveragePool_77"
    assert mapped.layers[0].onnx_node is None


def test_two_nodes_of_one_name_are_taken_in_their_order() -> None:
    profile = read_profile("capi", text_of("layer_table_1.4_rk3568.txt"))
    mapped = map_layers(profile, ["Conv:conv1", "Conv:conv1", "exSoftmax13:prob"])
    assert [layer.node for layer in mapped.layers] == [None, 0, 2]
