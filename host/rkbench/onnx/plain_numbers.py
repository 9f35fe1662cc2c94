"""Numbers that are written one by one: the converter may not write into those that lie in one piece.

rknn-toolkit2 2.5.0 reads `raw_data` as a view that cannot be written, and sets the pads of a Pad to zero in
place where it joins it with a convolution: "assignment destination is read-only". What a network computes is
folded into new arrays by the converter itself, and what `bench fix` has folded before it must not be refused.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir


def write_pads_plainly(graph: ir.Graph) -> None:
    """Store the pads of every Pad as a list of numbers instead of in one piece."""
    for node in graph:
        pads = node.inputs[1] if node.op_type == "Pad" and len(node.inputs) > 1 else None
        tensor = pads.const_value if pads is not None and pads.is_initializer() else None
        if pads is None or tensor is None or tensor.dtype != ir.DataType.INT64:
            continue
        numbers = tensor.numpy()
        listed = onnx.helper.make_tensor(
            pads.name or "", onnx.TensorProto.INT64, numbers.shape, numbers.flatten()
        )
        pads.const_value = ir.serde.TensorProtoTensor(listed)
