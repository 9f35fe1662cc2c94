"""How `bench fix` proves that a rewrite changes nothing: the whole network, then its parts, then rewrites."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper
from onnx_networks import Network, grouped
from rkbench.errors import ModelError
from rkbench.onnx import fix
from rkbench.onnx.rewrites import chosen
from rkbench.onnx.rewrites.proposal import Proposal, Rewrite, RewriteContext, constant_array, replace_constant
from rkbench.onnx.verify import verify
from rkbench.views.fix import describe_fix

DOUBLINGS = 24
"""Each doubles what two runs differ by: rounding of 1e-7 ends as large as the values themselves."""


def magnifying(network: Network) -> Network:
    """Append the logistic map, often: x -> 4 x (1 - x)."""
    network.add("Sigmoid")
    one, four = network.constant("one", np.float32([1])), network.constant("four", np.float32([4]))
    for _ in range(DOUBLINGS):
        before = network.value
        network.add("Mul", one)
        network.nodes.append(helper.make_node("Sub", [one, before], [f"{network.value}_rest"]))
        network.add("Mul", f"{network.value}_rest").add("Mul", four)
    return network


def scaling(name: str, factor: float) -> Rewrite:
    """Return a rewrite that lies: it scales the weights of the convolution `target`."""

    def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
        if node.name != "target" or name in node.meta:
            return None
        weights = constant_array(node.inputs[1])
        assert weights is not None

        def apply() -> None:
            node.meta[name] = True
            replace_constant(node, 1, weights * np.float32(factor), context.graph)

        return Proposal("target", name, "scales the weights", None, None, apply)

    return Rewrite(name, "", "", propose)


def shuffled() -> Network:
    """Return convolutions around a channel shuffle, whose order goes into constants; and a normalization
    that goes into the first, so that values of one name differ."""
    network = Network(1, 4, 8, 8).conv(4, 240, (1, 1))
    numbers = [network.constant(f"norm_{n}", np.linspace(0.5, 1.7, 240, dtype="float32")) for n in range(4)]
    network.add("BatchNormalization", *numbers).add("Relu")
    for shape in ([1, 3, 80, 8, 8], [0, 2, 1, 3, 4], [1, 240, 8, 8]):
        if len(shape) == 5 and shape[0] == 0:
            network.add("Transpose", perm=shape)
        else:
            network.add("Reshape", network.constant(f"shape_{len(network.nodes)}", np.int64(shape)))
    network.conv(240, 240, (3, 3), 240).add("Relu")
    return network.conv(240, 64, (1, 1)).add("Relu")


def joined() -> Network:
    """Return a Concat of parts that are no whole blocks: their convolutions get more channels."""
    network = Network(1, 16, 16, 16).conv(16, 44, (1, 1), name="left").add("Relu")
    left, network.value = network.value, "x"
    network.conv(16, 44, (1, 1), name="right", bias=False)
    numbers = [network.constant(f"norm_{n}", np.linspace(0.5, 1.7, 44, dtype="float32")) for n in range(4)]
    network.add("BatchNormalization", *numbers).add("Relu").add("Concat", left, axis=1)
    return network.conv(88, 88, (3, 3), 88).conv(88, 64, (1, 1)).add("Relu")


@pytest.mark.parametrize(
    ("network", "rewrite"),
    [
        (lambda: grouped(256, 4), "regroup"),
        (shuffled, "channel_shuffle"),
        (joined, "padded_concat"),
    ],
)
def test_an_exact_rewrite_is_written_though_the_network_magnifies_its_rounding(
    tmp_path: Path, network: Callable[[], Network], rewrite: str
) -> None:
    path = magnifying(network()).save(tmp_path / "model.onnx")
    report = fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=chosen([rewrite]))
    assert {change.rewrite for change in report.changes} == {rewrite}
    found = report.verification
    assert found is not None and found.is_equal
    assert found.relative_difference > found.tolerance
    assert found.parts is not None
    assert found.parts.relative_difference < 1e-5
    assert found.parts.own_difference > found.tolerance
    (told,) = [line for line in describe_fix(report) if line.startswith("verified")]
    assert "each changed part alone" in told


@pytest.mark.parametrize("factor", [1.01, 1.0001])
def test_a_wrong_rewrite_is_refused_though_the_network_magnifies_rounding(
    tmp_path: Path, factor: float
) -> None:
    path = magnifying(grouped(256, 4)).save(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"more than 0\.001: not written"):
        fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=[scaling("spoil", factor)])
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.onnx"]


def test_a_fault_in_a_part_that_nothing_magnifies_is_no_rounding(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.name == "target_w":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.01, tensor.name))
    onnx.save(model, tmp_path / "other.onnx")
    found = verify(path, tmp_path / "other.onnx")
    assert found.parts is not None
    assert found.parts.relative_difference == float("inf")
    assert not found.is_equal


def test_a_fault_beside_numbers_of_a_mask_is_no_rounding(tmp_path: Path) -> None:
    network = grouped(256, 4)
    mask = np.where(np.arange(256) % 2, np.float32(-1e9), np.float32(0)).reshape(1, 256, 1, 1)
    network.add("Add", network.constant("mask", mask)).add("Sigmoid").save(tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="differs by"):
        fix(
            tmp_path / "model.onnx",
            "rk3588",
            "fp16",
            tmp_path / "out.onnx",
            rewrites=[scaling("spoil", 1.5)],
        )


def test_a_rewrite_that_fails_is_left_out_and_told_and_the_others_are_written(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")
    rewrites = [scaling("spoil", 1.01), *chosen(["regroup"]), scaling("harmless", 1)]
    report = fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=rewrites)
    assert {change.rewrite for change in report.changes} == {"regroup", "harmless"}
    assert [drop.rewrite for drop in report.dropped] == ["spoil"]
    assert report.dropped[0].relative_difference == pytest.approx(0.01, rel=0.2)
    assert verify(path, tmp_path / "out.onnx").is_equal
    told = [line for line in describe_fix(report) if line.startswith("spoil")]
    assert len(told) == 1
    assert told[0].endswith(
        "with it the network differs by 0.01 relative, more than 0.001; please report it with the model"
    )
    assert [drop["rewrite"] for drop in report.to_json()["dropped"]] == ["spoil"]


def test_a_rewrite_that_no_longer_runs_is_left_out(tmp_path: Path) -> None:
    path = grouped(256, 4).save(tmp_path / "model.onnx")

    def propose(node: ir.Node, context: RewriteContext) -> Proposal | None:
        if node.op_type != "Relu":
            return None

        def apply() -> None:
            node.op_type = "NoSuchLayer"

        return Proposal("target", "broken", "breaks", None, None, apply)

    rewrites = [Rewrite("broken", "", "", propose), *chosen(["regroup"])]
    report = fix(path, "rk3588", "fp16", tmp_path / "out.onnx", rewrites=rewrites)
    assert [change.rewrite for change in report.changes] == ["regroup"]
    assert json.loads(json.dumps(report.to_json()["dropped"], allow_nan=False)) == [
        {"rewrite": "broken", "relative_difference": None, "tolerance": 0.001}
    ]
    assert any("cannot run the network" in line for line in describe_fix(report))
