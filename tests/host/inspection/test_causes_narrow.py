"""Channels that fill no blocks: narrow parts of a Concat, odd filters, and fillings that do not pay."""

from __future__ import annotations

from random import Random

from rkbench.inspection.causes import Attribution, Cause, find_causes
from rkbench.rknn.placement import computes_in_float
from rknn_writer import FileSpec, GraphSpec, NodeSpec, TensorSpec, opened, write_model
from test_causes_compiler import identity

TASKS = (1, 0, 0, 0, 0, 0)


def diagnose(tensors: list[TensorSpec], nodes: list[NodeSpec], inputs: tuple[int, ...] = (0,)) -> Attribution:
    last = len(tensors) - 1
    graph = GraphSpec(tuple(tensors), tuple(nodes), inputs, (last,))
    with opened(write_model(FileSpec((graph,)))) as model:
        return find_causes(model)


def found(attribution: Attribution, code: str) -> Cause | None:
    return next((cause for cause in attribution.causes if cause.code == code), None)


def actions(attribution: Attribution, code: str) -> list[str]:
    cause = found(attribution, code)
    return [f"{fix.kind}: {fix.action}" for fix in cause.fix] if cause else []


def taken_apart(parts: int, channels: int = 1) -> Attribution:
    """Return what is said of a convolution of 5x5 whose Concat of `parts` maps was left out."""
    tensors = [TensorSpec("x", kind="input", shape=(1, channels, 32, 32))]
    nodes: list[NodeSpec] = []
    before: tuple[int, ...] = ()
    for part in range(parts):
        data = bytes([part + 1]) * 3200
        tensors += [
            TensorSpec(f"m{part}", shape=(1, channels, 32, 32)),
            TensorSpec(f"k{part}", kind="weight", shape=(8, channels, 5, 5), data=data),
            TensorSpec(f"s{part}", shape=(1, 8, 32, 32)),
        ]
        own, kernel, out = (len(tensors) - each for each in (3, 2, 1))
        nodes.append(NodeSpec(f"Relu:r{part}", "Relu", 2, (0,), (own,), TASKS))
        kind = "ConvAdd" if before else "Conv"
        nodes.append(NodeSpec(f"Conv:m{part}_conv", kind, 2, (own, kernel, *before), (out,), TASKS))
        before = (out,)
    tensors.append(TensorSpec("y", kind="output", shape=(1, 8, 32, 32)))
    nodes.append(NodeSpec("Sigmoid:y", "Sigmoid", 2, before, (len(tensors) - 1,), TASKS))
    return diagnose(tensors, nodes)


def test_a_convolution_that_is_cut_along_narrow_maps_is_named() -> None:
    """30 of Key.Net's layers, half of its file, were three convolutions over ten maps of one channel each."""
    attribution = taken_apart(6)
    cause = found(attribution, "cut_joins")
    assert cause is not None
    assert cause.because.startswith("1 convolution over a Concat of narrow maps is cut into one for each")
    assert cause.evidence == ("6 parts (channels: 1): m0_conv, m1_conv and 4 more",)
    assert any("each reads one narrow part of a Concat" in told for told in actions(attribution, "padding"))


def test_few_or_wide_parts_cost_what_their_concat_would() -> None:
    assert found(taken_apart(3), "cut_joins") is None
    assert found(taken_apart(6, channels=16), "cut_joins") is None


def test_an_odd_filter_is_no_channel_that_a_designer_could_choose() -> None:
    """17 filters over 64 channels are stored as 18 in int8: the channels are whole blocks."""
    shape = (17, 64, 1, 1)
    native = (1, 2, 1, 1, 18, 32)
    kernel = TensorSpec("k", kind="weight", dtype="INT8", shape=shape, native_shape=native, data=b"w" * 1152)
    tensors = [
        TensorSpec("x", kind="input", dtype="INT8", shape=(1, 64, 8, 8)),
        kernel,
        TensorSpec("y", kind="output", dtype="INT8", shape=(1, 17, 8, 8)),
    ]
    told = actions(diagnose(tensors, [NodeSpec("Conv:c", "Conv", 2, (0, 1), (2,), TASKS)]), "padding")
    assert [each.split(": ")[2] for each in told] == [
        "int8 filters are stored in pairs, and there is an odd number of them"
    ]


