"""Networks to bisect, made by seed, with residual branches; and a board that is onnxruntime with a break."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx_networks import Network
from rkbench.bisect.asked import Probe
from rkbench.bisect.judging import error_of, figures_of, limit_of
from rkbench.bisect.probing import PreparedPart
from rkbench.conversion.simulated import simulator_errors
from rkbench.errors import ConversionError


def make_network(seed: int, path: Path) -> Path:
    """Write a network of 8 to 45 layers: convolutions, activations, additions around them, a head.

    It has no biases, which would drown what comes in: an error of a layer reaches the output.
    """
    chance = random.Random(seed)
    net = Network(1, 3, 12, 12).conv(3, 8, bias=False)
    for _ in range(chance.randint(3, 10)):
        kind = chance.choice(("conv", "residual", "pool"))
        if kind == "residual":
            trunk = net.value
            net.conv(8, 8, bias=False).add("Relu").conv(8, 8, bias=False).add("Add", trunk)
        elif kind == "conv":
            net.conv(8, 8, bias=False).add(chance.choice(("Relu", "LeakyRelu", "Tanh")))
        else:
            net.add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    return net.conv(8, 5, bias=False).add("GlobalAveragePool").save(path)


@dataclass
class OnnxBoard:
    """A prober without converter and board: onnxruntime, with an error behind a tensor.

    `broken` is wrong on the board, `lossy` in the simulator and so on the board as well. `refused` are
    outputs that no part may have; `noise` is what every output lacks of being exact.
    """

    broken: str = ""
    lossy: str = ""
    refused: Sequence[str] = ()
    noise: float = 1e-4
    asked: list[str] = field(default_factory=list)

    def probe(self, prepared: PreparedPart) -> Probe:
        self.asked.append(prepared.name)
        if set(self.refused) & set(prepared.part.outputs):
            raise ConversionError(f"{prepared.name} (build): no such layer", stage="build")
        gate = limit_of((), is_quantized=False)
        board = self._errors(prepared, (self.broken, self.lossy))
        simulator = self._errors(prepared, (self.lossy,))
        errors = tuple(error_of(gate, name, board[name], simulator[name]) for name in board)
        return Probe(prepared.part, prepared.layers, errors, onnx=prepared.onnx, golden=prepared.golden)

    def _errors(self, prepared: PreparedPart, breaks: Sequence[str]) -> dict:
        model = onnx.load(prepared.onnx)
        for tensor in filter(None, breaks):
            break_tensor(model, tensor)
        replay = prepared.golden.with_suffix(".replay.npz")
        session = onnxruntime.InferenceSession(model.SerializeToString())
        names = [each.name for each in session.get_outputs()]
        with np.load(prepared.golden) as golden:
            inputs = [each.name for each in session.get_inputs()]
            fed = [golden[f"inputs/{name}"] for name in inputs]
            runs = [
                session.run(names, dict(zip(inputs, case, strict=True))) for case in zip(*fed, strict=True)
            ]
        chance = np.random.default_rng(0)
        outputs = {
            f"outputs/{name}": np.stack([run[place] for run in runs]) for place, name in enumerate(names)
        }
        noisy = {
            key: value + self.noise * value.std() * chance.standard_normal(value.shape)
            for key, value in outputs.items()
        }
        np.savez(replay, **{key: value.astype(np.float32) for key, value in noisy.items()})
        return {each.name: figures_of(each) for each in simulator_errors(replay, prepared.golden)}


def break_tensor(model: onnx.ModelProto, tensor: str) -> None:
    """Let all that reads a tensor see it enlarged and negated; nothing where it is not made there."""
    maker = next((node for node in model.graph.node if tensor in node.output), None)
    if maker is None:
        return
    maker.output[list(maker.output).index(tensor)] = f"{tensor}.right"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(-1.5), f"{tensor}.factor"))
    place = list(model.graph.node).index(maker)
    model.graph.node.insert(
        place + 1, helper.make_node("Mul", [f"{tensor}.right", f"{tensor}.factor"], [tensor])
    )
