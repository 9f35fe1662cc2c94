"""Facts of one value of an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

COPIED_BYTES = 4096
"""Of data in another file. What is short `ir.save` puts into the ONNX itself and closes that file, which it
cannot while an array shows a part of it."""


def static_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return a value's shape if every dimension is known, else None."""
    if value is None:
        return None
    shape = value.const_value.shape if value.const_value is not None else value.shape
    if shape is None:
        return None
    dims = [dim for dim in shape if isinstance(dim, int)]
    return tuple(dims) if len(dims) == len(shape) else None


def data_of(tensor: ir.TensorProtocol | None) -> np.ndarray[Any, Any] | None:
    """Return the numbers of a tensor; None where there is none, or where the file that holds them is not here
    or shorter than they are."""
    if not isinstance(tensor, ir.ExternalTensor):
        return None if tensor is None else tensor.numpy()
    file, end = Path(tensor.path), (tensor.offset or 0) + tensor.nbytes
    if not file.is_file() or file.stat().st_size < end:
        return None
    return np.array(tensor.numpy()) if tensor.nbytes < COPIED_BYTES else tensor.numpy()
