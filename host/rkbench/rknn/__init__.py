"""Read .rknn files: graph, tensors, and where every byte sits. No vendor code, no board.

>>> from rkbench.rknn import open_model
>>> with open_model("model.rknn") as model:
...     print(model.file.target, model.sections.total == model.file.size_bytes)
"""

from rkbench.rknn.identify import Identity, describe, identify
from rkbench.rknn.model import (
    Buffer,
    Convolution,
    FileInfo,
    Graph,
    Layer,
    Memory,
    Node,
    RknnModel,
    Sections,
    Tensor,
)
from rkbench.rknn.reader import open_model

__all__ = [
    "Buffer",
    "Convolution",
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
