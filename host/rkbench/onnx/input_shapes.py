"""Shapes of a network's inputs where the ONNX leaves sizes open: given, or counted as 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx_ir as ir

from rkbench.errors import UsageError
from rkbench.language.said import NOTHING, Said, say

InputShapes = Mapping[str, tuple[int, ...]]
"""Sizes by the input's name."""


def parse_input_shapes(texts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of texts such as `images=1x3x320x320`; raises UsageError for what is no shape."""
    shapes = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        parts = sizes.split("x") if sizes else []
        if not name or not parts or not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise UsageError(f"{text!r} is no input shape", hint="NAME=SIZES, such as images=1x3x320x320")
        shapes[name] = tuple(int(part) for part in parts)
    return shapes


def fix_input_shapes(graph: ir.Graph, given: InputShapes) -> list[Said]:
    """Set the inputs of a graph to the given shapes, every other open size to 1.

    Returns a note for each input whose sizes were made up. Raises UsageError where a given shape names no
    input or contradicts the file.
    """
    inputs = {value.name or "": value for value in graph.inputs if not value.is_initializer()}
    for name, shape in given.items():
        if name not in inputs:
            raise UsageError(f"no input is called {name!r}", hint=f"inputs: {', '.join(inputs)}")
        _check_fits(inputs[name], shape)
        inputs[name].shape = ir.Shape(shape)
    notes = [_count_as_one(value) for value in inputs.values() if value.shape is not None]
    return [note for note in notes if note]


def forget_negative_sizes(graph: ir.Graph) -> None:
    """Make sizes below 0 open: some exporters write -1 for a size that is not known."""
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        shape = value.shape
        if shape is not None and any(isinstance(size, int) and size < 0 for size in shape):
            value.shape = ir.Shape(None if isinstance(size, int) and size < 0 else size for size in shape)


def shapes_that_fill(graph: ir.Graph, offered: InputShapes) -> dict[str, tuple[int, ...]]:
    """Return those of `offered` that fill in an input of this name whose sizes the file leaves open."""
    inputs = {value.name or "": value for value in graph.inputs if not value.is_initializer()}
    return {
        name: shape
        for name, shape in offered.items()
        if name in inputs
        and _leaves_open(inputs[name])
        and min(shape, default=0) > 0
        and _fits(inputs[name], shape)
    }


def _leaves_open(value: ir.Value) -> bool:
    return any(not isinstance(size, int) for size in value.shape or ())


def _fits(value: ir.Value, shape: tuple[int, ...]) -> bool:
    """Return whether a shape contradicts nothing that the file says of an input."""
    declared = value.shape
    if declared is None:
        return True
    sizes = zip(declared, shape, strict=False)
    return len(declared) == len(shape) and all(
        not isinstance(size, int) or size < 1 or size == ours for size, ours in sizes
    )


def _check_fits(value: ir.Value, shape: tuple[int, ...]) -> None:
    declared = value.shape
    if declared is not None and not _fits(value, shape):
        says = "x".join(str(size) if isinstance(size, int) else str(size.value or "?") for size in declared)
        given = "x".join(map(str, shape))
        if not declared:
            text = f"input {value.name} is one number in the file, not {given}"
            raise UsageError(text, hint="leave it out of --input-shape")
        raise UsageError(
            f"input {value.name} is {says} in the file, not {given}", hint="fill in the open sizes"
        )


def _count_as_one(value: ir.Value) -> Said:
    """Set open sizes of an input to 1; return a note that says so and how to give them, "" if none is
    open."""
    shape = list(value.shape or ())
    names = [str(size) for size in shape if not isinstance(size, int)]
    if not names:
        return NOTHING
    value.shape = ir.Shape(size if isinstance(size, int) and size > 0 else 1 for size in shape)
    wanted = "x".join(str(size) if isinstance(size, int) else "N" for size in shape)
    is_batch = len(names) == 1 and not isinstance(shape[0], int)
    how = NOTHING if is_batch else say(" (--input-shape {name}={wanted})", name=value.name, wanted=wanted)
    return say(
        "input {input}: dimensions {names} counted as 1{how}",
        input=value.name,
        names=", ".join(names),
        how=how,
    )
