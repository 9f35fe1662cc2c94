"""A kind of rewrite that saves nothing of the whole file is not proposed, whatever its layer says."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
from onnx_networks import Network, grouped
from rkbench.onnx import fix, predict_size
from rkbench.onnx.fixing import proposed
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, estimated
from rkbench.onnx.rewrites.surgery import make_node, replace


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


def test_a_kind_that_makes_the_whole_file_larger_is_left_out(tmp_path: Path) -> None:
    path = Network(1, 16, 8, 8).conv(16, 16).add("Relu").save(tmp_path / "model.onnx")
    rewrites = [Rewrite("inflate", "", "", inflate)]
    assert fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=rewrites).written is None


def test_a_kind_that_saves_much_of_the_whole_file_stays(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    assert proposed(path, predict_size(path, "rk3588", "fp16")) == {"regroup": ("target",)}
