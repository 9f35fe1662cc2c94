"""The digest of an ONNX: of all that it is, wherever its weights lie."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rkbench.variants.onnx_digest import onnx_digest


def weighed(path: Path, *, external: bool, inside: bool = False) -> Path:
    """Write a graph with one weight: in a branch if `inside`, stored in w.bin if `external`."""
    weight = numpy_helper.from_array(np.arange(64, dtype=np.float32), "w")
    add = helper.make_node("Add", ["x", "w"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [64]) for name in "xy")
    if inside:
        branch = helper.make_graph([helper.make_node("Add", ["x", "w"], ["z"])], "b", [], [], [weight])
        branch.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [64]))
        truth = numpy_helper.from_array(np.array(True), "c")
        node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
        graph = helper.make_graph([node], "g", [x], [y], [truth])
    else:
        graph = helper.make_graph([add], "g", [x], [y], [weight])
    stored = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0} if external else {}
    onnx.save(helper.make_model(graph), path, **stored)
    return path


def test_without_other_files_it_is_that_of_the_bytes(tmp_path: Path) -> None:
    model = weighed(tmp_path / "model.onnx", external=False)
    assert onnx_digest(model) == hashlib.sha256(model.read_bytes()).hexdigest()
    other = tmp_path / "location.txt"
    other.write_bytes(b"no ONNX, but with the word location in it")
    assert onnx_digest(other) == hashlib.sha256(other.read_bytes()).hexdigest()


@pytest.mark.parametrize("inside", [False, True], ids=["graph", "branch"])
def test_weights_that_change_in_a_file_of_their_own_change_it(tmp_path: Path, inside: bool) -> None:
    model = weighed(tmp_path / "model.onnx", external=True, inside=inside)
    weights, before = tmp_path / "w.bin", model.read_bytes()
    seen = [onnx_digest(model)]
    for data in (weights.read_bytes()[::-1], None):
        weights.write_bytes(data) if data is not None else weights.unlink()
        seen.append(onnx_digest(model))
    assert model.read_bytes() == before
    assert len(set(seen)) == 3
