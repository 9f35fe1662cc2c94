"""Products by stored weights, cut into what attention reads: the compiler cuts the weights."""

from __future__ import annotations

import onnx_ir as ir

from rkbench.onnx.fusion.patterns import users
from rkbench.onnx.values import static_shape

CUTTERS = {"Slice", "Split"}


def cut_result(product: ir.Node) -> ir.Value:
    """Return what is cut of a product: its result, or the sum with a bias that alone reads it."""
    result = product.outputs[0]
    readers = users(result)
    (adder,) = readers if len(readers) == 1 else (None,)
    if adder is None or adder.op_type != "Add":
        return result
    return adder.outputs[0] if bias_of(adder, result) is not None else result


def bias_of(adder: ir.Node, result: ir.Value) -> ir.Value | None:
    """Return the vector of as many numbers as a product has columns that an Add adds to it."""
    columns = (static_shape(result) or (None,))[-1]
    for value in adder.inputs:
        tensor = ir.convenience.get_const_tensor(value) if value is not None else None
        if value is not result and tensor is not None and tuple(tensor.shape.numpy()) == (columns,):
            return value
    return None


def is_cut_into_heads(product: ir.Node) -> bool:
    """Return whether nothing reads a product but Slices and Splits of its columns whose pieces are reshaped:
    then each piece is a product of its own, by weights that are stored for it (11 of 11 conversions of
    toolkit 2.5.0, with and without a bias and a norm before; not where pieces are multiplied as they are)."""
    result = cut_result(product)
    cutters = [user for user in users(result) if user.op_type != "Shape"]
    if result.is_graph_output() or not cutters or not {user.op_type for user in cutters} <= CUTTERS:
        return False
    whole, pieces = static_shape(result), [value for cutter in cutters for value in cutter.outputs]
    if whole is None or len(pieces) < 2:
        return False
    return all(_is_reshaped_part(piece, whole) for piece in pieces)


def _is_reshaped_part(piece: ir.Value, whole: tuple[int, ...]) -> bool:
    shape = static_shape(piece)
    readers = [user.op_type for user in users(piece) if user.op_type != "Shape"]
    cut = shape is not None and shape[:-1] == whole[:-1] and shape[-1] < whole[-1]
    return cut and not piece.is_graph_output() and set(readers) == {"Reshape"}
