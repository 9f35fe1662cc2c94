"""A network of operators that no converted network had is predicted, but its size is said to be rough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx_networks import Network
from rkbench.inspection.prediction import predicted_sentence
from rkbench.onnx import predict_size


def strange(count: int) -> Network:
    """Return a convolution and as many operators in forms that nobody has converted."""
    network = Network(1, 8, 8, 8).conv(8, 16)
    network.add("Reshape", network.constant("six", np.array([1, 2, 8, 2, 4, 8])))
    for order in ([0, 2, 1, 3, 5, 4], [0, 3, 1, 2, 5, 4], [0, 5, 4, 1, 3, 2])[:count]:
        network.add("Transpose", perm=order)
    return network.add("Reshape", network.constant("flat", np.array([1, 16, 8, 8]))).conv(16, 8)


def test_three_new_forms_make_a_prediction_rough(tmp_path: Path) -> None:
    path = strange(3).save(tmp_path / "x.onnx")
    predicted = predict_size(path, "rk3588", "fp16")
    assert predicted.unfamiliar == ("Transpose 6 021354", "Transpose 6 031254", "Transpose 6 054132")
    assert predicted.file_bytes_low is not None
    assert predicted.file_bytes_low <= predicted.file_bytes / 2
    assert predicted.file_bytes_high is not None
    assert predicted.file_bytes_high >= predicted.file_bytes * 2
    said = str(predicted_sentence(path, predicted))
    assert "will become roughly" in said
    assert (
        "3 operators in forms that no network had which these rules were read from (Transpose 6 021354"
        in said
    )


def test_fewer_new_forms_do_not(tmp_path: Path) -> None:
    path = strange(2).save(tmp_path / "x.onnx")
    predicted = predict_size(path, "rk3588", "fp16")
    assert predicted.unfamiliar == ()
    assert "will become about" in str(predicted_sentence(path, predicted))


def test_ordinary_operators_are_familiar(tmp_path: Path) -> None:
    network = Network(1, 3, 32, 32).conv(3, 16).add("Relu").conv(16, 16, (3, 3), 16).add("GlobalAveragePool")
    assert predict_size(network.save(tmp_path / "x.onnx"), "rk3568", "int8").unfamiliar == ()
