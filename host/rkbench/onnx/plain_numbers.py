"""Numbers that are written otherwise than they were read, or nobody could read them in the new file.

Those of a Constant in another file are written into the ONNX: `ir.save` takes along what initializers hold,
and lets a Constant speak of a file that lies beside the original.

Pads are written one by one, for the converter may not write into those that lie in one piece: rknn-toolkit2
2.5.0 reads `raw_data` as a view that cannot be written, and sets the pads of a Pad to zero in place where it
joins it with a convolution: "assignment destination is read-only". What a network computes is folded into new
arrays by the converter itself, and what `bench fix` has folded before it must not be refused.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

NUMBERS = frozenset({"value_int", "value_ints", "value_float", "value_floats"})
"""Attributes of a Constant that hold its number or numbers without a tensor."""


def bring_constants_in(graph: ir.Graph) -> None:
    """Hold the numbers of Constants that lie in another file in the graph itself, those of bodies too."""
    for node in (node for each in (graph, *graph.subgraphs()) for node in each):
        for name, held in tuple(node.attributes.items()):
            outside = held.as_tensor() if held.type == ir.AttributeType.TENSOR and not held.is_ref() else None
            if isinstance(outside, ir.ExternalTensor):
                inside = ir.Tensor(np.array(outside.numpy()), outside.dtype, name=outside.name)
                node.attributes[name] = ir.AttrTensor(name, inside)


def write_pads_plainly(graph: ir.Graph) -> None:
    """Store the pads of every Pad as a list of numbers instead of in one piece."""
    for node in graph:
        pads = node.inputs[1] if node.op_type == "Pad" and len(node.inputs) > 1 else None
        if pads is not None:
            write_plainly(pads)


def lies_in_one_piece(value: ir.Value) -> bool:
    """Return whether the file holds a value as the bytes of its numbers, not as a list of them.

    What `bench fix` has computed and stored itself lies in no file yet: the converter folds it into an array
    of its own.
    """
    tensor = ir.convenience.get_const_tensor(value)
    if isinstance(tensor, ir.serde.TensorProtoTensor):
        return bool(tensor.raw.HasField("raw_data"))
    return isinstance(tensor, ir.ExternalTensor)


def write_plainly(value: ir.Value) -> None:
    """Write a stored value of whole numbers (INT64) as a list of them; in place, for all that read it."""
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None or tensor.dtype != ir.DataType.INT64:
        return
    numbers = tensor.numpy()
    listed = ir.serde.TensorProtoTensor(
        onnx.helper.make_tensor(value.name or "", onnx.TensorProto.INT64, numbers.shape, numbers.flatten())
    )
    if value.is_initializer():
        value.const_value = listed
    elif (maker := value.producer()) is not None:
        write_as_tensor(maker, listed)


def bare_attribute(node: ir.Node) -> str | None:
    """Return the attribute by which a Constant holds what it does without a tensor; None for all else."""
    named = (name for name in node.attributes if name.startswith("value_"))
    return next(named, None) if node.op_type == "Constant" else None


def as_tensor(constant: ir.Node) -> ir.TensorProtocol | None:
    """Return the tensor of a Constant that holds numbers without one; None for text."""
    attribute = bare_attribute(constant)
    return (
        None
        if attribute is None or attribute not in NUMBERS
        else ir.convenience.get_const_tensor(constant.outputs[0])
    )


def write_as_tensor(constant: ir.Node, tensor: ir.TensorProtocol) -> None:
    """Let a Constant hold a tensor."""
    constant.attributes.clear()
    constant.attributes["value"] = ir.AttrTensor("value", tensor)
    constant.outputs[0].const_value = tensor
