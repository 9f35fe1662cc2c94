"""What a convolution may take from the buffer instead of fetching it: what the one before it has fetched."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.npu.execute.fields import TaskRegisters, UnmodelledError


@dataclass(frozen=True)
class Fetched:
    """What one convolution has fetched."""

    layer: int
    weights: tuple[int, int]
    """Address and bytes."""
    features: tuple[int, ...]
    """Address and sizes."""


def fetch(registers: TaskRegisters, layer: int, before: Fetched | None) -> Fetched:
    """Return what is in the buffer with a task; UnmodelledError where it takes what was not fetched `before`.

    In every file the task before, of the same layer, has fetched just these features, or these weights and
    perhaps some behind them.
    """
    weights = registers["CNA.DCOMP_ADDR0"], registers["CNA.WEIGHT_SIZE0"]
    size = "CNA.DATA_SIZE"
    features = (
        registers["CNA.FEATURE_DATA_ADDR"],
        registers[f"{size}0.DATAIN_WIDTH"],
        registers[f"{size}0.DATAIN_HEIGHT"],
        registers[f"{size}1.DATAIN_CHANNEL"],
    )
    same = before is not None and before.layer == layer
    held = before if same else None
    if registers["CNA.CBUF_CON0.WEIGHT_REUSE"]:
        if held is None or held.weights[0] != weights[0] or held.weights[1] < weights[1]:
            raise UnmodelledError("CNA.CBUF_CON0.WEIGHT_REUSE of weights that were not fetched before")
        weights = held.weights
    if registers["CNA.CBUF_CON0.DATA_REUSE"] and (held is None or held.features != features):
        raise UnmodelledError("CNA.CBUF_CON0.DATA_REUSE of features that were not fetched before")
    return Fetched(layer, weights, features)
