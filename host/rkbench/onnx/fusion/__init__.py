"""A graph as the compiler's layers: which nodes it computes at once, and in which order."""

from __future__ import annotations

from rkbench.onnx.fusion.fuse import Fuser
from rkbench.onnx.fusion.layer import FusedLayer

__all__ = ["FusedLayer", "Fuser"]
