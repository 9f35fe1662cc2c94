"""The reader on real and synthetic files: sums, graph, layers."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from rkbench.errors import ModelError
from rkbench.rknn import Memory, Sections, open_model
from rkbench.rknn.file_format import TASK_BYTES
from rknn_writer import (
    CONCAT,
    CONVOLUTION,
    MODELS,
    SHARED_MODELS,
    FileSpec,
    GraphSpec,
    NodeSpec,
    TensorSpec,
    opened,
    small_spec,
    write_model,
    write_tasks,
)

SECTION_COLUMNS = {
    "weights(kind4)": "weights",
    "cpu_constants(kind5)": "cpu_constants",
    "lookup_tables(kind6)": "lookup_tables",
    "kind7": "kind7",
    "compiler_constants(kind8)": "compiler_constants",
    "register_commands(kind9)": "register_commands",
    "tasks(kind10)": "tasks",
    "structure": "structure",
    "header": "header",
}


def expected_rows() -> list[dict[str, str]]:
    table = SHARED_MODELS / "EXPECTED.tsv"
    if not table.exists():
        return []
    with table.open(newline="") as stream:
        return [row for row in csv.DictReader(stream, delimiter="\t") if row["container"].startswith("fb")]


@pytest.mark.skipif(not expected_rows(), reason="../shared/data/models is not here")
@pytest.mark.parametrize("row", expected_rows(), ids=lambda row: row["file"])
def test_every_sum_of_the_sample_files_is_exact(row: dict[str, str]) -> None:
    with open_model(SHARED_MODELS / row["file"]) as model:
        sections = vars(model.sections)
        assert {name: str(sections[name]) for name in SECTION_COLUMNS.values()} == {
            name: row[column] for column, name in SECTION_COLUMNS.items()
        }
        assert model.sections.json == int(row["json"]) + 8
        assert model.sections.total == model.file.size_bytes == int(row["size_bytes"])
        assert model.file.sha256 == row["sha256"]
        assert f"fb {model.file.container_version:#x}" == row["container"]
        assert (model.file.target, model.file.toolkit_version) == (row["target"], row["toolkit"])
        counts = (len(model.graphs), len(model.tensors), len(model.nodes))
        assert counts == (int(row["graphs"]), int(row["tensors"]), int(row["nodes"]))
        if row["mem_weight"]:
            assert model.memory == Memory(
                int(row["mem_weight"]), int(row["mem_internal"]), int(row["mem_compiler_const"])
            )


@pytest.mark.skipif(not expected_rows(), reason="../shared/data/models is not here")
def test_a_mini_file_of_a_rv1103_is_read_whole() -> None:
    with open_model(SHARED_MODELS / "real/mini_rv1103_container0x1004.rknn") as model:
        assert model.sections == Sections(
            header=64,
            structure=6976,
            weights=640,
            cpu_constants=128,
            register_commands=4672,
            tasks=200,
            json=1068,
        )
        assert model.memory == Memory(768, 192, 0)
        assert (model.file.target, model.file.npu_generation, model.task_count) == ("rv1103", "RKNPU t3", 5)
        assert sum(layer.register_command_bytes for layer in model.layers) == 4672


@pytest.mark.skipif(not expected_rows(), reason="../shared/data/models is not here")
def test_containers_1_and_2_name_the_commands_of_each_node() -> None:
    folder = SHARED_MODELS / "real"
    with open_model(folder / "multiple_input_rk3566_tk1.1.0_container1.rknn") as model:
        assert [layer.kind7_bytes for layer in model.layers] == [0, 0, 1056, 1056, 552, 0]
        assert model.memory == Memory(None, 1376256, None)
    with open_model(folder / "multiple_input_rk3566_tk1.3.4_container2.rknn") as model:
        assert [layer.kind7_bytes for layer in model.layers] == [0, 0, 1056, 1056, 4456]
        assert model.task_count == 10


@pytest.mark.skipif(not expected_rows(), reason="../shared/data/models is not here")
def test_lookup_tables_and_their_upload_tasks_belong_to_layers() -> None:
    with open_model(SHARED_MODELS / "real/ppocrv4_det_rk3588_tk2.3.0.rknn") as model:
        tables = [
            (layer.name, layer.lookup_table_bytes) for layer in model.layers if layer.lookup_table_bytes
        ]
        assert tables == [
            ("Conv:p2o.Conv.1", 8776),
            ("Conv:p2o.Conv.48", 8776),
            ("Sigmoid:p2o.Sigmoid.0", 8776),
        ]
        sigmoid = model.layers[168]
        assert model.nodes[168].task_counts == (1, 2, 0, 2, 0, 0)
        assert (sigmoid.task_counts, sigmoid.task_bytes) == ((2, 2, 0, 2, 0, 0), 240)
        assert sum(sum(layer.task_counts) for layer in model.layers) == model.task_count == 1614


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.rknn")), ids=lambda path: path.stem)
def test_every_byte_belongs_to_a_layer_or_is_said_to_belong_to_none(path: Path) -> None:
    with open_model(path) as model:
        assert model.sections.total == model.file.size_bytes == path.stat().st_size
        for name, rest in vars(model.unattributed).items():
            owned = sum(layer.sections().get(name, 0) for layer in model.layers)
            assert owned + rest == vars(model.sections)[name]
            assert rest >= 0
        assert model.unattributed.register_commands == model.unattributed.tasks == 0
        for layer in model.layers:
            assert sum(layer.register_command_bytes_by_core) == layer.register_command_bytes
            assert 40 * sum(layer.task_counts) == layer.task_bytes


def test_a_layer_tells_its_bytes_by_core_mode_its_origin_and_its_neighbours() -> None:
    with open_model(MODELS / "mb_gap7_rk3588_i8.rknn") as model:
        stem, pool = model.layers[1], model.layers[20]
        assert (stem.name, stem.type, stem.dtype, stem.target) == ("Conv:Conv_3", "ConvRelu", "INT8", "NPU")
        assert (stem.onnx_node, stem.rewrite) == ("Conv_3", None)
        assert (stem.weight_bytes, stem.register_command_bytes, stem.task_bytes) == (2560, 9920, 400)
        assert stem.task_counts == (3, 2, 2, 1, 1, 1)
        assert stem.register_command_bytes_by_core == (2752, 2048, 2048, 1024, 1024, 1024)
        assert (stem.input_shapes, stem.output_shapes) == (((1, 3, 224, 224),), ((1, 16, 112, 112),))
        assert (pool.onnx_node, pool.rewrite) == ("GlobalAveragePool_77", "pool_to_conv")
        assert (pool.fed_by, pool.feeds, pool.weight_bytes) == ((19,), (21,), 29184)
        assert sum(layer.register_command_bytes for layer in model.layers) == 132608
        assert (model.unattributed.weights, model.task_count) == (2048, 138)


def test_inputs_and_outputs_carry_shape_and_quantization() -> None:
    with open_model(MODELS / "mb_gap7_rk3588_i8.rknn") as model:
        (x,), (y,) = model.inputs, model.outputs
        assert (x.name, x.dtype, x.layout, x.shape) == ("x", "INT8", "NC1HWC2", (1, 3, 224, 224))
        assert (x.native_shape, x.zero_point) == ((1, 1, 224, 224, 3), (6,))
        assert x.scale == pytest.approx((0.0361739,), rel=1e-5)
        assert (x.quantization_method, x.quantization_type) == ("layer", "int8")
        assert (y.name, y.shape, y.dtype) == ("Gemm_81", (1, 100), "INT8")
        assert model.file.inference_type == "static_shape"


def test_float_layers_of_a_hybrid_model_are_told_from_int8_ones() -> None:
    with open_model(MODELS / "hybrid_some_rk3588.rknn") as model:
        floats = [
            layer.onnx_node for layer in model.layers if layer.dtype == "FLOAT16" and layer.weight_bytes
        ]
        assert floats == ["Conv_71", "Conv_75"]
        assert [layer.index for layer in model.layers if layer.rewrite == "dtype_conversion"] == [18, 21]


def test_the_graphs_of_a_dynamic_model_share_their_weights() -> None:
    with open_model(MODELS / "dyn3_rk3588_fp.rknn") as model:
        assert [graph.inputs[0].shape for graph in model.graphs] == [
            (1, 3, 224, 224),
            (1, 3, 192, 192),
            (1, 3, 160, 160),
        ]
        assert [model.nodes[node].graph for node in (0, 24, 48)] == [0, 1, 2]
        assert sum(layer.weight_bytes for layer in model.layers) + 6144 == model.sections.weights == 821216
        assert [sum(sum(n.task_counts) for n in graph.nodes) for graph in model.graphs] == [157, 142, 138]


def test_both_parts_of_a_depthwise_layer_with_dilation_are_found_in_its_commands() -> None:
    with open_model(MODELS / "dw_dilated_rk3588_fp.rknn") as model:
        biggest = max(model.layers, key=lambda layer: layer.register_command_bytes)
        assert (biggest.onnx_node, biggest.register_command_bytes) == ("Conv_8", 1408640)
        assert sum(biggest.task_counts) == 1594
        assert [layer.onnx_node for layer in model.layers if layer.rewrite == "padding"] == [
            "Conv_8",
            "Conv_11",
        ]


def test_a_grouped_convolution_kept_grouped_shows_its_parts() -> None:
    with open_model(MODELS / "g1_c512_cpg4_rk3568_fp.rknn") as model:
        parts = [layer for layer in model.layers if layer.rewrite == "group"]
        assert {layer.onnx_node for layer in parts} == {"Conv_7"}
        assert [layer.type for layer in parts].count("Conv") == 128
        assert sorted({layer.type for layer in parts}) == ["Concat", "Conv", "Split"]


@pytest.mark.parametrize("version", [1, 2, 4, 6, 0x1004], ids=hex)
def test_a_synthetic_file_of_every_container_is_read(version: int) -> None:
    data = write_model(small_spec(version))
    with opened(data) as model:
        sections = model.sections
        assert sections.total == len(data) == model.file.size_bytes
        assert sections.header == (24 if version == 1 else 64)
        assert (sections.weights, sections.compiler_constants, sections.cpu_constants) == (160, 256, 16)
        assert (model.file.container_version, model.file.mini) == (version & 0xFF, version == 0x1004)
        assert (model.file.target, model.file.framework) == ("rk3588", "ONNX")
        assert model.memory.internal_bytes == 528
        assert (model.inputs[0].scale, model.inputs[0].zero_point) == ((0.5,), (-3,))
        stem, pool = model.layers[1:3]
        assert (stem.weight_bytes, pool.compiler_constant_bytes, pool.cpu_constant_bytes) == (160, 256, 16)
        assert (pool.onnx_node, pool.rewrite) == ("pool", "pool_to_conv")
        if version <= 2:
            assert (stem.kind7_bytes, pool.kind7_bytes, model.task_count) == (100, 500, 3)
        else:
            assert (stem.register_command_bytes, pool.register_command_bytes) == (700, 300)
            assert (stem.task_bytes, pool.task_bytes, model.task_count) == (160, 40, 5)


def test_trailing_bytes_are_counted() -> None:
    data = write_model(FileSpec(trailing=b"x" * 31))
    with opened(data) as model:
        assert (model.sections.trailing, model.sections.total) == (31, len(data))


def test_a_buffer_that_two_tensors_share_counts_once_and_for_the_first_reader() -> None:
    tensors = (
        TensorSpec("null", "null", ""),
        TensorSpec("w", "weight", data=b"w" * 64),
        TensorSpec("w again", "weight", same_buffer_as=1),
        TensorSpec("y"),
    )
    nodes = (NodeSpec("Conv:a", inputs=(2,), outputs=(3,)), NodeSpec("Conv:b", inputs=(3, 1)))
    with opened(write_model(FileSpec((GraphSpec(tensors, nodes),)))) as model:
        assert model.sections.weights == 64
        assert [layer.weight_bytes for layer in model.layers] == [64, 0]


def test_commands_that_no_task_names_belong_to_no_layer() -> None:
    tensors = (
        TensorSpec("null", "null", ""),
        TensorSpec("regcmd", "register_commands", "OPAQUE", data=b"c" * 1000),
        TensorSpec("task", "tasks", "OPAQUE", data=write_tasks([(0, 200), (7, 500), (0, 5000)])),
    )
    with opened(write_model(FileSpec((GraphSpec(tensors, (NodeSpec("Conv:a"),)),)))) as model:
        assert model.layers[0].register_command_bytes == 800
        assert model.unattributed.register_commands == 200
        assert (model.layers[0].task_bytes, model.unattributed.tasks) == (80, 40)


def test_weights_are_read_in_place() -> None:
    with opened(write_model(small_spec())) as model, model.read_weights(1) as view:
        assert bytes(view) == bytes(range(128))
        assert view.obj is model.contents.mapping


def test_a_file_without_graph_has_no_inputs() -> None:
    with opened(write_model(FileSpec(graphs=()))) as model:
        assert (model.inputs, model.outputs, model.layers) == ((), (), ())


def test_the_tiles_of_a_convolution_made_dense_and_their_split_name_it() -> None:
    tensors = tuple(TensorSpec(name) for name in ("x", "a", "b", "ya", "y"))
    nodes = (
        NodeSpec("Split:Relu_1_split", "Split", 2, (0,), (1, 2)),
        NodeSpec("Conv:Conv_2#1_tile0", "Conv", 2, (1,), (3,)),
        NodeSpec("Conv:Conv_2#1_tile1_ConvAdd", "ConvAdd", 2, (2, 3), (4,)),
    )
    with opened(write_model(FileSpec((GraphSpec(tensors, nodes),)))) as model:
        assert {(layer.onnx_node, layer.rewrite) for layer in model.layers} == {("Conv_2", "dense_tile")}
        assert [layer.fed_by for layer in model.layers] == [(), (0,), (0, 1)]


def test_tasks_in_a_buffer_that_counts_as_weights_are_not_counted_again() -> None:
    """Found by the fuzzer: two tensors of different kinds name one buffer."""
    tensors = (
        TensorSpec("null", "null", ""),
        TensorSpec("w", "weight", data=write_tasks([(0, 0)])),
        TensorSpec("regcmd", "register_commands", "OPAQUE", data=b"c" * 8),
        TensorSpec("task", "tasks", "OPAQUE", same_buffer_as=1),
    )
    with opened(write_model(FileSpec((GraphSpec(tensors, (NodeSpec("Conv:a"),)),)))) as model:
        assert (model.sections.weights, model.sections.tasks) == (40, 0)
        assert (model.layers[0].task_bytes, model.unattributed.weights) == (0, 40)


def test_as_many_tasks_as_the_largest_real_file_holds_are_read() -> None:
    """SepFormer in int8 for the rk3588 was called damaged."""
    records = bytes(2_048_454 * TASK_BYTES)
    tensors = (TensorSpec("null", "null", ""), TensorSpec("task", "tasks", "OPAQUE", data=records))
    with opened(write_model(FileSpec((GraphSpec(tensors, (NodeSpec("Conv:a"),)),)))) as model:
        assert model.sections.tasks == len(records)


def test_constants_that_no_node_reads_go_to_the_node_that_their_name_speaks_of() -> None:
    tensors = (
        TensorSpec("null", "null", ""),
        TensorSpec("w", "weight", data=b"w" * 64),
        TensorSpec("y"),
        TensorSpec("y_softmax_weight", "compiler_constant", data=b"s" * 32),
        TensorSpec("w_w4a16_weight", "compiler_constant", data=b"q" * 16),
        TensorSpec("tanh", "lookup_table", "OPAQUE", data=b"t" * 8),
        TensorSpec("Sigmoid", "lookup_table", "OPAQUE", data=b"u" * 4),
        TensorSpec("HardSigmoid", "lookup_table", "OPAQUE", data=b"v" * 2),
        TensorSpec("exGelu", "lookup_table", "OPAQUE", data=b"x" * 6),
        TensorSpec("tempMC11_input", "weight", data=b"z" * 128),
    )
    nodes = (
        NodeSpec("Conv:a", "ConvHardSigmoid", inputs=(1,), outputs=(2,)),
        NodeSpec("exGRU:g", "exGRU"),
        NodeSpec("Sigmoid:s", "Sigmoid"),
        NodeSpec("Conv:e", "ConvExGelu"),
    )
    with opened(write_model(FileSpec((GraphSpec(tensors, nodes),)))) as model:
        assert [layer.compiler_constant_bytes for layer in model.layers] == [48, 0, 0, 0]
        assert [layer.lookup_table_bytes for layer in model.layers] == [2, 8, 4, 6]
        assert (model.layers[0].weight_bytes, model.unattributed.weights) == (64, 128)


def test_the_options_of_a_mini_node_stand_one_slot_lower() -> None:
    concat = NodeSpec("Concat:c", "Concat", 2, (1, 2), (4,), (1, 0, 0, 0, 0, 0), options_type=CONCAT)
    conv = NodeSpec(
        "Conv:d", "Conv", 2, (4, 5), (7,), (2, 0, 0, 0, 0, 0), options_type=CONVOLUTION, dilations=(6, 6)
    )
    spec = small_spec(0x1004)
    graph = replace(spec.graphs[0], nodes=(concat, conv))
    with opened(write_model(replace(spec, graphs=(graph,)))) as model:
        assert [node.task_counts[0] for node in model.nodes] == [1, 2]
        assert model.nodes[0].convolution is None
        assert model.nodes[1].convolution is not None
        assert model.nodes[1].convolution.dilations == (6, 6)


@pytest.mark.parametrize("version", [2, 6, 0x1004])
def test_an_output_that_nothing_reads_is_left_out(version: int) -> None:
    spec = small_spec(version)
    first, conv, *rest = spec.graphs[0].nodes
    graph = replace(spec.graphs[0], nodes=(first, replace(conv, outputs=(-1, *conv.outputs)), *rest))
    with opened(write_model(replace(spec, graphs=(graph,)))) as model:
        assert model.nodes[1].outputs == (4,)
        assert model.layers[1].feeds == (2,)


def test_only_outputs_may_be_unused() -> None:
    spec = small_spec()
    first, conv, *rest = spec.graphs[0].nodes
    for broken in (replace(conv, inputs=(-1,)), replace(conv, outputs=(-2,))):
        graph = replace(spec.graphs[0], nodes=(first, broken, *rest))
        with (
            pytest.raises(ModelError, match="names a tensor outside"),
            opened(write_model(replace(spec, graphs=(graph,)))),
        ):
            pass
