"""Maps with channels last whose rows are no multiple of four: sizes read from files of toolkit 2.5.0."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_networks import Network
from rkbench.onnx import open_onnx, predict
from rkbench.onnx.fusion.geometry import is_by_rows, product_of
from rkbench.rknn.targets import Dtype
from test_onnx_fusion import unpacked


@pytest.mark.parametrize(
    ("height", "width", "batch", "size"),
    [(14, 14, 14, (1, 14)), (7, 7, 7, (1, 7)), (28, 28, 1, (28, 28)), (14, 16, 1, (14, 16))],
)
def test_a_product_takes_each_row_for_a_map_where_it_is_no_multiple_of_four(
    height: int, width: int, batch: int, size: tuple[int, int], tmp_path: Path
) -> None:
    network = Network(1, height, width, 32)
    path = network.add("MatMul", network.weights("w", 32, 64)).save(tmp_path / "x.onnx")
    (node,) = open_onnx(path).graph
    found = product_of(node)
    assert found is not None
    assert (found.batch, found.input_size, found.input_channels, found.output_channels) == (
        batch,
        size,
        32,
        64,
    )


@pytest.mark.parametrize(("is_read_again", "batch"), [(False, 1), (True, 14)])
def test_a_map_that_is_turned_for_products_alone_stays_one(
    is_read_again: bool, batch: int, tmp_path: Path
) -> None:
    network = Network(1, 32, 14, 14).add("Relu")
    source = network.value
    network.add("Transpose", perm=[0, 2, 3, 1])
    network.add("MatMul", network.weights("w", 32, 32)).add("Transpose", perm=[0, 3, 1, 2])
    if is_read_again:
        network.add("Add", source)
    path = network.add("Relu").save(tmp_path / "x.onnx")
    (product,) = (node for node in open_onnx(path).graph if node.op_type == "MatMul")
    found = product_of(product)
    assert found is not None
    assert found.batch == batch


def test_a_gelu_is_no_sum_with_another_map(tmp_path: Path) -> None:
    network = Network(1, 32, 14, 14).add("Relu").add("Transpose", perm=[0, 2, 3, 1])
    before = network.add("MatMul", network.weights("v", 32, 32)).value
    network.add("Mul", before).add("Mul", before).add("Add", before)
    path = network.add("MatMul", network.weights("w", 32, 32)).save(tmp_path / "x.onnx")
    products = [node for node in open_onnx(path).graph if node.op_type == "MatMul"]
    assert not any(is_by_rows(product) for product in products)


@pytest.mark.parametrize(
    ("name", "target", "dtype", "size_bytes"),
    [
        ("mmp_hornet_tiny", "rk3588", "int8", 32_749_576),
        ("mmp_hornet_tiny", "rk3568", "fp16", 48_369_646),
        ("timm_mambaout_femto", "rk3588", "fp16", 20_521_134),
        ("timm_gcvit_xxtiny", "rk3588", "int8", 24_834_505),
    ],
)
def test_their_norms_are_counted_row_by_row(
    name: str, target: str, dtype: Dtype, size_bytes: int, tmp_path: Path
) -> None:
    prediction = predict(open_onnx(unpacked(name, tmp_path)), target, dtype)
    assert abs(prediction.file_bytes / size_bytes - 1) < 0.03
