"""ShuffleNetV2 units, what rewrites see through, and what the converter refuses where it is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_networks import Network
from onnx_units import boxes, enlarging, refused_dropout, refused_gate, unit
from rkbench.onnx import FixReport, fix, open_onnx, predict_size
from rkbench.onnx.preparing import prepare
from rkbench.onnx.rewrites import chosen

CLOSE = 1e-5


def fixed(network: Network, folder: Path, name: str, dtype: str = "fp16") -> FixReport:
    path = network.save(folder / "model.onnx")
    return fix(path, "rk3588", dtype, folder / "fixed.onnx", rewrites=chosen((name,)))


@pytest.mark.parametrize("slices", [False, True])
@pytest.mark.parametrize("parts", [(116, 116), (100, 132)])
def test_the_halves_of_a_shuffled_map_are_made_of_the_maps_before_it(
    tmp_path: Path, parts: tuple[int, int], slices: bool
) -> None:
    report = fixed(unit(parts, slices=slices), tmp_path, "shuffled_halves")
    assert [change.rewrite for change in report.changes] == ["shuffled_halves"]
    assert report.verification is not None
    assert report.verification.relative_difference < CLOSE
    kinds = [node.op_type for node in onnx.load(tmp_path / "fixed.onnx").graph.node]
    assert not {"Reshape", "Transpose", "Split", "Slice"} & set(kinds)


@pytest.mark.parametrize(("dtype", "changes"), [("fp16", []), ("int8", ["shuffled_halves"])])
def test_halves_of_whole_blocks_are_left_to_the_compiler_and_a_block_of_int8_is_larger(
    tmp_path: Path, dtype: str, changes: list[str]
) -> None:
    """232 channels are whole blocks of 8 and none of 16; converted, int8 is 510,798 -> 289,870 bytes."""
    report = fixed(unit((232, 232)), tmp_path, "shuffled_halves", dtype)
    assert [change.rewrite for change in report.changes] == changes


def test_bounds_that_are_computed_where_a_size_is_open_are_not_believed(tmp_path: Path) -> None:
    report = fixed(unit((116, 116), slices=True, batch="N"), tmp_path, "shuffled_halves")
    assert report.written is None


def test_a_shuffled_map_that_others_read_too_stays(tmp_path: Path) -> None:
    network = unit((116, 116))
    network.save(tmp_path / "model.onnx", outputs=("shuffled_out",))
    report = fix(
        tmp_path / "model.onnx",
        "rk3588",
        "fp16",
        tmp_path / "fixed.onnx",
        rewrites=chosen(("shuffled_halves",)),
    )
    assert report.written is None


def prepared(network: Network, folder: Path) -> list[str]:
    """Return the kinds of nodes that rewrites see."""
    opened = open_onnx(network.save(folder / "model.onnx"))
    prepare(opened.model, opened.numbers)
    return [node.op_type for node in opened.graph]


def with_norm(*, behind: str = "Relu") -> Network:
    network = Network(1, 4, 8, 8).conv(4, 16, (3, 3), bias=False)
    names = [network.weights(f"bn_{part}", 16) for part in ("scale", "shift", "mean")]
    variance = network.constant("bn_variance", np.linspace(0.5, 2, 16, dtype="float32"))
    return network.add("BatchNormalization", *names, variance).add(behind)


def test_rewrites_see_a_convolution_with_its_normalization_as_one(tmp_path: Path) -> None:
    assert prepared(with_norm(), tmp_path) == ["Conv", "Relu"]


def test_a_normalization_between_two_1x1s_does_not_keep_them_apart(tmp_path: Path) -> None:
    network = Network(1, 64, 28, 28).conv(64, 256, (1, 1), bias=False)
    names = [network.weights(f"bn_{part}", 256) for part in ("scale", "shift", "mean")]
    variance = network.constant("bn_variance", np.linspace(0.5, 2, 256, dtype="float32"))
    network.add("BatchNormalization", *names, variance).conv(256, 64, (1, 1))
    report = fixed(network, tmp_path, "pointwise_pair")
    assert [change.rewrite for change in report.changes] == ["pointwise_pair"]
    assert report.verification is not None
    assert report.verification.relative_difference < CLOSE


@pytest.mark.parametrize(
    ("channels", "twice", "is_merged"), [(64, False, True), (64, True, False), (60, False, False)]
)
def test_a_1x1_is_multiplied_into_the_one_behind_a_concat(
    channels: int, *, twice: bool, is_merged: bool, tmp_path: Path
) -> None:
    """CRAFT: 41,949,989 -> 39,782,245 bytes (rk3568 fp16). One that is joined twice stays."""
    network = Network(1, channels, 14, 14).add("Relu")
    given = network.value
    network.conv(channels, 256, (1, 1))
    network.add("Concat", *([network.value] if twice else []), given, axis=1)
    network.conv(channels + 256 * (1 + twice), 64, (1, 1))
    report = fixed(network, tmp_path, "pointwise_pair")
    assert [change.rewrite for change in report.changes] == ["pointwise_pair"] * is_merged
    if is_merged:
        assert report.verification is not None
        assert report.verification.relative_difference < CLOSE
        assert report.written is not None
        kinds = [node.op_type for node in onnx.load(report.written).graph.node]
        assert kinds == ["Relu", "Concat", "Conv"]


def test_nodes_that_do_nothing_are_looked_through(tmp_path: Path) -> None:
    network = Network(1, 4, 8, 8).conv(4, 16).add("Identity").add("Dropout")
    network.add("Split", network.constant("halves", np.array([8, 8])), axis=1)
    network.nodes[-1].output.append("second")
    assert prepared(network.add("Concat", "second", axis=1).add("Relu"), tmp_path) == ["Conv", "Relu"]


def test_a_dropout_that_drops_stays(tmp_path: Path) -> None:
    network = Network(1, 4, 8, 8).conv(4, 16)
    ratio, training = (
        network.constant("ratio", np.float32(0.5)[()] * np.ones((), "float32")),
        network.constant("training", np.array(True)),
    )
    assert prepared(network.add("Dropout", ratio, training).add("Relu"), tmp_path) == [
        "Conv",
        "Dropout",
        "Relu",
    ]


@pytest.mark.parametrize("make", [refused_dropout, refused_gate])
def test_what_the_converter_refuses_without_is_written_out(make: object, tmp_path: Path) -> None:
    path = make(tmp_path)  # type: ignore[operator] # one of the two above
    assert len(predict_size(path, "rk3588", "fp16").refusals) == 1
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["spelled_out"]
    assert predict_size(tmp_path / "fixed.onnx", "rk3588", "fp16").refusals == ()


def test_sizes_that_are_given_let_a_rewrite_rely_on_them_and_are_written(tmp_path: Path) -> None:
    network = unit((116, 116), slices=True, batch="N")
    path = network.save(tmp_path / "model.onnx")
    report = fix(
        path,
        "rk3588",
        "fp16",
        tmp_path / "fixed.onnx",
        input_shapes={"x": (2, 16, 8, 8)},
        rewrites=chosen(("shuffled_halves",)),
    )
    assert [change.rewrite for change in report.changes] == ["shuffled_halves"]
    (given,) = onnx.load(tmp_path / "fixed.onnx").graph.input
    assert [size.dim_value for size in given.type.tensor_type.shape.dim] == [2, 16, 8, 8]


def test_boxes_are_cut_before_they_are_reshaped(tmp_path: Path) -> None:
    path = boxes(tmp_path)
    assert [refusal.node for refusal in predict_size(path, "rk3588", "fp16").refusals] == ["expected"]
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["boxes_cut_first"]
    assert report.verification is not None
    assert report.verification.relative_difference == 0
    assert predict_size(tmp_path / "fixed.onnx", "rk3588", "fp16").refusals == ()


@pytest.mark.parametrize(("kernel", "added"), [(3, 1), (5, 1)])
def test_a_lost_output_padding_becomes_a_larger_kernel(tmp_path: Path, kernel: int, added: int) -> None:
    path = enlarging(tmp_path, 200, kernel, added)
    report = fix(path, "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert [change.rewrite for change in report.changes] == ["output_padding"]
    assert report.verification is not None
    assert report.verification.relative_difference < CLOSE
    assert predict_size(tmp_path / "fixed.onnx", "rk3588", "fp16").refusals == ()


def test_an_output_padding_that_is_kept_is_left_alone(tmp_path: Path) -> None:
    report = fix(enlarging(tmp_path, 64), "rk3588", "fp16", tmp_path / "fixed.onnx")
    assert "output_padding" not in [change.rewrite for change in report.changes]
