"""A kind of rewrite that saves nothing of the whole file is not proposed, whatever its layer says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from onnx_networks import Network, grouped
from rkbench.onnx import fix, predict_size
from rkbench.onnx.fixing import proposed
from rkbench.onnx.model import open_onnx
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, estimated
from rkbench.onnx.rewrites.surgery import make_node, replace
from rkbench.onnx.rewriting import context_of, first_proposals
from rkbench.onnx.whole import judged


def inflate(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """A rewrite that promises much and adds a layer for nothing."""
    if node.op_type != "Relu":
        return None

    def apply() -> None:
        value = node.inputs[0]
        assert value is not None
        new = [make_node(context.graph, "Softplus", [value], name="more", shape=None, like=value)]
        replace(context.graph, [node], new)

    return estimated(node, "inflate", "Relu -> Softplus", 1_000_000, 1, apply)


def named(path: Path) -> dict[str, tuple[str, ...]]:
    found = proposed(path, predict_size(path, "rk3588", "fp16"))
    assert found is not None
    return {name: rewrite.nodes for name, rewrite in found.items()}


def test_a_kind_that_makes_the_whole_file_larger_is_left_out(tmp_path: Path) -> None:
    path = Network(1, 16, 8, 8).conv(16, 16).add("Relu").save(tmp_path / "model.onnx")
    rewrites = [Rewrite("inflate", "", "", inflate)]
    assert fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=rewrites).written is None


def test_a_kind_that_saves_much_of_the_whole_file_stays(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    assert named(path) == {"regroup": ("target",)}


@pytest.mark.parametrize(("width", "found"), [(64, {"dropped_expand": ("expand",)}), (768, {})])
def test_a_kind_that_saves_next_to_nothing_of_the_whole_file_is_not_named(
    tmp_path: Path, width: int, found: dict[str, tuple[str, ...]]
) -> None:
    """The same 4 kB are much of a small file, and less than a thousandth of one of 10 MB."""
    network = Network(1, 16, 8, 8).conv(16, 64, (1, 1)).add("Relu")
    source = network.value
    network.add("ReduceMax", axes=[2, 3]).conv(64, 64, (1, 1)).add("Sigmoid")
    network.add("Expand", network.constant("size", np.int64([1, 64, 8, 8])), name="expand").add("Mul", source)
    network.conv(64, width, (1, 1)).conv(width, width, (3, 3)).add("Relu")
    path = network.save(tmp_path / "model.onnx")
    assert named(path) == found


def deflate_then(node: ir.Node, context: RewriteContext) -> Proposal | None:
    """A rewrite that takes a large convolution out of the way, where the other one has been."""
    if node.op_type != "Conv" or "Softplus" not in {one.op_type for one in context.graph}:
        return None

    def apply() -> None:
        value = node.inputs[0]
        assert value is not None
        new = [make_node(context.graph, "Neg", [value], name="less", shape=None, like=value)]
        replace(context.graph, [node], new)

    return estimated(node, "deflate", "Conv -> Neg", 1_000_000, 1, apply)


@pytest.mark.parametrize("together", [True, False])
def test_a_kind_that_saves_nothing_alone_stays_where_all_together_save(
    tmp_path: Path, *, together: bool
) -> None:
    path = Network(1, 128, 8, 8).conv(128, 128).add("Relu").save(tmp_path / "model.onnx")
    rewrites = [Rewrite("inflate", "", "", inflate), Rewrite("deflate", "", "", deflate_then)]
    prediction = predict_size(path, "rk3588", "fp16")
    network = open_onnx(path)
    context = context_of(network, "rk3588", "fp16")
    asked = rewrites if together else rewrites[:1]
    found = judged(path, prediction, first_proposals(context, asked), asked)
    assert found.alone["inflate"].is_dearer
    assert [rewrite.name for rewrite in found.rewrites] == (["inflate", "deflate"] if together else [])
