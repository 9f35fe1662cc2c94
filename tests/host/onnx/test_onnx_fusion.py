"""What the compiler computes at once is one layer; sizes of small graphs against conversions (2.5.0)."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from onnx_networks import Network
from rkbench.onnx import open_onnx, predict
from rkbench.onnx.constants import constant_values
from rkbench.onnx.fusion import FusedLayer, Fuser

CORPUS = Path(__file__).resolve().parents[3] / "tools/corpus/data"


def layers(path: Path) -> list[FusedLayer]:
    """Return the layers of an ONNX that take commands."""
    graph = open_onnx(path).graph
    return [layer for layer in Fuser(graph, constant_values(graph)).run().layers if layer.kind != "free"]


def corpus_layers(name: str, folder: Path) -> list[FusedLayer]:
    """Return the layers of a graph of the corpus."""
    return layers(unpacked(name, folder))


def unpacked(name: str, folder: Path) -> Path:
    """Write a graph of the corpus; return where."""
    path = folder / f"{name}.onnx"
    path.write_bytes(gzip.decompress((CORPUS / "graphs" / f"{name}.onnx.gz").read_bytes()))
    return path


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("op_silu", "swish"),
        ("op_hard_swish_pieces", "hard swish"),
        ("op_gelu", "gelu"),
        ("op_sigmoid", "sigmoid"),
    ],
)
def test_an_activation_in_pieces_goes_into_the_convolution_before_it(
    tmp_path: Path, name: str, table: str
) -> None:
    found = corpus_layers(name, tmp_path)
    assert [layer.kind for layer in found] == ["convolution"] * 3
    assert [layer.table for layer in found] == ["", table, ""]


def test_a_layer_norm_in_pieces_is_one_layer(tmp_path: Path) -> None:
    found = corpus_layers("op_layer_norm_last", tmp_path)
    assert [layer.kind for layer in found] == ["convolution", "norm", "convolution"]


def test_parallel_branches_are_one_convolution(tmp_path: Path) -> None:
    assert [layer.kind for layer in corpus_layers("op_branches", tmp_path)] == ["convolution"] * 3


def test_parallel_branches_without_bias_stay_apart(tmp_path: Path) -> None:
    network = Network(1, 16, 8, 8).conv(16, 16, (1, 1))
    start = network.value
    network.conv(16, 16, bias=False)
    three, network.value = network.value, start
    path = network.conv(16, 16, (1, 1), bias=False).add("Add", three).save(tmp_path / "x.onnx")
    assert [layer.joins for layer in layers(path)] == [False, False, True]


def test_a_residual_sum_goes_into_the_convolution(tmp_path: Path) -> None:
    found = corpus_layers("op_residual", tmp_path)
    assert [layer.joins for layer in found] == [False, True, False]


def test_attention_is_one_layer(tmp_path: Path) -> None:
    kinds = [layer.kind for layer in corpus_layers("op_tokens_attention", tmp_path)]
    assert kinds.count("attention") == 1
    assert "softmax" not in kinds


def test_a_shift_by_a_vector_after_an_activation_stays_a_layer(tmp_path: Path) -> None:
    assert [layer.kind for layer in corpus_layers("op_add_vector", tmp_path)] == [
        "convolution",
        "map",
        "convolution",
    ]


def test_names_of_nodes_and_models_decide_nothing(tmp_path: Path) -> None:
    path = unpacked("op_squeeze_excite", tmp_path)
    before = [(layer.kind, layer.table) for layer in layers(path)]
    network = open_onnx(path)
    for number, node in enumerate(network.graph):
        node.name = f"renamed{number}"
    after = Fuser(network.graph, constant_values(network.graph)).run().layers
    assert [(layer.kind, layer.table) for layer in after if layer.kind != "free"] == before


MEASURED = (
    *("op_plain", "op_two", "op_silu", "op_gelu", "op_sigmoid", "op_hard_swish_pieces", "op_layer_norm_last"),
    *(
        "op_residual",
        "op_branches",
        "op_concat_32_32",
        "op_split_halves",
        "op_squeeze_excite",
        "op_wide3x3_256",
    ),
    *("op_depthwise7", "op_global_average", "op_add_vector", "op_max_pool2", "op_tokens_linear"),
)


@pytest.mark.parametrize("name", MEASURED)
def test_a_small_graph_is_predicted_within_8_percent_of_its_file(tmp_path: Path, name: str) -> None:
    network = open_onnx(unpacked(name, tmp_path))
    with (CORPUS / "sizes.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["network"] == name]
    assert len(rows) == 4
    for row in rows:
        predicted = predict(network, row["target"], "int8" if row["dtype"] == "int8" else "fp16").file_bytes
        assert abs(predicted / int(row["size_bytes"]) - 1) < 0.08, (row["target"], row["dtype"])


def test_a_convolution_alone_is_one_layer(tmp_path: Path) -> None:
    path = Network(1, 16, 8, 8).conv(16, 16).save(tmp_path / "x.onnx")
    assert [layer.kind for layer in layers(path)] == ["convolution"]
