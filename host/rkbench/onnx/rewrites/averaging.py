"""Averages of whole maps: which nodes take one, and the pools of at most seven pixels that can.

A GlobalAveragePool becomes depthwise convolutions with a kernel of equal weights for every channel, an
AveragePool that is not global a single task of 256 bytes of commands. So everything but a last line of pixels
is averaged by such pools.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import onnx_ir as ir

from rkbench.onnx.convolution import LARGEST_WINDOW, averages_whole_map
from rkbench.onnx.rewrites.surgery import make_node
from rkbench.onnx.shapes import axes_of
from rkbench.onnx.values import static_shape

WIDTH, HEIGHT = 3, 2

SHORT_SIDE = 4
"""A map at least so high is averaged over its height first: below, one convolution takes what is left."""


class Windows(NamedTuple):
    """Pools that follow one another, and what is left for a GlobalAveragePool."""

    pools: tuple[tuple[int, int], ...]
    left: tuple[int, int]


def windows_of(height: int, width: int) -> Windows:
    """Return the pools for a map: the largest windows that tile it, and at last all rows of what is left.

    Without pools where a side has no divisor up to seven.
    """
    pools, left = list[tuple[int, int]](), (height, width)
    while max(left) > LARGEST_WINDOW:
        window = (_divisor(left[0]), _divisor(left[1]))
        if prod(window) == 1:
            return Windows(tuple(pools), left)
        pools.append(window)
        left = (left[0] // window[0], left[1] // window[1])
    if left[0] >= SHORT_SIDE and left[1] > 1:
        pools.append((left[0], 1))
        left = (1, left[1])
    return Windows(tuple(pools), left)


def _divisor(side: int) -> int:
    """Return the largest window that tiles a side longer than a pool; 1 for shorter sides and primes."""
    if side <= LARGEST_WINDOW:
        return 1
    return next(size for size in range(LARGEST_WINDOW, 0, -1) if side % size == 0)


def is_global(node: ir.Node) -> bool:
    """Return whether a node averages a whole map or signal: so does an AveragePool whose one window that is,
    without padding, and a ReduceMean over both sides of a map. One over the last of three axes may be the
    mean of a norm over features, which the compiler knows as a whole."""
    shape = static_shape(node.inputs[0]) if node.op_type in ("AveragePool", "ReduceMean") else None
    if shape is None or len(shape) not in (3, 4):
        return node.op_type == "GlobalAveragePool"
    if node.op_type == "ReduceMean":
        return len(shape) == 4 and sorted(axis % 4 for axis in axes_of(node)) == [HEIGHT, WIDTH]
    made = static_shape(node.outputs[0])
    return averages_whole_map(node) and made is not None and set(made[2:]) == {1}


def sides_of(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of a map, or 1 and the length of a signal [N, C, L]."""
    return (shape[2], shape[3]) if len(shape) == 4 else (1, shape[2])


def is_of_a_norm(node: ir.Node) -> bool:
    """Return whether an average is the mean that a map is reduced by, or of the squares that are rooted."""
    users = [use.node for use in node.outputs[0].uses()]
    users += [use.node for user in users if user.op_type == "Add" for use in user.outputs[0].uses()]
    return any(user.op_type in ("Sub", "Sqrt") for user in users)


def averaged(
    graph: ir.Graph, value: ir.Value | None, shape: tuple[int, ...], name: str, like: ir.Value
) -> list[ir.Node]:
    """Return the nodes that average a map or signal by pools and at last as a whole, to one pixel."""
    new, now = list[ir.Node](), shape
    for place, pool in enumerate(windows_of(*sides_of(shape)).pools):
        window = pool[4 - len(shape) :]
        now = (*shape[:2], *(side // step for side, step in zip(now[2:], window, strict=True)))
        size: dict[str, int | float | str | list[int]] = {"kernel_shape": [*window], "strides": [*window]}
        called = f"{name}_pool{place + 1}"
        new.append(make_node(graph, "AveragePool", [value], size, name=called, shape=now, like=like))
        value = new[-1].outputs[0]
    whole = (*shape[:2], *(1 for _ in shape[2:]))
    new.append(make_node(graph, "GlobalAveragePool", [value], name=f"{name}_rest", shape=whole, like=like))
    return new


def flattened(graph: ir.Graph, node: ir.Node, value: ir.Value | None) -> list[ir.Node]:
    """Return the Flatten of averages where the node that took them dropped the sides of the map."""
    if node.attributes.get_int("keepdims", 1) != 0:
        return []
    name, size = f"{node.name or 'average'}_flat", (static_shape(value) or ())[:2]
    return [make_node(graph, "Flatten", [value], {"axis": 1}, name=name, shape=size, like=node.outputs[0])]
