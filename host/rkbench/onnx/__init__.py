"""What an ONNX will become as a .rknn, before anything is converted, and the rewrites that cure the bloat.

>>> from rkbench.onnx import predict_file
>>> prediction = predict_file("model.onnx", "rk3588", "fp16")
>>> print(prediction.weight_bytes, [node.name for node in prediction.bloated])

Importing this package without the extra `onnx` raises UsageError, which names the pip command.
"""

from __future__ import annotations

from rkbench.errors import UsageError

try:
    import onnx
    import onnx_ir
except ImportError as error:
    raise UsageError(
        f"this needs the package {error.name}, which is not installed",
        hint="pip install 'rkbench[onnx]'",
    ) from error

from rkbench.onnx.fix import FixReport, fix_file
from rkbench.onnx.input_shapes import parse_input_shapes
from rkbench.onnx.model import OnnxFile, open_onnx
from rkbench.onnx.predict import predict, predict_file
from rkbench.onnx.prediction import PredictedNode, Prediction

__all__ = [
    "FixReport",
    "OnnxFile",
    "PredictedNode",
    "Prediction",
    "fix_file",
    "open_onnx",
    "parse_input_shapes",
    "predict",
    "predict_file",
]

_VERSIONS = (onnx.__version__, onnx_ir.__version__)
