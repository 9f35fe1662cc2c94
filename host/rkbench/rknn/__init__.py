"""Read .rknn files: graph, tensors, and where every byte sits. No vendor code, no board, no copy of weights.

In a notebook::

    from rkbench.rknn import open_model

    model = open_model("model.rknn")          # mapped; `with open_model(...) as model:` unmaps it again
    model.file.target                         # 'rk3588'
    model.sections                            # bytes by section; model.sections.total == size of the file
    model.memory.weight_bytes                 # NPU memory that loading takes, as the file states it

    for layer in sorted(model.layers, key=lambda layer: -layer.size_bytes)[:10]:
        print(layer.size_bytes, layer.onnx_node, layer.dtype, layer.rewrite)

    x = model.inputs[0]
    x.shape, x.native_shape                   # (1, 3, 224, 224), (1, 1, 224, 224, 3)
    x.scale, x.zero_point                     # (0.0361,), (6,): real = (stored - zero_point) * scale

    import numpy                              # weights in place, packed in blocks for the NPU
    w = next(t for t in model.tensors if t.kind == "weight")
    packed = numpy.frombuffer(model.read_weights(w.buffer_index), numpy.int8)

Units and shapes. Every size is in bytes and is a size in the file, but for `Tensor.size_bytes`,
`Tensor.arena_offset` and `model.memory`, which are about NPU memory. `shape` is the source model's (NCHW
where it has four dimensions); `native_shape` is the NPU's: activations N, C1, H, W, C2 with C = C1 x C2,
weights one to four blocks of (Cout blocks, Cin blocks, kh, kw, Cout in a block, Cin in a block).

Indices. `Node.inputs` and `Node.outputs` index `model.tensors`; `Layer.fed_by` and `Layer.feeds` index
`model.layers`, which runs parallel to `model.nodes`. Models with dynamic inputs hold one graph for each shape
(`model.graphs`); tensors, nodes and layers of all graphs stand one after the other, each with its `graph`.

Errors. What is no readable .rknn raises ModelError, which says what the file is (`identify` says it without
raising) or which field at which byte is damaged. A file must not shrink while it is open.

Also: `rkbench.inspection.diff.diff_models`, `rkbench.rknn.structure.structure_parts`.
"""

from rkbench.rknn.contents import (
    Buffer,
    ConvolutionAttributes,
    FileInfo,
    Graph,
    Layer,
    Memory,
    Node,
    Sections,
    Tensor,
)
from rkbench.rknn.identify import Identity, describe, identify
from rkbench.rknn.model import RknnModel
from rkbench.rknn.reader import open_model

__all__ = [
    "Buffer",
    "ConvolutionAttributes",
    "FileInfo",
    "Graph",
    "Identity",
    "Layer",
    "Memory",
    "Node",
    "RknnModel",
    "Sections",
    "Tensor",
    "describe",
    "identify",
    "open_model",
]
