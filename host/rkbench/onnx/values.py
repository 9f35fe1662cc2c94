"""Facts of one value of an ONNX graph."""

from __future__ import annotations

import onnx_ir as ir


def static_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return a value's shape if every dimension is known, else None."""
    if value is None:
        return None
    shape = value.const_value.shape if value.const_value is not None else value.shape
    if shape is None:
        return None
    dims = [dim for dim in shape if isinstance(dim, int)]
    return tuple(dims) if len(dims) == len(shape) else None
