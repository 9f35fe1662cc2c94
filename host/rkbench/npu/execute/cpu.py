"""The operators that a .rknn leaves to the CPU.

Floats, and what is quantized, are computed in float32 (numpy's and scipy's functions, which may differ from
the runtime's in the last place); indices and shapes in their own integers. What only moves is not computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
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
    "Sqrt": np.sqrt,
    "Floor": np.floor,
    "Softsign": lambda values: values / (1 + np.abs(values)),
    "Div": np.divide,
    "Max": np.maximum,
    "Min": np.minimum,
    "Pow": np.power,
    "Cast": np.asarray,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
}
"""Operators element by element."""
ANY_NUMBER = ("Max", "Min")
OF_TWO = ("Div", "Pow", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
"""How many tensors they take; all others take one."""
WHOLE_BYTES = ("INT8", "BOOL", "UINT8")
"""What a Cast may make: numbers cut off, or truths. The file calls both INT8 and does not say which."""


def run_on_cpu(node: Node, tensors: Tensors, inputs: list[Tensor], outputs: list[Tensor]) -> None:
    """Compute a node of the CPU; raises UnmodelledError with its type where we have none."""
    if len(outputs) != 1 or not inputs:
        raise UnmodelledError(f"CPU operator {node.type} of {len(inputs)} inputs and {len(outputs)} outputs")
    if node.type == "Transpose":
        _transpose(tensors, inputs[0], outputs[0])
    elif node.type == "Slice":
        _slice(tensors, inputs, outputs[0])
    elif node.type == "SpaceToDepth":
        _fold(tensors, inputs[0], outputs[0])
    elif node.type == "ReduceMax":
        _largest(tensors, inputs, outputs[0])
    elif node.type in COPIES:
        _copy(tensors, inputs[0], outputs[0])
    elif node.type in FUNCTIONS:
        _compute(node.type, tensors, inputs, outputs[0])
    else:
        raise UnmodelledError(f"CPU operator {node.type}")


def _transpose(tensors: Tensors, source: Tensor, target: Tensor) -> None:
    """Exchange dimensions; which, the shapes tell where no two but those of 1 are alike."""
    sides = [side for side in source.shape if side != 1]
    if len(set(sides)) < len(sides) or sorted(source.shape) != sorted(target.shape):
        raise UnmodelledError(f"a Transpose of {source.shape} to {target.shape}")
    _refuse_other_steps(source, target, "Transpose")
    order = [sides.index(side) for side in target.shape if side != 1]
    values = tensors.stored(source).reshape(sides).transpose(order)
    tensors.write_stored(target, np.ascontiguousarray(values).reshape(target.shape))


def _refuse_other_steps(source: Tensor, target: Tensor, operator: str) -> None:
    alike = source.dtype == target.dtype and source.scale == target.scale
    if not alike or source.zero_point != target.zero_point:
        raise UnmodelledError(f"a {operator} to another quantization")


def _slice(tensors: Tensors, inputs: list[Tensor], target: Tensor) -> None:
    """Take every so many of some dimensions; starts, ends, dimensions and steps are tensors."""
    source, *numbers = inputs
    _refuse_other_steps(source, target, "Slice")
    if len(numbers) not in (3, 4):
        raise UnmodelledError(f"a Slice of {len(numbers)} numbers")
    read = [tensors.stored(each).reshape(-1).tolist() for each in numbers]
    if len({len(each) for each in read}) > 1:
        raise UnmodelledError("a Slice of more starts than ends")
    taken = [slice(None)] * len(source.shape)
    for start, end, axis, *steps in zip(*read, strict=True):
        step = steps[0] if steps else 1
        if step < 1 or not -len(taken) <= axis < len(taken):
            raise UnmodelledError(f"a Slice of dimension {axis} in steps of {step}")
        taken[axis] = slice(start, end, step)
    values = tensors.stored(source)[tuple(taken)]
    if values.shape != target.shape:
        raise UnmodelledError(f"a Slice of {source.shape} that yields {target.shape}")
    tensors.write_stored(target, np.ascontiguousarray(values))


def _fold(tensors: Tensors, source: Tensor, target: Tensor) -> None:
    """Make channels of each n x n pixels, those of one pixel of them after the other; n tell the shapes."""
    _refuse_other_steps(source, target, "SpaceToDepth")
    batch, channels, height, width = source.shape if len(source.shape) == 4 else (0, 0, 0, 0)
    n = height // max(1, target.shape[2]) if len(target.shape) == 4 else 0
    if n < 1 or target.shape != (batch, channels * n * n, height // n, width // n) or height % n or width % n:
        raise UnmodelledError(f"a SpaceToDepth of {source.shape} that yields {target.shape}")
    blocks = tensors.stored(source).reshape(batch, channels, height // n, n, width // n, n)
    tensors.write_stored(
        target, np.ascontiguousarray(blocks.transpose(0, 3, 5, 1, 2, 4)).reshape(target.shape)
    )


def _largest(tensors: Tensors, inputs: list[Tensor], target: Tensor) -> None:
    """Take the largest along dimensions that are 1 then; a second tensor says which, and the shapes do."""
    source, *named = inputs
    if len(source.shape) != len(target.shape) or len(named) > 1:
        raise UnmodelledError(f"a ReduceMax of {source.shape} that yields {target.shape}")
    gone = {axis for axis, side in enumerate(source.shape) if side != target.shape[axis]}
    asked = {axis % len(source.shape) for each in named for axis in tensors.stored(each).reshape(-1).tolist()}
    if any(target.shape[axis] != 1 for axis in gone) or (named and not gone <= asked):
        raise UnmodelledError(
            f"a ReduceMax of {source.shape} along {sorted(asked)} that yields {target.shape}"
        )
    tensors.write(target, tensors.read(source).max(axis=tuple(sorted(gone)), keepdims=True))


def _compute(kind: str, tensors: Tensors, inputs: list[Tensor], target: Tensor) -> None:
    taken = 2 if kind in OF_TWO else 1
    if len(inputs) != taken and kind not in ANY_NUMBER:
        raise UnmodelledError(f"a {kind} of {len(inputs)} tensors")
    if kind == "Cast" and target.dtype in WHOLE_BYTES:
        raise UnmodelledError(f"a Cast to {target.dtype}")
    function, operands = FUNCTIONS[kind], [tensors.read(tensor) for tensor in inputs]
    if kind in ANY_NUMBER:  # a third operand would be where numpy writes the result
        operands = [reduce(function, operands)]
        function = np.asarray
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
