"""Ten networks with a layer broken by seed: found in O(log n) parts; board and simulator are onnxruntime."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from bisect_networks import OnnxBoard, make_network
from onnx_networks import Network
from rkbench.bisect.asked import BOARD, CONVERSION
from rkbench.bisect.cuts import CuttableOnnx
from rkbench.bisect.run import Bisection
from rkbench.bisect.run import Network as Bisected
from rkbench.bisect.values import reference_of
from rkbench.errors import ModelError


def bisection(path: Path, board: OnnxBoard) -> Bisection:
    given = reference_of(path, None, path.parent / "given.npz", 2)
    network = Bisected(CuttableOnnx(path), path.stem, given, path.parent)
    return Bisection(network, board, lambda _: None)


def broken_layer(network: CuttableOnnx, seed: int) -> int | None:
    """Return which layer is to be broken: the first, the last, none, one of a residual branch, else any."""
    branch = [
        place
        for place, layer in enumerate(network.layers)
        if layer.op == "Conv" and len(network.first(place + 1).outputs) > 1
    ]
    last = len(network.layers) - 1
    return {0: 0, 1: last, 2: None, 3: branch[0] if branch else last // 2}.get(
        seed, random.Random(seed).randint(0, last)
    )


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("side", ["board", "simulator"])
def test_the_broken_layer_is_found_and_whose_fault_it_is(tmp_path: Path, seed: int, side: str) -> None:
    path = make_network(seed, tmp_path / "net.onnx")
    network = CuttableOnnx(path)
    place = broken_layer(network, seed)
    tensor = network.layers[place].outputs[0] if place is not None else ""
    board = OnnxBoard(**{"broken" if side == "board" else "lossy": tensor})
    search = bisection(path, board)
    found = search.found()
    if place is None:
        assert found is None
        assert board.asked == ["net.whole"]
        return
    assert found is not None
    assert found.layer == network.layers[place]
    assert found.number == place + 1
    assert found.kind == (BOARD if side == "board" else CONVERSION)
    assert found.is_jump
    assert len(board.asked) <= 1 + math.ceil(math.log2(len(network.layers)))
    smallest = search.smallest(found)
    assert smallest.layers == 1
    assert [each.name for each in smallest.wrong] == [tensor]


def test_a_layer_that_cannot_be_cut_off_leaves_its_neighbours_in_doubt(tmp_path: Path) -> None:
    path = make_network(4, tmp_path / "net.onnx")
    layers = CuttableOnnx(path).layers
    board = OnnxBoard(broken=layers[4].outputs[0], refused=layers[4].outputs)
    search = bisection(path, board)
    found = search.found()
    assert found is not None
    assert layers[4] in found.candidates
    assert len(found.candidates) == 2
    assert any("cannot be told" in note for note in search.notes)


def test_an_error_that_grows_from_layer_to_layer_is_no_jump(tmp_path: Path) -> None:
    net = Network(1, 3, 8, 8).conv(3, 8)
    for _ in range(12):
        net.conv(8, 8)
    path = net.save(tmp_path / "net.onnx")

    class Growing(OnnxBoard):
        def probe(self, prepared):  # type: ignore[no-untyped-def]
            self.noise = 0.02 * prepared.layers
            return super().probe(prepared)

    found = bisection(path, Growing()).found()
    assert found is not None
    assert not found.is_jump


def test_nothing_that_could_be_compared_is_an_error(tmp_path: Path) -> None:
    path = make_network(2, tmp_path / "net.onnx")

    class Silent(OnnxBoard):
        def _errors(self, prepared, breaks):  # type: ignore[no-untyped-def]
            return dict.fromkeys(prepared.part.outputs)

    with pytest.raises(ModelError, match="none of its outputs could be compared"):
        bisection(path, Silent()).found()


def test_the_inputs_of_an_inner_part_are_those_of_onnxruntime(tmp_path: Path) -> None:
    path = make_network(3, tmp_path / "net.onnx")
    network = CuttableOnnx(path)
    board = OnnxBoard(broken=network.layers[5].outputs[0])
    search = bisection(path, board)
    found = search.found()
    assert found is not None
    smallest = search.smallest(found)
    assert smallest.onnx is not None
    assert smallest.golden is not None
    whole = onnx.load(path)
    whole.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in smallest.part.inputs
    )
    session = onnxruntime.InferenceSession(whole.SerializeToString())
    with np.load(search.network.given) as given, np.load(smallest.golden) as golden:
        for name in smallest.part.inputs:
            expected = [session.run([name], {"x": case})[0] for case in given["inputs/x"]]
            assert np.allclose(golden[f"inputs/{name}"], expected, atol=1e-6)