def test_a_stored_operand_is_filled_up_along_its_second_axis() -> None:
    """GFPGAN's modulated weights, 128x128x3x3, are stored as 4: 785 of 9,001 kB were "ordinary"."""
    trained = Random(1)
    data = b"".join(trained.randbytes(6) + bytes(2) for _ in range(64 * 16 * 9))
    operand = TensorSpec(
        "w",
        kind="cpu_constant",
        shape=(64, 48, 3, 3),
        native_shape=(64, 16, 3, 3, 4),
        layout=64,
        data=data,
    )
    tensors = [
        TensorSpec("x", kind="input", shape=(1, 48, 1, 1)),
        operand,
        TensorSpec("y", kind="output", shape=(64, 48, 3, 3)),
    ]
    (told,) = actions(diagnose(tensors, [NodeSpec("Mul:m", "Mul", 2, (0, 1), (2,), TASKS)]), "padding")
    assert told.startswith("network: 18.4 kB in 1 layer: stored operands of sums and products lie in blocks")


def joined(readers: int) -> list[str]:
    """Return the cures of a Concat of 32 + 20 channels that so many convolutions of 128 filters read."""

    def int8(name: str, shape: tuple[int, ...], kind: str = "activation", data: bytes = b"") -> TensorSpec:
        native = (1, 1, *shape[2:], *shape[:2]) if data else None
        return TensorSpec(name, kind=kind, dtype="INT8", shape=shape, native_shape=native, data=data or None)

    tensors = [
        int8("a", (1, 32, 4, 4), "input"),
        int8("b", (1, 20, 4, 4), "input"),
        int8("joined", (1, 64, 4, 4)),
        int8("k", (64, 64, 1, 1), "weight", identity(64, 64, 64, 0, 130)),
        int8("moved", (1, 64, 4, 4)),
    ]
    nodes = [
        NodeSpec("Concat:Concat_64", "Concat", 2, (0, 1), (2,), TASKS),
        NodeSpec("Conv:133_conv", "Conv", 2, (2, 3), (4,), TASKS),
    ]
    for reader in range(readers):
        tensors += [
            int8(f"w{reader}", (128, 64, 1, 1), "weight", bytes(range(1, 129)) * 64),
            int8(f"y{reader}", (1, 128, 4, 4)),
        ]
        own = len(tensors) - 2
        nodes.append(NodeSpec(f"Conv:r{reader}", "Conv", 2, (4, own), (own + 1,), TASKS))
    return actions(diagnose(tensors, nodes, (0, 1)), "concat_realigned")


def test_filling_up_a_concat_is_no_cure_where_its_readers_grow_by_as_much() -> None:
    """ReXNet's Concats held 177 kB, and filled up by hand the file was 8 kB smaller."""
    (told,) = joined(readers=1)
    assert told.startswith("network: give every input of the Concat a multiple of 16 channels (20 -> 32)")
    assert told.endswith("the layers that make and read them about 2.05 kB more")
    (vain,) = joined(readers=3)
    assert vain.startswith("nothing: ")
    assert "no cure that pays; a multiple of 16 channels in every input (20 -> 32)" in vain


def test_a_reshape_with_tasks_moves_its_map_in_float() -> None:
    tensors = (
        TensorSpec("x", kind="input", shape=(1, 8, 4, 4)),
        TensorSpec("y", shape=(8, 16), kind="output"),
    )
    for tasks, moves in ((TASKS, True), ((0,) * 6, False)):
        graph = GraphSpec(tensors, (NodeSpec("Reshape:r", "Reshape", 2, (0,), (1,), tasks),), (0,), (1,))
        with opened(write_model(FileSpec((graph,)))) as model:
            assert computes_in_float(model.nodes[0], model.layers[0].dtype) is moves
