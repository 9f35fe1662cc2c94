"""The part of torch.nn that the toolkit's import needs."""

from __future__ import annotations


class Module:
    """The base class that the toolkit's PyTorch helpers derive from; ONNX work never makes one."""


class Parameter:
    """Named by a quantizer of the toolkit that ONNX work does not reach."""
