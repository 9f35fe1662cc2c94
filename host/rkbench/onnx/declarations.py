"""Types and shapes as an ONNX declares them: kept while it is read, and given back before it is written.

Reading fixes open sizes and infers the rest, in the bodies of Ifs and Loops too: written down, that would
bind a network of any batch to a batch of one.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from rkbench.onnx.values import static_shape

Declared = tuple[ir.TypeProtocol | None, tuple[int | str | None, ...] | None]


def declarations(graph: ir.Graph) -> dict[str, Declared]:
    """Return type and shape of every value by its name, as they stand; those of bodies among them."""
    inner = {value.name or "": _declaration(value) for value in _inner_values(graph)}
    return inner | {value.name or "": _declaration(value) for value in _values(graph)}


def _declaration(value: ir.Value) -> Declared:
    shape = value.shape
    dims = None if shape is None else tuple(d if isinstance(d, int) else d.value for d in shape)
    return value.type, dims


def restore_declarations(graph: ir.Graph, declared: dict[str, Declared]) -> None:
    """Undo what reading did to types and shapes, so that a file written from it declares the same.

    Values of bodies keep their types: two bodies may have different ones of one name.
    """
    for value in _values(graph):
        value.type = declared.get(value.name or "", (None, None))[0]
        _restore_shape(value, declared)
    for value in _inner_values(graph):
        _restore_shape(value, declared)


def _restore_shape(value: ir.Value, declared: dict[str, Declared]) -> None:
    shape = declared.get(value.name or "", (None, None))[1]
    fits = shape is not None and _fits(shape, static_shape(value))
    value.shape = ir.Shape(shape) if shape is not None and fits else None


def _fits(declared: tuple[int | str | None, ...], now: tuple[int, ...] | None) -> bool:
    """Return whether a value still has the shape that the file declares; a rewrite may have widened it."""
    if now is None:
        return True
    sizes = zip(declared, now, strict=False)
    return len(declared) == len(now) and all(not isinstance(one, int) or one == two for one, two in sizes)


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    yield from (value for value in graph.inputs if not value.is_initializer())
    for node in graph:
        yield from node.outputs


def _inner_values(graph: ir.Graph) -> Iterator[ir.Value]:
    """Yield the values of the bodies of Ifs and Loops, at any depth."""
    for inner in graph.subgraphs():
        yield from _values(inner)
