"""The operators that a .rknn leaves to the CPU, as the runtime computes them: in float32."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rkbench.npu.execute.fields import UnmodelledError
from rkbench.npu.execute.tensors import Array, Tensors
from rkbench.rknn.contents import Node, Tensor

COPIES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity")


def _erf(values: Array) -> Array:
    from scipy.special import erf  # few models need it, and it takes long to import

    found: Array = erf(values)
    return found


FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "Erf": _erf,
    "Sin": np.sin,
    "Cos": np.cos,
    "Exp": np.exp,
    "Log": np.log,
    "Pow": np.power,
    "Cast": np.asarray,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
}
"""Operators of one or two tensors, element by element."""


def run_on_cpu(node: Node, tensors: Tensors, inputs: list[Tensor], outputs: list[Tensor]) -> None:
    """Compute a node of the CPU; raises UnmodelledError with its type where we have none."""
    if len(outputs) != 1 or not inputs:
        raise UnmodelledError(f"CPU operator {node.type} of {len(inputs)} inputs and {len(outputs)} outputs")
    if node.type == "Transpose":
        _transpose(tensors, inputs[0], outputs[0])
    elif node.type in COPIES:
        _copy(tensors, inputs[0], outputs[0])
    elif node.type in FUNCTIONS:
        _compute(FUNCTIONS[node.type], tensors, inputs, outputs[0])
    else:
        raise UnmodelledError(f"CPU operator {node.type}")


def _transpose(tensors: Tensors, source: Tensor, target: Tensor) -> None:
    """Exchange dimensions; which, the shapes tell where no two but those of 1 are alike."""
    sides = [side for side in source.shape if side != 1]
    if len(set(sides)) < len(sides) or sorted(source.shape) != sorted(target.shape):
        raise UnmodelledError(f"a Transpose of {source.shape} to {target.shape}")
    alike = source.dtype == target.dtype and source.scale == target.scale
    if not alike or source.zero_point != target.zero_point:
        raise UnmodelledError("a Transpose to another quantization")
    order = [sides.index(side) for side in target.shape if side != 1]
    values = tensors.stored(source).reshape(sides).transpose(order)
    tensors.write_stored(target, np.ascontiguousarray(values).reshape(target.shape))


def _compute(function: Callable[..., Array], tensors: Tensors, inputs: list[Tensor], target: Tensor) -> None:
    operands = [tensors.read(tensor) for tensor in inputs]
    try:
        with np.errstate(all="ignore"):
            result: Any = np.broadcast_to(function(*operands), target.shape)
    except (ValueError, TypeError) as error:  # shapes that do not go together, or too many operands
        shapes = ", ".join(str(tensor.shape) for tensor in inputs)
        raise UnmodelledError(f"an operator on {shapes} that yields {target.shape}") from error
    tensors.write(target, result)


def _copy(tensors: Tensors, source: Tensor, target: Tensor) -> None:
    if math.prod(source.shape) != math.prod(target.shape):
        raise UnmodelledError(f"a copy of {source.shape} that yields {target.shape}")
    if source.dtype == target.dtype and (source.scale, source.zero_point) == (
        target.scale,
        target.zero_point,
    ):
        tensors.write_stored(target, tensors.stored(source).reshape(target.shape))
    else:
        tensors.write(target, tensors.read(source).reshape(target.shape))
