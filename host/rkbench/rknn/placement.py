"""Which layers of a file compute on the CPU, and which in float: the graph tells, no weight is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rkbench.rknn.contents import Contents, Node, Tensor

INTEGERS = ("INT8", "UINT8", "INT16")
#: They move nothing.
RENAMING = ("InputOperator", "OutputOperator", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity")
WEIGHT_BLOCKS = "WEIGHT_BLOCKS"
"""The layout of what the network multiplies by."""
_CONVERSION = "exDataConvert"
_FLOATS = ("FLOAT", "BFLOAT")
_MAPS = ("input", "output", "activation")
_BIAS_DTYPES = ("INT32", "INT64", "FLOAT32", "OPAQUE", "")


@dataclass(frozen=True)
class Placement:
    """The layers of a file's first graph that compute on the CPU, and those that compute in float.

    In a file that is not quantized every layer that computes is float.
    """

    on_cpu: tuple[Node, ...]
    in_float: tuple[Node, ...]
    is_quantized: bool


def placement(contents: Contents) -> Placement:
    """Return where the layers of the first graph compute."""
    nodes, tensors = contents.graphs[0].nodes if contents.graphs else (), contents.tensors
    return Placement(
        tuple(node for node in nodes if runs_on_cpu(node)),
        tuple(node for node in nodes if computes_in_float(node, layer_dtype(node, tensors))),
        is_quantized(contents),
    )


def runs_on_cpu(node: Node) -> bool:
    """Return whether a layer computes on the CPU; reshapes that move nothing are not counted."""
    return node.target == "CPU" and node.type not in RENAMING


def computes_in_float(node: Node, dtype: str) -> bool:
    """Return whether a layer of this dtype computes in float; new names and conversions do not compute.

    A Reshape with tasks moves its map, as a Transpose does.
    """
    moves = node.type == "Reshape" and any(node.task_counts)
    return (moves or node.type not in (*RENAMING, _CONVERSION)) and dtype.startswith(_FLOATS)


def layer_dtype(node: Node, tensors: Sequence[Tensor]) -> str:
    """Return what a layer computes in: the dtype of its weights, else of what it reads, else writes."""
    inputs = [tensors[index] for index in node.inputs]
    weights = [each.dtype for each in inputs if each.kind == "weight" and each.dtype not in _BIAS_DTYPES]
    data = [each.dtype for each in inputs if each.kind in _MAPS]
    written = (tensors[index].dtype for index in node.outputs)
    return next((dtype for dtype in [*weights, *data, *written] if dtype), "")


def is_quantized(contents: Contents) -> bool:
    """Return whether any kernel or map is quantized.

    Indices, and truth values (scale 1, zero point 0), are integers in float files too.
    """
    return bool(_integers(contents))


def is_int16(contents: Contents) -> bool:
    """Return whether all kernels and maps that are quantized have 16 bits.

    In int8 files of the rk3562, rk3576 and rv1126b the kernels of depthwise layers do.
    """
    return _integers(contents) == {"INT16"}


def _integers(contents: Contents) -> set[str]:
    """Return the dtypes of kernels and maps that are quantized."""
    tensors = contents.tensors
    kernels = (kernel_of([tensors[index] for index in node.inputs]) for node in contents.nodes)
    found = {each.dtype for each in kernels if each and each.dtype in INTEGERS}
    return found | {each.dtype for each in tensors if _is_quantized(each)}


def kernel_of(inputs: Sequence[Tensor]) -> Tensor | None:
    """Return the weight tensor with four dimensions among a layer's inputs, or None.

    A stored map that a Concat joins stands before the kernel that the Concat has.
    """
    kernels = (each for each in inputs if each.kind in ("weight", "compiler_constant"))
    found = [each for each in kernels if len(each.shape) == 4]
    return next((each for each in found if each.layout == WEIGHT_BLOCKS), next(iter(found), None))


def _is_quantized(tensor: Tensor) -> bool:
    is_map = tensor.kind in _MAPS and tensor.dtype in INTEGERS
    return is_map and bool(tensor.scale) and (set(tensor.scale), set(tensor.zero_point)) != ({1.0}, {0})
