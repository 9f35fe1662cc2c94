"""Two files by node of the ONNX: a node's layers summed, however each file cut it up."""

from __future__ import annotations

from pathlib import Path

import rkbench
from rkbench.inspection.inspect_file import Request, inspect_file

DEMO = Path(rkbench.__file__).parent / "demo/data"


def test_a_node_is_one_line_however_many_layers_it_became() -> None:
    diff = inspect_file(
        Request(DEMO / "digits.fp16.rknn", other=DEMO / "digits.regrouped.int8.rknn", digest=False)
    ).diff
    assert diff is not None
    node = {change.name: change for change in diff.nodes}["block0.grouped"]
    assert (node.before_layers, node.after_layers) == (5, 34)
    assert (node.before_dtype, node.after_dtype) == ("FLOAT16", "INT8")
    assert (node.before_unit, node.after_unit) == ("NPU", "NPU")
    assert len(diff.layers) == 134
    assert len(diff.nodes) == 18
    changes = [abs(change.change_bytes) for change in diff.nodes]
    assert changes == sorted(changes, reverse=True)


def test_what_nodes_own_is_what_their_layers_own() -> None:
    first, second = (
        inspect_file(Request(DEMO / f"digits.{name}.rknn", digest=False)) for name in ("fp16", "int8")
    )
    diff = inspect_file(
        Request(DEMO / "digits.fp16.rknn", other=DEMO / "digits.int8.rknn", digest=False)
    ).diff
    assert diff is not None
    owned = [
        sum(layer.total_bytes - layer.structure_bytes for layer in file.layers) for file in (first, second)
    ]
    assert sum(change.change_bytes for change in diff.nodes) == owned[1] - owned[0]


def test_equal_files_differ_in_no_node() -> None:
    file = DEMO / "digits.int8.rknn"
    diff = inspect_file(Request(file, other=file, digest=False)).diff
    assert diff is not None
    assert diff.nodes == ()
